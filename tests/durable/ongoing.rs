//! The program while it runs: what it has said so far, signals to it, its end.

use crate::support::{Done, Place};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tests::canary::{Found, Scanner};

/// Longer than anything that is waited for takes on a busy machine, and short enough for a test.
const PATIENCE: Duration = Duration::from_secs(45);

/// A process of the program; it is ended with this value.
pub(crate) struct Ongoing {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    stdout: Option<JoinHandle<()>>,
    stderr: Option<JoinHandle<String>>,
}

impl Ongoing {
    pub(crate) fn start(place: &Place, arguments: &[&str]) -> Self {
        Self::of(place.command(arguments))
    }

    pub(crate) fn of(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("start the program");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (stdout, told) = (child.stdout.take().expect("its stdout"), Arc::clone(&lines));
        let stdout = std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                told.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        });
        let mut stderr = child.stderr.take().expect("its stderr");
        let stderr = std::thread::spawn(move || {
            let mut text = String::new();
            // What a killed process has left unsaid is no matter here.
            let _ = stderr.read_to_string(&mut text);
            text
        });
        Self { child, lines, stdout: Some(stdout), stderr: Some(stderr) }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has said on stdout.
    pub(crate) fn said(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until it has said a line with all of `parts` in it.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, parts: &[&str]) -> String {
        let began = Instant::now();
        loop {
            // Looked at before what it said, so that its last words are in that.
            let over = self.child.try_wait().expect("look at it").is_some();
            let said = self.said();
            let fits = |line: &&String| parts.iter().all(|part| line.contains(part));
            if let Some(line) = said.iter().find(fits) {
                return line.clone();
            }
            let late = began.elapsed() > PATIENCE;
            assert!(!over && !late, "{parts:?} did not come:\n{}", said.join("\n"));
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until `step` has said `event`.
    #[track_caller]
    pub(crate) fn wait_for_event(&mut self, event: &str, step: &str) -> Value {
        let event = format!("\"event\":\"{event}\"");
        let step = format!("\"step\":\"{step}\"");
        let line = self.wait_for(&[&event, &step]);
        serde_json::from_str(&line).expect("an event is JSON")
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent =
            Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status();
        assert!(sent.expect("start kill").success(), "SIG{name} was not sent");
    }

    /// Whether it has ended.
    pub(crate) fn is_over(&mut self) -> bool {
        self.child.try_wait().expect("look at it").is_some()
    }

    /// Kills it as a machine dies, and waits until it is gone.
    pub(crate) fn kill(mut self) -> Vec<String> {
        self.child.kill().expect("kill it");
        self.child.wait().expect("wait for its end");
        if let Some(reader) = self.stdout.take() {
            reader.join().expect("read its stdout");
        }
        self.said()
    }

    /// How it ended and all that it said.
    #[track_caller]
    pub(crate) fn end(mut self) -> Done {
        let began = Instant::now();
        let code = loop {
            if let Some(status) = self.child.try_wait().expect("look at it") {
                break status.code().unwrap_or(-1);
            }
            if began.elapsed() > PATIENCE {
                panic!("it does not end:\n{}", self.said().join("\n"));
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        if let Some(reader) = self.stdout.take() {
            reader.join().expect("read its stdout");
        }
        let stderr = self.stderr.take().expect("read once").join().expect("read its stderr");
        let stdout: String = self.said().iter().map(|line| format!("{line}\n")).collect();
        let (scanner, mut found) = (Scanner::new(), Found::default());
        scanner.bytes("stdout", stdout.as_bytes(), &mut found);
        scanner.bytes("stderr", stderr.as_bytes(), &mut found);
        assert!(found.hits.is_empty(), "it tells a credential: {:#?}", found.hits);
        Done { code, stdout, stderr }
    }
}

impl Drop for Ongoing {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts all of them as nearly at once as processes can be started, and gives how each ended.
pub(crate) fn at_once(commands: Vec<Command>) -> Vec<Done> {
    let started: Vec<Ongoing> = commands.into_iter().map(Ongoing::of).collect();
    started.into_iter().map(Ongoing::end).collect()
}

/// The events of this kind, in order.
pub(crate) fn events_of<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["event"] == kind).collect()
}

/// Everything that is on record of a run.
pub(crate) fn on_record(place: &Place, run: &str) -> Vec<Value> {
    place.run(&["runs", "show", run, "--json"]).ends(0).json()
}

/// When an event was written, in milliseconds of its day.
pub(crate) fn millis(event: &Value) -> i64 {
    let text = event["at"].as_str().unwrap_or_else(|| panic!("{event} has no time"));
    let time = text.split_once('T').map_or("", |(_, time)| time).trim_end_matches('Z');
    let parts: Vec<f64> = time.split(':').filter_map(|part| part.parse().ok()).collect();
    let [hours, minutes, seconds] = parts.as_slice() else { panic!("`{text}` is no time") };
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds of a day")]
    let millis = ((hours * 60.0 + minutes) * 60_000.0 + seconds * 1_000.0).round() as i64;
    millis
}

/// Milliseconds from one event to another; a night may lie between them.
pub(crate) fn between(from: &Value, to: &Value) -> i64 {
    (millis(to) - millis(from)).rem_euclid(86_400_000)
}
