//! The report on a run: who, what was before and after, when, every effect, and nothing that a
//! terminal or a Markdown reader would obey.

use crate::far::{Far, Way};
use crate::support::{Place, user};
use crate::workflows::{ask, tell, workflow};

/// What would steer a terminal: control characters but for the end of a line, and what turns text.
fn steering(text: &str) -> Vec<char> {
    let turns = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    text.chars().filter(|c| (c.is_control() && *c != '\n') || turns(*c)).collect()
}

#[test]
fn a_report_tells_who_what_when_and_from_where_to_where() {
    let place = Place::new();
    place.runbook();
    place.run(&["run", "runbook.yaml", "--drill", "-p", "public_id=117"]).ends(0);
    let shown = place.run(&["runs", "list", "--json"]).ends(0).json();
    let run = shown[0]["run"].as_str().expect("a name").to_owned();
    let started = shown[0]["startedAt"].as_str().expect("a time").to_owned();

    let report = place.run(&["runs", "report", "@latest"]);

    let text = &report.ends(0).stdout;
    assert!(text.starts_with("# "), "{text}");
    // `2026-11-22T15:03:01.123Z` stands there as `2026-11-22 15:03:01`.
    let started = started[..19].replace('T', " ");
    let by = format!("`{}`", user());
    for part in [
        run.as_str(),
        by.as_str(),
        "drill",
        started.as_str(),
        "revision",
        "`2` -> `1`",
        "nginx:1.25",
        "patch apps/deployments default/nginx-deployment",
        "POST /api/v2/incidents/",
        "kubernetes/eric0-demos",
        "datadog/my-datadog-keys",
        "## Timeline",
        "## What changed",
        "## Calls",
        "public_id",
        "sha256:",
    ] {
        assert!(text.contains(part), "`{part}` is not in:\n{text}");
    }
    let changed = text.split("## What changed").nth(1).and_then(|rest| rest.split("\n## ").next());
    let rows = changed.expect("a chapter").lines().filter(|line| line.contains("| done |")).count();
    assert_eq!(rows, 2, "{text}");
    assert!(steering(text).is_empty(), "{:?}", steering(text));
}

#[test]
fn nothing_in_a_report_steers_whoever_reads_it() {
    let evil = "\u{1b}[2J\u{7}\r\u{202e}txt\u{9b}31m <script>alert(1)</script> [x](javascript:1) | `a` \u{feff}";
    let body = serde_json::json!({"evil": evil}).to_string();
    let refused = serde_json::json!({"error": evil}).to_string();
    let far = Far::start(move |request, _| match request.path.as_str() {
        "/bad" => Way::json(400, &refused),
        _ => Way::json(200, &body),
    });
    let mut place = Place::new();
    far.settings(&mut place, "");
    let root = "parameters: {text: {}}\n";
    let told = tell("told", "/told", "").replace("json: {n: 1}", "json: {n: !Parameter text}");
    place.write(
        "w.yaml",
        workflow(root, &[ask("asked", "/asked", ""), told, ask("bad", "/bad", "")]),
    );
    let parameter = format!("text={evil}");
    place.run(&["run", "w.yaml", "-p", &parameter]).ends(1);

    for page in ["report", "show", "logs"] {
        let page = place.run(&["runs", page, "@latest"]);
        let text = &page.ends(0).stdout;
        assert!(steering(text).is_empty(), "{:?} in\n{text}", steering(text));
    }
    let report = place.run(&["runs", "report", "@latest"]).stdout;
    let bare = without_code(&report);
    assert!(!bare.contains("<script>") && !bare.contains("](javascript"), "{bare}");
    assert!(bare.contains("<details>"), "the report's own words are still there: {bare}");
}

/// What a reader of Markdown would interpret: all but the spans of code, each of which ends at as
/// many backticks as it began with.
fn without_code(text: &str) -> String {
    let run = |text: &str| text.len() - text.trim_start_matches('`').len();
    let (mut bare, mut rest) = (String::new(), text);
    while let Some(begin) = rest.find('`') {
        bare.push_str(&rest[..begin]);
        let inside = &rest[begin..];
        let fence = run(inside);
        let mut at = fence;
        let end = loop {
            let Some(next) = inside[at..].find('`') else { break None };
            let length = run(&inside[at + next..]);
            at += next + length;
            if length == fence {
                break Some(at);
            }
        };
        // Backticks that nothing closes are backticks.
        let end = end.unwrap_or(fence);
        rest = &inside[end..];
    }
    bare.push_str(rest);
    bare
}

#[test]
fn a_report_holds_what_people_said() {
    let far = Far::start(|_, before| match before {
        0 => Way::Cut,
        _ => Way::json(200, "{}"),
    });
    let mut place = Place::new();
    far.settings(&mut place, "");
    let steps =
        [crate::workflows::approval("confirm", ""), tell("act", "/act", "dependsOn: confirm\n")];
    place.write("w.yaml", workflow("", &steps));
    place.run(&["run", "w.yaml"]).ends(3);
    place.run(&["approve", "@latest", "confirm", "--reason", "seen by two"]).ends(0);
    place.run(&["runs", "resume", "@latest"]).ends(3);
    let waiting = place.run(&["runs", "report", "@latest"]).ends(0).stdout.clone();
    assert!(waiting.contains("in doubt"), "{waiting}");
    place
        .run(&[
            "runs",
            "resolve",
            "@latest",
            "act",
            "--outcome",
            "not-done",
            "--reason",
            "not there",
        ])
        .ends(0);
    place.run(&["runs", "resume", "@latest"]).ends(0);

    let report = place.run(&["runs", "report", "@latest"]);

    for part in ["seen by two", "not there", &user(), "POST /act"] {
        assert!(report.ends(0).stdout.contains(part), "`{part}` is not in:\n{}", report.stdout);
    }
    assert_eq!(far.count("POST /act"), 2);
}
