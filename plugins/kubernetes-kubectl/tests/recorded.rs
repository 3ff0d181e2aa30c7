//! The step against the recorded behaviour of the real kubectl.
//!
//! Each recording holds what kubectl was asked, what the server answered, and what kubectl printed
//! and sent. The step is asked the same on a small store that holds the same objects and refuses
//! what the server refused. Exit, lines and the effect on the objects must be the same; where they
//! differ on purpose, the table in `otherwise` says why and what is done instead.
//!
//! `BOWLINE_KUBECTL_RECORDINGS` names another folder of recordings.

#[path = "recorded/otherwise.rs"]
mod otherwise;
#[path = "recorded/patches.rs"]
mod patches;
#[path = "recorded/store.rs"]
mod store;

use bowline_sdk::testing::Host;
use kubernetes_kubectl::run;
use otherwise::{OTHERWISE, Otherwise, Situation};
use serde_json::{Value, json};
use std::{cell::RefCell, env, fs, path::PathBuf, rc::Rc, time::Duration};
use store::Store;

fn folder() -> PathBuf {
    match env::var_os("BOWLINE_KUBECTL_RECORDINGS") {
        Some(folder) => PathBuf::from(folder),
        None => {
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/kubernetes/recordings")
        }
    }
}

fn recordings() -> Vec<(String, Value)> {
    let folder = folder();
    let Ok(entries) = fs::read_dir(&folder) else {
        eprintln!("SKIPPED: the recordings are not at {}", folder.display());
        return Vec::new();
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("read a recording");
        let recording: Value = serde_json::from_str(&text).expect("JSON");
        // An index may lie beside them.
        if let Some(name) = recording["name"].as_str() {
            found.push((name.to_owned(), recording));
        }
    }
    found.sort_by(|one, other| one.0.cmp(&other.0));
    found
}

/// What the step did.
struct Ours {
    failure: Option<String>,
    lines: Vec<String>,
    after: Vec<Value>,
}

/// The words of a command line behind `kubectl`. They were joined by blanks, without quotes, so a
/// word with a blank in it is only known by the brackets that are still open.
fn words(recording: &Value) -> Vec<String> {
    let argv = recording["argv"].as_str().expect("argv");
    let mut words: Vec<String> = Vec::new();
    let mut open = 0;
    for word in argv.split(' ').skip(1) {
        match words.last_mut() {
            Some(last) if open > 0 => *last = format!("{last} {word}"),
            _ => words.push(word.to_owned()),
        }
        let count = |brackets: [char; 2]| word.matches(brackets).count();
        open = (open + count(['{', '['])).saturating_sub(count(['}', ']']));
    }
    words
}

fn on_purpose(recording: &Value) -> Option<&'static Otherwise> {
    let situation = Situation::of(recording, words(recording));
    OTHERWISE.iter().find(|other| (other.is)(&situation))
}

/// A command line as the spec of the step.
fn spec(recording: &Value) -> Value {
    let mut words = words(recording);
    let mut take = |names: &[&str]| {
        let place = words.iter().position(|word| names.contains(&word.as_str()))?;
        words.remove(place);
        Some(words.remove(place))
    };
    let namespace = take(&["-n", "--namespace"]);
    let file = take(&["-f", "--filename"]);
    let mut spec = json!({
        "command": words.first().map(String::as_str).unwrap_or_default(),
        "args": words.get(1..).unwrap_or_default(),
        "namespace": namespace.as_deref().unwrap_or("default"),
        "connection": {"connection": {"type": "kubernetes", "name": "k"}},
    });
    if let Some(file) = file {
        spec["file"] = documents(&file, recording["files"][&file].as_str());
    }
    spec
}

/// What the host makes of a file. One that it can't read stays a text, which the step refuses.
fn documents(file: &str, text: Option<&str>) -> Value {
    let mut found = Vec::new();
    for (place, document) in text.unwrap_or("[").split("\n---\n").enumerate() {
        match serde_saphyr::from_str::<Value>(document) {
            Ok(object) => found
                .push(json!({"source": file, "document": place + 1, "line": 1, "object": object})),
            Err(_) => return file.into(),
        }
    }
    found.into()
}

fn replay(recording: &Value) -> Ours {
    let store = Rc::new(RefCell::new(Store::new(recording)));
    let inner = Rc::clone(&store);
    let host = Host::new()
        .remaining(Duration::from_secs(600))
        .kubernetes("cluster", move |call| inner.borrow_mut().answer(call));
    let outcome = host.run(&spec(recording), run);
    let after = store.borrow().objects();
    let failure = outcome.err().map(|failure| failure.message().to_owned());
    Ours { failure, lines: host.lines(), after }
}

/// What differs from kubectl; nothing when all is the same.
fn differences(recording: &Value, ours: &Ours) -> Vec<String> {
    let kubectl = &recording["kubectl_1_36_3"];
    let mut found = Vec::new();
    let failed = kubectl["exit_code"] != 0;
    if failed != ours.failure.is_some() {
        found.push(format!("kubectl's exit is {}, ours {:?}", kubectl["exit_code"], ours.failure));
    }
    let printed: Vec<&str> =
        ours.lines.iter().filter_map(|line| Some(line.split_once(' ')?.1.trim())).collect();
    for stream in ["stdout", "stderr"] {
        for line in kubectl[stream].as_str().expect("a stream").lines().map(str::trim) {
            // Lines of kubectl's own log, advice about its own help, and our better separators.
            let noise = line.is_empty()
                || line.contains("reflector.go")
                || line.starts_with("See 'kubectl")
                || line.starts_with("Use \"kubectl");
            // A line may go on with the remedy.
            if !noise && !printed.iter().any(|ours| ours.starts_with(line)) {
                found.push(format!("kubectl prints on {stream}: {line}"));
            }
        }
    }
    let theirs = Store::after_kubectl(recording);
    if theirs != ours.after {
        for (one, other) in theirs.iter().zip(&ours.after).filter(|(one, other)| one != other) {
            found.push(format!("kubectl leaves {one}\n      we leave {other}"));
        }
        if theirs.len() != ours.after.len() {
            found.push(format!("kubectl leaves {} objects, we {}", theirs.len(), ours.after.len()));
        }
    }
    found
}

/// What does not hold of a difference on purpose.
fn broken_promise(expected: &Otherwise, ours: &Ours) -> Option<String> {
    let failed = ours.failure.is_some();
    if failed != expected.fails {
        return Some(format!("fails: {failed}, expected: {}", expected.fails));
    }
    let said = ours.lines.iter().any(|line| line.contains(expected.says));
    (!said).then(|| format!("nobody says `{}`", expected.says))
}

#[test]
fn recordings_of_kubectl_are_what_the_step_says_and_does() {
    let (mut passed, mut failed) = (0, Vec::new());
    for (name, recording) in recordings() {
        let ours = replay(&recording);
        let found = match on_purpose(&recording) {
            Some(expected) => broken_promise(expected, &ours).into_iter().collect(),
            None => differences(&recording, &ours),
        };
        if found.is_empty() {
            passed += 1;
        } else {
            eprintln!("{name}: {}", recording["argv"]);
            for line in found.iter().chain(&ours.lines) {
                eprintln!("    {line}");
            }
            failed.push(name);
        }
    }
    println!("\n{passed} passed, {} failed", failed.len());
    if !failed.is_empty() {
        println!("{}", failed.join(" "));
    }
    assert!(failed.is_empty(), "{failed:?}");
}

#[test]
fn each_difference_on_purpose_is_one() {
    for (name, recording) in recordings() {
        if let Some(other) = on_purpose(&recording) {
            let same = differences(&recording, &replay(&recording)).is_empty();
            assert!(!same, "{name} is the same as kubectl's; `{}` is too wide", other.why);
        }
    }
}
