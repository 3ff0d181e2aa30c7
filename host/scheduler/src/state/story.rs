//! The rules of scheduling, told as stories.
//!
//! A line of a workflow is a step's name and what is said of it: `after A, B` (written
//! `dependsOn`), `needs A.x` (an output in its spec), `when …` (to the end of the line), `asks`
//! (a person). Stories know no runtime.

mod any_workflow;
mod attempts;
mod life;
mod people;

use super::*;
use journal::{Disposition, Failure, Verdict as Answer};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use workflow::{PluginPin, StepKind};

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

/// A record of writes, each with the status of its answer; 0 for one without an answer.
fn writes(statuses: &[u16], repeatable: Option<journal::Repeatable>) -> StepRecord {
    let mut record = StepRecord::default();
    for (number, status) in (1..).zip(statuses) {
        let effect = journal::Effect { writes: true, repeatable, ..journal::conformance::effect() };
        let (step, readings) = (name("a"), journal::Readings::default());
        record.apply(&Event::EffectIntended { step, attempt: 1, number, effect, readings });
        let outcome = match *status {
            0 => journal::EffectOutcome::InDoubt { message: "cut".to_owned() },
            status => journal::EffectOutcome::Answered { status, bytes: 0, redacted: 0 },
        };
        let step = name("a");
        record.apply(&Event::EffectSettled { step, attempt: 1, number, outcome, reply: None });
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
