//! Several processes and one run: one drives it, the others are told which; who comes later goes on
//! with what was left.

use crate::far::{Far, Way};
use crate::guests;
use crate::ongoing::{Ongoing, at_once, events_of, on_record};
use crate::support::{Place, skipped};
use crate::workflows::{approval, ask, plain, tell, workflow};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

fn sleeping(millis: u64) -> Place {
    let place = Place::new();
    place.write("bowline.yaml", "plugins: [plugins]\npolicy: {default: allow}\n");
    guests::sleeper(&place, "sleeper", millis);
    place.write(
        "w.yaml",
        workflow("", &[plain("a", "sleeper", ""), plain("b", "sleeper", "dependsOn: a\n")]),
    );
    place
}

#[test]
fn a_run_that_lives_is_not_taken_away_and_its_process_is_named() {
    let place = sleeping(600_000);
    let mut run = Ongoing::start(&place, &["run", "w.yaml", "--json"]);
    run.wait_for_event("step-started", "a");
    let pid = format!("process {}", run.pid());

    let resumed = place.run(&["runs", "resume", "@latest"]);

    assert_ne!(resumed.code, 0);
    resumed.says(&[&pid]);
    let retried = place.run(&["runs", "retry", "@latest"]);
    assert_ne!(retried.code, 0);
    assert!(!run.is_over(), "it goes on");
    run.signal("INT");
    run.end().ends(130);
    let events = on_record(&place, "@latest");
    assert!(events_of(&events, "run-resumed").is_empty());
}

#[test]
fn of_those_who_resume_at_once_exactly_one_drives() {
    let place = sleeping(600_000);
    let mut run = Ongoing::start(&place, &["run", "w.yaml", "--json"]);
    run.wait_for_event("step-started", "a");
    run.kill();
    // Shorter now is another plugin, which a run is not resumed with; so it is stopped in the end.
    let resume = || Ongoing::start(&place, &["runs", "resume", "@latest", "--json"]);
    let mut all: Vec<Ongoing> = (0..5).map(|_| resume()).collect();

    let began = std::time::Instant::now();
    let mut drives = loop {
        all.retain_mut(|one| !one.is_over() || !one.said().is_empty());
        if all.len() == 1 && !all[0].said().is_empty() {
            break all.remove(0);
        }
        assert!(began.elapsed().as_secs() < 40, "{} of them drive it", all.len());
        std::thread::sleep(std::time::Duration::from_millis(20));
    };

    drives.wait_for(&["step-resumed"]);
    drives.signal("INT");
    drives.end().ends(130);
    let events = on_record(&place, "@latest");
    assert_eq!(events_of(&events, "run-resumed").len(), 1, "{events:#?}");
    assert_eq!(events_of(&events, "step-resumed").len(), 1);
}

#[test]
fn those_who_are_too_late_to_resume_are_told_who_was_first() {
    let place = sleeping(600_000);
    let mut run = Ongoing::start(&place, &["run", "w.yaml", "--json"]);
    run.wait_for_event("step-started", "a");
    run.kill();
    let mut first = Ongoing::start(&place, &["runs", "resume", "@latest", "--json"]);
    first.wait_for(&["step-resumed"]);
    let pid = format!("process {}", first.pid());

    let late = at_once((0..3).map(|_| place.command(&["runs", "resume", "@latest"])).collect());

    for done in late {
        assert_ne!(done.code, 0);
        done.says(&[&pid]);
    }
    first.signal("INT");
    first.end().ends(130);
}

/// A run that was killed while it waited for an answer to a question, and a server that answers
/// from then on.
fn left_behind() -> (Far, Place, String) {
    let well = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&well);
    let far = Far::start(move |request, _| match request.path.as_str() {
        "/hangs" if !asked.load(Ordering::SeqCst) => Way::Hang,
        _ => Way::json(200, r#"{"id": 7}"#),
    });
    let steps = [
        tell("one", "/one", ""),
        ask("two", "/hangs", "dependsOn: one\n"),
        tell("three", "/three", "dependsOn: two\n"),
    ];
    let place = far.place(&steps);
    let run = Ongoing::start(&place, &["run", "w.yaml", "--json"]);
    far.wait_for("GET /hangs", 1);
    run.kill();
    well.store(true, Ordering::SeqCst);
    let id = place.run(&["runs", "list", "--json"]).json()[0]["run"]
        .as_str()
        .expect("a name")
        .to_owned();
    place.write("other/w.yaml", workflow("", &[tell("other", "/other", "")]));
    (far, place, id)
}

fn status(place: &Place, run: &str) -> String {
    let listed = place.run(&["runs", "list", "--json"]).ends(0).json();
    let line = listed.iter().find(|line| line["run"] == run).expect("it is listed");
    line["status"].as_str().expect("a status").to_owned()
}

#[test]
fn the_next_run_goes_on_with_one_whose_process_was_killed() {
    let (far, place, left) = left_behind();

    // With settings of its own, which know nothing of that run's connections.
    place.write("other/bowline.yaml", "policy: {default: allow}\n");
    place.write("other/w.yaml", "steps: []\n");
    let next = place.run(&["run", "other/w.yaml", "--json"]);

    next.ends(0).says(&[&left]);
    assert_eq!(status(&place, &left), "success");
    assert_eq!(far.lines(), ["POST /one", "GET /hangs", "GET /hangs", "POST /three"]);
    // What is shown of the own run is not mixed with the other one.
    assert!(next.json().iter().all(|event| event["run"] != *left), "{}", next.stdout);
}

#[test]
fn the_next_run_says_so_where_the_journal_of_one_was_damaged_and_does_its_own_work() {
    let (far, place, left) = left_behind();
    let journal = rusqlite::Connection::open(place.path("home/.local/state/bowline/runs.db"))
        .expect("open it");
    let sql = "UPDATE event SET body = replace(body, '\"id\":7', '\"id\":8') WHERE position > 1 \
               AND body LIKE '%\"id\":7%'";
    assert_eq!(journal.execute(sql, []).expect("change it"), 1);
    drop(journal);

    let next = place.run(&["run", "other/w.yaml", "--config", "bowline.yaml"]);

    next.ends(0).says(&[&left, "not as it was written", "use a backup", "audit verify"]);
    assert_eq!(status(&place, &left), "running");
    assert_eq!(far.lines(), ["POST /one", "GET /hangs", "POST /other"]);
}

/// Settings say where this user's credentials go.
#[test]
fn settings_that_another_user_has_written_are_not_taken_unasked() {
    let (far, place, left) = left_behind();
    place.write("other/bowline.yaml", "policy: {default: allow}\n");
    place.write("other/w.yaml", "steps: []\n");
    if std::os::unix::fs::chown(place.path("bowline.yaml"), Some(65_534), None).is_err() {
        skipped("needs root, to make a file somebody else's");
        return;
    }

    let next = place.run(&["run", "other/w.yaml"]);
    next.ends(0).says(&[&left, "belongs to another user"]);
    let resumed = place.run(&["runs", "resume", &left]);
    resumed.ends(2).says(&["belongs to another user", "--config"]);

    assert_eq!(far.lines(), ["POST /one", "GET /hangs"]);
    place.run(&["runs", "resume", &left, "--config", "bowline.yaml", "--json"]).ends(0);
    assert_eq!(far.count("POST /one"), 1);
}

#[test]
fn the_next_run_leaves_it_alone_when_it_is_told_to() {
    let (far, place, left) = left_behind();

    place.run(&["run", "other/w.yaml", "--config", "bowline.yaml", "--no-resume"]).ends(0);

    assert_eq!(status(&place, &left), "running");
    assert_eq!(far.lines(), ["POST /one", "GET /hangs", "POST /other"]);
    place.run(&["runs", "resume", &left, "--json"]).ends(0);
    assert_eq!(far.count("POST /one"), 1);
    assert_eq!(far.count("POST /three"), 1);
}

#[test]
fn a_plan_and_a_look_leave_it_alone_as_well() {
    let (far, place, left) = left_behind();

    place.run(&["plan", "other/w.yaml", "--config", "bowline.yaml"]).ends(0);
    place.run(&["runs", "show", &left]).ends(0);
    place.run(&["runs", "list"]).ends(0);
    place.run(&["check", "other/w.yaml", "--config", "bowline.yaml"]).ends(0);

    assert_eq!(status(&place, &left), "running");
    assert_eq!(far.lines(), ["POST /one", "GET /hangs"]);
    let shown = place.run(&["runs", "show", &left]);
    assert!(shown.ends(0).stdout.contains("nobody drives it"), "{}", shown.stdout);
}

#[test]
fn the_next_runs_at_once_go_on_with_it_once() {
    let (far, place, left) = left_behind();

    let commands = (0..4)
        .map(|_| place.command(&["run", "other/w.yaml", "--config", "bowline.yaml", "--json"]))
        .collect();
    for done in at_once(commands) {
        done.ends(0);
    }

    assert_eq!(status(&place, &left), "success");
    assert_eq!(far.count("POST /one"), 1);
    assert_eq!(far.count("POST /three"), 1);
    assert_eq!(far.count("POST /other"), 4);
}

#[test]
fn the_next_run_goes_on_with_one_that_was_answered_meanwhile() {
    let far = Far::start(|_, _| Way::json(200, "{}"));
    let steps = [approval("confirm", ""), tell("act", "/act", "dependsOn: confirm\n")];
    let place = far.place(&steps);
    let waits = place.run(&["run", "w.yaml", "--json"]).ends(3).finished();
    let waits = waits["run"].as_str().expect("a name");
    place.write("other.yaml", workflow("", &[tell("other", "/other", "")]));

    place.run(&["run", "other.yaml"]).ends(0);
    assert_eq!((status(&place, waits).as_str(), far.count("POST /act")), ("waiting", 0));
    place.run(&["approve", waits, "confirm"]).ends(0);
    place.run(&["run", "other.yaml"]).ends(0).says(&[waits]);

    assert_eq!((status(&place, waits).as_str(), far.count("POST /act")), ("success", 1));
}

#[test]
fn a_run_that_is_bound_to_a_plan_stays_so_in_another_process() {
    let far = Far::start(|request, before| match (request.method.as_str(), before) {
        ("GET", 0) => Way::json(200, r#"{"version": 1}"#),
        ("GET", 1) => Way::Hang,
        ("GET", _) => Way::json(200, r#"{"version": 2}"#),
        _ => Way::json(200, "{}"),
    });
    let mut place = Place::new();
    far.settings(&mut place, "");
    let post = tell("post", "/things", "dependsOn: look\n")
        .replace("json: {n: 1}", "json: {n: !Output {from: look, name: json}}");
    place.write("w.yaml", workflow("", &[ask("look", "/state", ""), post]));
    place.run(&["plan", "w.yaml", "--out", "plan.json"]).ends(0);
    let run = Ongoing::start(&place, &["run", "w.yaml", "--plan-file", "plan.json", "--json"]);
    far.wait_for("GET /state", 2);
    run.kill();

    place.run(&["runs", "resume", "@latest", "--json"]).ends(4);

    assert_eq!(far.lines(), ["GET /state"; 3]);
}
