//! How a plan looks: what would change, what can only be shown, what can't be told.

use super::*;
use crate::plan;
use journal::{Change, Question, Shown, Verdict};

impl Tale {
    fn plans(self, step: &str, number: u32, effect: Effect, shown: Shown) -> Self {
        self.then(1, Event::EffectPlanned { step: name(step), attempt: 1, number, effect, shown })
    }
}

fn patch() -> Effect {
    Effect {
        precondition: Some("resourceVersion 4711".to_owned()),
        content: Some("blake3:content".to_owned()),
        ..effect("kubernetes/prod", "patch apps/deployments default/web\u{1b}", true)
    }
}

fn post() -> Effect {
    effect("datadog/prod", "POST /api/v2/incidents/5/timeline", true)
}

fn change(field: &str, from: Option<&str>, to: Option<&str>) -> Change {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    Change { field: field.to_owned(), from: owned(from), to: owned(to) }
}

fn rehearsed(status: u16, changes: Vec<Change>) -> Shown {
    Shown::Rehearsed { status, changes }
}

fn request() -> Shown {
    Shown::Request {
        method: "POST".to_owned(),
        url: "https://api.datadoghq.com/api/v2/incidents/5/timeline".to_owned(),
        credentials: vec!["header DD-API-KEY".to_owned(), "member key of the body".to_owned()],
        body: "{\n  \"data\": \"\u{1b}[2J\"\n}".to_owned(),
    }
}

fn planned_run() -> Tale {
    let own = Effect { own: true, ..effect("datadog/prod", "GET /api/v2/incidents/5", false) };
    let (step, readings) = (name("tell"), Readings::default());
    let look = Event::EffectIntended { step, attempt: 1, number: 1, effect: own, readings };
    let image = "spec.template.spec.containers[web].image";
    let question = Question { quorum: 2, approvers: vec!["ana".into()], ..Question::default() };
    let by = vec!["the plan, which takes every answer for a yes".to_owned()];
    tale(vec![
        planned("look", &[]),
        approval("sure?", &["look"]),
        planned("undo", &["sure?"]),
        planned("scale", &["undo"]),
        planned("tell", &["undo"]),
        planned("use it", &["tell"]),
        planned("then", &["use it"]),
        planned("on failure", &["undo"]),
    ])
    .starts("look")
    .intends("look", 1, "get apps/deployments default/web", false)
    .answered("look", 1, 200)
    .succeeds("look", json!({"revision": 41}))
    .then(0, Event::ApprovalAsked { step: name("sure?"), question })
    .then(0, Event::ApprovalSettled { step: name("sure?"), verdict: Verdict::Approved, by })
    .then(0, Event::StepSucceeded { step: name("sure?"), attempt: 0, outputs: Map::new() })
    .starts("undo")
    .intends("undo", 1, "get apps/deployments default/web", false)
    .answered("undo", 1, 200)
    .plans(
        "undo",
        2,
        patch(),
        rehearsed(
            200,
            vec![
                change(image, Some("nginx:2"), Some("nginx:1\n")),
                change("metadata.labels.x", None, Some("y")),
                change("metadata.labels.z", Some("q"), None),
            ],
        ),
    )
    .succeeds("undo", json!({"toRevision": 3}))
    .starts("scale")
    .plans("scale", 1, patch(), rehearsed(403, Vec::new()))
    .fails("scale", Failure::permanent("kubernetes.forbidden", "no access"))
    .starts("tell")
    .then(1, look)
    .answered("tell", 1, 200)
    .plans("tell", 2, post(), request())
    .succeeds("tell", json!({}))
    .skips("use it", "it needs the output `url` of `tell`, whose write a plan does not make")
    .skips("then", "it comes after `use it`, which was skipped")
    .skips("on failure", "its condition is not met: `${steps['undo'].failed}`")
    .ends(RunStatus::Failure)
}

#[test]
fn a_plan_for_people() {
    check(
        &plan::text(&planned_run().view(), &Look::PLAIN),
        &expect![[r#"
        plan of rollback
          run books/rollback.yaml sha256:abc
          deployment = "web\u001b[2J"

        ○ look  look 1.0.0  reads (1)
        ◐ sure?  would ask ana: 2 must say yes
        ● undo  undo 1.0.0  CHANGES
            patch apps/deployments default/web\u{1b} on kubernetes/prod, if resourceVersion 4711
              spec.template.spec.containers[web].image: nginx:2 -> nginx:1\n
              metadata.labels.x: (nothing) -> y
              metadata.labels.z: q -> (nothing)
        ✖ scale  scale 1.0.0
            patch apps/deployments default/web\u{1b} on kubernetes/prod, if resourceVersion 4711
              refused: 403
            would fail: no access (kubernetes.forbidden)
        ● tell  tell 1.0.0  CHANGES
            POST /api/v2/incidents/5/timeline on datadog/prod
              POST https://api.datadoghq.com/api/v2/incidents/5/timeline
              header DD-API-KEY: (datadog/prod)
              member key of the body: (datadog/prod)
              {
                "data": "\u{1b}[2J"
              }
            a plan does not send this, so nobody knows what the step does then
        ⊘ use it  use it 1.0.0
            can't be planned: it needs the output `url` of `tell`, whose write a plan does not make
        ⊘ then  then 1.0.0
            can't be planned: it comes after `use it`, which was skipped
        ⊘ on failure  on failure 1.0.0
            would be left out: its condition is not met: `${steps['undo'].failed}`

        3 writes on 2 connections; nothing was changed
          not followed to their end: tell, use it, then
          would fail: scale
    "#]],
    );
    let ascii = Look { ascii: true, ..Look::PLAIN };
    assert!(plan::text(&planned_run().view(), &ascii).contains("\n* undo  undo 1.0.0  CHANGES\n"));
}

#[test]
fn a_plan_for_programs() {
    let value = plan::json(&planned_run().view());
    let pretty = crate::escape::json(serde_json::to_string_pretty(&value).expect("JSON"));
    // Its line breaks are its own, and not those of a value.
    assert_eq!(
        serde_json::from_str::<Value>(&pretty.replace("\\u000a", "\n")).expect("JSON"),
        value
    );
    check(
        &(value_in_lines(&value) + "\n"),
        &expect![[r#"
        "rollback" "sha256:abc"
        {"deployment":"web\u001b[2J"}
        {"name":"look","reads":1,"reason":null,"status":"planned","writes":[]}
        {"name":"sure?","reads":0,"reason":null,"status":"planned","writes":[]}
        {"name":"undo","reads":1,"reason":null,"status":"planned","writes":[{"connection":"kubernetes/prod","content":"blake3:content","operation":"patch apps/deployments default/web\u001b","precondition":"resourceVersion 4711","shown":{"changes":[{"field":"spec.template.spec.containers[web].image","from":"nginx:2","to":"nginx:1\n"},{"field":"metadata.labels.x","to":"y"},{"field":"metadata.labels.z","from":"q"}],"shown":"rehearsed","status":200}}]}
        {"name":"scale","reads":0,"reason":"no access (kubernetes.forbidden)","status":"failed","writes":[{"connection":"kubernetes/prod","content":"blake3:content","operation":"patch apps/deployments default/web\u001b","precondition":"resourceVersion 4711","shown":{"changes":[],"shown":"rehearsed","status":403}}]}
        {"name":"tell","reads":0,"reason":null,"status":"planned","writes":[{"connection":"datadog/prod","content":"blake3:0","operation":"POST /api/v2/incidents/5/timeline","precondition":null,"shown":{"body":"{\n  \"data\": \"\u001b[2J\"\n}","credentials":["header DD-API-KEY","member key of the body"],"method":"POST","shown":"request","url":"https://api.datadoghq.com/api/v2/incidents/5/timeline"}}]}
        {"name":"use it","reads":0,"reason":"it needs the output `url` of `tell`, whose write a plan does not make","status":"depends-on-unmade","writes":[]}
        {"name":"then","reads":0,"reason":"it comes after `use it`, which was skipped","status":"depends-on-unmade","writes":[]}
        {"name":"on failure","reads":0,"reason":"its condition is not met: `${steps['undo'].failed}`","status":"skipped","writes":[]}
    "#]],
    );
}

/// One line per step.
fn value_in_lines(plan: &Value) -> String {
    let mut lines = vec![format!("{} {}", plan["workflow"], plan["sourceDigest"])];
    lines.push(plan["parameters"].to_string());
    lines.extend(plan["steps"].as_array().into_iter().flatten().map(ToString::to_string));
    lines.into_iter().map(crate::escape::json).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_plan_without_writes_says_so() {
    let quiet =
        tale(vec![planned("look", &[]), planned("late", &["look"]), approval("sure?", &[])])
            .starts("look")
            .succeeds("look", json!({}));
    check(
        &plan::text(&quiet.view(), &Look::PLAIN),
        &expect![[r#"
        plan of rollback
          run books/rollback.yaml sha256:abc
          deployment = "web\u001b[2J"

        ○ look  look 1.0.0
        ⊘ late  late 1.0.0
            would be left out: the plan ended before it
        ⊘ sure?
            would be left out: the plan ended before it

        no writes; nothing was changed
    "#]],
    );
}

#[test]
fn only_a_step_that_stops_at_a_write_has_an_end_that_nobody_knows() {
    let view = planned_run().view();
    let withheld: Vec<&str> = view
        .steps
        .iter()
        .filter(|step| step.is_withheld())
        .map(|step| step.name.as_str())
        .collect();
    assert_eq!(withheld, ["tell"]);
}
