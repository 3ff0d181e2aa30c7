//! A, B, F, H as far as they are about the operator's word: what was accepted, what the policy
//! narrows, what inputs may stand for, and what ends while a call is on its way.

use crate::stage::Stage;
use crate::table::Case;
use effects::Layer;
use journal::{EffectOutcome, Event, RunStatus};
use serde_json::{Value, json};
use std::time::Duration;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("A18", "is another file than the one that was accepted", &[Layer::Lock], moved),
        Case::new("B12", "asks for more than what was accepted", &[Layer::Lock], grown),
        Case::new("F4", "has a wildcard in an input that the scope uses", &[], wildcards),
        Case::new("F14", "goes on when its grant ends in the middle", &[Layer::Live], ended),
        Case::new("H5", "behaves well first and badly at attempt 2", &[Layer::Policy], second),
        Case::not_here(
            "H12",
            "outlives a policy that has become narrower",
            "settings are read once for each command, there is no host that reloads them; so what \
             is tried is that the next run has the narrower ones",
            narrowed,
        ),
    ]
}

fn api(stage: &mut Stage) -> std::sync::Arc<crate::server::Server> {
    let server = stage.serve(|_| (200, "text/plain", "hello".to_owned()));
    stage.http("api", &server.url, json!([{"method": "GET", "path": "/a"}]));
    server
}

fn get(path: &str) -> Value {
    json!([
        {"open": {"slot": "api", "as": "h"}},
        {"send": {"handle": "h", "method": "GET", "path": path}},
    ])
}

fn moved(stage: &mut Stage) -> String {
    let server = api(stage);
    stage.policy = json!({"default": "ask"});
    stage.ask(get("/a")).fails("denied.unaccepted");
    stage.accept("probe");
    stage.ask(get("/a")).results();
    assert_eq!(server.received().len(), 1);

    // The same name, the same wishes, other bytes.
    let mut manifest = stage.manifest();
    manifest["version"] = json!("1.0.1");
    let run = stage.ask_as(&manifest, get("/a"));

    run.fails("denied.unaccepted");
    assert_eq!((run.admitted(), server.received().len()), (0, 1));
    "denied.unaccepted, nothing sent".to_owned()
}

fn grown(stage: &mut Stage) -> String {
    let server = api(stage);
    stage.policy = json!({"default": "ask"});
    stage.ask(json!([])).fails("denied.unaccepted");
    stage.accept("probe");

    let mut manifest = stage.manifest();
    manifest["connections"]["api"]["allow"] = json!([{"method": "*", "path": "/**"}]);
    let run = stage.ask_as(&manifest, get("/b"));

    run.fails("denied.unaccepted");
    let change = stage.change("probe");
    assert_eq!(change, json!({"api": [{"method": "*", "path": "/**"}]}), "the difference is shown");
    assert_eq!((run.admitted(), server.received().len()), (0, 0));
    "denied.unaccepted, the difference shown".to_owned()
}

fn wildcards(stage: &mut Stage) -> String {
    let server = stage.serve(|_| (200, "application/json", "{}".to_owned()));
    let rule = json!({"verbs": ["get"], "resource": "pods",
        "namespace": "${inputs.space}", "name": "${inputs.pod}"});
    stage.cluster("cluster", &server.url, json!([rule]));
    let order = json!([{"open": {"slot": "cluster", "as": "k"}}]);
    let hostile = [
        "*",
        "",
        "web*",
        "a/b",
        "../x",
        "a,b",
        "app=web",
        "A",
        "\u{202e}a",
        "a\n",
        "${inputs.pod}",
    ];
    for text in hostile {
        for (space, pod) in [(text, "a"), ("web", text)] {
            stage.inputs.insert("space".to_owned(), json!(space));
            stage.inputs.insert("pod".to_owned(), json!(pod));
            let run = stage.ask(order.clone());
            let failure = run.fails("connection.scope");
            assert!(
                failure.message.contains("is not a name here"),
                "{text:?}: {}",
                failure.message
            );
        }
    }
    stage.inputs.insert("space".to_owned(), json!(["web"]));
    stage.ask(order).fails("connection.scope");
    assert_eq!(server.received().len(), 0);
    format!("connection.scope for {} texts", hostile.len())
}

fn ended(stage: &mut Stage) -> String {
    let silent = stage.serve_nothing();
    stage.http("api", &silent.url, json!([{"method": "POST", "path": "/{any}"}]));
    stage.cancel_after = Some(Duration::from_millis(300));
    let send = json!({"send": {"handle": "h", "method": "POST", "path": "/a", "body": "{}"}});
    let run = stage.ask(json!([{"open": {"slot": "api", "as": "h"}}, send, send, send]));

    assert_eq!(run.status, RunStatus::Cancelled, "{}", run.tail());
    let results = run.results();
    assert_eq!(results[1]["error"]["in-doubt"], true, "{results:?}");
    for later in &results[2..] {
        assert_eq!(later["error"]["reason"], "revoked", "{results:?}");
        assert_eq!(later["error"]["in-doubt"], false, "{results:?}");
    }
    let in_doubt = run.events.iter().filter(|recorded| {
        matches!(
            &recorded.event,
            Event::EffectSettled { outcome: EffectOutcome::InDoubt { .. }, .. }
        )
    });
    assert_eq!((run.admitted(), in_doubt.count()), (1, 1), "{}", run.tail());
    "one in doubt, the next revoked".to_owned()
}

fn second(stage: &mut Stage) -> String {
    let server = stage.serve(|_| (200, "text/plain", "hello".to_owned()));
    stage.http("api", &server.url, json!([{"method": "*", "path": "/**"}]));
    stage.policy = json!({"default": "allow", "rules": [
        {"connection": "http/api", "allow": [{"method": "GET", "path": "/a"}]},
    ]});
    let orders = json!([
        {"open": {"slot": "api", "as": "h"}},
        {"send": {"handle": "h", "method": "GET", "path": "/a"}},
        {"sleep": 600},
        {"send": {"handle": "h", "method": "DELETE", "path": "/b"}},
    ]);
    stage.die_after = Some(Duration::from_millis(300));
    let first = stage.ask(orders);
    assert_eq!(first.status, RunStatus::Running, "{}", first.tail());
    stage.die_after = None;

    let run = stage.take_over();

    let granted: Vec<&Value> = run
        .events
        .iter()
        .filter_map(|recorded| match &recorded.event {
            Event::ConnectionGranted { rules, .. } => Some(rules),
            _ => None,
        })
        .collect();
    assert_eq!(granted.len(), 2, "{}", run.tail());
    assert_eq!(granted[0], granted[1], "the second attempt has what the first had");
    let results = run.outputs_of("probe")["results"].clone();
    assert_eq!(results[3]["error"]["code"], "http.denied", "{results}");
    assert!(server.received().iter().all(|received| received.method == "GET"));
    "the same rules at both, http.denied".to_owned()
}

fn narrowed(stage: &mut Stage) -> String {
    let server = api(stage);
    stage.ask(get("/a")).results();
    stage.policy = json!({"default": "allow", "rules": [
        {"connection": "http/api", "allow": [{"method": "GET", "path": "/b"}]},
    ]});
    stage.close();
    stage.ask(get("/a")).fails("denied.nothing-left");
    assert_eq!(server.received().len(), 1);
    "denied.nothing-left from the next run on".to_owned()
}
