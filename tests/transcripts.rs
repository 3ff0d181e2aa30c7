//! Each workflow in `workflows/` is run in the drill, and what a person sees is compared with
//! `transcripts/<name>.txt`. `UPDATE_EXPECT=1` writes them anew.

use crate::support::{Place, root, user};
use std::fs;

/// What each workflow is run with.
const ARGUMENTS: &[(&str, &[&str])] = &[
    ("apply-and-wait", &[]),
    ("datadog-k8s-rollback", &["-p", "public_id=117"]),
    ("incident-declare-and-tell", &["-p", "public_id=117"]),
];

#[test]
fn each_workflow_does_what_its_transcript_says() {
    for entry in fs::read_dir(root().join("workflows")).expect("list the workflows") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            continue;
        }
        let name = path.file_stem().and_then(|stem| stem.to_str()).expect("a name").to_owned();
        let place = Place::new();
        place.write("workflow.yaml", fs::read(&path).expect("read it"));
        for manifest in fs::read_dir(root().join("workflows/manifests")).expect("list them") {
            let manifest = manifest.expect("an entry").path();
            let name = manifest.file_name().and_then(|name| name.to_str()).expect("a name");
            place.write(&format!("manifests/{name}"), fs::read(&manifest).expect("read it"));
        }
        let extra =
            ARGUMENTS.iter().find(|(of, _)| *of == name).map_or(&[][..], |(_, extra)| extra);
        let mut arguments = vec!["run", "workflow.yaml", "--drill"];
        arguments.extend(extra);

        let done = place.run(&arguments);

        let transcript = format!(
            "exit {}\n--- stdout, steps side by side in any order\n{}--- stderr\n{}",
            done.code,
            settle(&done.stdout)
                .replace(&format!("started by {} as", user()), "started by USER as"),
            done.stderr
        );
        expect_test::expect_file![root().join("tests/transcripts").join(format!("{name}.txt"))]
            .assert_eq(&transcript);
    }
}

/// Takes out what differs from run to run: times, ids, how far a rollout was at each look, and the
/// order of steps that run side by side (their lines are grouped by step).
fn settle(stdout: &str) -> String {
    let stable = stdout.lines().filter(|line| !line.contains(" | Waiting for "));
    let mut lines: Vec<String> = stable.map(line).collect();
    let end =
        lines.iter().position(|line| line.contains(" succeeded after") && line.starts_with('✔'));
    let (run, rest) = lines.split_at_mut(end.unwrap_or(0));
    run.sort_by_key(|line| line.split_whitespace().next().unwrap_or_default().to_owned());
    run.iter().chain(rest.iter()).map(|line| format!("{line}\n")).collect()
}

fn line(text: &str) -> String {
    let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
    let clock = |word: &str| {
        word.len() == 8
            && word.bytes().all(|b| b.is_ascii_digit() || b == b':')
            && word.contains(':')
    };
    if words.first().is_some_and(|word| clock(word)) {
        words.remove(0);
    }
    words.iter().map(|word| ids(word)).collect::<Vec<_>>().join(" ")
}

/// `word` with each id and each duration replaced.
fn ids(word: &str) -> String {
    let hex = |c: char| c.is_ascii_hexdigit() || c == '-';
    let mut out = String::new();
    let mut rest = word;
    while let Some(start) = rest.find(hex) {
        let length = rest[start..].find(|c| !hex(c)).unwrap_or(rest.len() - start);
        out.push_str(&rest[..start]);
        let found = &rest[start..start + length];
        // Ids, and the long numbers of events.
        let is_number = found.len() >= 15 && found.bytes().all(|b| b.is_ascii_digit());
        out.push_str(if found.len() >= 32 || is_number { "ID" } else { found });
        rest = &rest[start + length..];
    }
    out.push_str(rest);
    let seconds = out.strip_suffix('s').or_else(|| out.strip_suffix("s:"));
    if seconds
        .is_some_and(|n| n.contains('.') && n.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
    {
        return "N.Ns".to_owned();
    }
    out
}
