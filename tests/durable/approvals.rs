//! People who answer: at once, late, twice, as somebody who may not, and while processes die.

use crate::far::{Far, Way};
use crate::guests;
use crate::ongoing::{Ongoing, at_once, events_of, on_record};
use crate::support::{Place, root, skipped, user};
use crate::workflows::{approval, plain, tell, workflow};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::time::Duration;

/// A place with a workflow that asks before it writes.
fn asking(extra: &str, rest: &str) -> (Far, Place) {
    let far = Far::start(|_, _| Way::json(200, "{}"));
    let mut place = Place::new();
    far.settings(&mut place, rest);
    guests::sleeper(&place, "long", 600_000);
    guests::sleeper(&place, "short", 3_000);
    let steps = [approval("confirm", extra), tell("act", "/act", "dependsOn: confirm\n")];
    place.write("w.yaml", workflow("", &steps));
    (far, place)
}

/// The same with a step beside it that keeps the run alive.
fn asking_beside(image: &str, extra: &str) -> (Far, Place) {
    let (far, place) = asking(extra, "");
    let steps = [
        approval("confirm", extra),
        tell("act", "/act", "dependsOn: confirm\n"),
        plain("beside", image, ""),
    ];
    place.write("w.yaml", workflow("", &steps));
    (far, place)
}

#[test]
fn f22_nothing_is_done_before_the_answer_and_all_of_it_after() {
    let (far, place) = asking("", "");

    let done = place.run(&["run", "w.yaml", "--json"]);

    assert_eq!(done.ends(3).finished()["status"], "waiting");
    place.run(&["runs", "resume", "@latest", "--json"]).ends(3);
    assert!(far.lines().is_empty());
    let shown = place.run(&["runs", "show", "@latest"]);
    for part in ["bowline approve", "bowline deny", "confirm"] {
        assert!(shown.ends(0).stdout.contains(part), "`{part}` is not in:\n{}", shown.stdout);
    }
    place.run(&["approve", "@latest", "confirm", "--reason", "looks right"]).ends(0);
    assert!(far.lines().is_empty(), "to say yes does nothing by itself");
    let done = place.run(&["runs", "resume", "@latest", "--json"]);
    assert_eq!(done.ends(0).finished()["status"], "success");
    assert_eq!(far.lines(), ["POST /act"]);
    let events = on_record(&place, "@latest");
    let given = events_of(&events, "approval-given");
    assert_eq!(given.len(), 1);
    assert_eq!((&given[0]["by"], &given[0]["reason"]), (&user().into(), &"looks right".into()));
}

#[test]
fn f22_a_no_ends_the_run_as_a_failure_and_skips_what_waits() {
    let (far, place) = asking("", "");
    place.run(&["run", "w.yaml", "--json"]).ends(3);

    place.run(&["deny", "@latest", "confirm", "--reason", "not tonight"]).ends(0);

    let finished = place.run(&["runs", "resume", "@latest", "--json"]).ends(1).finished();
    assert_eq!(finished["status"], "failure");
    assert_eq!(finished["steps"]["act"]["status"], "skipped");
    assert!(far.lines().is_empty());
    let shown = place.run(&["runs", "show", "@latest"]);
    assert!(shown.ends(0).stdout.contains("not tonight"), "{}", shown.stdout);
}

#[test]
fn f22_who_answers_second_is_told_who_was_first() {
    let (far, place) = asking("", "");
    place.run(&["run", "w.yaml", "--json"]).ends(3);
    place.run(&["approve", "@latest", "confirm"]).ends(0);

    for verb in ["approve", "deny"] {
        let second = place.run(&[verb, "@latest", "confirm"]);
        assert_ne!(second.code, 0, "{verb}");
        second.says(&[&user(), "approved"]);
    }

    place.run(&["runs", "resume", "@latest", "--json"]).ends(0);
    assert_eq!(far.lines(), ["POST /act"]);
}

#[test]
fn f22_who_answers_second_to_a_run_that_goes_on_is_told_who_was_first() {
    let (far, place) = asking_beside("long", "");
    let mut run = Ongoing::start(&place, &["run", "w.yaml", "--json"]);
    run.wait_for_event("approval-asked", "confirm");
    place.run(&["approve", "@latest", "confirm"]).ends(0);
    run.wait_for_event("approval-settled", "confirm");

    let second = place.run(&["deny", "@latest", "confirm"]);

    assert_ne!(second.code, 0);
    far.wait_for("POST /act", 1);
    second.says(&[&user(), "approved"]);
}

#[test]
fn f22_an_answer_reaches_a_run_that_goes_on_in_another_process() {
    let (far, place) = asking_beside("short", "");
    let mut run = Ongoing::start(&place, &["run", "w.yaml", "--json"]);
    run.wait_for_event("approval-asked", "confirm");

    place.run(&["approve", "@latest", "confirm"]).ends(0);

    assert_eq!(run.end().ends(0).finished()["status"], "success");
    assert_eq!(far.lines(), ["POST /act"]);
}

#[test]
fn f22_of_those_who_answer_at_once_exactly_one_wins_and_the_others_hear_who() {
    for beside in [false, true] {
        let (far, place) = if beside { asking_beside("short", "") } else { asking("", "") };
        let mut run = Ongoing::start(&place, &["run", "w.yaml", "--json"]);
        run.wait_for_event("approval-asked", "confirm");
        let run = if beside {
            Some(run)
        } else {
            run.end().ends(3);
            None
        };
        let verbs = ["approve", "deny", "approve", "deny", "approve", "deny"];
        let commands =
            verbs.iter().map(|verb| place.command(&[verb, "@latest", "confirm"])).collect();

        let ended = at_once(commands);

        let won: Vec<usize> = (0..verbs.len()).filter(|index| ended[*index].code == 0).collect();
        let said: Vec<&String> = ended.iter().map(|done| &done.stderr).collect();
        assert_eq!(won.len(), 1, "{said:?}");
        let (verdict, code) = match verbs[won[0]] {
            "approve" => ("approved", 0),
            _ => ("rejected", 1),
        };
        for done in ended.iter().filter(|done| done.code != 0) {
            done.says(&[&user(), verdict]);
        }
        let done = match run {
            Some(run) => run.end(),
            None => place.run(&["runs", "resume", "@latest", "--json"]),
        };
        done.ends(code);
        assert_eq!(far.lines().len(), usize::from(code == 0));
        let events = on_record(&place, "@latest");
        assert_eq!(events_of(&events, "approval-settled")[0]["verdict"], verdict);
        assert_eq!(events_of(&events, "approval-given").len(), 1);
    }
}

#[test]
fn f22_an_answer_that_comes_too_late_does_not_count() {
    for (extra, rest) in [
        ("x-bowline: {timeoutSeconds: 1}\n", ""),
        ("", "approvals: {rules: [{step: 'con*', expiresAfterSeconds: 1}]}\n"),
    ] {
        let (far, place) = asking(extra, rest);
        place.run(&["run", "w.yaml", "--json"]).ends(3);
        std::thread::sleep(Duration::from_millis(1_300));

        for verb in ["approve", "deny"] {
            let late = place.run(&[verb, "@latest", "confirm"]);
            assert_ne!(late.code, 0, "{verb}");
            late.says(&["time for an answer is over"]);
        }

        let finished = place.run(&["runs", "resume", "@latest", "--json"]).ends(1).finished();
        assert_eq!(finished["status"], "failure");
        assert_eq!(finished["steps"]["act"]["status"], "skipped");
        assert!(far.lines().is_empty());
    }
}

#[test]
fn f22_an_approval_expires_while_another_step_runs() {
    let (far, place) = asking_beside("short", "x-bowline: {timeoutSeconds: 1}\n");

    let done = place.run(&["run", "w.yaml", "--json"]);

    let finished = done.ends(1).finished();
    assert_eq!(finished["status"], "failure");
    assert_eq!(finished["steps"]["beside"]["status"], "success");
    assert_eq!(finished["steps"]["act"]["status"], "skipped");
    let events = done.json();
    let settled = events_of(&events, "approval-settled");
    assert_eq!(settled[0]["verdict"], "expired", "{:#}", settled[0]);
    let ended = events_of(&events, "step-succeeded");
    let beside = ended.iter().find(|event| event["step"] == "beside").expect("its end");
    assert!(settled[0]["position"].as_u64() < beside["position"].as_u64(), "while it runs");
    assert!(far.lines().is_empty());
}

#[test]
fn f22_an_answer_to_a_step_that_asks_nothing_is_refused() {
    let (far, place) = asking("", "");
    place.run(&["run", "w.yaml", "--json"]).ends(3);

    for (step, says) in [("act", "waits for no approval"), ("nobody", "no step `nobody`")] {
        for verb in ["approve", "deny"] {
            let refused = place.run(&[verb, "@latest", step]);
            assert_ne!(refused.code, 0);
            refused.says(&[says]);
        }
    }
    place.run(&["approve", "@latest", "confirm"]).ends(0);
    place.run(&["runs", "resume", "@latest", "--json"]).ends(0);
    let late = place.run(&["approve", "@latest", "confirm"]);
    assert_ne!(late.code, 0);
    assert_eq!(far.lines(), ["POST /act"]);
}

#[test]
fn f22_the_question_survives_the_process_that_asked_it() {
    let (far, place) = asking_beside("long", "");
    let mut run = Ongoing::start(&place, &["run", "w.yaml", "--json"]);
    run.wait_for_event("approval-asked", "confirm");
    run.wait_for_event("step-started", "beside");
    run.kill();

    place.run(&["approve", "@latest", "confirm"]).ends(0);

    assert!(far.lines().is_empty(), "nobody drives it");
    let resumed = Ongoing::start(&place, &["runs", "resume", "@latest", "--json"]);
    far.wait_for("POST /act", 1);
    resumed.signal("INT");
    resumed.end().ends(130);
    let events = on_record(&place, "@latest");
    assert_eq!(events_of(&events, "approval-asked").len(), 1, "the same question");
    assert_eq!(far.lines(), ["POST /act"]);
}

#[test]
fn f22_an_answer_survives_the_process_that_gave_it_or_was_not_given() {
    for (point, counts) in [("before-commit:1", false), ("after-commit:1", true)] {
        let (far, place) = asking("", "");
        place.run(&["run", "w.yaml", "--json"]).ends(3);

        let died = place
            .command(&["approve", "@latest", "confirm"])
            .env("BOWLINE_TEST_KILL", point)
            .output()
            .expect("start it");

        assert_eq!(died.status.code(), None, "{point}: it must have died");
        let again = place.run(&["approve", "@latest", "confirm"]);
        assert_eq!(again.code == 0, !counts, "{point}: {}", again.stderr);
        if counts {
            again.says(&[&user(), "approved"]);
        }
        place.run(&["runs", "resume", "@latest", "--json"]).ends(0);
        assert_eq!(far.lines(), ["POST /act"], "{point}");
    }
}

/// The rules that demand two people of a role, and not the one who started the run.
const TWO: &str = "store: store/runs.db\napprovals:\n  roles: {on-call: [daemon, nobody, root]}\n  rules:\n  - {workflow: w, step: confirm, role: on-call, quorum: 2, selfApproval: false}\n";

/// Whether other users can be played here; says so where they can't.
fn plays_others() -> bool {
    let me = Command::new("id").arg("-u").output().expect("start id").stdout;
    if String::from_utf8_lossy(&me).trim() == "0" {
        return true;
    }
    skipped("needs root, to answer as other users");
    false
}

/// Lets every user into the place and its journal, as an operator does with a group.
fn open_to_all(place: &Place) {
    let let_in = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("let in");
    };
    let_in(&place.path(""), 0o755);
    let_in(&place.path("store"), 0o777);
    for entry in std::fs::read_dir(place.path("store")).expect("list the store") {
        let_in(&entry.expect("an entry").path(), 0o666);
    }
}

fn as_user(place: &Place, user: u32, group: u32, arguments: &[&str]) -> Command {
    let mut command = place.command(arguments);
    command.uid(user).gid(group).env("USER", "root").env("LOGNAME", "root");
    command
}

const DAEMON: u32 = 1;
const NOBODY: u32 = 65_534;

#[test]
fn f22_two_different_people_must_say_yes_and_not_the_one_who_began() {
    if !plays_others() {
        return;
    }
    let (far, place) = asking("", TWO);
    place.run(&["run", "w.yaml", "--json"]).ends(3);
    open_to_all(&place);
    let yes = |user| {
        let done =
            Ongoing::of(as_user(&place, user, user, &["approve", "@latest", "confirm"])).end();
        open_to_all(&place);
        done
    };

    place.run(&["approve", "@latest", "confirm"]).ends(4).says(&["root", "another person"]);
    yes(NOBODY).ends(0).says(&["1 more"]);
    let twice = yes(NOBODY);
    assert_ne!(twice.code, 0, "nobody counts twice: {}", twice.stderr);
    twice.says(&["nobody"]);
    place.run(&["runs", "resume", "@latest", "--json"]).ends(3);
    assert!(far.lines().is_empty());
    yes(DAEMON).ends(0).says(&["approved"]);

    place.run(&["runs", "resume", "@latest", "--json"]).ends(0);
    assert_eq!(far.lines(), ["POST /act"]);
    let events = on_record(&place, "@latest");
    let by = events_of(&events, "approval-settled")[0]["by"].clone();
    assert_eq!(by, serde_json::json!(["nobody", "daemon"]), "whatever the environment says");
}

#[test]
fn f22_of_two_who_say_yes_and_no_at_once_one_no_is_enough() {
    if !plays_others() {
        return;
    }
    let (far, place) = asking("", TWO);
    place.run(&["run", "w.yaml", "--json"]).ends(3);
    open_to_all(&place);

    let ended = at_once(vec![
        as_user(&place, NOBODY, NOBODY, &["approve", "@latest", "confirm"]),
        as_user(&place, DAEMON, DAEMON, &["deny", "@latest", "confirm"]),
    ]);

    assert_eq!(ended[1].code, 0, "one yes does not reach the quorum: {}", ended[1].stderr);
    open_to_all(&place);
    place.run(&["runs", "resume", "@latest", "--json"]).ends(1);
    assert!(far.lines().is_empty());
}

#[test]
fn who_may_read_a_journal_and_not_write_to_it_is_told_which_right_is_missing() {
    if !plays_others() {
        return;
    }
    let (far, place) = asking("", "store: store/runs.db\n");
    place.run(&["run", "w.yaml", "--json"]).ends(3);
    open_to_all(&place);
    let journal = place.path("store/runs.db");
    std::fs::set_permissions(&journal, std::fs::Permissions::from_mode(0o644)).expect("close it");

    let answer = as_user(&place, NOBODY, NOBODY, &["approve", "@latest", "confirm"]);

    let refused = Ongoing::of(answer).end();
    assert_ne!(refused.code, 0);
    refused.says(&["store/runs.db", "may not write", "share a journal"]);
    assert!(far.lines().is_empty());
}

#[test]
fn f22_who_is_not_of_the_role_is_denied() {
    if !plays_others() {
        return;
    }
    let rules = |members: &str| {
        format!(
            "store: store/runs.db\napprovals:\n  roles: {{on-call: [{members}]}}\n  rules:\n  - {{role: on-call}}\n"
        )
    };
    let (far, place) = asking("", &rules("daemon"));
    place.run(&["run", "w.yaml", "--json"]).ends(3);
    open_to_all(&place);

    for verb in ["approve", "deny"] {
        place.run(&[verb, "@latest", "confirm"]).ends(4).says(&["root may not answer", "daemon"]);
        let stranger = as_user(&place, NOBODY, NOBODY, &[verb, "@latest", "confirm"]);
        Ongoing::of(stranger).end().ends(4).says(&["nobody may not answer", "daemon"]);
    }

    place.run(&["runs", "resume", "@latest", "--json"]).ends(3);
    open_to_all(&place);
    Ongoing::of(as_user(&place, DAEMON, DAEMON, &["approve", "@latest", "confirm"])).end().ends(0);
    place.run(&["runs", "resume", "@latest", "--json"]).ends(0);
    assert_eq!(far.lines(), ["POST /act"]);
}

#[test]
fn f22_a_role_may_hold_a_group() {
    if !plays_others() {
        return;
    }
    let rest = "store: store/runs.db\napprovals: {roles: {on-call: ['group:daemon']}, rules: [{role: on-call}]}\n";
    let (far, place) = asking("", rest);
    place.run(&["run", "w.yaml", "--json"]).ends(3);
    open_to_all(&place);

    let stranger = as_user(&place, NOBODY, NOBODY, &["approve", "@latest", "confirm"]);
    Ongoing::of(stranger).end().ends(4).says(&["nobody may not answer"]);
    // Its own group, and no other beside it.
    let member = as_user(&place, NOBODY, DAEMON, &["approve", "@latest", "confirm"]);
    Ongoing::of(member).end().ends(0);

    open_to_all(&place);
    place.run(&["runs", "resume", "@latest", "--json"]).ends(0);
    assert_eq!(far.lines(), ["POST /act"]);
}

#[test]
fn f22_nothing_that_a_plugin_can_call_answers_for_a_person() {
    let mut functions = 0;
    for folder in ["wit/plugin", "wit/connect"] {
        for entry in std::fs::read_dir(root().join(folder)).expect("list the contract") {
            let path = entry.expect("an entry").path();
            if path.extension().is_none_or(|extension| extension != "wit") {
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("read the contract");
            let code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
            for line in code.filter(|line| line.contains("func(")) {
                functions += 1;
                let name = line.trim_start().split(':').next().unwrap_or_default().to_lowercase();
                for word in ["approv", "deny", "answer", "resolve", "decide", "settle", "confirm"] {
                    assert!(!name.contains(word), "{}: {line}", path.display());
                }
            }
        }
    }
    assert!(functions > 20, "{functions} functions were looked at");
}
