//! What steps write and what happens, as another process sees it while it happens.

use crate::far::{Far, Way};
use crate::guests;
use crate::ongoing::{Ongoing, events_of, on_record};
use crate::support::Place;
use crate::workflows::{approval, ask, plain, tell, workflow};
use serde_json::Value;
use std::time::Duration;

/// Lines that an attempt may write, as the contract says.
const LINES_MAX: u32 = 2_000;

fn chatty(lines: (u32, u64, u32), length: u32) -> Place {
    let place = Place::new();
    place.write("bowline.yaml", "plugins: [plugins]\npolicy: {default: allow}\n");
    guests::chatty(&place, "chatty", lines, length);
    place.write("w.yaml", workflow("", &[plain("a", "chatty", "")]));
    place
}

/// The numbers in the lines, in order, and everything that is not such a line.
fn read(logs: &str) -> (Vec<u32>, Vec<&str>) {
    let number = |line: &str| {
        let (_, rest) = line.split_once("line ")?;
        rest.get(..5)?.parse().ok()
    };
    let numbers = logs.lines().filter_map(number).collect();
    let others = logs.lines().filter(|line| number(line).is_none()).collect();
    (numbers, others)
}

#[track_caller]
fn assert_in_order(numbers: &[u32], last: u32) {
    let expected: Vec<u32> = (1..=last).collect();
    assert!(numbers == expected, "{} lines, from {:?}", numbers.len(), numbers.first());
}

#[test]
fn lines_are_all_there_in_order_up_to_the_budget_and_then_there_is_one_mark() {
    let place = chatty((LINES_MAX + 500, 0, 0), 10);
    place.run(&["run", "w.yaml", "--json"]).ends(0);

    let logs = place.run(&["runs", "logs", "@latest", "a"]);

    let (numbers, others) = read(&logs.ends(0).stdout);
    assert_in_order(&numbers, LINES_MAX);
    assert_eq!(others.len(), 1, "{others:?}");
    assert!(others[0].contains("500 more lines"), "{}", others[0]);
    assert!(logs.stdout.lines().last().expect("a line").contains("500 more lines"));
    let json = place.run(&["runs", "logs", "@latest", "--json"]).ends(0).json();
    assert_eq!(json.len(), LINES_MAX as usize + 1);
    let positions: Vec<u64> = json.iter().map(|line| line["position"].as_u64().unwrap()).collect();
    assert!(positions.is_sorted(), "in the order in which they were written");
}

#[test]
fn a_log_within_the_budget_has_no_mark() {
    let place = chatty((LINES_MAX, 0, 0), 10);
    place.run(&["run", "w.yaml", "--json"]).ends(0);

    let logs = place.run(&["runs", "logs", "@latest", "a"]);

    let (numbers, others) = read(&logs.ends(0).stdout);
    assert_in_order(&numbers, LINES_MAX);
    assert!(others.is_empty(), "{others:?}");
}

#[test]
fn the_budget_counts_bytes_as_well() {
    let place = chatty((300, 0, 0), 8_000);
    place.run(&["run", "w.yaml", "--json"]).ends(0);

    let logs = place.run(&["runs", "logs", "@latest", "a"]);

    let (numbers, others) = read(&logs.ends(0).stdout);
    // A mebibyte of lines of 8,000 bytes.
    assert_in_order(&numbers, 131);
    assert_eq!(others.len(), 1, "{others:?}");
    assert!(others[0].contains("169 more lines"), "{}", others[0]);
}

#[test]
fn another_process_follows_the_lines_and_ends_with_the_run() {
    let place = chatty((700, 2_500, LINES_MAX), 10);
    let mut run = Ongoing::start(&place, &["run", "w.yaml", "--json"]);
    run.wait_for(&["step-logged"]);

    let mut followers = [
        Ongoing::start(&place, &["runs", "logs", "@latest", "--follow"]),
        Ongoing::start(&place, &["runs", "logs", "@latest", "a", "--follow"]),
    ];
    for follower in &mut followers {
        follower.wait_for(&["line 00700"]);
    }
    assert!(!run.is_over(), "they follow while it runs");
    let done = run.end();

    done.ends(0);
    for follower in followers {
        let followed = follower.end();
        let (numbers, others) = read(&followed.ends(0).stdout);
        assert_in_order(&numbers, LINES_MAX);
        assert_eq!(others.len(), 1, "{others:?}");
    }
    let (numbers, _) = read(&done.stdout);
    assert_in_order(&numbers, LINES_MAX);
}

#[test]
fn a_follower_of_a_run_that_is_over_ends_at_once() {
    let place = chatty((3, 0, 0), 10);
    place.run(&["run", "w.yaml", "--json"]).ends(0);

    for arguments in
        [&["runs", "logs", "@latest", "--follow"][..], &["runs", "watch", "@latest", "--json"]]
    {
        Ongoing::start(&place, arguments).end().ends(0);
    }
}

#[test]
fn a_follower_of_a_run_whose_process_dies_ends_too() {
    let place = chatty((3, 600_000, 0), 10);
    let mut run = Ongoing::start(&place, &["run", "w.yaml", "--json"]);
    run.wait_for(&["line 00003"]);
    let mut follower = Ongoing::start(&place, &["runs", "logs", "@latest", "--follow"]);
    follower.wait_for(&["line 00003"]);
    let watcher = Ongoing::start(&place, &["runs", "watch", "@latest", "--json"]);

    run.kill();

    follower.end();
    watcher.end();
}

/// An event without the time at which it was told.
fn timeless(event: &Value) -> Value {
    let mut event = event.clone();
    if let Some(members) = event.as_object_mut() {
        members.remove("at");
    }
    event
}

#[track_caller]
fn assert_same(told: &[Value], other: &[Value]) {
    let told: Vec<Value> = told.iter().map(timeless).collect();
    let other: Vec<Value> = other.iter().map(timeless).collect();
    for (left, right) in told.iter().zip(&other) {
        assert_eq!(left, right);
    }
    assert_eq!(told.len(), other.len());
}

#[test]
fn a_watcher_in_another_process_sees_the_same_events() {
    let far = Far::start(|_, _| Way::Slow(Duration::from_millis(300), 200, "{}".to_owned()));
    let mut place = Place::new();
    far.settings(&mut place, "");
    guests::sleeper(&place, "sleeper", 2_000);
    let steps = [
        plain("zero", "sleeper", ""),
        ask("one", "/one", "dependsOn: zero\n"),
        tell("two", "/two", "dependsOn: one\n"),
    ];
    place.write("w.yaml", workflow("", &steps));
    let mut run = Ongoing::start(&place, &["run", "w.yaml", "--json"]);
    run.wait_for_event("step-started", "zero");
    let watcher = Ongoing::start(&place, &["runs", "watch", "@latest", "--json"]);
    let plain = Ongoing::start(&place, &["runs", "watch", "@latest"]);

    let (ran, watched) = (run.end(), watcher.end());

    assert_same(&ran.ends(0).json(), &watched.ends(0).json());
    assert_same(&ran.json(), &on_record(&place, "@latest"));
    assert!(plain.end().ends(0).stdout.contains("succeeded"));
    // The times are those of the record.
    assert_eq!(watched.json(), on_record(&place, "@latest"));
}

#[test]
fn a_watcher_ends_as_the_run_does() {
    let far = Far::start(|_, _| Way::json(404, "{}"));
    let mut place = Place::new();
    far.settings(&mut place, "");
    guests::sleeper(&place, "sleeper", 2_000);
    place.write(
        "w.yaml",
        workflow("", &[plain("zero", "sleeper", ""), ask("one", "/one", "dependsOn: zero\n")]),
    );
    let mut run = Ongoing::start(&place, &["run", "w.yaml", "--json"]);
    run.wait_for_event("step-started", "zero");
    let watcher = Ongoing::start(&place, &["runs", "watch", "@latest", "--json"]);

    run.end().ends(1);

    assert_eq!(watcher.end().ends(1).finished()["status"], "failure");
}

#[test]
fn a_watcher_of_a_run_that_waits_ends_as_a_run_that_waits() {
    let place = Place::new();
    place.write("w.yaml", workflow("", &[approval("confirm", "")]));
    place.run(&["run", "w.yaml", "--json"]).ends(3);

    let watched = place.run(&["runs", "watch", "@latest", "--json"]);

    assert_eq!(watched.ends(3).finished()["status"], "waiting");
}

/// Where steps run side by side, too, an event has one place, whoever tells it.
#[test]
fn what_a_run_tells_of_steps_side_by_side_is_what_is_on_record() {
    let far = Far::start(|_, _| Way::json(200, "{}"));
    let mut place = Place::new();
    far.settings(&mut place, "");
    let mut steps = Vec::new();
    for row in 0..8 {
        for column in 0..12 {
            let after = match column {
                0 => String::new(),
                _ => format!("dependsOn: s{row}-{}\n", column - 1),
            };
            steps.push(ask(&format!("s{row}-{column}"), &format!("/{row}/{column}"), &after));
        }
    }
    place.write("w.yaml", workflow("", &steps));

    let done = place.run(&["run", "w.yaml", "--json"]);

    let (told, record) = (done.ends(0).json(), on_record(&place, "@latest"));
    let key = |event: &Value| {
        let mut event = timeless(event);
        if let Some(members) = event.as_object_mut() {
            members.remove("position");
        }
        event.to_string()
    };
    let sorted = |events: &[Value]| {
        let mut keys: Vec<String> = events.iter().map(key).collect();
        keys.sort();
        keys
    };
    assert_eq!(sorted(&told), sorted(&record), "the same events in whatever order");
    assert_eq!(events_of(&told, "step-succeeded").len(), 96);
    assert_same(&told, &record);
}
