//! Fault 7: the machine's clock is set while a run waits.
//!
//! An hour ahead, an hour back, to 1970. The wait for the next try is neither cut short nor drawn
//! out, no time in the journal goes back, and nothing took less than no time.

use crate::ground::{Ground, waits_until};
use crate::support::{Done, skipped};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// What tells another time to a program.
const LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

/// A step that is tried again when the service is busy, and one behind it.
const WORKFLOW: &str = r#"
steps:
  - name: find
    image: relaysh/datadog-step-incident-extract-id
    x-bowline: {retry: {attempts: 3, delaySeconds: 6}}
    spec:
      connection: !Connection {type: datadog, name: any}
      public_id: "117"
  - name: tell
    image: relaysh/datadog-step-incident-timeline-update
    spec:
      connection: !Connection {type: datadog, name: any}
      incident_id: !Output {from: find, name: incident_id}
      timeline_cell_content: found
"#;

/// What the step asks for, again and again while the service is busy, before the attempt fails.
const TRIES: usize = 4;

/// When the clock is set.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    /// While the first attempt is being made.
    Amid,
    /// While the next attempt is waited for.
    Between,
}

/// Runs the workflow, and sets the clock to `time`. None where the clock of a program can't be set.
fn runs_while_the_clock_is_set_to(time: &str, when: When) -> Option<(Ground, Done)> {
    if !Path::new(LIBRARY).exists() {
        skipped("needs libfaketime (Debian's package `libfaketime`)");
        return None;
    }
    let ground = Ground::new();
    ground.place.write("retry.yaml", WORKFLOW);
    let busy = json!({
        "service": "datadog", "method": "GET", "path_prefix": "/api/v2/incidents", "times": TRIES,
        "then": {"answer": {"status": 503, "retry_after_seconds": 1}},
    });
    ground.services.fault(&busy);
    let clock = ground.place.path("clock");
    fs::write(&clock, "+0").expect("write the time");
    let mut command = ground.command(&["run", "retry.yaml", "--config", "drill.yaml"]);
    command
        .env("LD_PRELOAD", LIBRARY)
        .env("FAKETIME_TIMESTAMP_FILE", &clock)
        .env("FAKETIME_NO_CACHE", "1")
        // Who sets a clock does not touch the one that only counts.
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    let started = ground.starts(command);
    match when {
        When::Amid => ground.waits_for_request("GET", "/api/v2/incidents"),
        When::Between => waits_until("the first attempt to fail", || {
            let shown = ground.run(&["runs", "show", "@latest", "--json"]);
            shown.stdout.contains("\"attempt-failed\"")
        }),
    }
    fs::write(&clock, time).expect("write the time");
    let done = started.ends();
    Some((ground, done))
}

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// The time of day in `2026-11-30T08:22:07.816Z`, in milliseconds.
fn millis(at: &str) -> i64 {
    let time = at.split_once('T').expect("a time of day").1.trim_end_matches('Z');
    let part = |from: usize, to: usize| -> i64 { time[from..to].parse().expect("a number") };
    ((part(0, 2) * 60 + part(3, 5)) * 60 + part(6, 8)) * 1000 + part(9, 12)
}

/// Whether it says of something that it took less than no time.
fn tells_a_negative_time(text: &str) -> bool {
    text.split(|c: char| c.is_whitespace() || "([,".contains(c)).any(|word| {
        word.strip_prefix('-').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    })
}

fn moves_no_wait(time: &str, when: When) {
    let Some((ground, done)) = runs_while_the_clock_is_set_to(time, when) else { return };

    done.ends(0);
    // Each request once: nothing fired twice or not at all.
    let requests = ground.services.requests();
    let statuses: Vec<&Value> = requests.iter().map(|request| &request["status"]).collect();
    assert_eq!(statuses, [503, 503, 503, 503, 200, 201], "{requests:#?}");
    // By the clock of the services, which nobody has set.
    let at = |request: usize| millis(requests[request]["at"].as_str().expect("a time"));
    let run = ground.runs().remove(0);
    let events = ground.events(run["run"].as_str().expect("a name"));
    let failed = events.iter().find(|event| event["event"] == "attempt-failed").expect("one");
    let delay = failed["delayMs"].as_i64().expect("a number");
    let waited = (at(TRIES) - at(TRIES - 1)).rem_euclid(DAY_MS);
    assert!(waited >= delay, "waited {waited} ms of {delay}");
    let attempts = |event: &&Value| event["event"] == "step-started" && event["step"] == "find";
    assert_eq!(events.iter().filter(attempts).count(), 2);

    let times: Vec<&str> = events.iter().filter_map(|event| event["at"].as_str()).collect();
    assert!(times.is_sorted(), "a time goes back: {times:#?}");
    assert!(times.len() + 1 >= events.len(), "{events:#?}");
    let (from, to) = (run["startedAt"].as_str(), run["finishedAt"].as_str());
    assert!(from.is_some() && from <= to, "{run}");
    let shown = ground.run(&["runs", "show", "@latest"]);
    let table = ground.run(&["runs", "list"]);
    for text in [&done.stdout, &shown.ends(0).stdout, &table.ends(0).stdout] {
        assert!(!tells_a_negative_time(text), "something took less than no time:\n{text}");
    }
    ground.holds(time);
}

#[test]
fn f07_a_clock_that_is_set_an_hour_ahead_while_a_step_waits_moves_no_wait() {
    moves_no_wait("+1h", When::Between);
}

#[test]
fn f07_a_clock_that_is_set_an_hour_ahead_during_an_attempt_moves_no_wait() {
    moves_no_wait("+1h", When::Amid);
}

#[test]
fn f07_a_clock_that_is_set_an_hour_back_while_a_step_waits_moves_no_wait() {
    moves_no_wait("-1h", When::Between);
}

#[test]
fn f07_a_clock_that_is_set_an_hour_back_during_an_attempt_moves_no_wait() {
    moves_no_wait("-1h", When::Amid);
}

#[test]
fn f07_a_clock_that_is_set_to_1970_while_a_step_waits_moves_no_wait() {
    moves_no_wait("@1970-01-02 00:00:00", When::Between);
}

#[test]
fn f07_a_clock_that_is_set_to_1970_during_an_attempt_moves_no_wait() {
    moves_no_wait("@1970-01-02 00:00:00", When::Amid);
}
