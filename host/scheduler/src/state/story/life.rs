//! How a run begins, stops, is interrupted, planned, and opened again.

use super::*;

#[test]
fn a_run_that_is_opened_again_keeps_what_is_done() {
    let mut story = workflow("a\nb after a\nc after b\nd");
    story.then(&["start a", "start d"]).succeeds("a").succeeds("d").then(&["start b"]);
    let event = story.state.end_of_attempt(
        &name("b"),
        1,
        Err(Failure::permanent("x", "x")),
        writes(&[201, 400], None),
        0,
    );
    story.happens(event).then(&["skip c: it comes after `b`, which failed"]);
    story.ends(RunStatus::Failure).happens(Event::RunFinished { status: RunStatus::Failure });
    let steps = story.state.behind(None).expect("steps");
    assert_eq!(steps, [name("b"), name("c")]);
    assert_eq!(story.state.behind(Some(&name("a"))).expect("steps").len(), 3);

    story.happens(Event::RunReopened { by: "ann".to_owned(), steps, heard: 0 });

    story.then(&["resume b keep 1"]).succeeds("b").then(&["start c"]).succeeds("c");
    story.ends(RunStatus::Success);
}

#[test]
fn a_plan_asks_nobody_and_goes_on_behind_a_write_that_it_does_not_make() {
    let mut story = workflow("sure asks\na after sure\nb after a\nc needs a.x");
    story.state.plan_only();
    let yes = "settle sure: approved by the plan, which takes every answer for a yes";
    story.then(&["ask sure"]).then(&[yes]).then(&["pass sure"]).then(&["start a"]);

    story.attempt_ends(Failure::permanent(Failure::WITHHELD, "x"), StepRecord::default());

    story.then(&[
        "start b",
        "skip c: it needs the output `x` of `a`, whose write a plan does not make",
    ]);
}

#[test]
fn steps_that_wait_for_each_other_fail_instead_of_hanging() {
    workflow("a after b\nb after a\nc")
        .then(&["start c"])
        .succeeds("c")
        .then(&[
            "fail a: step.stuck: it waits for `b`, and that waits for it in turn",
            "fail b: step.stuck: it waits for `a`, and that waits for it in turn",
        ])
        .ends(RunStatus::Failure);
}

#[test]
fn a_cancelled_run_starts_nothing_and_ends_with_its_last_step() {
    workflow("a\nb\nc after a")
        .then(&["start a", "start b"])
        .happens(Event::CancelRequested { by: "eric".into() })
        .succeeds("a")
        .then(&[])
        .fails("b")
        .ends(RunStatus::Cancelled);
}

#[test]
fn an_interrupted_step_runs_again_with_the_same_inputs() {
    let spec = json!({"at": {"$fn.now": []}});
    let late = PlannedStep { spec, ..step("b after a") };
    let mut story = of(vec![step("a"), late]);
    story.then(&["start a"]).state.apply(&succeeded("a")).expect("fit");
    story.state.written(1_795_356_181_000);
    let first = story.inputs();
    story.then(&["start b"]);
    assert_eq!(story.state.running(), [(name("b"), 1)]);

    story.happens(Event::StepInterrupted { step: name("b"), attempt: 1 });

    assert_eq!(first, json!({"at": "2026-11-22T14:03:01Z"}));
    let Next::Do(decisions) = story.state.what_next() else { panic!("nothing to do") };
    let [Decision::Resume(start, u32::MAX)] = &decisions[..] else { panic!("{decisions:?}") };
    assert_eq!((start.attempt, &start.inputs), (1, &first));
}

fn succeeded(step: &str) -> Event {
    Event::StepSucceeded { step: name(step), attempt: 1, outputs: serde_json::Map::new() }
}

#[test]
fn a_finished_run_stays_finished() {
    workflow("a")
        .then(&["start a"])
        .succeeds("a")
        .happens(Event::RunFinished { status: RunStatus::Failure })
        .ends(RunStatus::Failure);
}

#[test]
fn what_is_no_run_is_refused() {
    let run = RunId::fresh();
    let refused = |steps: Vec<PlannedStep>| {
        RunState::new(run.clone(), &plan(steps)).map(|_| ()).expect_err("refuse")
    };
    assert_eq!(refused(vec![step("a"), step("a")]), PlanError::Twice { step: name("a") });
    assert_eq!(refused(vec![step("a after b")]), PlanError::NoSuchStep { step: name("b") });

    let strange = Recorded { position: 0, at: 0, event: succeeded("a") };
    assert_eq!(RunState::replay(&[]).map(|_| ()), Err(PlanError::NoStart));
    assert_eq!(RunState::replay(&[strange]).map(|_| ()), Err(PlanError::NoStart));
    let mut state = workflow("a").state;
    let refused = state.apply(&succeeded("b"));
    assert_eq!(refused, Err(PlanError::NoSuchStep { step: name("b") }));
}

#[test]
fn the_time_of_a_run_that_is_opened_again_begins_anew() {
    let mut plan = plan(vec![step("a")]);
    plan.extras.timeout_seconds = Some(10);
    let mut story = Story { state: RunState::new(RunId::fresh(), &plan).expect("a plan") };
    story.then(&["start a"]).fails("a").ends(RunStatus::Failure);
    story.happens(Event::RunFinished { status: RunStatus::Failure });
    story.state.written(9_000);
    let steps = vec![name("a")];
    let reopened = Event::RunReopened { by: "ann".to_owned(), steps, heard: 0 };
    story.state.apply(&reopened).expect("it fits");

    story.state.written(60_000);

    assert_eq!(story.state.ends_at(), Some(70_000));
    assert_eq!(story.state.is_out_of_time(), None);
}

#[test]
fn a_step_has_its_time_however_long_nobody_drove_the_run_or_people_took() {
    let mut one = step("a");
    one.extras.timeout_seconds = Some(10);
    let mut story =
        Story { state: RunState::new(RunId::fresh(), &plan(vec![one])).expect("a plan") };
    let time_left = |story: &mut Story| {
        let Next::Do(decisions) = story.state.what_next() else { panic!("nothing to do") };
        match &decisions[..] {
            [Decision::Start(invocation) | Decision::Resume(invocation, _)] => invocation.time_left,
            other => panic!("{other:?}"),
        }
    };
    let ten = Some(Duration::from_secs(10));
    assert_eq!(time_left(&mut story), ten);
    story.happens(Event::StepStarted { step: name("a"), attempt: 1 });
    story.state.written(1_000);
    story.happens(Event::StepInterrupted { step: name("a"), attempt: 1 });
    story.state.tell_time(500_000);
    assert_eq!(time_left(&mut story), ten);

    story.happens(Event::StepResumed { step: name("a"), attempt: 1, keep: u32::MAX });
    story.state.written(500_000);
    story.attempt_ends(retryable(), writes(&[0], None));
    let (step, by) = (name("a"), "ann".to_owned());
    story.happens(Event::OutcomeSettled {
        step,
        attempt: 1,
        number: 1,
        done: false,
        by,
        reason: None,
    });
    story.state.tell_time(900_000);
    assert_eq!(time_left(&mut story), ten);
}
