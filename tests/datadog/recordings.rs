//! Plays recorded interactions of the real service: whatever one of our steps would ask for is
//! answered as recorded, and the step, run by the real program, must come to the right end.
//!
//! The folder is `$BOWLINE_DATADOG_RECORDINGS`, or the one beside the repository. An interaction
//! that no step makes is read: its refusal by a step that gets it as an answer, its incidents by
//! what the steps read incidents with.

mod expected;
mod play;
mod run;

use crate::support::shared;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// One recorded exchange.
#[derive(Clone, Debug)]
pub(crate) struct Interaction {
    /// The file, and its place in a scenario.
    pub(crate) name: String,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) request: Value,
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) response: Value,
}

/// What one file holds: an interaction, or the interactions of a scenario.
struct Recording {
    name: String,
    interactions: Vec<Interaction>,
}

fn folder() -> Option<PathBuf> {
    match std::env::var_os("BOWLINE_DATADOG_RECORDINGS") {
        Some(folder) => {
            let folder = PathBuf::from(folder);
            assert!(folder.is_dir(), "{} is no folder", folder.display());
            Some(folder)
        }
        None => shared("datadog/recordings"),
    }
}

fn recordings(folder: &Path) -> Vec<Recording> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("list a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "json") {
                files.push(path);
            }
        }
    }
    files.sort();
    let read = |path: &PathBuf| {
        let name = path.strip_prefix(folder).unwrap_or(path).display().to_string();
        let text = std::fs::read_to_string(path).expect("read a recording");
        let whole: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
        let interactions = match whole["interactions"].as_array() {
            Some(steps) if steps.iter().all(|step| step["request"].is_object()) => steps
                .iter()
                .enumerate()
                .map(|(place, one)| Interaction::read(format!("{name}#{}", place + 1), one))
                .collect(),
            None if whole["request"].is_object() => vec![Interaction::read(name.clone(), &whole)],
            // An index lists recordings and holds none.
            _ => return None,
        };
        Some(Recording { name, interactions })
    };
    files.iter().filter_map(read).collect()
}

impl Interaction {
    fn read(name: String, one: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let status = one["response"]["status"].as_u64().and_then(|it| u16::try_from(it).ok());
        let headers = one["response"]["headers"].as_object().into_iter().flatten();
        Self {
            method: text(&one["request"]["method"]),
            path: text(&one["request"]["path"]),
            request: one["request"]["body"].clone(),
            status: status.unwrap_or_else(|| panic!("{name}: no status")),
            headers: headers
                .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
                .collect(),
            response: one["response"]["body"].clone(),
            name,
        }
    }

    /// The body as it came over the wire.
    pub(crate) fn response_text(&self) -> String {
        match &self.response {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            json => json.to_string(),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn datadog_recordings() {
    let Some(folder) = folder() else { return };
    let recordings = recordings(&folder);
    assert!(!recordings.is_empty(), "{} holds no recordings", folder.display());
    let interactions: Vec<&Interaction> =
        recordings.iter().flat_map(|recording| &recording.interactions).collect();
    let plays: Vec<play::Play> = interactions.iter().map(|one| play::Play::of(one)).collect();
    let wrong = run::all(&interactions, &plays).await;

    let (mut passed, mut place) = (0, 0);
    let mut failed = Vec::new();
    for recording in &recordings {
        let end = place + recording.interactions.len();
        let found: Vec<&str> = wrong[place..end].iter().filter_map(Option::as_deref).collect();
        place = end;
        if found.is_empty() {
            passed += 1;
        } else {
            failed.push(format!("{}: {}", recording.name, found.join("; ")));
        }
    }
    let count = |kind: &str| plays.iter().filter(|play| play.kind() == kind).count();
    eprintln!(
        "{} recordings with {} interactions: {} as the requests of a step, {} as refusals given to \
         a step, {} only read",
        recordings.len(),
        interactions.len(),
        count("step"),
        count("refusal"),
        count("read"),
    );
    for line in &failed {
        eprintln!("FAILED {line}");
    }
    println!("\n{passed} passed, {} failed", failed.len());
    assert!(failed.is_empty(), "{} recordings failed", failed.len());
}
