//! From a workflow and parameters to a plan, or to what is wrong with the parameters.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use workflow::{
    CheckOptions, Parameter, Plan, PluginPin, Resolution, Retry, RunExtras, Signature, Signatures,
    SourceFile, StepKind, Workflow, check, plan,
};

#[track_caller]
fn workflow(text: &str) -> Workflow {
    let options = CheckOptions { allow_missing_plugins: true, ..CheckOptions::default() };
    let checked = check(&SourceFile::new("dir/my-runbook.yml", text), &Signatures::new(), &options);
    checked.workflow.unwrap_or_else(|| panic!("{:#?}", checked.diagnostics))
}

fn planned(text: &str, given: &Value) -> Result<Plan, Vec<String>> {
    let given: BTreeMap<String, Value> =
        given.as_object().expect("a mapping").clone().into_iter().collect();
    plan(&workflow(text), "sha256:0", given)
        .map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

#[test]
fn what_is_given_wins_over_defaults_and_texts_follow_the_declared_type() {
    let text = "
parameters:
  text: {default: a}
  null-default: {default: null}
  count: {type: integer, default: 1}
  ratio: {type: number, default: 1}
  flag: {type: boolean, default: false}
  list: {type: array, default: []}
  map: {type: object, default: {}}
  odd: {type: testing, default: 1}
";
    let cases = [
        ("text", json!("5"), json!("5")),
        ("text", json!(5), json!(5)),
        ("count", json!("5"), json!(5)),
        ("count", json!("5.5"), json!("5.5")),
        ("count", json!("many"), json!("many")),
        ("ratio", json!("5.5"), json!(5.5)),
        ("flag", json!("true"), json!(true)),
        ("flag", json!("yes"), json!("yes")),
        ("list", json!("[1, \"a\"]"), json!([1, "a"])),
        ("list", json!("{}"), json!("{}")),
        ("map", json!("{\"a\": 1}"), json!({"a": 1})),
        ("odd", json!("true"), json!("true")),
    ];
    for (name, given, expected) in cases {
        let plan = planned(text, &json!({ (name): given })).expect("a plan");
        assert_eq!(plan.parameters[name], expected, "{name}");
        assert_eq!(plan.parameters["null-default"], Value::Null);
        assert_eq!(plan.parameters.len(), 8);
    }
}

#[test]
fn all_mistakes_in_parameters_are_told() {
    let text = "
parameters:
  region: {description: Where to look.}
  account: {}
  size: {default: 1}
";
    assert_eq!(
        planned(text, &json!({"regoin": "eu", "xyz": 1})),
        Err(vec![
            "the parameter `region` needs a value: give it with `-p region=…` (Where to look)"
                .to_owned(),
            "the parameter `account` needs a value: give it with `-p account=…`".to_owned(),
            "the workflow declares no parameter `regoin`; did you mean `region`?".to_owned(),
            "the workflow declares no parameter `xyz`; it declares `region`, `account`, `size`"
                .to_owned(),
        ])
    );
    assert_eq!(
        planned("{}", &json!({"a": 1})),
        Err(vec!["the workflow declares no parameter `a`; it declares none".to_owned()])
    );
}

#[test]
fn a_plan_keeps_what_each_step_waits_for_and_needs() {
    let plan = planned(
        "
steps:
- {name: build, image: b}
- {name: scan, image: s, dependsOn: build}
- {name: gate, type: approval, dependsOn: [scan], when: !Fn.equals [1, 1]}
- name: deploy
  image: d
  dependsOn: [gate, build, gate]
  when: ['${steps.build.succeeded || steps.build.skipped}']
  spec: {version: !Output {from: build, name: version}, text: 'x ${outputs.scan.report}'}
- {name: tell, image: t, when: '${steps.deploy.failed}'}
",
        &json!({}),
    )
    .expect("a plan");

    assert_eq!(plan.workflow, "my-runbook");
    let after = |step: usize| -> Vec<&str> {
        plan.steps[step].after.iter().map(workflow::StepName::as_str).collect()
    };
    assert_eq!(after(1), ["build"]);
    assert_eq!(after(3), ["gate", "build", "scan"]);
    assert_eq!(after(4), ["deploy"]);
    assert_eq!(plan.steps[2].kind, StepKind::Approval);
    assert_eq!(
        plan.steps[2].when,
        [
            json!({"$fn.equals": [{"$type": "Answer", "askRef": "gate", "name": "approval"}, "approved"]}),
            json!({"$fn.equals": [1, 1]}),
            json!("${steps.'scan'.succeeded}"),
        ]
    );
    // The author asks for the end of `build` himself; `scan` is needed because of its output.
    assert_eq!(
        plan.steps[3].when,
        [
            json!("${steps.build.succeeded || steps.build.skipped}"),
            json!("${steps.'gate'.succeeded}"),
            json!("${steps.'scan'.succeeded}"),
        ]
    );
    assert_eq!(plan.steps[4].when, [json!("${steps.deploy.failed}")]);
    assert_eq!(plan.steps[4].spec, json!({}));
}

#[test]
fn a_plan_keeps_how_often_and_for_how_long() {
    let text = "
x-bowline: {retry: {attempts: 5, delaySeconds: 2}, timeoutSeconds: 3600}
steps:
- {name: a, image: x, x-bowline: {retry: {attempts: 1, maxDelaySeconds: 60}, timeoutSeconds: 90}}
- {name: gate, type: approval, x-bowline: {timeoutSeconds: 900}}
- {name: b, image: x}
";
    let plan = planned(text, &json!({})).expect("a plan");

    let everywhere = Retry { attempts: Some(5), delay_seconds: Some(2), max_delay_seconds: None };
    let extras = RunExtras { retry: Some(everywhere), timeout_seconds: Some(3600) };
    assert_eq!(plan.extras, extras);
    let own = Retry { attempts: Some(1), delay_seconds: None, max_delay_seconds: Some(60) };
    assert_eq!(
        (plan.steps[0].extras.retry, plan.steps[0].extras.timeout_seconds),
        (Some(own), Some(90))
    );
    assert_eq!(plan.steps[1].extras.timeout_seconds, Some(900));
    assert!(plan.steps[2].extras.is_empty());
    let both = Retry { attempts: Some(1), delay_seconds: Some(2), max_delay_seconds: Some(60) };
    assert_eq!(own.or(everywhere), both);

    let json = serde_json::to_value(&plan).expect("JSON");
    let kept = json!({"retry": {"attempts": 5, "delaySeconds": 2}, "timeoutSeconds": 3600});
    assert_eq!(json["extras"], kept);
    assert_eq!(serde_json::from_value::<Plan>(json).ok(), Some(plan));
    // Plans of workflows that say nothing are what they were.
    let json = serde_json::to_value(planned("{}", &json!({})).expect("a plan")).expect("JSON");
    assert_eq!(json.get("extras"), None);
    assert!(serde_json::from_value::<Plan>(json).expect("a plan").extras.is_empty());
}

#[test]
fn parameters_that_a_plugin_would_refuse_are_told_before_the_run() {
    let manifest = json!({
        "schema": 1, "name": "scale", "version": "1.0.0", "summary": "For tests",
        "inputs": {"properties": {"replicas": {"type": "integer", "maximum": 9}, "name": {}}},
        "outputs": {},
    });
    let signature = Signature {
        pin: PluginPin {
            name: "scale".into(),
            version: "1.0.0".into(),
            digest: "sha256:0".into(),
            signer: None,
        },
        manifest: serde_json::from_value(manifest).expect("a manifest"),
    };
    let signatures = Signatures::from([("scale".into(), Resolution::Found(Box::new(signature)))]);
    let source = SourceFile::new(
        "scale.yaml",
        "
parameters: {replicas: {type: integer}}
steps:
- {name: up, image: scale, spec: {replicas: !Parameter replicas}}
- {name: down, image: scale, spec: {replicas: 0, name: !Output [up, name]}}
",
    );
    let checked = check(&source, &signatures, &CheckOptions::default());
    let workflow = checked.workflow.expect("a workflow");
    let with = |value: Value| {
        let given = BTreeMap::from([("replicas".to_owned(), value)]);
        plan(&workflow, "sha256:0", given).map_err(|errors| errors[0].to_string())
    };

    assert_eq!(with(json!("3")).map(|plan| plan.steps.len()), Ok(2));
    let refused = "with these parameters, the step `up` can't run: its input `replicas` ";
    assert_eq!(with(json!("10")), Err(format!("{refused}must be 9 or less")));
    assert_eq!(
        with(json!("many")),
        Err(format!("{refused}must be a whole number, this is a text"))
    );
}

#[test]
fn a_workflow_tells_its_parameters_and_its_graph() {
    let workflow = workflow(
        "
name: the name
description: what it does
parameters: {a: {description: x, type: integer}, b: {default: null}}
steps:
- {name: one, image: x, spec: {a: !Parameter a, b: !Parameter b}}
- {name: two, type: approval, dependsOn: one, when: true}
",
    );
    assert_eq!(workflow.name(), "the name");
    assert_eq!(workflow.description(), Some("what it does"));
    let parameters: Vec<(&str, bool)> = workflow
        .parameters()
        .iter()
        .map(|Parameter { name, default, .. }| (&**name, default.is_some()))
        .collect();
    assert_eq!(parameters, [("a", false), ("b", true)]);
    assert_eq!(
        serde_json::to_value(workflow.graph()).expect("JSON"),
        json!({
            "steps": [
                {"name": "one", "kind": "container", "image": "x", "conditional": false},
                {"name": "two", "kind": "approval", "conditional": true},
            ],
            "edges": [{"from": "one", "to": "two", "because": "depends-on"}],
        })
    );
}
