//! How often a step is tried, and what its record says about that.

use super::*;

#[test]
fn a_step_that_may_do_better_is_tried_again_after_a_wait() {
    let mut story = workflow("a");
    story.then(&["start a"]);

    let event = story.attempt_ends(retryable(), StepRecord::default());

    assert!(matches!(event, Event::AttemptFailed { delay_ms: 1000, .. }), "{event:?}");
    story.then(&[]);
    assert_eq!(story.state.wake_at(), Some(1000));
    story.state.tell_time(999);
    story.then(&[]);
    story.state.tell_time(1000);
    story.then(&["start a"]);
    assert!(matches!(
        story.attempt_ends(retryable(), StepRecord::default()),
        Event::AttemptFailed { delay_ms: 2000, .. }
    ));
    story.state.tell_time(9_000);
    story.then(&["start a"]);
    let event = story.attempt_ends(retryable(), StepRecord::default());
    assert!(matches!(event, Event::StepFailed { .. }), "three tries: {event:?}");
    story.ends(RunStatus::Failure);
}

#[test]
fn what_has_changed_something_is_not_done_again() {
    let mut story = workflow("a");
    story.then(&["start a"]);
    story.attempt_ends(retryable(), writes(&[201, 200, 429], None));
    story.state.tell_time(60_000);
    story.then(&["resume a keep 2"]);
}

#[test]
fn a_write_of_unknown_outcome_is_never_tried_again_by_itself() {
    let mut story = workflow("a");
    story.then(&["start a"]);

    let event = story.attempt_ends(retryable(), writes(&[201, 0], None));

    assert!(matches!(event, Event::OutcomeUnknown { number: 2, .. }), "{event:?}");
    story.ends(RunStatus::Waiting).happens(Event::OutcomeSettled {
        step: name("a"),
        attempt: 1,
        number: 2,
        done: true,
        by: "ann".to_owned(),
        reason: None,
    });
    story.then(&["resume a keep 2"]).succeeds("a").ends(RunStatus::Success);
}

#[test]
fn what_was_said_of_a_write_says_nothing_of_its_next_time() {
    let mut story = workflow("a");
    story.then(&["start a"]);
    let mut digests = Vec::new();
    for keep in [1, 1] {
        let event = story.attempt_ends(retryable(), writes(&[0], None));
        let Event::OutcomeUnknown { question, .. } = event else { panic!("{event:?}") };
        digests.push(question.digest);
        story.ends(RunStatus::Waiting).happens(Event::OutcomeSettled {
            step: name("a"),
            attempt: 1,
            number: 1,
            done: false,
            by: "ann".to_owned(),
            reason: None,
        });
        story.then(&[&format!("resume a keep {keep}")]);
    }
    assert_ne!(digests[0], digests[1]);
}

#[test]
fn a_write_that_may_be_repeated_is_until_the_tries_are_used_up() {
    let conditional = Some(journal::Repeatable::Conditional);
    let broken = || Failure::permanent("ambiguous", "nobody knows");
    let mut story = workflow("a");
    story.then(&["start a"]);
    for _ in 0..2 {
        let event = story.attempt_ends(broken(), writes(&[0], conditional));
        assert!(matches!(event, Event::AttemptFailed { .. }), "{event:?}");
        story.state.tell_time(i64::MAX);
        story.then(&["resume a keep 1"]);
    }
    let event = story.attempt_ends(broken(), writes(&[0], conditional));
    assert!(matches!(event, Event::OutcomeUnknown { number: 1, .. }), "{event:?}");
    story.ends(RunStatus::Waiting);
}

#[test]
fn a_write_that_was_answered_with_a_fault_of_the_far_side_is_not_sent_again_unasked() {
    let mut story = workflow("a");
    story.then(&["start a"]);
    let event = story.attempt_ends(retryable(), writes(&[503], None));
    assert!(matches!(event, Event::OutcomeUnknown { number: 1, .. }), "{event:?}");
    story.ends(RunStatus::Waiting);
    let mut story = workflow("a");
    story.then(&["start a"]);
    let repeatable = Some(journal::Repeatable::Idempotent);
    let event = story.attempt_ends(retryable(), writes(&[503], repeatable));
    assert!(matches!(event, Event::AttemptFailed { .. }), "{event:?}");
}

#[test]
fn a_step_that_had_found_out_and_written_again_is_in_no_doubt() {
    let mut story = workflow("a");
    story.then(&["start a"]);
    let event = story.attempt_ends(Failure::permanent("x", "x"), writes(&[0, 400], None));
    assert!(matches!(event, Event::StepFailed { .. }), "{event:?}");
}

#[test]
fn a_step_that_does_something_else_than_before_is_over() {
    let mut story = workflow("a");
    story.then(&["start a"]);
    let event = story.attempt_ends(Failure::permanent(Failure::DIVERGED, "x"), writes(&[0], None));
    assert!(matches!(event, Event::StepFailed { .. }), "{event:?}");
}

#[test]
fn nothing_is_tried_again_when_the_time_is_up() {
    let mut plan = plan(vec![step("a")]);
    plan.extras.timeout_seconds = Some(10);
    let mut story = Story { state: RunState::new(RunId::fresh(), &plan).expect("a plan") };
    story.then(&["start a"]);
    assert_eq!(story.state.wake_at(), Some(10_000));
    let late = Failure { retry_after_ms: Some(20_000), ..retryable() };
    let event = story.attempt_ends(late, StepRecord::default());
    assert!(matches!(event, Event::StepFailed { .. }), "it would be too late: {event:?}");

    let mut story = Story { state: RunState::new(RunId::fresh(), &plan).expect("a plan") };
    story.then(&["start a"]).state.tell_time(10_000);
    assert_eq!(story.state.is_out_of_time(), Some(Duration::from_secs(10)));
    story.happens(Event::RunTimedOut { seconds: 10 }).then(&[]);
    assert_eq!(story.state.is_out_of_time(), None, "once is enough");
    story.fails("a").ends(RunStatus::Failure);
}
