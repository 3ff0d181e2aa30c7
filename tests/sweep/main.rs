//! The kill sweep: the repository's workflows on practice services of another process, killed with
//! SIGKILL wherever they can be, and brought to their end by `runs resume`.
//!
//! Whatever the instant: what took effect is what takes effect without a kill; of the article's
//! runbook one PATCH and one POST, and the Deployment ends at the wished revision. The same sweep without the record fails, so it can fail. How many random
//! instants are tried stands in `BOWLINE_SWEEP` (60 unless it says otherwise); a journal write is
//! never left out.

#[allow(dead_code, reason = "shared with other test binaries")]
#[path = "../support.rs"]
mod support;

use serde_json::Value;
use std::cell::RefCell;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use support::services::Services;
use support::{Place, root};

/// The article's runbook.
const RUNBOOK: &str = "datadog-k8s-rollback";

/// A place with services, in which a workflow is run again and again.
struct Ground {
    place: Place,
    services: Services,
    /// What runs it.
    run: Vec<String>,
    wished: RefCell<Wished>,
    /// What stands in the environment of the program that is killed and of the one that resumes.
    environment: Vec<(String, String)>,
    /// The newest run that was seen.
    newest: RefCell<Option<Value>>,
}

/// What a run comes to that nobody kills.
#[derive(Debug, Default, PartialEq)]
struct Wished {
    /// Requests that took effect, in the order of their names.
    effects: Vec<String>,
    /// The image that the Deployment has at the end.
    image: String,
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
    came_to: Wished,
    /// From the start of the resumption to its first event.
    first_event: Duration,
    #[allow(dead_code, reason = "printed with a finding")]
    said: String,
}

impl Ground {
    /// For the article's runbook.
    fn new(environment: &[(&str, &str)]) -> Self {
        let ground = Self::of(RUNBOOK, &["public_id=117"], environment);
        ground.undisturbed();
        {
            let wished = ground.wished.borrow();
            let methods: Vec<&str> =
                wished.effects.iter().filter_map(|effect| effect.split(' ').next()).collect();
            assert_eq!((methods, wished.image.as_str()), (vec!["PATCH", "POST"], "nginx:1.25"));
        }
        ground
    }

    fn of(workflow: &str, parameters: &[&str], environment: &[(&str, &str)]) -> Self {
        let place = Place::new();
        place.workflows();
        let services = Services::start(&place);
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let environment = environment.iter().map(own).collect();
        let file = format!("{workflow}.yaml");
        let mut run = vec!["run", &file, "--config", "drill.yaml", "--json"];
        run.extend(parameters.iter().flat_map(|parameter| ["-p", parameter]));
        let run = run.into_iter().map(str::to_owned).collect();
        let (newest, wished) = (RefCell::default(), RefCell::default());
        Self { place, services, run, wished, environment, newest }
    }

    fn command(&self) -> Command {
        let run: Vec<&str> = self.run.iter().map(String::as_str).collect();
        self.place.command(&run)
    }

    /// Runs to the end without being killed; gives when the first event came, and the last.
    fn undisturbed(&self) -> (Duration, Duration) {
        self.services.reset();
        let began = Instant::now();
        let child = self.command().stdout(Stdio::piped()).spawn();
        let mut child = child.expect("start the program");
        let mut lines = BufReader::new(child.stdout.take().expect("its stdout")).lines();
        let line = lines.next().expect("it says something").expect("text");
        let line: Value = serde_json::from_str(&line).expect("JSON");
        self.newest.replace(Some(line["run"].clone()));
        let first = began.elapsed();
        assert!(lines.count() > 0, "and more");
        assert!(child.wait().expect("wait for it").success());
        let whole = began.elapsed();
        self.wished.replace(self.came_to());
        (first, whole)
    }

    /// Starts the run with a place to die at. Whether it died; else it must have succeeded.
    fn dies_at(&self, point: &str) -> bool {
        let mut command = self.command();
        command.envs(self.environment.iter().cloned()).env("BOWLINE_TEST_KILL", point);
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        died(status.expect("start the program"))
    }

    /// Starts the run and kills it after `wait`. Whether it was still there; else it must have
    /// succeeded.
    fn is_killed_after(&self, wait: Duration) -> bool {
        let mut command = self.command();
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
        let mut code = output.status.code().unwrap_or(-1);
        while code == 3 {
            code = self.settled(&mut said);
        }
        Left::Resumed(self.outcome(code, first_event, said))
    }

    /// Says what came of the write that nobody could look for, as a person does who looks at the
    /// services, and goes on with the run. Gives the code of that.
    fn settled(&self, said: &mut String) -> i32 {
        let show = ["runs", "show", "@latest", "--json", "--config", "drill.yaml"];
        let events = self.place.run(&show).ends(0).json();
        let of = |name: &'static str| events.iter().filter(move |event| event["event"] == name);
        let asked = of("outcome-unknown").next_back().expect("a question");
        let call = |event: &Value| ["step", "attempt", "number"].map(|key| event[key].clone());
        let about = of("effect-intended").find(|event| call(event) == call(asked));
        let operation = &about.expect("the write")["effect"]["operation"];
        let answered = of("effect-intended")
            .filter(|event| &event["effect"]["operation"] == operation)
            .filter(|event| {
                let end = of("effect-settled").rfind(|end| call(end) == call(event));
                end.is_some_and(|end| end["outcome"]["outcome"] == "answered")
            });
        let (method, path) =
            operation.as_str().and_then(|text| text.split_once(' ')).expect("both");
        let seen = self.services.effects();
        let seen = seen.iter().filter(|seen| seen.starts_with(method) && seen.ends_with(path));
        let outcome = if seen.count() > answered.count() { "done" } else { "not-done" };
        let step = asked["step"].as_str().expect("a step");
        let about = ["@latest", step, "--outcome", outcome, "--config", "drill.yaml"];
        self.place.run(&[&["runs", "resolve"], &about[..]].concat()).ends(0);
        let resumed =
            self.place.run(&["runs", "resume", "@latest", "--config", "drill.yaml", "--json"]);
        *said += &format!("{step} is {outcome}\n{}{}", resumed.stdout, resumed.stderr);
        resumed.code
    }

    fn outcome(&self, code: i32, first_event: Duration, said: String) -> Outcome {
        Outcome { code, came_to: self.came_to(), first_event, said }
    }

    fn came_to(&self) -> Wished {
        let mut effects: Vec<String> =
            self.services.effects().iter().map(|effect| without_ids(effect)).collect();
        effects.sort_unstable();
        // PagerDuty knows an event by its key: sent again, it is the same one.
        effects.dedup_by(|one, other| one == other && one.contains("/pagerduty/"));
        Wished { effects, image: image(&self.services.picture()) }
    }

    /// What is wrong with an outcome, if anything is.
    fn wrong(&self, outcome: &Outcome) -> Option<String> {
        let wished = self.wished.borrow();
        let bad = match outcome.code {
            0 if outcome.came_to == *wished => return None,
            0 => format!("{:?} was wished", *wished),
            _ => "the resumption failed".to_owned(),
        };
        Some(format!("{bad}: {outcome:#?}"))
    }
}

/// Whether it was killed. What was not must have done its work.
fn died(status: ExitStatus) -> bool {
    assert!(status.success() || status.code().is_none(), "it ended by itself: {status}");
    status.code().is_none()
}

/// A request without the identities that the services make up anew each time.
fn without_ids(effect: &str) -> String {
    let is_id = |part: &&str| part.len() == 36 && part.bytes().filter(|b| *b == b'-').count() == 4;
    effect
        .split('/')
        .map(|part| if is_id(&part) { "{id}" } else { part })
        .collect::<Vec<_>>()
        .join("/")
}

/// The image of the runbook's Deployment.
fn image(picture: &Value) -> String {
    let workloads = picture["workloads"].as_array().expect("workloads");
    let own = workloads.iter().find(|workload| workload["name"] == "nginx-deployment");
    own.expect("the Deployment")["images"][0].as_str().expect("an image").to_owned()
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
        findings.extend(ground.wrong(&outcome).map(|wrong| format!("{point}:{time}: {wrong}")));
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
fn f01_every_other_workflow_comes_out_the_same_wherever_it_is_killed() {
    let all = std::fs::read_dir(root().join("workflows")).expect("list them");
    let names = all.filter_map(|entry| {
        let path = entry.expect("an entry").path();
        let yaml = path.extension().is_some_and(|extension| extension == "yaml");
        yaml.then(|| path.file_stem().and_then(|name| name.to_str()).expect("a name").to_owned())
    });
    let others: Vec<String> = names.filter(|name| name != RUNBOOK).collect();
    assert!(others.len() >= 2, "{others:?}");
    for name in others {
        let parameters: &[&str] = if name == "apply-and-wait" { &[] } else { &["public_id=117"] };
        let ground = Ground::of(&name, parameters, &[]);
        ground.undisturbed();
        assert!(!ground.wished.borrow().effects.is_empty(), "{name} changes nothing");
        for point in journal::kill_points::POINTS {
            let (tried, findings) = sweep(&ground, point);
            assert!(findings.is_empty(), "{name}: {findings:#?}");
            assert!(tried > 0, "{name} never comes by `{point}`");
            println!("{name}: killed at `{point}` {tried} times");
        }
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how long to sweep is said by who starts the tests")]
fn f02_killed_at_random_instants() {
    let wanted = std::env::var("BOWLINE_SWEEP").ok().and_then(|text| text.parse().ok());
    let wanted: u32 = wanted.unwrap_or(60);
    let ground = Ground::new(&[]);
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
        if let Some(wrong) = ground.wrong(&outcome) {
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
    ground.services.reset();
    let file = format!("{RUNBOOK}.yaml");
    let plan = ["plan", &file, "--config", "drill.yaml", "-p", "public_id=117"];
    ground.place.run(&plan).ends(0);
    assert_eq!(ground.services.effects(), Vec::<String>::new());

    let mut command = ground.place.command(&plan);
    let output = command.env("BOWLINE_TEST_WITHOUT", "plan").output().expect("start the program");

    assert!(!ground.services.effects().is_empty(), "the test proves nothing: {output:?}");
}
