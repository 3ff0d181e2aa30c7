//! The README is read by a test: its YAML passes, its commands exist.

use crate::support::{Place, root};

/// The fenced blocks of a language.
fn blocks(language: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join("README.md")).expect("read the README");
    let fence = format!("```{language}\n");
    text.split(&fence)
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn each_workflow_in_it_passes_check() {
    let place = Place::new();
    let mut workflows = 0;
    for block in blocks("yaml") {
        if block.contains("steps:") {
            workflows += 1;
            place.write("readme.yaml", &block);
            place.run(&["check", "readme.yaml"]).ends(0);
        } else {
            // The operator's settings: what is in them must be understood.
            place.write("bowline.yaml", &block);
            place.run(&["connection", "list", "--config", "bowline.yaml"]).ends(0);
            std::fs::remove_file(place.path("bowline.yaml")).expect("remove it again");
        }
    }
    assert!(workflows >= 1, "the README shows no workflow");
}

#[test]
fn each_command_in_it_is_known() {
    let place = Place::new();
    let mut commands = 0;
    for block in blocks("sh") {
        for line in block.lines().filter(|line| line.starts_with("bowline ")) {
            commands += 1;
            let words = line.split_whitespace().skip(1).take_while(|word| {
                word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-') && !word.starts_with('-')
            });
            // The longest beginning that is a command answers to --help.
            let words: Vec<&str> = words.collect();
            let known = (1..=words.len().min(2)).any(|count| {
                let mut arguments = words[..count].to_vec();
                arguments.push("--help");
                place.run(&arguments).code == 0
            });
            assert!(known, "`{line}` is not a command");
        }
    }
    assert!(commands >= 5, "{commands}");
}
