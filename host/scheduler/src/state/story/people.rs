//! What people are asked, and what follows from what they say.

use super::*;

#[test]
fn a_run_waits_for_a_person_when_nothing_else_can_move() {
    workflow("look\nsure after look asks\nundo after sure\nother")
        .then(&["start look", "start other"])
        .succeeds("look")
        .then(&["ask sure"])
        .then(&[])
        .succeeds("other")
        .ends(RunStatus::Waiting)
        .happens(Event::RunFinished { status: RunStatus::Waiting })
        .ends(RunStatus::Waiting);
}

fn answer(step: &str, by: &str, verdict: Answer) -> Event {
    let reason = (verdict == Answer::Rejected).then(|| "not now".to_owned());
    Event::ApprovalGiven { step: name(step), by: by.to_owned(), verdict, reason }
}

#[test]
fn what_was_approved_goes_on() {
    workflow("sure asks\nundo after sure")
        .then(&["ask sure"])
        .ends(RunStatus::Waiting)
        .happens(answer("sure", "ann", Answer::Approved))
        .then(&["settle sure: approved by ann"])
        .then(&["pass sure"])
        .then(&["start undo"])
        .succeeds("undo")
        .ends(RunStatus::Success);
}

#[test]
fn what_was_rejected_is_left_out_and_the_run_says_so() {
    workflow("sure asks\nundo after sure\nother")
        .then(&["ask sure", "start other"])
        .happens(answer("sure", "ann", Answer::Rejected))
        .happens(answer("sure", "bob", Answer::Approved))
        .then(&["settle sure: rejected by ann"])
        .then(&["skip sure: it was rejected by ann: not now"])
        .then(&["skip undo: it comes after `sure`, which was skipped"])
        .succeeds("other")
        .ends(RunStatus::Rejected);
}

#[test]
fn an_approval_that_nobody_gave_in_time_is_a_no() {
    let mut story = workflow("sure asks\nundo after sure");
    let question = Question { quorum: 2, expires_at: Some(5_000), ..Question::default() };
    story
        .happens(Event::ApprovalAsked { step: name("sure"), question })
        .happens(answer("sure", "ann", Answer::Approved))
        .happens(answer("sure", "ann", Answer::Approved))
        .ends(RunStatus::Waiting);
    assert_eq!(story.state.wake_at(), Some(6_000));
    assert!(story.state.has_approved(&name("sure"), "ann"));
    story.state.tell_time(5_000);
    assert_eq!(story.state.what_next(), Next::Wait, "an answer may still be on its way");

    story.state.tell_time(6_000);

    story
        .then(&["settle sure: expired by "])
        .then(&["skip sure: nobody answered in time"])
        .then(&["skip undo: it comes after `sure`, which was skipped"])
        .ends(RunStatus::Rejected);
}

#[test]
fn nobody_is_asked_about_what_is_not_needed() {
    workflow("look\nsure after look asks\nundo after sure")
        .then(&["start look"])
        .fails("look")
        .then(&["skip sure: it comes after `look`, which failed"])
        .then(&["skip undo: it comes after `sure`, which was skipped"])
        .ends(RunStatus::Failure);
}
