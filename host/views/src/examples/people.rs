//! How it looks when people are asked: one, several, nobody in time, and one who says no.

use super::*;
use crate::StepStatus;
use journal::{Question, Verdict};

fn question(quorum: u32) -> Question {
    Question {
        digest: "d".to_owned(),
        quorum,
        approvers: vec!["ana".to_owned(), "bob".to_owned(), "group:sre\u{1b}".to_owned()],
        excluded: vec!["eric".to_owned()],
        expires_at: Some(START + 3_600_000),
    }
}

impl Tale {
    fn asks(self, step: &str, question: Question) -> Self {
        self.then(0, Event::ApprovalAsked { step: name(step), question })
    }

    fn hears(self, step: &str, by: &str, verdict: Verdict, reason: &str) -> Self {
        let (step, by, reason) = (name(step), by.to_owned(), Some(reason.to_owned()));
        self.then(30_000, Event::ApprovalGiven { step, by, verdict, reason })
    }

    fn decides(self, step: &str, verdict: Verdict, by: &[&str]) -> Self {
        let by = by.iter().map(|by| (*by).to_owned()).collect();
        self.then(0, Event::ApprovalSettled { step: name(step), verdict, by })
    }
}

fn asked() -> Tale {
    tale(vec![planned("look", &[]), approval("sure?", &["look"]), planned("undo", &["sure?"])])
        .starts("look")
        .succeeds("look", json!({"found": true}))
        .asks("sure?", question(2))
        .ends(RunStatus::Waiting)
        .hears("sure?", "ana", Verdict::Approved, "looks right\u{202e}")
}

pub(super) fn approved() -> Tale {
    let passed = Event::StepSucceeded { step: name("sure?"), attempt: 0, outputs: Map::new() };
    asked()
        .hears("sure?", "bob", Verdict::Approved, "go")
        .decides("sure?", Verdict::Approved, &["ana", "bob"])
        .then(0, passed)
        .starts("undo")
        .intends("undo", 1, "patch apps/deployments default/web", true)
        .answered("undo", 1, 200)
        .succeeds("undo", json!({"fromRevision": 4, "toRevision": 3}))
        .ends(RunStatus::Success)
}

#[test]
fn an_approval_that_waits() {
    let waits = asked();
    let view = waits.view();
    assert_eq!((view.status, view.steps[1].status), (RunStatus::Waiting, StepStatus::Waiting));
    check(
        &waits.lines(),
        &expect![[r#"
            14:03:01 run 0192f0c1-7c00-7000-8000-000000000001 of rollback started by eric
            14:03:01 look started attempt=1
            14:03:03 look succeeded after 2.0s found=true
            14:03:03 sure? waits: it needs 2 approvals from ana, bob or the group sre\u{1b}, but not eric, until 2026-11-22 15:03:01; bowline approve 0192f0c1-7c00-7000-8000-000000000001 'sure?', or bowline deny 0192f0c1-7c00-7000-8000-000000000001 'sure?'
            14:03:03 run 0192f0c1-7c00-7000-8000-000000000001 waits for a person
            14:03:33 sure? ana said yes: looks right\u{202e}
        "#]],
    );
    check(
        &waits.tree(&Look::PLAIN),
        &expect![[r#"
        ◐ rollback  33s  0192f0c1-7c00-7000-8000-000000000001  by eric
        ├─✔ look   2.0s    found=true
        ├─◐ sure?          waits for a yes or a no, 1 of 2 said yes
        │    bowline approve 0192f0c1-7c00-7000-8000-000000000001 'sure?'
        └─○ undo           waits for sure?
    "#]],
    );
    check(
        &text::summary(&view, &Look::PLAIN),
        &expect![[r#"
            ◐ rollback waits for a person after 32s (1 succeeded, 1 waits for a person, 1 not started)
              ✔ look succeeded, changed nothing outside
              ◐ sure? waits for a person: it needs 1 more approval from ana, bob or the group sre\u{1b}, but not eric, until 2026-11-22 15:03:01
              ○ undo not started
              next:  bowline approve 0192f0c1-7c00-7000-8000-000000000001 'sure?'
                     bowline deny 0192f0c1-7c00-7000-8000-000000000001 'sure?'
                     bowline runs cancel 0192f0c1-7c00-7000-8000-000000000001
        "#]],
    );
    check(
        &show::page(&view, &Look::PLAIN),
        &expect![[r#"
            ◐ rollback waits for a person
              run         0192f0c1-7c00-7000-8000-000000000001
              started     2026-11-22 14:03:01 by eric
              workflow    run books/rollback.yaml
              digest      sha256:abc
              parameter   deployment = "web\u001b[2J"

              sure? waits: it needs 1 more approval from ana, bob or the group sre\u{1b}, but not eric, until 2026-11-22 15:03:01
                14:03:33 ana said yes: looks right\u{202e}
                bowline approve 0192f0c1-7c00-7000-8000-000000000001 'sure?'
                bowline deny 0192f0c1-7c00-7000-8000-000000000001 'sure?'

            ✔ look  succeeded after 2.0s
                plugin      look 1.0.0 sha256:0000000000000000000000000000000000000000000000000000000000000000
                started     2026-11-22 14:03:01
                output      found = true

            ◐ sure?  waits for a person
                kind        a person says yes or no
                after       look

            ○ undo  not started
                plugin      undo 1.0.0 sha256:0000000000000000000000000000000000000000000000000000000000000000
                after       sure?
        "#]],
    );
    assert!(json::finished(&view).contains(r#""sure?":{"status":"waiting","outputs":{}"#));
}

#[test]
fn an_approval_that_is_given() {
    let given = approved();
    let view = given.view();
    let ended: Vec<_> = view.approvals().collect();
    assert_eq!(ended.len(), 1);
    assert_eq!((ended[0].1.verdict, ended[0].1.answers.len()), (Verdict::Approved, 2));
    assert_eq!(view.steps[1].status, StepStatus::Success);
    check(
        &given.lines(),
        &expect![[r#"
            14:03:01 run 0192f0c1-7c00-7000-8000-000000000001 of rollback started by eric
            14:03:01 look started attempt=1
            14:03:03 look succeeded after 2.0s found=true
            14:03:03 sure? waits: it needs 2 approvals from ana, bob or the group sre\u{1b}, but not eric, until 2026-11-22 15:03:01; bowline approve 0192f0c1-7c00-7000-8000-000000000001 'sure?', or bowline deny 0192f0c1-7c00-7000-8000-000000000001 'sure?'
            14:03:03 run 0192f0c1-7c00-7000-8000-000000000001 waits for a person
            14:03:33 sure? ana said yes: looks right\u{202e}
            14:04:03 sure? bob said yes: go
            14:04:03 sure? approved by ana, bob
            14:04:03 undo started attempt=1
            14:04:03 undo calls patch apps/deployments default/web on kubernetes/eric0-demos
            14:04:03 undo called patch apps/deployments default/web on kubernetes/eric0-demos: answered 200
            14:04:05 undo succeeded after 2.0s fromRevision=4 toRevision=3
            14:04:05 run 0192f0c1-7c00-7000-8000-000000000001 succeeded
        "#]],
    );
    check(
        &show::page(&view, &Look::PLAIN),
        &expect![[r#"
        ✔ rollback succeeded
          run         0192f0c1-7c00-7000-8000-000000000001
          started     2026-11-22 14:03:01 by eric
          finished    2026-11-22 14:04:05, after 1m04s
          workflow    run books/rollback.yaml
          digest      sha256:abc
          parameter   deployment = "web\u001b[2J"

        ✔ look  succeeded after 2.0s
            plugin      look 1.0.0 sha256:0000000000000000000000000000000000000000000000000000000000000000
            started     2026-11-22 14:03:01
            output      found = true

        ✔ sure?  succeeded
            kind        a person says yes or no
            answer      14:03:33 ana said yes: looks right\u{202e}
            answer      14:04:03 bob said yes: go
            approval    14:04:03 approved by ana, bob

        ✔ undo  succeeded after 2.0s
            plugin      undo 1.0.0 sha256:0000000000000000000000000000000000000000000000000000000000000000
            started     2026-11-22 14:04:03
            output      fromRevision = 4
            output      toRevision = 3
            write       14:04:03 patch apps/deployments default/web on kubernetes/eric0-demos: answered 200
    "#]],
    );
}

#[test]
fn an_approval_that_is_refused_or_late() {
    let no = asked()
        .hears("sure?", "bob", Verdict::Rejected, "not on a Friday")
        .decides("sure?", Verdict::Rejected, &["bob"])
        .skips("sure?", "it was rejected by bob: not on a Friday")
        .skips("undo", "it comes after `sure?`, which was skipped")
        .ends(RunStatus::Rejected);
    check(
        &text::summary(&no.view(), &Look::PLAIN),
        &expect![[r#"
            ✖ rollback was rejected after 1m02s (1 succeeded, 2 skipped)
              ✔ look succeeded, changed nothing outside
              ⊘ sure? skipped: it was rejected by bob: not on a Friday
              ⊘ undo skipped: it comes after `sure?`, which was skipped
              next:  bowline runs show 0192f0c1-7c00-7000-8000-000000000001
                     bowline runs retry 0192f0c1-7c00-7000-8000-000000000001
        "#]],
    );
    assert!(no.lines().contains("sure? bob said no: not on a Friday\n"));
    assert!(no.lines().contains("sure? rejected by bob\n"));
    assert!(no.lines().ends_with("was rejected\n"));
    let late = asked().decides("sure?", Verdict::Expired, &[]);
    assert!(late.lines().ends_with("sure? expired, nobody answered in time\n"));
    let stopped =
        asked().then(0, Event::CancelRequested { by: "ana".to_owned() }).ends(RunStatus::Cancelled);
    assert_eq!(stopped.view().steps[1].status, StepStatus::Cancelled);
}

#[test]
fn a_journal_of_before_does_not_say_who_is_asked() {
    let view = waits().view();
    assert_eq!(view.steps[1].status, StepStatus::Waiting);
    assert_eq!(view.steps[1].question(), None);
    let page = show::page(&view, &Look::PLAIN);
    assert!(page.contains("  sure? waits: it needs an approval from anyone\n"), "{page}");
    // One that was answered does not wait again.
    let answered = asked().decides("sure?", Verdict::Approved, &["ana"]).ends(RunStatus::Waiting);
    assert_eq!(answered.view().steps[1].status, StepStatus::NotStarted);
}
