//! How runs look: one that succeeded, one that failed, one that waits, one that was stopped.

use crate::{Look, RunView, json, logs, runs, show, text, tree};
use expect_test::{Expect, expect};
use journal::{
    Disposition, Effect, EffectOutcome, Event, Failure, Level, Readings, Recorded, RunContext,
    RunStatus, RunSummary, Seed,
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use unicode_width::UnicodeWidthStr;
use workflow::{Plan, PlannedStep, PluginPin, StepKind, StepName};

/// 2026-11-22 14:03:01 UTC.
const START: i64 = 1_795_356_181_000;
const RUN: &str = "0192f0c1-7c00-7000-8000-000000000001";

/// A run that is being told, event by event.
struct Tale {
    events: Vec<Recorded>,
    at: i64,
}

fn name(text: &str) -> StepName {
    text.parse().expect("a name")
}

fn planned(step: &str, after: &[&str]) -> PlannedStep {
    PlannedStep {
        name: name(step),
        kind: StepKind::Container,
        image: Some(format!("relaysh/{step}")),
        plugin: Some(PluginPin {
            name: step.to_owned(),
            version: "1.0.0".to_owned(),
            digest: format!("sha256:{}", "0".repeat(64)),
            signer: None,
        }),
        after: after.iter().map(|step| name(step)).collect(),
        when: Vec::new(),
        spec: json!({}),
        extras: workflow::StepExtras::default(),
    }
}

fn approval(step: &str, after: &[&str]) -> PlannedStep {
    PlannedStep { kind: StepKind::Approval, image: None, plugin: None, ..planned(step, after) }
}

fn effect(connection: &str, operation: &str, writes: bool) -> Effect {
    Effect {
        connection: connection.to_owned(),
        operation: operation.to_owned(),
        writes,
        precondition: None,
        digest: "blake3:0".to_owned(),
        slot: None,
        rule: None,
        request_bytes: 0,
        repeatable: None,
        content: None,
        own: false,
    }
}

fn tale(steps: Vec<PlannedStep>) -> Tale {
    let plan = Plan {
        workflow: "rollback".to_owned(),
        source: "run books/rollback.yaml".to_owned(),
        source_digest: "sha256:abc".to_owned(),
        extras: Default::default(),
        parameters: BTreeMap::from([("deployment".to_owned(), json!("web\u{1b}[2J"))]),
        steps,
    };
    let run = RUN.parse().expect("a run");
    let context = Box::new(RunContext { seed: Some(Seed::new([7; 32])), ..RunContext::default() });
    let (plan, by) = (Box::new(plan), "eric".to_owned());
    let first = Event::RunStarted { run, plan, by, drill: false, context };
    Tale { events: Vec::new(), at: START }.then(0, first)
}

impl Tale {
    fn then(mut self, later: i64, event: Event) -> Self {
        self.at += later;
        let position = self.events.len() as u64;
        self.events.push(Recorded { position, at: self.at, event });
        self
    }

    fn starts(self, step: &str) -> Self {
        self.then(10, Event::StepStarted { step: name(step), attempt: 1 })
    }

    fn logs(self, step: &str, level: Level, message: &str) -> Self {
        let fields = vec![("replicas".to_owned(), "2 of 3".to_owned())];
        let message = message.to_owned();
        self.then(400, Event::StepLogged { step: name(step), attempt: 1, level, message, fields })
    }

    fn intends(self, step: &str, number: u32, operation: &str, writes: bool) -> Self {
        let effect = effect("kubernetes/eric0-demos", operation, writes);
        let (step, readings) = (name(step), Readings::default());
        self.then(1, Event::EffectIntended { step, attempt: 1, number, effect, readings })
    }

    fn settles(self, step: &str, number: u32, outcome: EffectOutcome) -> Self {
        let (step, reply) = (name(step), Some("blake3:told".to_owned()));
        self.then(50, Event::EffectSettled { step, attempt: 1, number, outcome, reply })
    }

    fn answered(self, step: &str, number: u32, status: u16) -> Self {
        self.settles(step, number, EffectOutcome::Answered { status, bytes: 9, redacted: 0 })
    }

    fn succeeds(self, step: &str, outputs: Value) -> Self {
        let outputs: Map<String, Value> = outputs.as_object().expect("a mapping").clone();
        self.then(2_000, Event::StepSucceeded { step: name(step), attempt: 1, outputs })
    }

    fn fails(self, step: &str, failure: Failure) -> Self {
        self.then(2_000, Event::StepFailed { step: name(step), attempt: 1, failure })
    }

    fn skips(self, step: &str, reason: &str) -> Self {
        self.then(0, Event::StepSkipped { step: name(step), reason: reason.to_owned() })
    }

    fn ends(self, status: RunStatus) -> Self {
        self.then(0, Event::RunFinished { status })
    }

    fn view(&self) -> RunView {
        RunView::from_events(&self.events).expect("a run")
    }

    fn lines(&self) -> String {
        let mut view = RunView::from_events(&self.events[..1]).expect("a run");
        let lines = self.events.iter().filter_map(|recorded| {
            view.apply(recorded);
            text::line(&view, recorded, &Look::PLAIN)
        });
        lines.map(|line| line + "\n").collect()
    }

    fn json(&self) -> String {
        let mut view = RunView::from_events(&self.events[..1]).expect("a run");
        let lines = self.events.iter().map(|recorded| {
            view.apply(recorded);
            json::line(&view, recorded)
        });
        lines.map(|line| line + "\n").collect()
    }

    fn tree(&self, look: &Look) -> String {
        tree::frame(&self.view(), self.at + 1_000, look).join("\n") + "\n"
    }
}

fn succeeded() -> Tale {
    tale(vec![planned("find-revision", &[]), planned("undo", &["find-revision"])])
        .starts("find-revision")
        .intends("find-revision", 1, "get apps/deployments default/web", false)
        .answered("find-revision", 1, 200)
        .succeeds("find-revision", json!({"revision": 41, "all": [1, 2]}))
        .starts("undo")
        .intends("undo", 1, "patch apps/deployments default/web", true)
        .answered("undo", 1, 200)
        .logs("undo", Level::Warn, "slow\nrollout\u{1b}[31m")
        .succeeds("undo", json!({}))
        .ends(RunStatus::Success)
}

fn failed() -> Tale {
    tale(vec![planned("undo", &[]), planned("look up", &[]), planned("tell", &["undo", "look up"])])
        .starts("undo")
        .starts("look up")
        .intends("undo", 1, "patch apps/deployments default/web", true)
        .intends("look up", 1, "GET /api/v2/incidents/5", false)
        .answered("undo", 1, 200)
        .answered("look up", 1, 404)
        .logs("look up", Level::Error, "no such incident")
        .fails(
            "look up",
            Failure::permanent("datadog.not-found", "there is no incident `5`; check `public_id`"),
        )
        .skips("tell", "it needs `look up`, which failed")
        .succeeds("undo", json!({}))
        .ends(RunStatus::Failure)
}

fn waits() -> Tale {
    tale(vec![planned("look", &[]), approval("sure?", &["look"]), planned("undo", &["sure?"])])
        .starts("look")
        .succeeds("look", json!({"found": true}))
        .ends(RunStatus::Waiting)
}

fn cancelled() -> Tale {
    let stopped = Failure {
        disposition: Disposition::Cancelled,
        ..Failure::permanent("step.cancelled", "stopped on request")
    };
    tale(vec![planned("undo", &[]), planned("tell", &["undo"])])
        .starts("undo")
        .intends("undo", 1, "patch apps/deployments default/web", true)
        .settles("undo", 1, EffectOutcome::InDoubt { message: "the connection broke".to_owned() })
        .then(100, Event::CancelRequested { by: "ana\u{202e}".to_owned() })
        .fails("undo", stopped)
        .ends(RunStatus::Cancelled)
}

fn check(actual: &str, expected: &Expect) {
    assert!(!actual.contains(['\u{1b}', '\u{202e}', '\u{9b}']), "steers a terminal: {actual:?}");
    expected.assert_eq(actual);
}

#[test]
fn events_as_lines() {
    check(
        &succeeded().lines(),
        &expect![[r#"
            14:03:01 run 0192f0c1-7c00-7000-8000-000000000001 of rollback started by eric
            14:03:01 find-revision started attempt=1
            14:03:03 find-revision succeeded after 2.0s revision=41
            14:03:03 undo started attempt=1
            14:03:03 undo calls patch apps/deployments default/web on kubernetes/eric0-demos
            14:03:03 undo called patch apps/deployments default/web on kubernetes/eric0-demos: answered 200
            14:03:03 undo | warning: slow\nrollout\u{1b}[31m replicas="2 of 3"
            14:03:05 undo succeeded after 2.4s
            14:03:05 run 0192f0c1-7c00-7000-8000-000000000001 succeeded
        "#]],
    );
    check(
        &failed().lines(),
        &expect![[r#"
            14:03:01 run 0192f0c1-7c00-7000-8000-000000000001 of rollback started by eric
            14:03:01 undo started attempt=1
            14:03:01 look up started attempt=1
            14:03:01 undo calls patch apps/deployments default/web on kubernetes/eric0-demos
            14:03:01 undo called patch apps/deployments default/web on kubernetes/eric0-demos: answered 200
            14:03:01 look up called GET /api/v2/incidents/5 on kubernetes/eric0-demos: answered 404
            14:03:01 look up | error: no such incident replicas="2 of 3"
            14:03:03 look up failed after 2.5s: there is no incident `5`; check `public_id` (datadog.not-found)
            14:03:03 tell skipped: it needs `look up`, which failed
            14:03:05 undo succeeded after 4.5s
            14:03:05 run 0192f0c1-7c00-7000-8000-000000000001 failed
        "#]],
    );
    check(
        &waits().lines(),
        &expect![[r#"
            14:03:01 run 0192f0c1-7c00-7000-8000-000000000001 of rollback started by eric
            14:03:01 look started attempt=1
            14:03:03 look succeeded after 2.0s found=true
            14:03:03 run 0192f0c1-7c00-7000-8000-000000000001 waits for a person
        "#]],
    );
    check(
        &cancelled().lines(),
        &expect![[r#"
            14:03:01 run 0192f0c1-7c00-7000-8000-000000000001 of rollback started by eric
            14:03:01 undo started attempt=1
            14:03:01 undo calls patch apps/deployments default/web on kubernetes/eric0-demos
            14:03:01 undo called patch apps/deployments default/web on kubernetes/eric0-demos: it may have taken effect: the connection broke
            14:03:01 ana\u{202e} asked the run to stop
            14:03:03 undo cancelled after 2.1s: stopped on request (step.cancelled)
            14:03:03 run 0192f0c1-7c00-7000-8000-000000000001 was cancelled
        "#]],
    );
}

#[test]
fn summaries() {
    let summary = |tale: Tale| text::summary(&tale.view(), &Look::PLAIN);
    check(
        &summary(succeeded()),
        &expect![[r#"
        ✔ rollback succeeded after 4.5s (2 succeeded)
    "#]],
    );
    check(
        &summary(failed()),
        &expect![[r#"
            ✖ rollback failed after 4.5s (1 succeeded, 1 failed, 1 skipped)
              ✔ undo succeeded, and what it did stays done (1 write)
              ✖ look up failed after 2.5s: there is no incident `5`; check `public_id` (datadog.not-found)
                  it changed nothing outside
                  last call: GET /api/v2/incidents/5 on kubernetes/eric0-demos: answered 404
              ⊘ tell skipped: it needs `look up`, which failed
              next:  bowline runs logs 0192f0c1-7c00-7000-8000-000000000001 'look up'
                     bowline runs show 0192f0c1-7c00-7000-8000-000000000001
                     bowline runs retry 0192f0c1-7c00-7000-8000-000000000001
        "#]],
    );
    check(
        &summary(waits()),
        &expect![[r#"
        ◐ rollback waits for a person after 2.0s (1 succeeded, 1 waits for a person, 1 not started)
          ✔ look succeeded, changed nothing outside
          ◐ sure? waits for a person
          ○ undo not started
          next:  bowline runs resume 0192f0c1-7c00-7000-8000-000000000001
                 bowline runs cancel 0192f0c1-7c00-7000-8000-000000000001
    "#]],
    );
    check(
        &summary(cancelled()),
        &expect![[r#"
        ⊘ rollback was cancelled by ana\u{202e} after 2.1s (1 cancelled, 1 not started)
          ⊘ undo cancelled after 2.1s: stopped on request (step.cancelled)
              in doubt: patch apps/deployments default/web on kubernetes/eric0-demos: it may have taken effect: the connection broke
          ○ tell not started
          next:  bowline runs show 0192f0c1-7c00-7000-8000-000000000001
                 bowline run 'run books/rollback.yaml'
    "#]],
    );
}

#[test]
fn trees() {
    let tree = |tale: Tale| tale.tree(&Look::PLAIN);
    check(
        &tree(succeeded()),
        &expect![[r#"
        ✔ rollback  4.5s  0192f0c1-7c00-7000-8000-000000000001  by eric
        ├─✔ find-revision  2.0s    revision=41
        └─✔ undo           2.4s
    "#]],
    );
    check(
        &tree(failed()),
        &expect![[r#"
            ✖ rollback  4.5s  0192f0c1-7c00-7000-8000-000000000001  by eric
            ├─✔ undo     4.5s
            ├─✖ look up  2.5s    there is no incident `5`; check `public_id` (datadog.not-found)
            │    14:03:01 error: no such incident
            └─⊘ tell             it needs `look up`, which failed
        "#]],
    );
    check(
        &tree(waits()),
        &expect![[r#"
        ◐ rollback  3.0s  0192f0c1-7c00-7000-8000-000000000001  by eric
        ├─✔ look   2.0s    found=true
        ├─◐ sure?          waits for a yes or a no
        └─○ undo           waits for sure?
    "#]],
    );
    check(
        &tree(cancelled()),
        &expect![[r#"
        ⊘ rollback  2.1s  0192f0c1-7c00-7000-8000-000000000001  by eric
        ├─⊘ undo  2.1s    stopped on request (step.cancelled)
        └─○ tell
    "#]],
    );
}

#[test]
fn a_tree_in_the_middle_of_a_run() {
    let mut running =
        tale(vec![planned("look", &[]), planned("undo", &["look"]), planned("tell", &["undo"])])
            .starts("look")
            .succeeds("look", json!({"revision": "41 b"}))
            .then(5, Event::StepStarted { step: name("undo"), attempt: 2 })
            .logs("undo", Level::Info, "2 of 3 updated");
    let note = "waiting for the rollout".to_owned();
    let progress =
        Event::StepProgressed { step: name("undo"), attempt: 2, done: 2, total: Some(3), note };
    running = running.then(1_000, progress);

    let narrow = Look { width: 40, ascii: true, ..Look::PLAIN };
    let frame = running.tree(&narrow);

    assert!(frame.lines().all(|line| line.width() <= 40), "{frame}");
    check(
        &running.tree(&Look::PLAIN),
        &expect![[r#"
            ● rollback  4.4s  0192f0c1-7c00-7000-8000-000000000001  by eric
            ├─✔ look  2.0s    revision="41 b"
            ├─◐ undo  2.4s    attempt 2  2/3  waiting for the rollout
            │    14:03:03 2 of 3 updated
            └─○ tell          waits for undo
        "#]],
    );
    check(
        &frame,
        &expect![[r#"
            * rollback  4.4s  0192f0c1-7c00-7000-80~
            |-+ look  2.0s    revision="41 b"
            |-* undo  2.4s    attempt 2  2/3  waiti~
            |    14:03:03 2 of 3 updated
            `-. tell          waits for undo
        "#]],
    );
    assert!(running.tree(&Look { color: true, ..Look::PLAIN }).contains("\u{1b}[33m◐\u{1b}[0m"));
}

#[test]
fn many_steps_fold() {
    let names: Vec<String> = (0..200).map(|number| format!("step-{number:03}")).collect();
    let mut long = tale(names.iter().map(|name| planned(name, &[])).collect());
    for name in &names[..120] {
        long = long.starts(name).succeeds(name, json!({}));
    }
    long = long
        .starts("step-150")
        .starts("step-151")
        .fails("step-151", Failure::permanent("x", "bad"));

    check(
        &long.tree(&Look::PLAIN),
        &expect![[r#"
        ● rollback  4m04s  0192f0c1-7c00-7000-8000-000000000001  by eric
        ├─✖ step-151  2.0s    bad (x)
        ├─◐ step-150  3.0s
        └─✔ 120 succeeded  ○ 78 not started
    "#]],
    );
    for name in &names[152..] {
        long = long.starts(name);
    }
    let frame = long.tree(&Look::PLAIN);
    assert_eq!(frame.lines().count(), 1 + tree::STEPS_MAX + 1, "{frame}");
}

#[test]
fn events_as_json() {
    let tale = failed();
    let mut view = RunView::from_events(&tale.events[..1]).expect("a run");
    let lines: Vec<String> = tale
        .events
        .iter()
        .map(|recorded| {
            view.apply(recorded);
            json::line(&view, recorded)
        })
        .collect();
    for line in &lines {
        let value: Value = serde_json::from_str(line).expect("JSON");
        assert!(value["event"].is_string() && value["run"] == RUN, "{line}");
    }
    check(
        &(lines.join("\n") + "\n"),
        &expect![[r#"
            {"event":"run-started","run":"0192f0c1-7c00-7000-8000-000000000001","at":"2026-11-22T14:03:01.000Z","position":0,"boundToPlan":false,"by":"eric","drill":false,"parameters":{"deployment":"web\u001b[2J"},"source":"run books/rollback.yaml","sourceDigest":"sha256:abc","steps":[{"after":[],"image":"relaysh/undo","kind":"container","name":"undo","plugin":{"digest":"sha256:0000000000000000000000000000000000000000000000000000000000000000","name":"undo","version":"1.0.0"}},{"after":[],"image":"relaysh/look up","kind":"container","name":"look up","plugin":{"digest":"sha256:0000000000000000000000000000000000000000000000000000000000000000","name":"look up","version":"1.0.0"}},{"after":["undo","look up"],"image":"relaysh/tell","kind":"container","name":"tell","plugin":{"digest":"sha256:0000000000000000000000000000000000000000000000000000000000000000","name":"tell","version":"1.0.0"}}],"workflow":"rollback"}
            {"event":"step-started","run":"0192f0c1-7c00-7000-8000-000000000001","at":"2026-11-22T14:03:01.010Z","position":1,"attempt":1,"step":"undo"}
            {"event":"step-started","run":"0192f0c1-7c00-7000-8000-000000000001","at":"2026-11-22T14:03:01.020Z","position":2,"attempt":1,"step":"look up"}
            {"event":"effect-intended","run":"0192f0c1-7c00-7000-8000-000000000001","at":"2026-11-22T14:03:01.021Z","position":3,"attempt":1,"effect":{"connection":"kubernetes/eric0-demos","digest":"blake3:0","operation":"patch apps/deployments default/web","writes":true},"number":1,"step":"undo"}
            {"event":"effect-intended","run":"0192f0c1-7c00-7000-8000-000000000001","at":"2026-11-22T14:03:01.022Z","position":4,"attempt":1,"effect":{"connection":"kubernetes/eric0-demos","digest":"blake3:0","operation":"GET /api/v2/incidents/5","writes":false},"number":1,"step":"look up"}
            {"event":"effect-settled","run":"0192f0c1-7c00-7000-8000-000000000001","at":"2026-11-22T14:03:01.072Z","position":5,"attempt":1,"number":1,"outcome":{"bytes":9,"outcome":"answered","status":200},"step":"undo"}
            {"event":"effect-settled","run":"0192f0c1-7c00-7000-8000-000000000001","at":"2026-11-22T14:03:01.122Z","position":6,"attempt":1,"number":1,"outcome":{"bytes":9,"outcome":"answered","status":404},"step":"look up"}
            {"event":"step-logged","run":"0192f0c1-7c00-7000-8000-000000000001","at":"2026-11-22T14:03:01.522Z","position":7,"attempt":1,"fields":[["replicas","2 of 3"]],"level":"error","message":"no such incident","step":"look up"}
            {"event":"step-failed","run":"0192f0c1-7c00-7000-8000-000000000001","at":"2026-11-22T14:03:03.522Z","position":8,"attempt":1,"failure":{"code":"datadog.not-found","disposition":"permanent","message":"there is no incident `5`; check `public_id`"},"step":"look up"}
            {"event":"step-skipped","run":"0192f0c1-7c00-7000-8000-000000000001","at":"2026-11-22T14:03:03.522Z","position":9,"reason":"it needs `look up`, which failed","step":"tell"}
            {"event":"step-succeeded","run":"0192f0c1-7c00-7000-8000-000000000001","at":"2026-11-22T14:03:05.522Z","position":10,"attempt":1,"outputs":{},"step":"undo"}
            {"event":"run-finished","run":"0192f0c1-7c00-7000-8000-000000000001","status":"failure","steps":{"look up":{"status":"failure","outputs":{},"attempts":1},"tell":{"status":"skipped","outputs":{},"attempts":0},"undo":{"status":"success","outputs":{},"attempts":1}}}
        "#]],
    );
}

#[test]
fn the_last_line_is_the_contract() {
    let last = |tale: Tale| json::finished(&tale.view());
    let start = format!("{{\"event\":\"run-finished\",\"run\":\"{RUN}\",");
    let cases = [
        (
            succeeded(),
            r#""status":"success","steps":{"find-revision":{"status":"success","outputs":{"all":[1,2],"revision":41},"attempts":1},"undo":{"status":"success","outputs":{},"attempts":1}}}"#,
        ),
        (
            failed(),
            r#""status":"failure","steps":{"look up":{"status":"failure","outputs":{},"attempts":1},"tell":{"status":"skipped","outputs":{},"attempts":0},"undo":{"status":"success","outputs":{},"attempts":1}}}"#,
        ),
        (
            waits(),
            r#""status":"waiting","steps":{"look":{"status":"success","outputs":{"found":true},"attempts":1},"sure?":{"status":"waiting","outputs":{},"attempts":0},"undo":{"status":"not-started","outputs":{},"attempts":0}}}"#,
        ),
        (
            cancelled(),
            r#""status":"cancelled","steps":{"tell":{"status":"not-started","outputs":{},"attempts":0},"undo":{"status":"cancelled","outputs":{},"attempts":1}}}"#,
        ),
    ];
    for (tale, rest) in cases {
        assert_eq!(last(tale), format!("{start}{rest}"));
    }
    assert!(last(waits().ends(RunStatus::Rejected)).contains(r#""status":"failure""#));
}

#[test]
fn a_run_in_full() {
    check(
        &show::page(&failed().view(), &Look::PLAIN),
        &expect![[r#"
            ✖ rollback failed
              run         0192f0c1-7c00-7000-8000-000000000001
              started     2026-11-22 14:03:01 by eric
              finished    2026-11-22 14:03:05, after 4.5s
              workflow    run books/rollback.yaml
              digest      sha256:abc
              parameter   deployment = "web\u001b[2J"

            ✔ undo  succeeded after 4.5s
                plugin      undo 1.0.0 sha256:0000000000000000000000000000000000000000000000000000000000000000
                started     2026-11-22 14:03:01
                write       14:03:01 patch apps/deployments default/web on kubernetes/eric0-demos: answered 200

            ✖ look up  failed after 2.5s
                plugin      look up 1.0.0 sha256:0000000000000000000000000000000000000000000000000000000000000000
                started     2026-11-22 14:03:01
                failure     there is no incident `5`; check `public_id` (datadog.not-found)
                read        14:03:01 GET /api/v2/incidents/5 on kubernetes/eric0-demos: answered 404

            ⊘ tell  skipped
                plugin      tell 1.0.0 sha256:0000000000000000000000000000000000000000000000000000000000000000
                after       undo, look up
                reason      it needs `look up`, which failed
        "#]],
    );
    check(
        &show::page(&cancelled().view(), &Look::PLAIN),
        &expect![[r#"
            ⊘ rollback was cancelled
              run         0192f0c1-7c00-7000-8000-000000000001
              started     2026-11-22 14:03:01 by eric
              finished    2026-11-22 14:03:03, after 2.1s
              stopped by  ana\u{202e}
              workflow    run books/rollback.yaml
              digest      sha256:abc
              parameter   deployment = "web\u001b[2J"

            ⊘ undo  cancelled after 2.1s
                plugin      undo 1.0.0 sha256:0000000000000000000000000000000000000000000000000000000000000000
                started     2026-11-22 14:03:01
                failure     stopped on request (step.cancelled)
                in doubt    14:03:01 patch apps/deployments default/web on kubernetes/eric0-demos: it may have taken effect: the connection broke

            ○ tell  not started
                plugin      tell 1.0.0 sha256:0000000000000000000000000000000000000000000000000000000000000000
                after       undo
        "#]],
    );
}

#[test]
fn lines_of_one_step_and_of_all() {
    let events = failed().events;
    check(
        &logs::lines(&events, None, &Look::PLAIN),
        &expect![[r#"
            14:03:01 look up | error: no such incident replicas="2 of 3"
        "#]],
    );
    check(
        &logs::lines(&events, Some(&name("look up")), &Look::PLAIN),
        &expect![[r#"
            14:03:01 error: no such incident replicas="2 of 3"
        "#]],
    );
    assert_eq!(logs::lines(&events, Some(&name("tell")), &Look::PLAIN), "");
}

#[test]
fn lists_of_runs() {
    let run = |number: u32, workflow: &str, status, finished_at| RunSummary {
        run: format!("0192f0c1-7c00-7000-8000-{number:012}").parse().expect("a run"),
        workflow: workflow.to_owned(),
        status,
        started_at: START,
        finished_at,
    };
    let list = [
        run(3, "größe\u{1b}]0;x", RunStatus::Running, None),
        run(2, &"long".repeat(20), RunStatus::Failure, Some(START + 72_000)),
        run(1, "rollback", RunStatus::Success, Some(START + 500)),
    ];
    check(
        &runs::table(&list, START + 90_000, &Look::PLAIN),
        &expect![[r#"
            RUN                                   WORKFLOW                                  STATUS      STARTED              TOOK
            0192f0c1-7c00-7000-8000-000000000003  größe\u{1b}]0;x                           ● running   2026-11-22 14:03:01  1m30s so far
            0192f0c1-7c00-7000-8000-000000000002  longlonglonglonglonglonglonglonglonglon…  ✖ failure   2026-11-22 14:03:01  1m12s
            0192f0c1-7c00-7000-8000-000000000001  rollback                                  ✔ success   2026-11-22 14:03:01  0.5s
        "#]],
    );
    check(
        &runs::table(&[], START, &Look::PLAIN),
        &expect![[r#"
        There are no runs yet. Start one: bowline run WORKFLOW
    "#]],
    );
    let lines: Vec<String> = list.iter().map(json::summary).collect();
    check(
        &(lines.join("\n") + "\n"),
        &expect![[r#"
            {"run":"0192f0c1-7c00-7000-8000-000000000003","workflow":"größe\u001b]0;x","status":"running","startedAt":"2026-11-22T14:03:01.000Z","finishedAt":null}
            {"run":"0192f0c1-7c00-7000-8000-000000000002","workflow":"longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong","status":"failure","startedAt":"2026-11-22T14:03:01.000Z","finishedAt":"2026-11-22T14:04:13.000Z"}
            {"run":"0192f0c1-7c00-7000-8000-000000000001","workflow":"rollback","status":"success","startedAt":"2026-11-22T14:03:01.000Z","finishedAt":"2026-11-22T14:03:01.500Z"}
        "#]],
    );
}

#[test]
fn a_resumed_run_is_not_over() {
    let resumed = waits().starts("undo");
    let view = resumed.view();
    assert_eq!((view.status, view.finished_at), (RunStatus::Running, None));
}

#[test]
fn a_run_that_is_bound_to_its_plan_says_so() {
    let mut bound = succeeded();
    if let Event::RunStarted { context, .. } = &mut bound.events[0].event {
        context.bound = Some(Vec::new());
    }
    assert!(bound.lines().contains("started by eric, bound to its plan\n"));
    assert!(bound.json().contains(r#""boundToPlan":true"#));
    assert!(show::page(&bound.view(), &Look::PLAIN).contains("\n  bound       to its plan: "));
}

#[test]
fn what_is_no_run_gives_no_view() {
    assert_eq!(RunView::from_events(&[]), None);
    assert_eq!(RunView::from_events(&succeeded().events[1..]), None);
    let strange = succeeded().starts("a step of nowhere");
    assert_eq!(strange.view().steps.len(), 2);
}

mod people;
mod plans;
mod recovery;
mod reports;
