//! Practice services, a place to run the program in, a journal that can be put elsewhere, and what
//! must hold after every fault.

use crate::disk::Disk;
use crate::support::services::Services;
use crate::support::{Done, Place};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// The article's runbook on the practice services.
pub(crate) const RUN: &[&str] =
    &["run", "runbook.yaml", "--config", "drill.yaml", "-p", "public_id=117", "--json"];

/// Brings the newest run to its end.
pub(crate) const RESUME: &[&str] =
    &["runs", "resume", "@latest", "--config", "drill.yaml", "--json"];

/// How long a test waits for something that takes a moment: far more than a loaded machine needs.
const PATIENCE: Duration = Duration::from_secs(60);

/// The services, and where the program is run against them.
pub(crate) struct Ground {
    pub(crate) services: Services,
    pub(crate) place: Place,
    store: PathBuf,
    /// What the journal is on, if it is not beside the rest.
    disk: Option<Disk>,
}

impl Ground {
    pub(crate) fn new() -> Self {
        let place = Place::new();
        place.runbook();
        let services = Services::start(&place);
        let store = place.path("store/runs.db");
        Self { services, place, store, disk: None }
    }

    /// An empty folder for a journal, and a fresh beginning.
    pub(crate) fn begin_in(&mut self, name: &str) -> PathBuf {
        let folder = self.place.path(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("make a folder");
        self.store = folder.join("runs.db");
        self.services.reset();
        folder
    }

    /// The journal is in that folder of that disk from now on; the services stay as they are.
    pub(crate) fn moves(&mut self, disk: Disk, folder: &str) {
        self.store = disk.path(folder).join("runs.db");
        self.disk = Some(disk);
    }

    /// Where the journal is, as the program names it.
    pub(crate) fn store(&self) -> &Path {
        &self.store
    }

    /// Takes the disk away.
    pub(crate) fn loses_its_disk(&mut self) {
        self.disk = None;
    }

    /// A file beside the journal, or the journal itself, for the test: `.marks` behind its name.
    pub(crate) fn file(&self, behind: &str) -> PathBuf {
        let mut name = self.store.as_os_str().to_owned();
        name.push(behind);
        match &self.disk {
            Some(disk) => {
                disk.seen_from_outside(Path::new(&name).strip_prefix(disk.path("")).expect("on it"))
            }
            None => name.into(),
        }
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.place.command(arguments);
        command.env("BOWLINE_STORE", &self.store);
        match &self.disk {
            Some(disk) => disk.enters(&command),
            None => command,
        }
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Done {
        self.command(arguments).output().expect("start the program").into()
    }

    /// Starts the program; its end is collected with [`Started::ends`].
    pub(crate) fn start(&self, arguments: &[&str]) -> Started {
        self.starts(self.command(arguments))
    }

    /// Starts a command.
    pub(crate) fn starts(&self, mut command: Command) -> Started {
        let said = ["stdout", "stderr"].map(|name| self.place.path(name));
        let [stdout, stderr] = said.each_ref().map(|path| File::create(path).expect("make it"));
        let child = command.stdout(stdout).stderr(stderr).spawn().expect("start the program");
        Started { child, said }
    }

    /// Runs the runbook with a place at which it dies.
    pub(crate) fn dies_at(&self, point: &str) {
        let mut command = self.command(RUN);
        command.env("BOWLINE_TEST_KILL", point);
        let done = command.output().expect("start the program");
        let said = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), None, "it did not die at {point}: {said}");
    }

    /// The runs of the journal, newest first.
    pub(crate) fn runs(&self) -> Vec<Value> {
        self.run(&["runs", "list", "--json", "-n", "100"]).ends(0).json()
    }

    /// The events of a run.
    pub(crate) fn events(&self, run: &str) -> Vec<Value> {
        self.run(&["runs", "show", run, "--json"]).ends(0).json()
    }

    /// How often `PATCH` and `POST` took effect at the services.
    pub(crate) fn writes(&self) -> (usize, usize) {
        let effects = self.services.effects();
        let count =
            |method: &str| effects.iter().filter(|effect| effect.starts_with(method)).count();
        (count("PATCH"), count("POST"))
    }

    /// Waits until the services have got a request of this method and path.
    pub(crate) fn waits_for_request(&self, method: &str, path: &str) {
        let asked = |request: &Value| {
            request["method"] == method
                && request["path"].as_str().is_some_and(|asked| asked.starts_with(path))
        };
        waits_until(&format!("{method} {path}"), || self.services.requests().iter().any(asked));
    }

    /// What must hold after every fault.
    #[track_caller]
    pub(crate) fn holds(&self, case: &str) {
        let sound = self.run(&["audit", "verify", "--json"]);
        assert_eq!(sound.code, 0, "{case}: the journal is not sound: {}", sound.stdout);
        // What has not ended says how it goes on.
        for run in self.runs() {
            let status = run["status"].as_str().expect("a status");
            if matches!(status, "running" | "waiting") {
                let shown = self.run(&["runs", "show", run["run"].as_str().expect("a name")]);
                assert!(shown.stdout.contains("bowline runs re"), "{case}: {}", shown.stdout);
            }
        }
        self.has_one_story_of_each_effect(case);
    }

    /// Each effect that the services saw is told once, and none is told that they did not see.
    #[track_caller]
    fn has_one_story_of_each_effect(&self, case: &str) {
        let seen = self.services.effects();
        let stories: Vec<Story> = self
            .runs()
            .iter()
            .flat_map(|run| stories(&self.events(run["run"].as_str().expect("a name"))))
            .collect();
        for effect in &seen {
            let same = seen.iter().filter(|other| *other == effect).count();
            assert_eq!(same, 1, "{case}: done twice: {seen:#?}");
            let told = stories.iter().filter(|story| story.may_be(effect)).count();
            assert_eq!(told, 1, "{case}: {effect} is told {told} times: {stories:#?}");
        }
        for story in stories.iter().filter(|story| story.took_effect == Some(true)) {
            let done = seen.iter().filter(|effect| story.may_be(effect)).count();
            assert_eq!(done, 1, "{case}: {story:?} was not done: {seen:#?}");
        }
    }
}

/// The events of a write, from the intent to what is known of its end.
#[derive(Debug)]
struct Story {
    operation: String,
    /// It left twice, so that a refusal may come from its own first effect.
    again: bool,
    /// None if nobody knows.
    took_effect: Option<bool>,
}

impl Story {
    /// Whether it may be of this effect, which is `METHOD PATH`.
    fn may_be(&self, effect: &str) -> bool {
        let (method, path) = effect.split_once(' ').expect("a method and a path");
        let target = path.rsplit('/').next().unwrap_or(path);
        let own = self.operation.split(' ').next().unwrap_or_default();
        self.took_effect != Some(false)
            && own.eq_ignore_ascii_case(method)
            && self.operation.ends_with(target)
    }
}

fn stories(events: &[Value]) -> Vec<Story> {
    let mut stories: BTreeMap<(String, u64, u64), Story> = BTreeMap::new();
    for event in events {
        let key = || {
            let number = |name: &str| event[name].as_u64().expect("a number");
            let step = event["step"].as_str().expect("a step").to_owned();
            (step, number("attempt"), number("number"))
        };
        match event["event"].as_str() {
            Some("effect-intended") if event["effect"]["writes"] == true => {
                let operation = event["effect"]["operation"].as_str().expect("words").to_owned();
                let twice =
                    stories.insert(key(), Story { operation, again: false, took_effect: None });
                assert!(twice.is_none(), "intended twice: {event}");
            }
            Some("effect-settled") => {
                let outcome = &event["outcome"];
                let known = match outcome["outcome"].as_str() {
                    Some("answered") => Some(outcome["status"].as_u64().expect("one") < 400),
                    Some("not-made") => Some(false),
                    _ => None,
                };
                if let (Some(story), Some(known)) = (stories.get_mut(&key()), known) {
                    story.took_effect = if known || !story.again { Some(known) } else { None };
                }
            }
            Some("effect-asked-again") => {
                if let Some(story) = stories.get_mut(&key()) {
                    story.again = true;
                }
            }
            Some("outcome-settled") => {
                if let Some(story) = stories.get_mut(&key()) {
                    story.took_effect = event["done"].as_bool();
                }
            }
            _ => {}
        }
    }
    stories.into_values().collect()
}

/// The program while it runs; it ends with this value at the latest.
pub(crate) struct Started {
    child: Child,
    /// What it writes to stdout and stderr.
    said: [PathBuf; 2],
}

impl Started {
    /// Its process number, as the tools of the system take it.
    pub(crate) fn pid(&self) -> String {
        self.child.id().to_string()
    }

    /// Waits until it has said something, or has ended.
    pub(crate) fn speaks(&mut self) {
        while fs::metadata(&self.said[0]).expect("look").len() == 0
            && self.child.try_wait().expect("ask").is_none()
        {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Kills it as a power cut does. What it said does not count.
    pub(crate) fn dies(mut self) {
        self.child.kill().expect("kill it");
        self.child.wait().expect("collect it");
    }

    /// Waits for its end.
    pub(crate) fn ends(mut self) -> Done {
        let until = Instant::now() + PATIENCE;
        let read = |path: &PathBuf| fs::read_to_string(path).expect("read what it said");
        loop {
            if let Some(status) = self.child.try_wait().expect("ask") {
                let [stdout, stderr] = self.said.each_ref().map(read);
                return Done { code: status.code().unwrap_or(-1), stdout, stderr };
            }
            let [stdout, stderr] = self.said.each_ref().map(read);
            assert!(Instant::now() < until, "it does not end:\n{stdout}\n{stderr}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until something is so.
pub(crate) fn waits_until(what: &str, is_so: impl Fn() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "waited in vain for: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Sends a signal to a process.
pub(crate) fn signals(pid: &str, signal: &str) {
    let sent = Command::new("kill").args([signal, pid]).status().expect("start kill");
    assert!(sent.success(), "can't send {signal} to {pid}");
}

/// How many rounds a test makes: so many, unless the environment says otherwise.
#[expect(clippy::disallowed_methods, reason = "only a test's length is read, by the test itself")]
pub(crate) fn rounds(name: &str, ordinary: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(ordinary)
}

/// Numbers that look random, and are the same each time.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).expect("64 bits") % end.max(1)
    }
}
