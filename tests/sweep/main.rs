//! The kill sweep: the article's runbook on practice services of another process, killed with
//! SIGKILL wherever it can be, and brought to its end by `runs resume`.
//!
//! Whatever the instant: the Deployment ends at the wished revision, and at most one PATCH and one
//! POST took effect. The same sweep without the record fails, so it can fail. How many random
//! instants are tried stands in `BOWLINE_SWEEP` (60 unless it says otherwise); a journal write is
//! never left out.

#[allow(dead_code, reason = "shared with other test binaries")]
#[path = "../support.rs"]
mod support;

use serde_json::Value;
use std::cell::RefCell;
use std::io::{BufRead as _, BufReader};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};
use support::Place;
use support::services::Services;

const RUN: &[&str] =
    &["run", "runbook.yaml", "--config", "drill.yaml", "-p", "public_id=117", "--json"];

/// A place with services, in which the runbook is run again and again.
struct Ground {
    place: Place,
    services: Services,
    /// What stands in the environment of the program that is killed and of the one that resumes.
    environment: Vec<(String, String)>,
    /// The newest run that was seen.
    newest: RefCell<Option<Value>>,
}

/// What was left of a run that was killed.
#[derive(Debug)]
enum Left {
    /// It was killed before it had begun.
    Nothing,
    /// It was killed behind its end.
    Ended(Outcome),
    /// It was in the middle, and was resumed.
    Resumed(Outcome),
}

/// How a killed and resumed run came out.
#[derive(Debug)]
struct Outcome {
    /// The code of the resumption.
    code: i32,
    effects: Vec<String>,
    /// The image that the Deployment has at the end.
    image: String,
    /// From the start of the resumption to its first event.
    first_event: Duration,
    #[allow(dead_code, reason = "printed with a finding")]
    said: String,
}

impl Ground {
    fn new(environment: &[(&str, &str)]) -> Self {
        let place = Place::new();
        place.runbook();
        let services = Services::start(&place);
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let environment = environment.iter().map(own).collect();
        Self { place, services, environment, newest: RefCell::default() }
    }

    /// Runs to the end without being killed; gives when the first event came, and the last.
    fn undisturbed(&self) -> (Duration, Duration) {
        self.services.reset();
        let began = Instant::now();
        let child = self.place.command(RUN).stdout(Stdio::piped()).spawn();
        let mut child = child.expect("start the program");
        let mut lines = BufReader::new(child.stdout.take().expect("its stdout")).lines();
        let line = lines.next().expect("it says something").expect("text");
        let line: Value = serde_json::from_str(&line).expect("JSON");
        self.newest.replace(Some(line["run"].clone()));
        let first = began.elapsed();
        assert!(lines.count() > 0, "and more");
        assert!(child.wait().expect("wait for it").success());
        (first, began.elapsed())
    }

    /// Starts the run with a place to die at. Whether it died; else it must have succeeded.
    fn dies_at(&self, point: &str) -> bool {
        let mut command = self.place.command(RUN);
        command.envs(self.environment.iter().cloned()).env("BOWLINE_TEST_KILL", point);
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        died(status.expect("start the program"))
    }

    /// Starts the run and kills it after `wait`. Whether it was still there; else it must have
    /// succeeded.
    fn is_killed_after(&self, wait: Duration) -> bool {
        let mut command = self.place.command(RUN);
        command.envs(self.environment.iter().cloned());
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut child = child.expect("start the program");
        std::thread::sleep(wait);
        // SIGKILL.
        child.kill().expect("kill it");
        died(child.wait().expect("wait for it"))
    }

    /// Brings the newest run to its end, if it has begun and not ended.
    fn resumed(&self) -> Left {
        let runs = self.place.run(&["runs", "list", "--json", "-n", "1", "--config", "drill.yaml"]);
        let newest = runs.ends(0).json().into_iter().next();
        let status = newest.as_ref().map(|newest| newest["status"].clone());
        let name = newest.map(|newest| newest["run"].clone());
        let is_new = name != self.newest.replace(name.clone());
        match status.as_ref().and_then(Value::as_str).filter(|_| is_new) {
            None => {
                assert_eq!(self.services.effects(), Vec::<String>::new(), "without a run");
                return Left::Nothing;
            }
            Some("success") => return Left::Ended(self.outcome(0, Duration::ZERO, String::new())),
            Some(status) => assert_eq!(status, "running", "{name:?}"),
        }
        let began = Instant::now();
        let arguments = ["runs", "resume", "@latest", "--config", "drill.yaml", "--json"];
        let mut command = self.place.command(&arguments);
        command.envs(self.environment.iter().cloned());
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("start");
        let mut lines = BufReader::new(child.stdout.take().expect("its stdout")).lines();
        let first = lines.next();
        let first_event = began.elapsed();
        let mut said: String = first.into_iter().map(|line| line.expect("text") + "\n").collect();
        for line in lines {
            said += &(line.expect("text") + "\n");
        }
        let output = child.wait_with_output().expect("wait for it");
        said += &String::from_utf8_lossy(&output.stderr);
        Left::Resumed(self.outcome(output.status.code().unwrap_or(-1), first_event, said))
    }

    fn outcome(&self, code: i32, first_event: Duration, said: String) -> Outcome {
        let image = image(&self.services.picture());
        Outcome { code, effects: self.services.effects(), image, first_event, said }
    }
}

/// Whether it was killed. What was not must have done its work.
fn died(status: ExitStatus) -> bool {
    assert!(status.success() || status.code().is_none(), "it ended by itself: {status}");
    status.code().is_none()
}

/// The image of the runbook's Deployment.
fn image(picture: &Value) -> String {
    let workloads = picture["workloads"].as_array().expect("workloads");
    let own = workloads.iter().find(|workload| workload["name"] == "nginx-deployment");
    own.expect("the Deployment")["images"][0].as_str().expect("an image").to_owned()
}

impl Outcome {
    /// What is wrong with it, if anything is.
    fn wrong(&self) -> Option<String> {
        let count =
            |method: &str| self.effects.iter().filter(|effect| effect.starts_with(method)).count();
        let bad = match (self.code, count("PATCH"), count("POST"), self.image.as_str()) {
            (0, 1, 1, "nginx:1.25") => return None,
            (0, 1, 1, _) => "the Deployment is not at the wished revision",
            (0, _, _, _) => "not one PATCH and one POST took effect",
            _ => "the resumption failed",
        };
        Some(format!("{bad}: {self:#?}"))
    }
}

/// Kills at each time that `point` is reached, from the first on, until a run gets through; with
/// the record, each must come out right. Gives how many were tried and the findings.
fn sweep(ground: &Ground, point: &str) -> (u32, Vec<String>) {
    let mut findings = Vec::new();
    for time in 1..200 {
        ground.services.reset();
        if !ground.dies_at(&format!("{point}:{time}")) {
            return (time - 1, findings);
        }
        let outcome = match ground.resumed() {
            Left::Nothing => continue,
            Left::Ended(outcome) | Left::Resumed(outcome) => outcome,
        };
        if outcome.first_event > Duration::from_secs(1) {
            eprintln!("{point}:{time}: the first event came after {:?}", outcome.first_event);
        }
        findings.extend(outcome.wrong().map(|wrong| format!("{point}:{time}: {wrong}")));
    }
    panic!("`{point}` is reached without end");
}

fn all_come_out_right(point: &str, at_least: u32) {
    let ground = Ground::new(&[]);
    let (tried, findings) = sweep(&ground, point);
    assert!(findings.is_empty(), "{findings:#?}");
    assert!(tried >= at_least, "only {tried} times");
    println!("killed at `{point}` {tried} times");
}

#[test]
fn f01_killed_before_each_journal_write() {
    all_come_out_right("before-commit", 8);
}

#[test]
fn f01_killed_after_each_journal_write() {
    all_come_out_right("after-commit", 8);
}

#[test]
fn f01_killed_before_each_write_leaves() {
    all_come_out_right("before-send", 2);
}

#[test]
fn f01_killed_after_each_write_took_effect() {
    all_come_out_right("after-send", 2);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how long to sweep is said by who starts the tests")]
fn f02_killed_at_random_instants() {
    let wanted = std::env::var("BOWLINE_SWEEP").ok().and_then(|text| text.parse().ok());
    let wanted: u32 = wanted.unwrap_or(60);
    let ground = Ground::new(&[]);
    ground.undisturbed();
    // Before the first event there is no run yet.
    let (first, whole) = ground.undisturbed();
    let window = whole.saturating_sub(first);
    // Any numbers will do, and the same each time.
    let mut random: u64 = 0x9e37_79b9_7f4a_7c15;
    let (mut resumed, mut slowest) = (0, Duration::ZERO);
    for round in 0..wanted {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let share = (random % 1000) as u32;
        ground.services.reset();
        let killed = ground.is_killed_after(first + window * share / 1000);
        let outcome = match ground.resumed() {
            Left::Nothing => {
                assert!(killed, "round {round} ended without a run");
                continue;
            }
            Left::Ended(outcome) => outcome,
            Left::Resumed(outcome) => {
                resumed += 1;
                outcome
            }
        };
        slowest = slowest.max(outcome.first_event);
        if let Some(wrong) = outcome.wrong() {
            panic!("round {round}, killed after {share} thousandths of {window:?}: {wrong}");
        }
    }
    println!("{resumed} of {wanted} were in the middle; first event after {slowest:?} at most");
    assert!(resumed * 10 >= wanted, "only {resumed} of {wanted} were in the middle of a run");
}

#[test]
fn without_the_record_the_same_sweep_fails() {
    let ground = Ground::new(&[("BOWLINE_TEST_WITHOUT", "record")]);
    let (_, findings) = sweep(&ground, "after-send");
    assert!(!findings.is_empty(), "the sweep proves nothing");
    println!("without the record: {}", findings[0].lines().next().unwrap_or_default());
}

#[test]
fn without_the_replay_the_same_sweep_fails() {
    let ground = Ground::new(&[("BOWLINE_TEST_WITHOUT", "replay")]);
    let (_, findings) = sweep(&ground, "after-send");
    assert!(!findings.is_empty(), "the sweep proves nothing");
}

#[test]
fn without_its_layer_a_plan_writes() {
    let ground = Ground::new(&[]);
    let plan = ["plan", "runbook.yaml", "--config", "drill.yaml", "-p", "public_id=117"];
    ground.place.run(&plan).ends(0);
    assert_eq!(ground.services.effects(), Vec::<String>::new());

    let mut command = ground.place.command(&plan);
    let output = command.env("BOWLINE_TEST_WITHOUT", "plan").output().expect("start the program");

    assert!(!ground.services.effects().is_empty(), "the test proves nothing: {output:?}");
}
