//! Workflows that people really wrote: all of them pass, and the main one comes to the right plan.
//!
//! The files are not part of the project. Without them the tests say so and pass.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use workflow::render::{self, Colour};
use workflow::{
    CheckOptions, Diagnostic, ParameterError, Severity, Signatures, SourceFile, StepName, Workflow,
    check, connections, images, parse, plan,
};

#[expect(clippy::print_stdout, reason = "a test that does nothing must not do so in silence")]
fn shared(path: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/relay").join(path);
    if path.exists() {
        return Some(path);
    }
    println!("SKIPPED: the published workflows are not here");
    None
}

fn without_plugins(source: &SourceFile) -> (Option<Workflow>, Vec<Diagnostic>) {
    let options = CheckOptions { allow_missing_plugins: true, ..CheckOptions::default() };
    let checked = check(source, &Signatures::new(), &options);
    (checked.workflow, checked.diagnostics)
}

#[test]
fn every_published_workflow_is_accepted() {
    let Some(folder) = shared("workflows") else { return };
    let mut refused = Vec::new();
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("list the folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("read a workflow");
        let source = SourceFile::new(path.display().to_string(), text);
        let (_, found) = without_plugins(&source);
        count += 1;
        let errors = found.iter().filter(|diagnostic| diagnostic.is_error());
        refused.extend(errors.map(|error| render::text(error, &source, Colour::Never)));
    }
    assert!(count > 20, "only {count} workflows");
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

fn article() -> Option<(SourceFile, Workflow)> {
    let text = std::fs::read_to_string(shared("article-runbook.yaml")?).expect("read the runbook");
    let source = SourceFile::new("runbooks/datadog-k8s-rollback.yaml", text);
    let (workflow, found) = without_plugins(&source);
    let severe: Vec<_> = found.iter().filter(|found| found.severity == Severity::Error).collect();
    assert_eq!(severe, Vec::<&Diagnostic>::new());
    Some((source, workflow.expect("a workflow")))
}

#[test]
fn the_runbook_of_the_article_comes_to_a_plan() {
    let Some((_, workflow)) = article() else { return };
    let given = BTreeMap::from([("public_id".to_owned(), json!("3"))]);

    let plan = plan(&workflow, "sha256:0", given).expect("a plan");

    assert_eq!(plan.workflow, "datadog-k8s-rollback");
    let parameters =
        json!({"deployment": "nginx-deployment", "namespace": "default", "public_id": "3"});
    assert_eq!(json!(plan.parameters), parameters);
    let waits: Vec<(&str, Vec<&str>)> = plan
        .steps
        .iter()
        .map(|step| (step.name.as_str(), step.after.iter().map(StepName::as_str).collect()))
        .collect();
    assert_eq!(
        waits,
        [
            ("kubectl-deployment-rollback", vec![]),
            ("convert-incident-id", vec![]),
            ("update-timeline", vec!["kubectl-deployment-rollback", "convert-incident-id"]),
        ]
    );
    assert_eq!(
        plan.steps[2].when,
        [
            json!("${steps.'kubectl-deployment-rollback'.succeeded}"),
            json!("${steps.'convert-incident-id'.succeeded}"),
        ]
    );
    assert_eq!(
        plan.steps[0].spec["args"],
        json!({"$fn.concat": ["undo ", "deployment.v1.apps/", {"$type": "Parameter", "name": "deployment"}]})
    );
    let text = serde_json::to_string(&plan).expect("write the plan");
    assert_eq!(serde_json::from_str::<workflow::Plan>(&text).expect("read the plan"), plan);
}

#[test]
fn the_runbook_of_the_article_says_what_it_needs() {
    let Some((source, workflow)) = article() else { return };

    let missing = plan(&workflow, "sha256:0", BTreeMap::new()).expect_err("no public_id");

    assert!(matches!(&missing[..], [ParameterError::Missing { name, .. }] if name == "public_id"));
    let used: Vec<(&str, &str, &str, &str)> = connections(&workflow)
        .iter()
        .map(|used| (&*used.kind, &*used.name, used.step.as_str(), source.slice(used.span)))
        .collect();
    let keys = "datadog, name: my-datadog-keys";
    assert_eq!(
        used,
        [
            (
                "kubernetes",
                "eric0-demos",
                "kubectl-deployment-rollback",
                "\"kubernetes\", name: \"eric0-demos\""
            ),
            ("datadog", "my-datadog-keys", "convert-incident-id", keys),
            ("datadog", "my-datadog-keys", "update-timeline", keys),
        ]
    );
    let document = parse(&source).document.expect("a document");
    assert_eq!(
        images(&document),
        [
            "relaysh/kubernetes-step-kubectl",
            "relaysh/datadog-step-incident-extract-id",
            "relaysh/datadog-step-incident-timeline-update",
        ]
    );
    let edges: Vec<Value> = workflow
        .graph()
        .edges
        .iter()
        .map(|edge| serde_json::to_value(edge).expect("JSON"))
        .collect();
    assert_eq!(
        edges,
        [
            json!({"from": "kubectl-deployment-rollback", "to": "update-timeline", "because": "depends-on"}),
            json!({"from": "convert-incident-id", "to": "update-timeline", "because": "output", "name": "incident_id"}),
        ]
    );
}
