//! Cases about whole runs, and those about Relay's API that have a counterpart here.

use crate::Outcome;
use crate::expressions::scope;
use crate::values::same;
use expression::condition::{Condition, decide};
use expression::status::{self, StepStatus, WhenStatus};
use expression::{Expression, Scope, evaluate};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use workflow::{
    CheckOptions, Manifest, Plan, PluginPin, Resolution, Signature, Signatures, SourceFile, check,
    parse, plan,
};

/// Plans a workflow and compares inputs, or how its steps end if each of them succeeds.
pub(crate) fn run(case: &Value) -> Result<(), String> {
    let source = source(&case["input"]["workflow"]);
    let options = CheckOptions { allow_missing_plugins: true, ..CheckOptions::default() };
    let checked = check(&source, &Signatures::new(), &options);
    let workflow = checked.workflow.ok_or_else(|| format!("refused: {:?}", checked.diagnostics))?;
    let given = case["input"]["run_parameters"].as_object().cloned().unwrap_or_default();
    let plan = plan(&workflow, "sha256:0", given.into_iter().collect())
        .map_err(|errors| format!("{errors:?}"))?;
    let expected = case["expected"]["value"].as_object().ok_or("the case expects nothing")?;
    let ends = drive(&plan);
    for (name, wanted) in expected {
        if wanted.get("spec").is_some() {
            let step = plan.steps.iter().find(|step| step.name.as_str() == name);
            let step = step.ok_or_else(|| format!("no step `{name}`"))?;
            let scope =
                Scope { parameters: plan.parameters.clone(), ..scope(&case["environment"]) };
            same(&value(&step.spec, &scope)?, &wanted["spec"])?;
            same(&value(&environment_of(&source, name), &scope)?, &wanted["environment"])?;
            continue;
        }
        let (completed, succeeded) = match name.as_str() {
            "run" if plan.steps.is_empty() => {
                let run = status::run(&[], false);
                (run.completed, run.succeeded)
            }
            _ => {
                let end = ends.get(name.as_str()).ok_or_else(|| format!("`{name}` never ends"))?;
                (end.completed, end.succeeded)
            }
        };
        if let Some(wanted) = wanted["Succeeded"].as_str() {
            same(&succeeded.name().into(), &wanted.into())?;
        }
        if wanted.get("completion_time").is_some() {
            same(&completed.name().into(), &"True".into())?;
        }
    }
    Ok(())
}

/// The case's workflow has its parameters as a list, as the engine keeps them. One without a
/// value is null there.
fn source(workflow: &Value) -> SourceFile {
    let mut workflow = workflow.clone();
    if let Some(parameters) = workflow["parameters"].as_array() {
        let parameters = parameters.iter().map(|parameter| {
            let name = parameter["name"].as_str().unwrap_or_default();
            (name.to_owned(), json!({"default": parameter["default"]}))
        });
        let parameters: Map<String, Value> = parameters.collect();
        workflow["parameters"] = parameters.into();
    } else if let Some(map) = workflow.as_object_mut() {
        map.remove("parameters");
    }
    SourceFile::new("case.yaml", workflow.to_string())
}

fn environment_of(source: &SourceFile, step: &str) -> Value {
    let document = parse(source).document.unwrap_or_default();
    let named = |name: &workflow::Spanned<String>| name.value == step;
    let step = document.steps.iter().find(|step| step.name.as_ref().is_some_and(named));
    step.and_then(|step| step.container.env.as_ref())
        .map_or_else(|| json!({}), |env| Value::clone(&env.value))
}

fn value(tree: &Value, scope: &Scope) -> Result<Value, String> {
    let evaluated = evaluate(&Expression::from_tree(tree), scope).map_err(|e| e.to_string())?;
    evaluated.value().cloned().ok_or_else(|| format!("not found: {:?}", evaluated.unresolved))
}

/// Runs every step that may run, each with success.
fn drive(plan: &Plan) -> BTreeMap<&str, StepStatus> {
    let mut ends: BTreeMap<&str, StepStatus> = BTreeMap::new();
    loop {
        let facts = ends.iter().map(|(name, end)| ((*name).to_owned(), end.facts));
        let scope = Scope { steps: facts.collect(), ..Scope::default() };
        let before = ends.len();
        for step in &plan.steps {
            let name = step.name.as_str();
            if ends.contains_key(name)
                || step.after.iter().any(|step| !ends.contains_key(step.as_str()))
            {
                continue;
            }
            let when = Expression::from_tree(&Value::Array(step.when.clone()));
            let end = match decide(&when, &scope) {
                Condition::Satisfied => status::step(WhenStatus::Satisfied, Some(0)),
                Condition::NotSatisfied => status::step(WhenStatus::NotSatisfied, None),
                _ => continue,
            };
            ends.insert(name, end);
        }
        if ends.len() == before {
            return ends;
        }
    }
}

/// Requests of a step. Inputs, environment, secrets and validation have a counterpart in this
/// room; state, decorators, events and exit codes are Relay's own services.
pub(crate) fn metadata_api(case: &Value) -> Outcome {
    let run = &case["input"]["run"];
    let requests = case["input"]["requests"].as_array().cloned().unwrap_or_default();
    let responses = case["expected"]["responses"].as_array().cloned().unwrap_or_default();
    for (request, expected) in requests.iter().zip(&responses) {
        let path = request["path"].as_str().unwrap_or_default();
        let answer = match path.split('/').collect::<Vec<_>>()[..] {
            ["", "spec"] => Some(of_step(run, "spec")),
            ["", "environment"] => Some(of_step(run, "env")),
            ["", "environment", name] => {
                Some(of_step(run, "env").map(|all| json!({"value": all["value"][name]})))
            }
            ["", "secrets", name] => Some(secret(run, name)),
            ["", "validate"] => Some(validate(run)),
            _ => None,
        };
        let result = match answer {
            None => return Outcome::NoCounterpart,
            Some(Err(_)) if expected["status"] == 404 => Ok(()),
            Some(Err(error)) => Err(error),
            Some(Ok(_)) if expected["status"] != 200 => Err("found something".to_owned()),
            Some(Ok(answer)) => {
                let wanted = expected.get("json_subset").or_else(|| expected.get("effect"));
                wanted.map_or(Ok(()), |wanted| subset(&answer, wanted))
            }
        };
        if let Err(error) = result {
            return Outcome::Failed(format!("{path}: {error}"));
        }
    }
    Outcome::Passed
}

fn subset(found: &Value, wanted: &Value) -> Result<(), String> {
    let wanted = wanted.as_object().ok_or("a mapping is wanted")?;
    wanted.iter().try_for_each(|(key, wanted)| same(&found[key], wanted))
}

fn step(run: &Value) -> &Value {
    &run["steps"][run["as"].as_str().unwrap_or_default()]
}

fn of_step(run: &Value, part: &str) -> Result<Value, String> {
    let mut scope = scope(run);
    for (name, step) in run["steps"].as_object().into_iter().flatten() {
        let outputs = step["outputs"].as_object().cloned().unwrap_or_default();
        scope.outputs.insert(name.clone(), outputs.into_iter().collect());
    }
    let tree = step(run).get(part).cloned().unwrap_or_else(|| json!({}));
    let evaluated = evaluate(&Expression::from_tree(&tree), &scope).map_err(|e| e.to_string())?;
    Ok(json!({"value": evaluated.rest.to_shown(), "complete": evaluated.complete()}))
}

fn secret(run: &Value, name: &str) -> Result<Value, String> {
    if let Some(text) = run["secrets"][name].as_str() {
        return Ok(json!({"value": text}));
    }
    let data = run["secrets_base64"][name].as_str().ok_or("no such secret")?;
    let bytes = expression::encoding::decode("base64", data).map_err(|e| e.to_string())?;
    Ok(json!({"value": expression::encoding::to_json(&bytes)}))
}

/// Relay's validation only leaves messages. Here the same comes out of the check.
fn validate(run: &Value) -> Result<Value, String> {
    let step = step(run);
    let image = step["image"].as_str().unwrap_or_default();
    let workflow = json!({"steps": [{"name": "a", "image": image, "spec": step["spec"]}]});
    let mut signatures = Signatures::new();
    if image == "relaysh/kubernetes-step-kubectl:latest" {
        signatures.insert(image.to_owned(), kubectl());
    }
    let options = CheckOptions { allow_missing_plugins: true, ..CheckOptions::default() };
    let checked = check(&SourceFile::new("case.yaml", workflow.to_string()), &signatures, &options);
    let messages = checked.diagnostics.iter().filter(|found| found.is_error()).map(|found| {
        // The one message that these cases have, in the reference's words.
        let name = found.message.split('`').nth(3).unwrap_or_default();
        format!("(root): {name} is required")
    });
    Ok(json!({"step_messages": messages.collect::<Vec<_>>()}))
}

fn kubectl() -> Resolution {
    let manifest: Manifest = serde_json::from_value(json!({
        "schema": 1, "name": "kubectl", "version": "1.0.0", "summary": "For tests",
        "inputs": {"type": "object", "required": ["command"], "properties": {
            "command": {"type": "string"}, "cluster": {"type": "object"}}},
        "outputs": {},
        "connections": {"cluster": {"type": "kubernetes", "from": ["/cluster/connection"],
                                    "reason": "Talks to the cluster", "allow": []}},
    }))
    .expect("a manifest");
    let digest = format!("sha256:{}", "0".repeat(64));
    let pin =
        PluginPin { name: "kubectl".to_owned(), version: "1.0.0".to_owned(), digest, signer: None };
    Resolution::Found(Box::new(Signature { pin, manifest }))
}
