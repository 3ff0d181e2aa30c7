//! The house keeps itself: what ARCHITECTURE.md promises, checked on every run of the tests.

use crate::support::root;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// For each room, the rooms below that it may use. Read it from ground floor to roof.
const FLOORS: &[(&str, &[&str])] = &[
    ("expression", &[]),
    ("workflow", &["expression"]),
    ("journal", &["workflow"]),
    ("views", &["workflow", "journal"]),
    ("scheduler", &["expression", "workflow", "journal"]),
    ("effects", &["journal"]),
    ("sandbox", &["workflow", "journal", "scheduler", "effects"]),
    ("connections", &["workflow", "journal", "effects", "sandbox"]),
    ("drill", &[]),
    (
        "bowline",
        &[
            "expression",
            "workflow",
            "journal",
            "views",
            "scheduler",
            "effects",
            "sandbox",
            "connections",
            "drill",
        ],
    ),
];

/// Outside crates that only come in where their room is.
const OUTSIDE: &[(&str, &[&str])] = &[
    ("wasmtime", &["sandbox", "connections"]),
    ("kube", &["connections"]),
    ("reqwest", &["connections"]),
    ("rusqlite", &["journal"]),
    ("granit-parser", &["workflow"]),
    ("clap", &["bowline"]),
    ("anyhow", &["bowline"]),
];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &["common", "helpers", "manager", "misc", "types", "util", "utils"];

fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version=1", "--offline"])
        .current_dir(root())
        .output()
        .expect("run cargo metadata");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("read its JSON");
    metadata["packages"].as_array().expect("packages").clone()
}

/// The normal dependencies of a package, by name.
fn dependencies(package: &Value) -> impl Iterator<Item = &str> {
    let all = package["dependencies"].as_array().expect("dependencies").iter();
    all.filter(|dependency| dependency["kind"].is_null())
        .map(|dependency| dependency["name"].as_str().expect("a name"))
}

#[test]
fn rooms_use_only_the_floors_below() {
    let mut wrong = Vec::new();
    for package in packages() {
        let name = package["name"].as_str().expect("a name").to_owned();
        let path = package["manifest_path"].as_str().expect("a path").replace('\\', "/");
        if !path.contains("/host/") {
            continue;
        }
        let Some((_, allowed)) = FLOORS.iter().find(|(room, _)| *room == name) else {
            wrong.push(format!("{name} stands on no floor"));
            continue;
        };
        for used in dependencies(&package) {
            let is_room = FLOORS.iter().any(|(room, _)| *room == used);
            if is_room && !allowed.contains(&used) {
                wrong.push(format!("{name} must not use {used}"));
            }
            let kept = OUTSIDE.iter().find(|(outside, _)| *outside == used);
            if kept.is_some_and(|(_, rooms)| !rooms.contains(&name.as_str())) {
                wrong.push(format!("{used} has no business in {name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_file_says_what_it_is_for() {
    let files =
        rust_files(&root().join("host")).into_iter().chain(rust_files(&root().join("tests")));
    let silent: Vec<PathBuf> = files.filter(|path| !read(path).starts_with("//!")).collect();
    assert!(silent.is_empty(), "start these with a //! line: {silent:#?}");
}

#[test]
fn no_file_hides_behind_an_empty_name() {
    let vague: Vec<PathBuf> = rust_files(&root().join("host"))
        .into_iter()
        .filter(|path| {
            path.components().any(|part| {
                let name = part.as_os_str().to_string_lossy();
                EMPTY_NAMES.contains(&name.trim_end_matches(".rs"))
            })
        })
        .collect();
    assert!(vague.is_empty(), "name these after what they hold: {vague:#?}");
}

#[test]
fn the_map_shows_the_house_as_it_is() {
    let map = read(&root().join("host/ARCHITECTURE.md"));
    let on_map: Vec<&str> =
        map.split('`').skip(1).step_by(2).filter(|code| code.starts_with("host/")).collect();
    let gone: Vec<&&str> = on_map.iter().filter(|path| !root().join(path).exists()).collect();
    let missing: Vec<&str> = FLOORS
        .iter()
        .map(|(room, _)| *room)
        .filter(|room| !on_map.contains(&format!("host/{room}").as_str()))
        .collect();
    assert!(gone.is_empty() && missing.is_empty(), "gone: {gone:?}, missing: {missing:?}");
}

#[test]
fn each_connection_interface_has_its_room_and_its_tests() {
    let wit = read(&root().join("wit/connect/connect.wit"));
    let interfaces = wit.lines().filter_map(|line| {
        line.strip_prefix("interface ")?.strip_suffix(" {").filter(|name| *name != "errors")
    });
    let mut count = 0;
    for name in interfaces {
        count += 1;
        let source = root().join("host/connections/src");
        assert!(source.join(format!("{name}.rs")).exists(), "{name} has no file");
        assert!(source.join(name).join("handle.rs").exists(), "{name} has no handle");
        let tested =
            rust_files(&source.join(name)).iter().any(|path| read(path).contains("#[test]"));
        assert!(tested, "{name} has no tests");
    }
    assert!(count >= 2, "{count}");
}

#[test]
fn each_plugin_has_a_workflow_and_each_workflow_a_transcript() {
    let used = used_plugins();
    for plugin in folders(&root().join("plugins")) {
        let name = plugin.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        if plugin.join("plugin.toml").exists() {
            assert!(used.contains(&name), "no workflow uses {name}; the used are {used:?}");
        }
    }
    for entry in fs::read_dir(root().join("workflows")).expect("list the workflows") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            continue;
        }
        let stem = path.with_extension("txt");
        let transcript = root().join("tests/transcripts").join(stem.file_name().expect("a name"));
        assert!(transcript.exists(), "{} is missing", transcript.display());
    }
}

/// The plugins that the program finds for the images of all workflows.
fn used_plugins() -> BTreeSet<String> {
    let place = crate::support::Place::new();
    let mut used = BTreeSet::new();
    for entry in fs::read_dir(root().join("workflows")).expect("list the workflows") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            continue;
        }
        place.write("w.yaml", fs::read(&path).expect("read it"));
        let done = place.run(&["run", "w.yaml", "--drill", "-p", "public_id=5", "--json"]);
        for event in done.json() {
            let steps = event["steps"].as_array().cloned().unwrap_or_default();
            let names = steps.iter().filter_map(|step| step["plugin"]["name"].as_str());
            used.extend(names.map(str::to_owned));
        }
    }
    used
}

#[test]
fn nothing_unfinished_is_left_behind() {
    let words = ["dbg!(", "todo!(", "unimplemented!(", concat!("FIX", "ME"), concat!("XX", "X")];
    let mut found = Vec::new();
    for folder in ["host", "plugins", "tests"] {
        for path in rust_files(&root().join(folder)) {
            if path.ends_with("tests/house.rs") {
                continue;
            }
            let text = read(&path);
            for word in words {
                if text.contains(word) {
                    found.push(format!("{word} in {}", path.display()));
                }
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn secrets_are_revealed_in_few_places() {
    let mut places: Vec<String> = rust_files(&root().join("host"))
        .into_iter()
        .filter(|path| read(path).contains(".reveal()"))
        .map(|path| path.strip_prefix(root()).unwrap_or(&path).display().to_string())
        .collect();
    places.sort();
    // The type's own test, its forms for redaction, a header, a client's configuration.
    assert_eq!(
        places,
        [
            "host/connections/src/http/service.rs",
            "host/connections/src/kubernetes/exec.rs",
            "host/connections/src/kubernetes/service.rs",
            "host/connections/src/kubernetes/settings.rs",
            "host/connections/src/kubernetes/token_file.rs",
            "host/connections/src/secret_source.rs",
            "host/effects/src/secret.rs",
        ]
    );
}

#[test]
fn journals_of_earlier_versions_still_read() {
    let folder = root().join("tests/journals");
    let mut count = 0;
    for entry in fs::read_dir(&folder).expect("list the old journals") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "db") {
            continue;
        }
        count += 1;
        let mut place = crate::support::Place::new();
        place.write("runs.db", fs::read(&path).expect("read it"));
        let store = place.path("runs.db").display().to_string();
        place.set("BOWLINE_STORE", &store);
        let runs = place.run(&["runs", "list", "--json"]).ends(0).json();
        assert!(!runs.is_empty(), "{} lists no runs", path.display());
        let run = runs[0]["run"].as_str().expect("a name").to_owned();
        place.run(&["runs", "show", &run]).ends(0);
    }
    assert!(count > 0, "there is no old journal in {}", folder.display());
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("read {}: {error}", path.display()))
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("list a folder");
    entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_dir()).collect()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("list a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && path.file_name().is_none_or(|name| name != "target") {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// How many cases each letter has.
const EDGE_CASES: &[(char, usize)] =
    &[('K', 64), ('D', 25), ('T', 21), ('E', 9), ('W', 13), ('X', 12)];

#[test]
fn each_edge_case_has_its_test_or_its_reason() {
    let table = fs::read_to_string(root().join("tests/edge-cases.md")).expect("read the table");
    let rows: Vec<(&str, &str)> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | "))
        .filter(|(case, _)| case.len() > 1 && case[1..].bytes().all(|b| b.is_ascii_digit()))
        .collect();
    let expected: Vec<String> = EDGE_CASES
        .iter()
        .flat_map(|&(letter, count)| (1..=count).map(move |number| format!("{letter}{number}")))
        .collect();
    assert_eq!(rows.iter().map(|(case, _)| *case).collect::<Vec<_>>(), expected);

    let tests = numbered_tests();
    for (case, cell) in &rows {
        let own: BTreeSet<&str> = tests
            .iter()
            .filter(|name| cases_of(name).iter().any(|own| own == case))
            .map(String::as_str)
            .collect();
        let named: BTreeSet<&str> = cell
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|word| cases_of(word).iter().any(|named| named == case))
            .collect();
        assert!(named.is_subset(&own), "{case}: {named:?} are not all there");
        assert!(!named.is_empty() || own.is_empty(), "{case}: its row does not name {own:?}");
        // Without a test of its number, a row says why in words.
        assert!(!own.is_empty() || cell.split(' ').count() > 5, "{case} has no reason");
    }
}

/// `k15_k17_the_revision…` is about K15 and K17.
fn cases_of(name: &str) -> Vec<String> {
    let number = |part: &str| -> Option<String> {
        let (letter, digits) = (part.chars().next()?, part.get(1..)?);
        let known = EDGE_CASES.iter().any(|(known, _)| known.to_ascii_lowercase() == letter);
        let number: usize = digits.parse().ok().filter(|_| digits.len() == 2)?;
        known.then(|| format!("{}{number}", letter.to_ascii_uppercase()))
    };
    name.split('_').map_while(number).collect()
}

/// The names of all test functions that begin with the number of a case.
fn numbered_tests() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for folder in ["host", "plugins", "tests"] {
        for path in rust_files(&root().join(folder)) {
            let text = fs::read_to_string(path).expect("read a source");
            let names = text.split("fn ").skip(1).filter_map(|rest| rest.split_once('('));
            found.extend(
                names.map(|(name, _)| name.to_owned()).filter(|name| !cases_of(name).is_empty()),
            );
        }
    }
    found
}
