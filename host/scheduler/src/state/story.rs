//! The rules of scheduling, told as stories.
//!
//! A line of a workflow is a step's name and what is said of it: `after A, B` (written
//! `dependsOn`), `needs A.x` (an output in its spec), `when …` (to the end of the line), `asks`
//! (a person). Stories know no runtime.

use super::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;

struct Story {
    state: RunState,
}

fn name(text: &str) -> StepName {
    text.parse().expect("a name")
}

/// What stands between the word `key` and the next of the key words.
fn part<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let rest = line.split_once(&format!(" {key}"))?.1;
    if key == "when" {
        return Some(rest.trim());
    }
    let ends = [" after ", " needs ", " when ", " asks"].map(|next| rest.find(next));
    let end = ends.into_iter().flatten().min().unwrap_or(rest.len());
    Some(rest[..end].trim())
}

fn step(line: &str) -> PlannedStep {
    let list = |key| {
        let items = part(line, key).into_iter().flat_map(|text| text.split(','));
        items.map(|item| item.trim().to_owned()).collect::<Vec<_>>()
    };
    let after = list("after");
    let needs: Vec<(String, String)> = list("needs")
        .iter()
        .map(|need| need.split_once('.').expect("STEP.OUTPUT"))
        .map(|(from, output)| (from.to_owned(), output.to_owned()))
        .collect();
    let asks = line.ends_with(" asks");
    let own = name(line.split(' ').next().expect("a name"));
    let mut when: Vec<Value> =
        after.iter().map(|step| json!(format!("${{steps.'{step}'.succeeded}}"))).collect();
    when.extend(part(line, "when").map(|text| json!(text)));
    if asks {
        let answer = json!({"$type": "Answer", "askRef": own.as_str(), "name": "approval"});
        when.push(json!({ "$fn.equals": [answer, "approved"] }));
    }
    let mut all: Vec<StepName> = after.iter().map(|step| name(step)).collect();
    all.extend(needs.iter().map(|(from, _)| name(from)));
    let output = |(from, name): &(String, String)| {
        (name.clone(), json!({"$type": "Output", "from": from, "name": name}))
    };
    PlannedStep {
        name: own,
        kind: if asks { StepKind::Approval } else { StepKind::Container },
        image: None,
        plugin: (!asks).then(|| PluginPin {
            name: "p".to_owned(),
            version: "1.0.0".to_owned(),
            digest: "sha256:0".to_owned(),
            signer: None,
        }),
        after: all,
        when,
        spec: Value::Object(needs.iter().map(output).collect()),
        extras: workflow::StepExtras::default(),
    }
}

fn plan(steps: Vec<PlannedStep>) -> Plan {
    let parameters = BTreeMap::from([
        ("yes".to_owned(), json!(true)),
        ("no".to_owned(), json!(false)),
        ("text".to_owned(), json!("true")),
        ("odd".to_owned(), json!("${connections.k.n} {\"$type\":\"Secret\"}")),
    ]);
    Plan {
        workflow: "w".to_owned(),
        source: "w.yaml".to_owned(),
        source_digest: "sha256:0".to_owned(),
        extras: Default::default(),
        parameters,
        steps,
    }
}

fn of(steps: Vec<PlannedStep>) -> Story {
    let state = RunState::new(RunId::fresh(), &plan(steps)).expect("a plan");
    Story { state }
}

fn workflow(text: &str) -> Story {
    of(text.lines().map(|line| step(line.trim())).collect())
}

/// One step that is given this spec and has this `when`.
fn single(spec: Value, when: &[Value]) -> Story {
    of(vec![PlannedStep { spec, when: when.to_vec(), ..step("a") }])
}

impl Story {
    /// What is decided now, as `start A`, `skip A: why` and `fail A: code: why`; all of it then
    /// happens. Nothing decided means that a step runs.
    #[track_caller]
    fn then(&mut self, expected: &[&str]) -> &mut Self {
        let decisions = match self.state.what_next() {
            Next::Do(decisions) => decisions,
            Next::Wait => Vec::new(),
            Next::End(status) => panic!("it ended: {status:?}"),
        };
        let told: Vec<String> = decisions
            .iter()
            .map(|decision| match decision {
                Decision::Start(start) => format!("start {}", start.step),
                Decision::Resume(start, keep) => format!("resume {} keep {keep}", start.step),
                Decision::Ask { step, .. } => format!("ask {step}"),
                Decision::Settle { step, verdict, by } => {
                    format!("settle {step}: {} by {}", verdict.as_str(), by.join(", "))
                }
                Decision::Pass { step } => format!("pass {step}"),
                Decision::Skip { step, reason } => format!("skip {step}: {reason}"),
                Decision::Fail { step, failure, .. } => {
                    format!("fail {step}: {}: {}", failure.code, failure.message)
                }
            })
            .collect();
        assert_eq!(told, expected);
        for decision in decisions {
            let event = match decision {
                Decision::Start(start) => {
                    Event::StepStarted { step: start.step, attempt: start.attempt }
                }
                Decision::Resume(start, keep) => {
                    Event::StepResumed { step: start.step, attempt: start.attempt, keep }
                }
                Decision::Ask { step, .. } => {
                    let question = Question { quorum: 1, ..Question::default() };
                    Event::ApprovalAsked { step, question }
                }
                Decision::Settle { step, verdict, by } => {
                    Event::ApprovalSettled { step, verdict, by }
                }
                Decision::Pass { step } => {
                    Event::StepSucceeded { step, attempt: 0, outputs: serde_json::Map::new() }
                }
                Decision::Skip { step, reason } => Event::StepSkipped { step, reason },
                Decision::Fail { step, attempt, failure } => {
                    Event::StepFailed { step, attempt, failure }
                }
            };
            self.happens(event);
        }
        self
    }

    #[track_caller]
    fn happens(&mut self, event: Event) -> &mut Self {
        self.state.apply(&event).expect("fit");
        self.state.written(0);
        self
    }

    #[track_caller]
    fn succeeds(&mut self, step: &str) -> &mut Self {
        self.gives(step, json!({}))
    }

    #[track_caller]
    fn gives(&mut self, step: &str, outputs: Value) -> &mut Self {
        let outputs = outputs.as_object().expect("a mapping").clone();
        self.happens(Event::StepSucceeded { step: name(step), attempt: 1, outputs })
    }

    #[track_caller]
    fn fails(&mut self, step: &str) -> &mut Self {
        let failure = Failure::permanent("test.failure", "it broke");
        self.happens(Event::StepFailed { step: name(step), attempt: 1, failure })
    }

    #[track_caller]
    fn ends(&mut self, status: RunStatus) -> &mut Self {
        assert_eq!(self.state.what_next(), Next::End(status));
        self
    }

    /// The inputs of the only step that starts now.
    #[track_caller]
    fn inputs(&mut self) -> Value {
        match self.state.what_next() {
            Next::Do(decisions) => match &decisions[..] {
                [Decision::Start(start)] => start.inputs.clone(),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn steps_without_dependency_run_at_the_same_time() {
    workflow("a\nb\nc")
        .then(&["start a", "start b", "start c"])
        .then(&[])
        .succeeds("b")
        .then(&[])
        .succeeds("a")
        .succeeds("c")
        .ends(RunStatus::Success);
}

#[test]
fn a_step_starts_when_all_that_it_waits_for_is_done() {
    workflow(
        "build
         scan after build
         test after build
         deploy after scan, test",
    )
    .then(&["start build"])
    .then(&[])
    .succeeds("build")
    .then(&["start scan", "start test"])
    .succeeds("test")
    .then(&[])
    .succeeds("scan")
    .then(&["start deploy"])
    .succeeds("deploy")
    .ends(RunStatus::Success);
}

#[test]
fn a_run_without_steps_succeeds() {
    of(Vec::new()).ends(RunStatus::Success);
}

#[test]
fn after_a_failure_dependants_are_skipped_and_independent_branches_go_on() {
    workflow(
        "undo
         look
         tell after look
         cheer after tell
         clean after undo",
    )
    .then(&["start undo", "start look"])
    .fails("look")
    .then(&["skip tell: it comes after `look`, which failed"])
    .then(&["skip cheer: it comes after `tell`, which was skipped"])
    .then(&[])
    .succeeds("undo")
    .then(&["start clean"])
    .succeeds("clean")
    .ends(RunStatus::Failure);
}

#[test]
fn a_skipped_step_does_not_spoil_the_run() {
    workflow("a when ${parameters.no}\nb after a")
        .then(&["skip a: its condition is not met: `${parameters.no}`"])
        .then(&["skip b: it comes after `a`, which was skipped"])
        .ends(RunStatus::Success);
}

#[test]
fn a_step_may_run_because_another_failed() {
    let text = "a\nb when ${steps.a.failed}\nc when ${steps.a.succeeded}";
    let mut steps: Vec<PlannedStep> = text.lines().map(step).collect();
    for dependant in &mut steps[1..] {
        dependant.after = vec![name("a")];
    }
    of(steps)
        .then(&["start a"])
        .fails("a")
        .then(&["start b", "skip c: it comes after `a`, which failed"])
        .succeeds("b")
        .ends(RunStatus::Failure);
}

#[test]
fn outputs_become_inputs() {
    let mut story = workflow("a\nb needs a.id");
    story.then(&["start a"]).then(&[]).gives("a", json!({"id": {"deep": [1]}}));

    assert_eq!(story.inputs(), json!({"id": {"deep": [1]}}));
}

#[test]
fn an_output_that_was_never_set_fails_the_step_that_needs_it() {
    workflow("a\nb needs a.id\nc needs b.x")
        .then(&["start a"])
        .gives("a", json!({"other": 1}))
        .then(&["fail b: output.missing: its `spec` needs the output `id` of `a`, \
                 which ended without setting it"])
        .then(&["skip c: it needs the output `x` of `b`, which failed"])
        .ends(RunStatus::Failure);
}

#[test]
fn an_output_of_a_failed_step_skips_the_step_that_needs_it() {
    workflow("a\nb needs a.id")
        .then(&["start a"])
        .fails("a")
        .then(&["skip b: it needs the output `id` of `a`, which failed"]);
}

#[test]
fn what_is_not_planned_to_come_first_is_waited_for_all_the_same() {
    let spec = json!({"x": {"$type": "Output", "from": "a", "name": "x"}});
    let unplanned = PlannedStep { spec, ..step("b") };
    let asks = PlannedStep { when: vec![json!("${steps.a.succeeded}")], ..step("c") };
    let mut story = of(vec![step("a"), unplanned, asks]);
    story.then(&["start a"]).then(&[]).gives("a", json!({"x": 1}));
    story.then(&["start b", "start c"]);
}

#[test]
fn a_default_for_a_missing_output_waits_for_the_step_to_end() {
    let spec =
        json!({"x": {"$fn.coalesce": [{"$type": "Output", "from": "a", "name": "x"}, "none"]}});
    let with_default = PlannedStep { spec, after: vec![name("a")], ..step("b") };
    let mut story = of(vec![step("a"), with_default]);
    story.then(&["start a"]).then(&[]).fails("a");

    assert_eq!(story.inputs(), json!({"x": "none"}));
}

#[test]
fn a_condition_that_is_no_boolean_fails_the_step() {
    for when in [json!("${parameters.text}"), json!(1), json!("${nope}"), json!({"$fn.nope": []})] {
        let mut story = single(json!({}), std::slice::from_ref(&when));
        match story.state.what_next() {
            Next::Do(decisions) => match &decisions[..] {
                [Decision::Fail { failure, attempt: 0, .. }] => {
                    assert_eq!(failure.code, "when.error", "{when}");
                }
                other => panic!("{when}: {other:?}"),
            },
            other => panic!("{when}: {other:?}"),
        }
    }
}

#[test]
fn a_single_condition_may_come_to_a_list() {
    for (list, starts) in [(json!([true, true]), true), (json!([true, false]), false)] {
        let steps = vec![PlannedStep { when: vec![json!("${parameters.list}")], ..step("a") }];
        let mut plan = plan(steps);
        plan.parameters.insert("list".to_owned(), list);
        let mut state = RunState::new(RunId::fresh(), &plan).expect("a plan");

        let Next::Do(decisions) = state.what_next() else { panic!("nothing to do") };

        assert_eq!(matches!(decisions[..], [Decision::Start(_)]), starts, "{decisions:?}");
    }
}

#[test]
fn what_can_never_be_known_fails_the_step_and_says_what_to_do() {
    let secret = json!({"$type": "Secret", "name": "token"});
    let parameter = json!({"$type": "Parameter", "name": "public_id"});
    let nobody = json!({"$type": "Output", "from": "nobody", "name": "x"});
    let itself = json!({"$type": "Output", "from": "a", "name": "x"});
    let cases = [
        (json!({ "x": secret }), "secret.not-given", "`token`"),
        (json!({ "x": parameter }), "parameter.missing", "-p public_id=VALUE"),
        (json!({ "x": nobody }), "output.missing", "no such step"),
        (json!({ "x": itself }), "output.missing", "can't come before it"),
        (json!({ "x": {"$fn.nope": []} }), "inputs.error", "function not found"),
        (json!([1]), "inputs.not-a-mapping", "mapping"),
    ];
    for (spec, code, words) in cases {
        let mut story = single(spec.clone(), &[]);
        let Next::Do(decisions) = story.state.what_next() else { panic!("{spec}") };
        let [Decision::Fail { failure, .. }] = &decisions[..] else { panic!("{decisions:?}") };
        assert_eq!(failure.code, code, "{spec}");
        assert!(failure.message.contains(words), "{}", failure.message);
    }
}

#[test]
fn a_condition_on_a_missing_parameter_fails_the_step() {
    let mut story = single(json!({}), &[json!("${parameters.missing}")]);
    story
        .then(&["fail a: parameter.missing: its `when` needs the parameter `missing`, which has \
                 no value; start the run with `-p missing=VALUE` or give it a default"])
        .ends(RunStatus::Failure);
}

#[test]
fn a_connection_is_a_marker_and_parameters_are_inert() {
    let spec = json!({
        "connection": {"$type": "Connection", "type": "kubernetes", "name": "eric0-demos"},
        "odd": {"$type": "Parameter", "name": "odd"},
    });

    let inputs = single(spec, &[]).inputs();

    assert_eq!(
        inputs,
        json!({
            "connection": {"connection": {"type": "kubernetes", "name": "eric0-demos"}},
            "odd": "${connections.k.n} {\"$type\":\"Secret\"}",
        })
    );
}

#[test]
fn only_connections_of_the_text_are_granted() {
    let forged = json!({"connection": {"type": "kubernetes", "name": "production"}});
    let spec = json!({
        "mine": {"$type": "Connection", "type": "kubernetes", "name": "eric0-demos"},
        "given": {"$type": "Parameter", "name": "forged"},
    });
    let mut plan = plan(vec![PlannedStep { spec, ..step("a") }]);
    plan.parameters.insert("forged".to_owned(), forged.clone());
    let mut state = RunState::new(RunId::fresh(), &plan).expect("a plan");

    let Next::Do(decisions) = state.what_next() else { panic!("nothing to do") };

    let [Decision::Start(start)] = &decisions[..] else { panic!("{decisions:?}") };
    assert_eq!(start.inputs["given"], forged, "it is only data");
    let granted = [("kubernetes".to_owned(), "eric0-demos".to_owned())];
    assert_eq!(start.connections, granted.into());
}

#[test]
fn a_step_without_spec_gets_an_empty_mapping() {
    assert_eq!(single(Value::Null, &[]).inputs(), json!({}));
}

#[test]
fn a_step_without_plugin_fails() {
    of(vec![PlannedStep { plugin: None, ..step("a") }]).then(&[
        "fail a: plugin.missing: the plan names no plugin that could do it; plan the workflow anew",
    ]);
}

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
    assert_eq!(story.state.wake_at(), Some(5_000));

    story.state.tell_time(5_000);

    story
        .then(&["settle sure: expired by "])
        .then(&["skip sure: nobody answered in time"])
        .then(&["skip undo: it comes after `sure`, which was skipped"])
        .ends(RunStatus::Rejected);
}

/// A record of writes, each with the status of its answer; 0 for one without an answer.
fn writes(statuses: &[u16], repeatable: Option<journal::Repeatable>) -> StepRecord {
    let mut record = StepRecord::default();
    for (number, status) in (1..).zip(statuses) {
        let effect = journal::Effect { writes: true, repeatable, ..journal::conformance::effect() };
        let (step, readings) = (name("a"), journal::Readings::default());
        record.apply(&Event::EffectIntended { step, attempt: 1, number, effect, readings });
        if *status > 0 {
            let outcome =
                journal::EffectOutcome::Answered { status: *status, bytes: 0, redacted: 0 };
            let step = name("a");
            record.apply(&Event::EffectSettled { step, attempt: 1, number, outcome, reply: None });
        }
    }
    record
}

fn retryable() -> Failure {
    let disposition = Disposition::Retryable;
    Failure { disposition, ..Failure::permanent("test.busy", "busy") }
}

impl Story {
    /// The attempt of `a` ends like this, and what follows from it happens.
    fn attempt_ends(&mut self, failure: Failure, record: StepRecord) -> Event {
        let event = self.state.end_of_attempt(&name("a"), 1, Err(failure), record, 1023);
        self.happens(event.clone());
        event
    }
}

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
    assert!(matches!(event, Event::StepFailed { .. }), "{event:?}");
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
    let event = story.attempt_ends(Failure::permanent(DIVERGED, "x"), writes(&[0], None));
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

#[test]
fn a_run_that_is_opened_again_keeps_what_is_done() {
    let mut story = workflow("a\nb after a\nc after b\nd");
    story.then(&["start a", "start d"]).succeeds("a").succeeds("d").then(&["start b"]);
    let event = story.state.end_of_attempt(
        &name("b"),
        1,
        Err(Failure::permanent("x", "x")),
        writes(&[201, 500], None),
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

    story.attempt_ends(Failure::permanent(WITHHELD, "x"), StepRecord::default());

    story.then(&[
        "start b",
        "skip c: it needs the output `x` of `a`, whose write a plan does not make",
    ]);
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

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(self.0 >> 33).expect("31 bits") % end
    }

    /// Up to 7 steps that wait for any others, circles included.
    fn workflow(&mut self) -> Vec<PlannedStep> {
        let count = 1 + self.below(7);
        let steps = (0..count).map(|number| {
            let mut line = format!("s{number}");
            if number > 0 && self.below(3) > 0 {
                let reach = if self.below(8) == 0 { count } else { number };
                line.push_str(&format!(" after s{}", self.below(reach)));
            }
            if number > 0 && self.below(3) == 0 {
                line.push_str(&format!(" needs s{}.x", self.below(number)));
            }
            if self.below(5) == 0 {
                line.push_str(" when ${parameters.no}");
            } else if number > 0 && self.below(5) == 0 {
                line.push_str(&format!(" when ${{steps.s{}.failed}}", self.below(number)));
            }
            step(&line)
        });
        steps.collect()
    }
}

#[test]
fn every_workflow_ends_with_each_step_settled_once_and_in_order() {
    let mut dice = Dice(7);
    for round in 0..2_000 {
        let steps = dice.workflow();
        let plan = Box::new(plan(steps.clone()));
        let run = RunId::fresh();
        let (by, drill) = (String::new(), false);
        let mut events = Vec::new();
        let mut tell = |event| {
            let position = events.len() as u64;
            events.push(Recorded { position, at: position as i64, event });
            RunState::replay(&events).expect("a run")
        };
        let mut state = tell(Event::RunStarted { run, plan, by, drill, context: Box::default() });
        let mut settled: Vec<StepName> = Vec::new();
        let mut running: Vec<StepName> = Vec::new();
        for turn in 0.. {
            assert!(turn < 100, "round {round} does not end: {steps:#?}");
            let decisions = match state.what_next() {
                Next::End(status) => {
                    assert!(status.is_final() && running.is_empty(), "round {round}: {status:?}");
                    break;
                }
                Next::Do(decisions) => decisions,
                Next::Wait => {
                    let step = running.swap_remove(dice.below(running.len()));
                    settled.push(step.clone());
                    let outputs = json!({"x": 1}).as_object().expect("a mapping").clone();
                    state = tell(match dice.below(4) {
                        0 => Event::StepFailed {
                            step,
                            attempt: 1,
                            failure: Failure::permanent("test.failure", "it broke"),
                        },
                        _ => Event::StepSucceeded { step, attempt: 1, outputs },
                    });
                    continue;
                }
            };
            for decision in decisions {
                let event = match decision {
                    Decision::Start(start) => {
                        let planned = steps.iter().find(|step| step.name == start.step);
                        let after = &planned.expect("planned").after;
                        assert!(after.iter().all(|step| settled.contains(step)), "round {round}");
                        running.push(start.step.clone());
                        Event::StepStarted { step: start.step, attempt: 1 }
                    }
                    Decision::Skip { step, reason } => {
                        settled.push(step.clone());
                        Event::StepSkipped { step, reason }
                    }
                    Decision::Resume(..)
                    | Decision::Ask { .. }
                    | Decision::Settle { .. }
                    | Decision::Pass { .. } => panic!("nobody is asked and nothing is retried"),
                    Decision::Fail { step, attempt, failure } => {
                        settled.push(step.clone());
                        Event::StepFailed { step, attempt, failure }
                    }
                };
                state = tell(event);
            }
        }
        settled.sort();
        let mut names: Vec<StepName> = steps.into_iter().map(|step| step.name).collect();
        names.sort();
        assert_eq!(settled, names, "round {round}");
    }
}
