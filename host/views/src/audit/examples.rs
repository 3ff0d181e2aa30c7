//! How the record of decisions looks: a run with a bit of everything, and one of an older journal.

use super::{Audit, Proof, lines, page};
use crate::Look;
use expect_test::{Expect, expect};
use journal::audit::{Audited, Defect, Finding, Marks};
use journal::{
    Change, Denial, Disposition, Effect, EffectOutcome, Event, Failure, Question, Readings,
    Recorded, RunStatus, Shown, Verdict,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use workflow::{Plan, PlannedStep, PluginPin, StepKind, StepName};

/// 2026-11-22 14:03:01 UTC.
const START: i64 = 1_795_356_181_000;
const RUN: &str = "0192f0c1-7c00-7000-8000-000000000001";

fn step(name: &str) -> StepName {
    name.parse().expect("a name")
}

fn planned(name: &str) -> PlannedStep {
    PlannedStep {
        name: step(name),
        kind: StepKind::Container,
        image: None,
        plugin: Some(PluginPin {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            digest: format!("sha256:{}", "0123456789abcdef".repeat(4)),
            signer: None,
        }),
        after: Vec::new(),
        when: Vec::new(),
        spec: json!({}),
        extras: workflow::StepExtras::default(),
    }
}

fn started(steps: &[&str]) -> Event {
    let plan = Plan {
        workflow: "rollback".to_owned(),
        source: "run books/rollback.yaml".to_owned(),
        source_digest: "sha256:abc".to_owned(),
        extras: Default::default(),
        parameters: BTreeMap::new(),
        steps: steps.iter().map(|name| planned(name)).collect(),
    };
    let run = RUN.parse().expect("a run");
    let (plan, by, context) = (Box::new(plan), "eric".to_owned(), Default::default());
    Event::RunStarted { run, plan, by, drill: false, context }
}

fn attempt(name: &str, attempt: u32) -> Event {
    Event::StepStarted { step: step(name), attempt }
}

fn granted(name: &str, slot: &str, connection: &str, rules: Value) -> Event {
    let (slot, connection) = (slot.to_owned(), connection.to_owned());
    let address = None;
    Event::ConnectionGranted { step: step(name), attempt: 1, slot, connection, rules, address }
}

fn effect(operation: &str, writes: bool, rule: Option<u32>) -> Effect {
    Effect {
        connection: "kubernetes/prod".to_owned(),
        operation: operation.to_owned(),
        writes,
        precondition: writes.then(|| "resourceVersion 4711".to_owned()),
        digest: "blake3:0".to_owned(),
        slot: rule.map(|_| "cluster".to_owned()),
        rule,
        request_bytes: if writes && rule.is_some() { 1_300 } else { 0 },
        repeatable: None,
        content: None,
        own: false,
    }
}

fn intends(name: &str, attempt: u32, number: u32, effect: Effect) -> Event {
    let readings = Default::default();
    Event::EffectIntended { step: step(name), attempt, number, effect, readings }
}

fn settles(name: &str, attempt: u32, number: u32, outcome: EffectOutcome) -> Event {
    Event::EffectSettled { step: step(name), attempt, number, outcome, reply: None }
}

fn answered(status: u16, redacted: u64) -> EffectOutcome {
    EffectOutcome::Answered { status, bytes: 912, redacted }
}

fn refused(code: &str, message: &str) -> EffectOutcome {
    EffectOutcome::NotMade { code: code.to_owned(), message: message.to_owned(), denial: None }
}

/// Outside of what was granted, by the word of `by`.
fn denied(by: &str, rule: Value) -> EffectOutcome {
    EffectOutcome::NotMade {
        code: "kubernetes.denied".to_owned(),
        message: "kubernetes/prod delete apps/deployments default/web: no rule allows it"
            .to_owned(),
        denial: Some(Denial {
            by: by.to_owned(),
            slot: "cluster".to_owned(),
            connection: "kubernetes/prod".to_owned(),
            rule,
        }),
    }
}

fn fails(name: &str, attempt: u32, code: &str, details: Option<Value>) -> Event {
    let disposition = Disposition::Permanent;
    let (code, message) = (code.to_owned(), "it computed for more than 10 s".to_owned());
    let failure = Failure { disposition, code, message, retry_after_ms: None, details };
    Event::StepFailed { step: step(name), attempt, failure }
}

/// Each event 40 ms behind the one before.
fn audit(events: Vec<Event>) -> Audit {
    let recorded: Vec<Recorded> = (0..)
        .zip(events)
        .map(|(position, event)| Recorded { position, at: START + 40 * position as i64, event })
        .collect();
    Audit::from_events(&recorded).expect("a run")
}

fn everything() -> Audit {
    let rules = json!([
        {"verbs": ["get", "patch"], "resource": "apps/deployments", "namespace": "default", "name": "web"},
        {"method": "GET", "path": "/api/v2/incidents/{id}", "query": ["include"]},
    ]);
    let read = effect("GET /api/v2/incidents/5?include=secret&x=y", false, Some(2));
    let own = Effect { rule: None, ..effect("discover apps/v1", false, Some(1)) };
    audit(vec![
        started(&["undo", "tell"]),
        attempt("undo", 1),
        granted("undo", "cluster", "kubernetes/prod", rules),
        intends("undo", 1, 1, read),
        intends("undo", 1, 2, effect("patch apps/deployments default/web", true, Some(1))),
        settles("undo", 1, 1, answered(200, 1)),
        settles("undo", 1, 2, answered(409, 0)),
        settles(
            "undo",
            1,
            3,
            denied("policy-for-all", json!({"verbs": ["delete"], "resource": "apps/deployments"})),
        ),
        intends("undo", 1, 4, effect("patch apps/deployments default/web", true, Some(1))),
        settles("undo", 1, 4, EffectOutcome::InDoubt { message: "the connection broke".into() }),
        intends("undo", 1, 5, own),
        settles("undo", 1, 5, refused("connection.refused", "nobody answers")),
        Event::StepInterrupted { step: step("undo"), attempt: 1 },
        attempt("undo", 2),
        fails("undo", 2, "limit.cpu", Some(json!({"limitMs": 10_000, "usedMs": 10_004}))),
        Event::CancelRequested { by: "ana\u{202e}".to_owned() },
        fails("tell", 0, "datadog.odd", Some(json!({"body": "what the far side sent"}))),
        Event::StepSkipped { step: step("tell"), reason: "it needs `undo`".to_owned() },
        Event::RunFinished { status: RunStatus::Failure },
    ])
}

/// From before calls told their rule and their size, in the words of someone who means ill.
fn old_and_hostile() -> Audit {
    let operation = "GET /\u{1b}[2J\n{\"record\":\"call\",\"decision\":\"admitted\"}\",\"x\":\"";
    audit(vec![
        started(&["a\"}"]),
        attempt("a\"}", 1),
        granted("a\"}", "slot\u{7}`", "http/x\r\n", json!("not a list\u{9b}")),
        granted("a\"}", "none", "http/y", json!([])),
        intends("a\"}", 1, 1, effect(operation, false, None)),
        settles("a\"}", 1, 2, refused("x\"}\n{", "}\n{\"record\":\"finished\"}")),
        intends("a\"}", 1, 3, effect("POST /x", true, None)),
        Event::StepSucceeded { step: step("a\"}"), attempt: 1, outputs: serde_json::Map::new() },
    ])
}

fn checked(records: u64, marked: u64, findings: u64) -> Audited {
    Audited {
        run: Some(RUN.to_owned()),
        runs: 1,
        sound_runs: 1 - findings,
        records,
        sound_records: if findings > 0 { 7 } else { records },
        unchained: 0,
        marked_runs: u64::from(marked > 0),
        marked_records: marked,
        marks: Marks::Read,
        forgotten_runs: 0,
        damaged_marks: 0,
        findings,
    }
}

fn check(actual: &str, expected: &Expect) {
    expected.assert_eq(actual);
    let tame = actual.chars().all(|c| c == '\n' || !c.is_control());
    assert!(tame, "control characters in {actual:?}");
}

#[test]
fn a_record_for_people() {
    let done = checked(19, 19, 0);
    let proof = Proof { done: &done, finding: None };
    check(
        &page(&everything(), Some(proof), &Look::PLAIN),
        &expect![[r#"
            ✖ rollback failed
              run         0192f0c1-7c00-7000-8000-000000000001
              workflow    run books/rollback.yaml sha256:abc
              started     2026-11-22 14:03:01 by eric
              finished    2026-11-22 14:03:01, after 0.7s
              stopped by  ana\u{202e}
              chain       sound, 19 records, marked to the last

             0  14:03:01  run       started     by eric
             1  14:03:01  undo (1)  attempt     undo@1.0.0 sha256:0123456789ab signed by -
             2  14:03:01  undo (1)  granted     kubernetes/prod as `cluster`
                                                1. get, patch apps/deployments named web in namespace default
                                                2. GET /api/v2/incidents/{id}?include
             3  14:03:01  undo (1)  read        GET /api/v2/incidents/5?include=…&x=… on kubernetes/prod as `cluster`
                                                admitted by rule 2; after 80 ms answered 200; 0 B out, 912 B back, 1 credential taken out
             4  14:03:01  undo (1)  write       patch apps/deployments default/web on kubernetes/prod as `cluster`, if resourceVersion 4711
                                                admitted by rule 1; after 80 ms answered 409; 1.2 KiB out, 912 B back
             7  14:03:01  undo (1)  refused     kubernetes/prod delete apps/deployments default/web: no rule allows it (kubernetes.denied)
                                                denied by the operator's policy for everybody, on kubernetes/prod as `cluster`
             8  14:03:01  undo (1)  in doubt    patch apps/deployments default/web on kubernetes/prod as `cluster`, if resourceVersion 4711
                                                admitted by rule 1; after 40 ms it may have taken effect, the connection broke; 1.2 KiB out, - back
            10  14:03:01  undo (1)  read        discover apps/v1 on kubernetes/prod as `cluster`
                                                the host's own, needs no rule; after 40 ms not made: nobody answers (connection.refused); 0 B out, - back
            12  14:03:01  undo (1)  broken off  the host ended in the middle of it; nobody knows how far it came
            13  14:03:01  undo (2)  attempt     undo@1.0.0 sha256:0123456789ab signed by -
            14  14:03:01  undo (2)  limit       it computed for more than 10 s (limit.cpu)
                                                {"limitMs":10000,"usedMs":10004}
            15  14:03:01  run       stop        ana\u{202e} asked the run to stop
            16  14:03:01  tell      failed      (datadog.odd)
            17  14:03:01  tell      skipped     it needs `undo`
            18  14:03:01  run       ended       the run failed
        "#]],
    );
}

#[test]
fn what_a_plugin_says_of_its_failure_is_not_in_the_record() {
    let told = "GET /x?card=4111: http answered 422 (patient Jane Doe, see /y?ssn=078)";
    let failed = |code: &str, details: Value| {
        let failure = Failure { details: Some(details), ..Failure::permanent(code, told) };
        Event::StepFailed { step: step("a"), attempt: 1, failure }
    };
    let body = json!({"body": "Jane Doe", "trace": "GET /x?card=4111"});
    let mut events = vec![started(&["a"]), attempt("a", 1)];
    events
        .extend(["http.status-422", "guest.panic", "x", ""].map(|code| failed(code, body.clone())));
    let reported = audit(events);
    let shown = page(&reported, None, &Look::PLAIN) + &lines(&reported, None).join("\n");
    for secret in ["4111", "Jane", "078", "422 ("] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(shown.contains("(http.status-422)"), "{shown}");

    // The host's own words stay, without the values of queries and without what was printed.
    let own = audit(vec![started(&["a"]), attempt("a", 1), failed("limit.time", body)]);
    let shown = page(&own, None, &Look::PLAIN) + &lines(&own, None).join("\n");
    assert_eq!(shown.matches("GET /x?card=…: http answered").count(), 2, "{shown}");
    for secret in ["4111", "078", "trace"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn each_party_that_refuses_is_named() {
    let parties = [
        ("manifest", "the plugin's manifest"),
        ("accepted", "what `bowline.lock` accepted"),
        ("workflow", "the step's `x-bowline.grants`"),
        ("policy", "the operator's policy for this plugin"),
        ("policy-for-all", "the operator's policy for everybody"),
        ("connection", "the connection's own `allow`"),
        ("restriction", "the step's own restriction"),
        ("later\u{1b}", "later\\u{1b}"),
    ];
    for (by, words) in parties {
        let rule = json!({"method": "GET", "path": "/x", "query": ["id"]});
        let audit = audit(vec![started(&["a"]), settles("a", 1, 1, denied(by, rule.clone()))]);
        let shown = page(&audit, None, &Look::PLAIN);
        let expected = format!("denied by {words}, on kubernetes/prod as `cluster`\n");
        assert!(shown.ends_with(&expected), "{shown}");
        let line: Value = serde_json::from_str(&lines(&audit, None)[2]).expect("JSON");
        assert_eq!(line["deniedBy"], by, "{line}");
        assert_eq!(line["missingRule"], rule, "{line}");
        assert_eq!(
            (&line["slot"], &line["connection"]),
            (&"cluster".into(), &"kubernetes/prod".into())
        );
    }
}

#[test]
fn what_is_old_or_hostile_is_shown_as_it_is_and_can_do_nothing() {
    check(
        &page(&old_and_hostile(), None, &Look::PLAIN),
        &expect![[r#"
            ● rollback is running
              run         0192f0c1-7c00-7000-8000-000000000001
              workflow    run books/rollback.yaml sha256:abc
              started     2026-11-22 14:03:01 by eric

            0  14:03:01  run      started     by eric
            1  14:03:01  a"} (1)  attempt     a"}@1.0.0 sha256:0123456789ab signed by -
            2  14:03:01  a"} (1)  granted     http/x\r\n as `slot\u{7}``
                                              "not a list\u009b"
            3  14:03:01  a"} (1)  granted     http/y as `none`
                                              no call at all
            4  14:03:01  a"} (1)  read        GET /\u{1b}[2J\n{"record":"call","decision":"admitted"}","x":" on kubernetes/prod
                                              admitted by rule -; after - no answer is on record; - out, - back
            5  14:03:01  a"} (1)  refused     }\n{"record":"finished"} (x"}\n{)
            6  14:03:01  a"} (1)  in doubt    POST /x on kubernetes/prod, if resourceVersion 4711
                                              admitted by rule -; after - no answer is on record; - out, - back
            7  14:03:01  a"} (1)  succeeded
        "#]],
    );
    let written = lines(&old_and_hostile(), None);
    for line in &written {
        let value: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(value["run"], RUN, "{line}");
    }
    check(
        &(written.join("\n") + "\n"),
        &expect![[r#"
            {"record":"run","run":"0192f0c1-7c00-7000-8000-000000000001","workflow":"rollback","source":"run books/rollback.yaml","sourceDigest":"sha256:abc","by":"eric","drill":false,"status":"running","startedAt":"2026-11-22T14:03:01.000Z","finishedAt":null,"cancelledBy":null,"chain":null}
            {"record":"started","run":"0192f0c1-7c00-7000-8000-000000000001","at":"2026-11-22T14:03:01.000Z","position":0,"step":null,"attempt":null,"plugin":null,"by":"eric"}
            {"record":"attempt","run":"0192f0c1-7c00-7000-8000-000000000001","at":"2026-11-22T14:03:01.040Z","position":1,"step":"a\"}","attempt":1,"plugin":{"name":"a\"}","version":"1.0.0","digest":"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","signer":null}}
            {"record":"granted","run":"0192f0c1-7c00-7000-8000-000000000001","at":"2026-11-22T14:03:01.080Z","position":2,"step":"a\"}","attempt":1,"plugin":{"name":"a\"}","version":"1.0.0","digest":"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","signer":null},"address":null,"connection":"http/x\r\n","rules":null,"slot":"slot\u0007`"}
            {"record":"granted","run":"0192f0c1-7c00-7000-8000-000000000001","at":"2026-11-22T14:03:01.120Z","position":3,"step":"a\"}","attempt":1,"plugin":{"name":"a\"}","version":"1.0.0","digest":"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","signer":null},"address":null,"connection":"http/y","rules":[],"slot":"none"}
            {"record":"call","run":"0192f0c1-7c00-7000-8000-000000000001","at":"2026-11-22T14:03:01.160Z","position":4,"step":"a\"}","attempt":1,"plugin":{"name":"a\"}","version":"1.0.0","digest":"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","signer":null},"code":null,"connection":"kubernetes/prod","decision":"admitted","deniedBy":null,"digest":"blake3:0","durationMs":null,"missingRule":null,"number":1,"operation":"GET /\u001b[2J\n{\"record\":\"call\",\"decision\":\"admitted\"}\",\"x\":\"","outcome":"unknown","own":false,"precondition":null,"reason":null,"redacted":null,"repeatable":null,"requestBytes":null,"responseBytes":null,"rule":null,"slot":null,"status":null,"writes":false}
            {"record":"call","run":"0192f0c1-7c00-7000-8000-000000000001","at":"2026-11-22T14:03:01.200Z","position":5,"step":"a\"}","attempt":1,"plugin":{"name":"a\"}","version":"1.0.0","digest":"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","signer":null},"code":"x\"}\n{","connection":null,"decision":"denied","deniedBy":null,"digest":null,"durationMs":null,"missingRule":null,"number":2,"operation":null,"outcome":"refused","own":null,"precondition":null,"reason":"}\n{\"record\":\"finished\"}","redacted":null,"repeatable":null,"requestBytes":null,"responseBytes":null,"rule":null,"slot":null,"status":null,"writes":null}
            {"record":"call","run":"0192f0c1-7c00-7000-8000-000000000001","at":"2026-11-22T14:03:01.240Z","position":6,"step":"a\"}","attempt":1,"plugin":{"name":"a\"}","version":"1.0.0","digest":"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","signer":null},"code":null,"connection":"kubernetes/prod","decision":"admitted","deniedBy":null,"digest":"blake3:0","durationMs":null,"missingRule":null,"number":3,"operation":"POST /x","outcome":"unknown","own":false,"precondition":"resourceVersion 4711","reason":null,"redacted":null,"repeatable":null,"requestBytes":null,"responseBytes":null,"rule":null,"slot":null,"status":null,"writes":true}
            {"record":"succeeded","run":"0192f0c1-7c00-7000-8000-000000000001","at":"2026-11-22T14:03:01.280Z","position":7,"step":"a\"}","attempt":1,"plugin":{"name":"a\"}","version":"1.0.0","digest":"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","signer":null}}
        "#]],
    );
}

#[test]
fn a_record_for_programs() {
    let done = checked(19, 17, 0);
    let proof = Proof { done: &done, finding: None };
    check(
        &(lines(&everything(), Some(proof)).join("\n") + "\n"),
        &expect![[r#"
            {"record":"run","run":"0192f0c1-7c00-7000-8000-000000000001","workflow":"rollback","source":"run books/rollback.yaml","sourceDigest":"sha256:abc","by":"eric","drill":false,"status":"failure","startedAt":"2026-11-22T14:03:01.000Z","finishedAt":"2026-11-22T14:03:01.720Z","cancelledBy":"ana\u202e","chain":{"finding":null,"markedRecords":17,"records":19,"sound":true,"soundRecords":19,"unchainedRecords":0}}
            {"record":"started","run":"0192f0c1-7c00-7000-8000-000000000001","at":"2026-11-22T14:03:01.000Z","position":0,"step":null,"attempt":null,"plugin":null,"by":"eric"}
            {"record":"attempt","run":"0192f0c1-7c00-7000-8000-000000000001","at":"2026-11-22T14:03:01.040Z","position":1,"step":"undo","attempt":1,"plugin":{"name":"undo","version":"1.0.0","digest":"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","signer":null}}
            {"record":"granted","run":"0192f0c1-7c00-7000-8000-000000000001","at":"2026-11-22T14:03:01.080Z","position":2,"step":"undo","attempt":1,"plugin":{"name":"undo","version":"1.0.0","digest":"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","signer":null},"address":null,"connection":"kubernetes/prod","rules":["get, patch apps/deployments named web in namespace default","GET /api/v2/incidents/{id}?include"],"slot":"cluster"}
            {"record":"call","run":"0192f0c1-7c00-7000-8000-000000000001","at":"2026-11-22T14:03:01.120Z","position":3,"step":"undo","attempt":1,"plugin":{"name":"undo","version":"1.0.0","digest":"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","signer":null},"code":null,"connection":"kubernetes/prod","decision":"admitted","deniedBy":null,"digest":"blake3:0","durationMs":80,"missingRule":null,"number":1,"operation":"GET /api/v2/incidents/5?include=…&x=…","outcome":"answered","own":false,"precondition":null,"reason":null,"redacted":1,"repeatable":null,"requestBytes":0,"responseBytes":912,"rule":2,"slot":"cluster","status":200,"writes":false}
            {"record":"call","run":"0192f0c1-7c00-7000-8000-000000000001","at":"2026-11-22T14:03:01.160Z","position":4,"step":"undo","attempt":1,"plugin":{"name":"undo","version":"1.0.0","digest":"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","signer":null},"code":null,"connection":"kubernetes/prod","decision":"admitted","deniedBy":null,"digest":"blake3:0","durationMs":80,"missingRule":null,"number":2,"operation":"patch apps/deployments default/web","outcome":"answered","own":false,"precondition":"resourceVersion 4711","reason":null,"redacted":0,"repeatable":null,"requestBytes":1300,"responseBytes":912,"rule":1,"slot":"cluster","status":409,"writes":true}
            {"record":"call","run":"0192f0c1-7c00-7000-8000-000000000001","at":"2026-11-22T14:03:01.280Z","position":7,"step":"undo","attempt":1,"plugin":{"name":"undo","version":"1.0.0","digest":"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","signer":null},"code":"kubernetes.denied","connection":"kubernetes/prod","decision":"denied","deniedBy":"policy-for-all","digest":null,"durationMs":null,"missingRule":{"resource":"apps/deployments","verbs":["delete"]},"number":3,"operation":null,"outcome":"refused","own":null,"precondition":null,"reason":"kubernetes/prod delete apps/deployments default/web: no rule allows it","redacted":null,"repeatable":null,"requestBytes":null,"responseBytes":null,"rule":null,"slot":"cluster","status":null,"writes":null}
            {"record":"call","run":"0192f0c1-7c00-7000-8000-000000000001","at":"2026-11-22T14:03:01.320Z","position":8,"step":"undo","attempt":1,"plugin":{"name":"undo","version":"1.0.0","digest":"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","signer":null},"code":null,"connection":"kubernetes/prod","decision":"admitted","deniedBy":null,"digest":"blake3:0","durationMs":40,"missingRule":null,"number":4,"operation":"patch apps/deployments default/web","outcome":"in-doubt","own":false,"precondition":"resourceVersion 4711","reason":"the connection broke","redacted":null,"repeatable":null,"requestBytes":1300,"responseBytes":null,"rule":1,"slot":"cluster","status":null,"writes":true}
            {"record":"call","run":"0192f0c1-7c00-7000-8000-000000000001","at":"2026-11-22T14:03:01.400Z","position":10,"step":"undo","attempt":1,"plugin":{"name":"undo","version":"1.0.0","digest":"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","signer":null},"code":"connection.refused","connection":"kubernetes/prod","decision":"admitted","deniedBy":null,"digest":"blake3:0","durationMs":40,"missingRule":null,"number":5,"operation":"discover apps/v1","outcome":"not-made","own":false,"precondition":null,"reason":"nobody answers","redacted":null,"repeatable":null,"requestBytes":0,"responseBytes":null,"rule":null,"slot":"cluster","status":null,"writes":false}
            {"record":"interrupted","run":"0192f0c1-7c00-7000-8000-000000000001","at":"2026-11-22T14:03:01.480Z","position":12,"step":"undo","attempt":1,"plugin":{"name":"undo","version":"1.0.0","digest":"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","signer":null}}
            {"record":"attempt","run":"0192f0c1-7c00-7000-8000-000000000001","at":"2026-11-22T14:03:01.520Z","position":13,"step":"undo","attempt":2,"plugin":{"name":"undo","version":"1.0.0","digest":"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","signer":null}}
            {"record":"failed","run":"0192f0c1-7c00-7000-8000-000000000001","at":"2026-11-22T14:03:01.560Z","position":14,"step":"undo","attempt":2,"plugin":{"name":"undo","version":"1.0.0","digest":"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","signer":null},"code":"limit.cpu","details":{"limitMs":10000,"usedMs":10004},"reason":"it computed for more than 10 s","struck":"limit"}
            {"record":"cancel-requested","run":"0192f0c1-7c00-7000-8000-000000000001","at":"2026-11-22T14:03:01.600Z","position":15,"step":null,"attempt":null,"plugin":null,"by":"ana\u202e"}
            {"record":"failed","run":"0192f0c1-7c00-7000-8000-000000000001","at":"2026-11-22T14:03:01.640Z","position":16,"step":"tell","attempt":null,"plugin":{"name":"tell","version":"1.0.0","digest":"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","signer":null},"code":"datadog.odd","details":null,"reason":null,"struck":null}
            {"record":"skipped","run":"0192f0c1-7c00-7000-8000-000000000001","at":"2026-11-22T14:03:01.680Z","position":17,"step":"tell","attempt":null,"plugin":{"name":"tell","version":"1.0.0","digest":"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","signer":null},"reason":"it needs `undo`"}
            {"record":"finished","run":"0192f0c1-7c00-7000-8000-000000000001","at":"2026-11-22T14:03:01.720Z","position":18,"step":null,"attempt":null,"plugin":null,"status":"failure"}
        "#]],
    );
}

#[test]
fn the_chain_is_told_in_a_line() {
    let broken = Finding {
        run: Some(RUN.to_owned()),
        position: Some(7),
        defect: Defect::Removed { count: 2 },
    };
    let old = Audited { unchained: 19, ..checked(19, 0, 0) };
    let cases = [
        (checked(19, 19, 0), None, "sound, 19 records, marked to the last"),
        (checked(19, 17, 0), None, "sound, 19 records, marked up to number 16"),
        (checked(1, 0, 0), None, "sound, 1 record, not marked: a lost end would not show"),
        (
            old,
            None,
            "sound, 19 records, 19 of them older than the chain and unproven, \
             not marked: a lost end would not show",
        ),
        (
            checked(17, 17, 1),
            Some(&broken),
            "BROKEN: records 7 to 8 were removed; \
             bowline audit verify 0192f0c1-7c00-7000-8000-000000000001",
        ),
    ];
    for (done, finding, expected) in cases {
        let proof = Proof { done: &done, finding };
        assert_eq!(crate::verdict::chain(proof), expected);
        let shown = page(&everything(), Some(proof), &Look::PLAIN);
        assert!(shown.contains(expected), "{shown}");
        let line: Value =
            serde_json::from_str(&lines(&everything(), Some(proof))[0]).expect("JSON");
        assert_eq!(line["chain"]["sound"], finding.is_none(), "{line}");
    }
}

#[test]
fn verdicts() {
    let found = |run: Option<&str>, position, defect| Finding {
        run: run.map(str::to_owned),
        position,
        defect,
    };
    let findings = [
        found(Some(RUN), Some(7), Defect::Changed),
        found(Some(RUN), Some(7), Defect::HashChanged),
        found(Some(RUN), Some(7), Defect::Removed { count: 1 }),
        found(Some(RUN), Some(7), Defect::Moved { now: 9 }),
        found(Some(RUN), Some(7), Defect::Added { count: 3 }),
        found(Some(RUN), Some(7), Defect::TailLost { count: 4 }),
        found(Some("evil\n\u{1b}[2J"), None, Defect::RunLost { count: 10 }),
        found(Some(RUN), None, Defect::Renumbered { now: -7 }),
        found(Some(RUN), Some(9), Defect::Rewritten),
        found(Some(RUN), None, Defect::Listing { column: "status" }),
        found(Some(RUN), Some(3), Defect::Unreadable { cause: "torn\n".to_owned() }),
        found(None, None, Defect::Unreadable { cause: "database disk image is malformed".into() }),
    ];
    let texts: String =
        findings.iter().map(|finding| crate::verdict::finding(finding, &Look::PLAIN)).collect();
    check(
        &texts,
        &expect![[r#"
            ✖ run 0192f0c1-7c00-7000-8000-000000000001: record 7 was changed
                The event or its time is not what was written, or the record before it was replaced together with its hash.
                do: keep a copy of the journal and its `.marks`; compare with a backup: bowline audit 0192f0c1-7c00-7000-8000-000000000001
            ✖ run 0192f0c1-7c00-7000-8000-000000000001: the hash of record 7 was changed
                The event itself is what was written.
                do: keep a copy of the journal and its `.marks`; compare with a backup: bowline audit 0192f0c1-7c00-7000-8000-000000000001
            ✖ run 0192f0c1-7c00-7000-8000-000000000001: record 7 was removed
                do: keep a copy of the journal and its `.marks`; compare with a backup: bowline audit 0192f0c1-7c00-7000-8000-000000000001
            ✖ run 0192f0c1-7c00-7000-8000-000000000001: record 7 was moved, it stands at 9 now
                do: keep a copy of the journal and its `.marks`; compare with a backup: bowline audit 0192f0c1-7c00-7000-8000-000000000001
            ✖ run 0192f0c1-7c00-7000-8000-000000000001: records 7 to 9 were added
                do: keep a copy of the journal and its `.marks`; compare with a backup: bowline audit 0192f0c1-7c00-7000-8000-000000000001
            ✖ run 0192f0c1-7c00-7000-8000-000000000001: its end is lost: records 7 to 10 were there
                A damaged write-ahead log does this, an older copy of the file, or a person.
                do: keep a copy of the journal and its `.marks`; restore a newer backup, or look outside what the run did last: bowline audit 0192f0c1-7c00-7000-8000-000000000001
            ✖ run evil\n\u{1b}[2J: it is gone, with at least 10 records
                do: keep a copy of the journal and its `.marks`; restore a backup; where the loss is known and accepted, move the `.marks` away
            ✖ run 0192f0c1-7c00-7000-8000-000000000001: it stands as number -7 in the list of runs, which it never was given
                do: keep a copy of the journal and its `.marks`; compare with a backup: bowline audit 0192f0c1-7c00-7000-8000-000000000001
            ✖ run 0192f0c1-7c00-7000-8000-000000000001: what stands up to record 9 was replaced and chained anew
                The records follow from each other, but they are not the ones that were marked when they were written.
                do: keep a copy of the journal and its `.marks`; compare with a backup: bowline audit 0192f0c1-7c00-7000-8000-000000000001
            ✖ run 0192f0c1-7c00-7000-8000-000000000001: its `status` in the list of runs is not what its records say
                do: keep a copy of the journal and its `.marks`; believe the records: bowline audit 0192f0c1-7c00-7000-8000-000000000001
            ✖ run 0192f0c1-7c00-7000-8000-000000000001: record 3 can't be read: torn\n
                do: keep a copy of the journal and its `.marks`; compare with a backup: bowline audit 0192f0c1-7c00-7000-8000-000000000001
            ✖ the journal: it can't be read: database disk image is malformed
                do: keep a copy of the journal and its `.marks`; restore a backup; where the loss is known and accepted, move the `.marks` away
        "#]],
    );
    let lines: Vec<String> = findings.iter().map(crate::verdict::finding_json).collect();
    check(
        &(lines.join("\n") + "\n"),
        &expect![[r#"
            {"facts":null,"finding":"changed","message":"record 7 was changed","position":7,"remedy":"keep a copy of the journal and its `.marks`; compare with a backup: bowline audit 0192f0c1-7c00-7000-8000-000000000001","run":"0192f0c1-7c00-7000-8000-000000000001"}
            {"facts":null,"finding":"hash-changed","message":"the hash of record 7 was changed","position":7,"remedy":"keep a copy of the journal and its `.marks`; compare with a backup: bowline audit 0192f0c1-7c00-7000-8000-000000000001","run":"0192f0c1-7c00-7000-8000-000000000001"}
            {"facts":{"count":1},"finding":"removed","message":"record 7 was removed","position":7,"remedy":"keep a copy of the journal and its `.marks`; compare with a backup: bowline audit 0192f0c1-7c00-7000-8000-000000000001","run":"0192f0c1-7c00-7000-8000-000000000001"}
            {"facts":{"now":9},"finding":"moved","message":"record 7 was moved, it stands at 9 now","position":7,"remedy":"keep a copy of the journal and its `.marks`; compare with a backup: bowline audit 0192f0c1-7c00-7000-8000-000000000001","run":"0192f0c1-7c00-7000-8000-000000000001"}
            {"facts":{"count":3},"finding":"added","message":"records 7 to 9 were added","position":7,"remedy":"keep a copy of the journal and its `.marks`; compare with a backup: bowline audit 0192f0c1-7c00-7000-8000-000000000001","run":"0192f0c1-7c00-7000-8000-000000000001"}
            {"facts":{"count":4},"finding":"tail-lost","message":"its end is lost: records 7 to 10 were there","position":7,"remedy":"keep a copy of the journal and its `.marks`; restore a newer backup, or look outside what the run did last: bowline audit 0192f0c1-7c00-7000-8000-000000000001","run":"0192f0c1-7c00-7000-8000-000000000001"}
            {"facts":{"count":10},"finding":"run-lost","message":"it is gone, with at least 10 records","position":null,"remedy":"keep a copy of the journal and its `.marks`; restore a backup; where the loss is known and accepted, move the `.marks` away","run":"evil\n\u001b[2J"}
            {"facts":{"now":-7},"finding":"renumbered","message":"it stands as number -7 in the list of runs, which it never was given","position":null,"remedy":"keep a copy of the journal and its `.marks`; compare with a backup: bowline audit 0192f0c1-7c00-7000-8000-000000000001","run":"0192f0c1-7c00-7000-8000-000000000001"}
            {"facts":null,"finding":"rewritten","message":"what stands up to record 9 was replaced and chained anew","position":9,"remedy":"keep a copy of the journal and its `.marks`; compare with a backup: bowline audit 0192f0c1-7c00-7000-8000-000000000001","run":"0192f0c1-7c00-7000-8000-000000000001"}
            {"facts":{"column":"status"},"finding":"listing","message":"its `status` in the list of runs is not what its records say","position":null,"remedy":"keep a copy of the journal and its `.marks`; believe the records: bowline audit 0192f0c1-7c00-7000-8000-000000000001","run":"0192f0c1-7c00-7000-8000-000000000001"}
            {"facts":{"cause":"torn\n"},"finding":"unreadable","message":"record 3 can't be read: torn\\n","position":3,"remedy":"keep a copy of the journal and its `.marks`; compare with a backup: bowline audit 0192f0c1-7c00-7000-8000-000000000001","run":"0192f0c1-7c00-7000-8000-000000000001"}
            {"facts":{"cause":"database disk image is malformed"},"finding":"unreadable","message":"it can't be read: database disk image is malformed","position":null,"remedy":"keep a copy of the journal and its `.marks`; restore a backup; where the loss is known and accepted, move the `.marks` away","run":null}
        "#]],
    );
}

#[test]
fn summaries() {
    let sound = Audited { runs: 3, sound_runs: 3, marked_runs: 3, ..checked(30, 30, 0) };
    let broken = Audited {
        runs: 3,
        sound_runs: 2,
        sound_records: 27,
        marked_runs: 2,
        marked_records: 20,
        damaged_marks: 1,
        unchained: 6,
        ..checked(30, 20, 1)
    };
    let one = Audited { marks: Marks::Missing, ..checked(1, 0, 0) };
    let cause = "permission denied\n".to_owned();
    let nothing = Audited { marks: Marks::Unreadable { cause }, ..Audited::default() };
    let all = [sound, broken, one, nothing];
    let texts: String =
        all.iter().map(|done| crate::verdict::summary(done, &Look::PLAIN)).collect();
    check(
        &texts,
        &expect![[r#"
        ✔ 30 records of 3 runs are sound
          marks cover 30 of 30 records and 3 of 3 runs; what is lost of these would show
        ✖ 1 finding; 27 of 30 records and 2 of 3 runs are sound
          marks cover 20 of 27 records and 2 of 3 runs; what is lost of these would show
          6 records are older than the chain: nothing proves them
          1 mark can't be read, as after a power cut
        ✔ 1 record of 1 run is sound
          no marks beside the journal: a lost end or a lost run would not show
        ✔ 0 records of 0 runs are sound
          the marks beside the journal can't be read: permission denied\n
    "#]],
    );
    let lines: Vec<String> = all.iter().map(crate::verdict::summary_json).collect();
    check(
        &(lines.join("\n") + "\n"),
        &expect![[r#"
            {"damagedMarks":0,"findings":0,"forgottenRuns":0,"markedRecords":30,"markedRuns":3,"marks":"read","records":30,"result":"sound","runs":3,"soundRecords":30,"soundRuns":3,"unchainedRecords":0}
            {"damagedMarks":1,"findings":1,"forgottenRuns":0,"markedRecords":20,"markedRuns":2,"marks":"read","records":30,"result":"broken","runs":3,"soundRecords":27,"soundRuns":2,"unchainedRecords":6}
            {"damagedMarks":0,"findings":0,"forgottenRuns":0,"markedRecords":0,"markedRuns":0,"marks":"missing","records":1,"result":"sound","runs":1,"soundRecords":1,"soundRuns":1,"unchainedRecords":0}
            {"damagedMarks":0,"findings":0,"forgottenRuns":0,"markedRecords":0,"markedRuns":0,"marks":"unreadable","records":0,"result":"sound","runs":0,"soundRecords":0,"soundRuns":0,"unchainedRecords":0}
        "#]],
    );
}

/// A write in doubt that is looked for, asked again, and at last settled by a person.
fn recovered() -> Audit {
    let own = Effect { own: true, ..effect("GET /api/x?card=4111", false, None) };
    let question = Question {
        digest: "d".to_owned(),
        quorum: 2,
        approvers: vec!["ana".to_owned(), "group:sre\u{1b}".to_owned()],
        excluded: vec!["eric".to_owned()],
        expires_at: Some(START + 3_600_000),
    };
    let failure = Failure::permanent("http.status-503", "Jane Doe is busy");
    let name = || step("undo");
    let again = |why: &str| Event::EffectAskedAgain {
        step: name(),
        attempt: 1,
        number: 1,
        why: why.to_owned(),
    };
    let settled = |done, by: &str, reason: Option<&str>| Event::OutcomeSettled {
        step: name(),
        attempt: 1,
        number: 1,
        done,
        by: by.to_owned(),
        reason: reason.map(str::to_owned),
    };
    let body = "{\"patient\": \"Jane Doe\"}".to_owned();
    let (method, url) = ("POST".to_owned(), "https://far.test/x?card=4111".to_owned());
    let shown = Shown::Request { method, url, credentials: Vec::new(), body };
    let changes = vec![Change { field: "x".into(), from: None, to: Some("Jane Doe".into()) }];
    let planned = |number, shown| Event::EffectPlanned {
        step: name(),
        attempt: 1,
        number,
        effect: effect("POST /x?card=4111", true, Some(1)),
        shown,
    };
    let approval = || step("sure?");
    let answer = |by: &str, verdict, reason: &str| Event::ApprovalGiven {
        step: approval(),
        by: by.to_owned(),
        verdict,
        reason: Some(reason.to_owned()),
    };
    let rules = json!([{"method": "POST", "path": "/x"}]);
    let (slot, connection) = ("site".to_owned(), "http/x".to_owned());
    let address = Some("https://far.test\u{9b}".to_owned());
    let unknown = Event::OutcomeUnknown {
        step: name(),
        attempt: 1,
        number: 1,
        message: "Jane Doe did not answer".to_owned(),
        question: Question { digest: "d".to_owned(), quorum: 1, ..Question::default() },
    };
    let in_doubt = || EffectOutcome::InDoubt { message: "the connection broke".into() };
    let reply = Some("blake3:told".to_owned());
    audit(vec![
        started(&["undo", "sure?"]),
        attempt("undo", 1),
        Event::ConnectionGranted { step: name(), attempt: 1, slot, connection, rules, address },
        intends("undo", 1, 1, effect("POST /x", true, Some(1))),
        settles("undo", 1, 1, in_doubt()),
        Event::AttemptFailed { step: name(), attempt: 1, failure, delay_ms: 4_000 },
        Event::StepResumed { step: name(), attempt: 1, keep: 1 },
        intends("undo", 1, 2, own),
        settles("undo", 1, 2, answered(200, 0)),
        settled(false, "GET /api/x?card=4111", None),
        again("GET /api/x?card=4111 shows that it did not take effect"),
        settles("undo", 1, 1, in_doubt()),
        unknown,
        Event::RunFinished { status: RunStatus::Waiting },
        Event::RunResumed { by: "bob\u{202e}".to_owned() },
        settled(true, "ana", Some("I see it there")),
        Event::StepResumed { step: name(), attempt: 1, keep: u32::MAX },
        Event::StreamHeard {
            step: name(),
            attempt: 1,
            number: 1,
            reply,
            readings: Readings::default(),
        },
        Event::EffectSettled {
            step: name(),
            attempt: 1,
            number: 1,
            outcome: answered(200, 0),
            reply: Some("blake3:told".to_owned()),
        },
        planned(3, shown),
        planned(4, Shown::Rehearsed { status: 200, changes }),
        Event::StepSucceeded { step: name(), attempt: 1, outputs: serde_json::Map::new() },
        Event::ApprovalAsked { step: approval(), question },
        answer("ana", Verdict::Approved, "looks right"),
        answer("bob", Verdict::Rejected, "not now\n"),
        Event::ApprovalSettled {
            step: approval(),
            verdict: Verdict::Rejected,
            by: vec!["bob".to_owned()],
        },
        Event::RunTimedOut { seconds: 300 },
        Event::RunFinished { status: RunStatus::Failure },
        Event::RunReopened { by: "ana".to_owned(), steps: vec![name(), approval()], heard: 0 },
    ])
}

#[test]
fn what_people_decided_and_what_was_asked_again() {
    check(
        &page(&recovered(), None, &Look::PLAIN),
        &expect![[r#"
            ● rollback is running
              run         0192f0c1-7c00-7000-8000-000000000001
              workflow    run books/rollback.yaml sha256:abc
              started     2026-11-22 14:03:01 by eric

             0  14:03:01  run       started     by eric
             1  14:03:01  undo (1)  attempt     undo@1.0.0 sha256:0123456789ab signed by -
             2  14:03:01  undo (1)  granted     http/x as `site`, at https://far.test\u{9b}
                                                1. POST /x
             3  14:03:01  undo (1)  in doubt    POST /x on kubernetes/prod as `cluster`, if resourceVersion 4711
                                                admitted by rule 1; after 40 ms it may have taken effect, the connection broke; 1.2 KiB out, - back
             5  14:03:01  undo (1)  failed      (http.status-503)
                                                tried again after 4s
             6  14:03:01  undo (1)  resumed     from its start, calls up to number 1 count
             7  14:03:01  undo (1)  read        GET /api/x?card=… on kubernetes/prod
                                                the host's own, needs no rule; after 40 ms answered 200; - out, 912 B back
             9  14:03:01  undo (1)  settled     call 1: it did not take effect, according to GET /api/x?card=…
            10  14:03:01  undo (1)  asked again GET /api/x?card=… shows that it did not take effect
                                                POST /x on kubernetes/prod as `cluster`, if resourceVersion 4711
                                                admitted by rule 1; after 40 ms it may have taken effect, the connection broke; 1.2 KiB out, - back
            12  14:03:01  undo (1)  unknown     nobody knows whether call 1 took effect; a person is asked
            13  14:03:01  run       ended       the run waits for a person
            14  14:03:01  run       taken up    bob\u{202e} drives it on in another process
            15  14:03:01  undo (1)  settled     call 1: it took effect, according to ana: I see it there
            16  14:03:01  undo (1)  resumed     from its start, all that is on record counts
            18  14:03:01  undo (1)  told        the step is told of call 1: answered 200
            19  14:03:01  undo (1)  planned     POST /x?card=… on kubernetes/prod as `cluster`, if resourceVersion 4711
                                                shown, and not sent
            20  14:03:01  undo (1)  planned     POST /x?card=… on kubernetes/prod as `cluster`, if resourceVersion 4711
                                                tried on the far side and taken back, answered 200
            21  14:03:01  undo (1)  succeeded
            22  14:03:01  sure?     asked       needs 2 approvals from ana or the group sre\u{1b}, but not eric, until 2026-11-22 15:03:01
            23  14:03:01  sure?     answered    ana said yes: looks right
            24  14:03:01  sure?     answered    bob said no: not now\n
            25  14:03:02  sure?     decided     rejected by bob
            26  14:03:02  run       timed out   the run's time is up: it was allowed 5m00s
            27  14:03:02  run       ended       the run failed
            28  14:03:02  run       reopened    ana has this tried again: undo, sure?
        "#]],
    );
}

#[test]
fn what_people_decided_for_programs() {
    let written = lines(&recovered(), None).join("\n") + "\n";
    for line in written.lines() {
        let value: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(value["run"], RUN, "{line}");
    }
    let shown = page(&recovered(), None, &Look::PLAIN) + &written;
    for secret in ["4111", "Jane", "blake3:told", "patient"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    // Nobody refused a call only because it has a second outcome.
    assert!(!shown.contains("refused"), "{shown}");
    let plain: Vec<String> = lines(&recovered(), None)
        .iter()
        .map(|line| {
            let mut value: Value = serde_json::from_str(line).expect("JSON");
            let members = value.as_object_mut().expect("a mapping");
            for common in ["run", "at", "plugin", "digest", "slot", "chain"] {
                members.remove(common);
            }
            members.retain(|_, value| !value.is_null());
            crate::escape::json(value.to_string())
        })
        .collect();
    check(
        &(plain.join("\n") + "\n"),
        &expect![[r#"
            {"by":"eric","drill":false,"record":"run","source":"run books/rollback.yaml","sourceDigest":"sha256:abc","startedAt":"2026-11-22T14:03:01.000Z","status":"running","workflow":"rollback"}
            {"by":"eric","position":0,"record":"started"}
            {"attempt":1,"position":1,"record":"attempt","step":"undo"}
            {"address":"https://far.test\u009b","attempt":1,"connection":"http/x","position":2,"record":"granted","rules":["POST /x"],"step":"undo"}
            {"attempt":1,"connection":"kubernetes/prod","decision":"admitted","durationMs":40,"number":1,"operation":"POST /x","outcome":"in-doubt","own":false,"position":3,"precondition":"resourceVersion 4711","reason":"the connection broke","record":"call","requestBytes":1300,"rule":1,"step":"undo","writes":true}
            {"attempt":1,"code":"http.status-503","delayMs":4000,"position":5,"record":"tried-again","step":"undo"}
            {"attempt":1,"keep":1,"position":6,"record":"resumed","step":"undo"}
            {"attempt":1,"connection":"kubernetes/prod","decision":"admitted","durationMs":40,"number":2,"operation":"GET /api/x?card=…","outcome":"answered","own":true,"position":7,"record":"call","redacted":0,"responseBytes":912,"status":200,"step":"undo","writes":false}
            {"attempt":1,"by":"GET /api/x?card=…","done":false,"number":1,"position":9,"record":"outcome-settled","step":"undo"}
            {"attempt":1,"connection":"kubernetes/prod","decision":"admitted","durationMs":40,"number":1,"operation":"POST /x","outcome":"in-doubt","own":false,"position":10,"precondition":"resourceVersion 4711","reason":"the connection broke","record":"asked-again","requestBytes":1300,"rule":1,"step":"undo","why":"GET /api/x?card=… shows that it did not take effect","writes":true}
            {"attempt":1,"number":1,"position":12,"question":{"digest":"d","quorum":1},"record":"outcome-unknown","step":"undo"}
            {"position":13,"record":"finished","status":"waiting"}
            {"by":"bob\u202e","position":14,"record":"taken-up"}
            {"attempt":1,"by":"ana","done":true,"number":1,"position":15,"reason":"I see it there","record":"outcome-settled","step":"undo"}
            {"attempt":1,"position":16,"record":"resumed","step":"undo"}
            {"attempt":1,"connection":"kubernetes/prod","decision":"admitted","durationMs":0,"number":1,"operation":"POST /x","outcome":"answered","own":false,"position":18,"precondition":"resourceVersion 4711","record":"told","redacted":0,"requestBytes":1300,"responseBytes":912,"rule":1,"status":200,"step":"undo","writes":true}
            {"attempt":1,"connection":"kubernetes/prod","operation":"POST /x?card=…","position":19,"precondition":"resourceVersion 4711","record":"planned","step":"undo"}
            {"attempt":1,"connection":"kubernetes/prod","operation":"POST /x?card=…","position":20,"precondition":"resourceVersion 4711","record":"planned","rehearsedStatus":200,"step":"undo"}
            {"attempt":1,"position":21,"record":"succeeded","step":"undo"}
            {"position":22,"question":{"approvers":["ana","group:sre\u001b"],"digest":"d","excluded":["eric"],"expiresAt":1795359781000,"quorum":2},"record":"approval-asked","step":"sure?"}
            {"by":"ana","position":23,"reason":"looks right","record":"approval-given","step":"sure?","verdict":"approved"}
            {"by":"bob","position":24,"reason":"not now\n","record":"approval-given","step":"sure?","verdict":"rejected"}
            {"by":["bob"],"position":25,"record":"approval-settled","step":"sure?","verdict":"rejected"}
            {"position":26,"record":"timed-out","seconds":300}
            {"position":27,"record":"finished","status":"failure"}
            {"by":"ana","position":28,"record":"reopened","steps":["undo","sure?"]}
        "#]],
    );
}
