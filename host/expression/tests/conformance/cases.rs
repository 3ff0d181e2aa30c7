//! How each kind of conformance case about expressions is run.
//!
//! Included by other rooms' tests with `#[path]`; it uses only what the crate `expression` shows.

use expression::condition::{self, Condition};
use expression::query::{self, Functions, Language};
use expression::schedule::Schedule;
use expression::status::{self, StepStatus, Ternary, WhenStatus};
use expression::{Evaluated, Expression, References, Scope, StepFacts, encoding, evaluate, script};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// How a case passed.
pub(crate) enum Passed {
    /// With the same value or message.
    Exactly,
    /// With a message of the same class but other words.
    OtherWords(String),
}

type Outcome = Result<Passed, String>;

/// The case's stable name.
pub(crate) fn id(case: &Value) -> &str {
    case["id"].as_str().unwrap_or("?")
}

/// Runs a case; nothing if it is not about expressions.
pub(crate) fn run(case: &Value) -> Option<Outcome> {
    Some(match case["kind"].as_str()? {
        "template" | "expr-json" => run_tree(case, case["input"].clone()),
        "function" => run_tree(case, call_of(&case["input"])),
        "query" | "jsonpath" | "jsonpath-template" => run_query(case),
        "conditions" => run_conditions(case),
        "cron" => run_cron(case),
        "encoding" => run_encoding(case),
        "effective-when" => run_effective_when(case),
        "step-status" => run_step_status(case),
        "run-status" => run_run_status(case),
        "script-for-input" => {
            same(&case["expected"]["value"], &json!(script::for_input(&texts(&case["input"]))))
        }
        _ => return None,
    })
}

/// The scope that a case's `environment` describes.
pub(crate) fn scope(environment: &Value) -> Scope {
    let flat = |name: &str| -> BTreeMap<String, Value> {
        let fields = environment[name].as_object().cloned().unwrap_or_default();
        fields.into_iter().collect()
    };
    let nested = |name: &str| -> BTreeMap<String, BTreeMap<String, Value>> {
        let inner = |value: Value| value.as_object().cloned().unwrap_or_default();
        flat(name).into_iter().map(|(k, v)| (k, inner(v).into_iter().collect())).collect()
    };
    let facts = |value: Value| StepFacts {
        failed: value["failed"].as_bool(),
        skipped: value["skipped"].as_bool(),
        succeeded: value["succeeded"].as_bool(),
    };
    Scope {
        parameters: flat("parameters"),
        secrets: flat("secrets"),
        connections: nested("connections"),
        outputs: nested("outputs"),
        answers: nested("answers"),
        steps: flat("steps").into_iter().map(|(name, value)| (name, facts(value))).collect(),
        data: flat("data"),
        default_data: environment["default_data"].as_str().map(str::to_owned),
        // Without a time in the case its result does not depend on one.
        now: environment["now"].as_str().unwrap_or("2021-05-31T00:00:00Z").parse().ok(),
        ..Scope::default()
    }
}

fn run_tree(case: &Value, tree: Value) -> Outcome {
    let expression = Expression::from_tree(&tree);
    let scope = scope(&case["environment"]);
    let evaluated = match case["depth"].as_u64() {
        Some(levels) => {
            let levels = usize::try_from(levels).map_err(|error| error.to_string())?;
            expression::evaluate::evaluate_levels(&expression, &scope, levels)
        }
        None => evaluate(&expression, &scope),
    };
    let found = evaluated.map(|Evaluated { rest, unresolved, resolved }| Found {
        value: rest.to_shown(),
        unresolved,
        resolved,
    });
    judge(case, &expression, found.map_err(|error| Mistake::from(&error)))
}

fn call_of(input: &Value) -> Value {
    let name = input["function"].as_str().unwrap_or_default();
    let arguments = input.get("args").or_else(|| input.get("kwargs")).cloned();
    json!({format!("$fn.{name}"): arguments})
}

fn run_query(case: &Value) -> Outcome {
    let tree = Expression::from_tree(&case["input"]);
    let language: Language = case["lang"]
        .as_str()
        .unwrap_or_default()
        .parse()
        .map_err(|error: query::LanguageError| error.to_string())?;
    let functions = if case["functions"] == json!(true) { Functions::All } else { Functions::None };
    let text = case["query"].as_str().unwrap_or_default();
    let queried = query::query(&tree, &scope(&case["environment"]), language, text, functions);
    let found = queried.map(|queried| Found {
        value: queried.value,
        unresolved: queried.unresolved,
        resolved: queried.resolved,
    });
    judge(case, &tree, found.map_err(|error| Mistake::from(&error)))
}

struct Found {
    value: Value,
    unresolved: References,
    resolved: References,
}

struct Mistake {
    message: String,
    class: &'static str,
}

impl From<&expression::EvaluateError> for Mistake {
    fn from(error: &expression::EvaluateError) -> Self {
        Self { message: error.to_string(), class: error.class().name() }
    }
}

fn judge(case: &Value, tree: &Expression, found: Result<Found, Mistake>) -> Outcome {
    let expected = &case["expected"];
    if case.get("advice").is_some() {
        return judge_safety(expected, tree, found);
    }
    // A few cases tell apart what the upstream library and what Relay does with it.
    let expected = case.get("differs_through_relay").unwrap_or(expected);
    let found = match (found, expected.get("error")) {
        (Ok(found), None) => found,
        (Ok(found), Some(error)) => {
            return Err(format!("{} instead of error {error}", found.value));
        }
        (Err(mistake), None) => return Err(format!("error {}", mistake.message)),
        (Err(mistake), Some(_)) => return judge_mistake(expected, &mistake),
    };
    let (value, wanted) = (shuffled(case, &found.value), shuffled(case, &expected["value"]));
    if !alike(&value, &wanted) {
        return Err(format!("{} instead of {}", found.value, expected["value"]));
    }
    if case["complete"].as_bool().is_some_and(|complete| complete != found.unresolved.is_empty()) {
        return Err(format!("complete is not {}", case["complete"]));
    }
    for (name, references) in [("unresolvable", &found.unresolved), ("resolved", &found.resolved)] {
        let Some(wanted) = case.get(name) else { continue };
        let listed = references.to_json();
        if sorted_lists(&listed) != sorted_lists(wanted) {
            return Err(format!("{name} {listed} instead of {wanted}"));
        }
    }
    Ok(Passed::Exactly)
}

/// The reference evaluates here what came from outside. We must not: another value than the
/// reference's, and nothing looked up that the tree does not name.
fn judge_safety(expected: &Value, tree: &Expression, found: Result<Found, Mistake>) -> Outcome {
    let found = found.map_err(|mistake| format!("error {}", mistake.message))?;
    if expected.get("value") == Some(&found.value) {
        return Err(format!("{} was evaluated twice", found.value));
    }
    let named = tree.references();
    if !found.resolved.secrets.is_subset(&named.secrets)
        || !found.resolved.connections.is_subset(&named.connections)
    {
        return Err(format!("{} was looked up", found.resolved.to_json()));
    }
    Ok(Passed::Exactly)
}

fn judge_mistake(expected: &Value, mistake: &Mistake) -> Outcome {
    let wanted = expected["error"].as_str().unwrap_or_default();
    if mistake.message.contains(wanted) {
        return Ok(Passed::Exactly);
    }
    let class = expected["error_class"].as_str().unwrap_or_default();
    if class == mistake.class {
        return Ok(Passed::OtherWords(format!("`{}` for `{wanted}`", mistake.message)));
    }
    Err(format!("{} error `{}` instead of {class} `{wanted}`", mistake.class, mistake.message))
}

fn run_conditions(case: &Value) -> Outcome {
    let when = Expression::from_tree(&case["input"]);
    let expected = &case["expected"];
    let (resolved, success) = match condition::decide(&when, &scope(&case["environment"])) {
        Condition::Satisfied => (true, true),
        Condition::NotSatisfied => (true, false),
        Condition::Waiting(_) => (false, false),
        Condition::Wrong(message) => {
            return match expected["error"].as_str() {
                Some(wanted) if message.contains(wanted) => Ok(Passed::Exactly),
                Some(wanted) => Err(format!("error `{message}` instead of `{wanted}`")),
                None => Err(format!("error `{message}`")),
            };
        }
    };
    same(&expected["value"], &json!({"resolved": resolved, "success": success}))
}

fn run_cron(case: &Value) -> Outcome {
    let expected = &case["expected"];
    let now = scope(&case["environment"]).now.ok_or("a cron case needs a time")?;
    match Schedule::parse(case["input"].as_str().unwrap_or_default()) {
        Ok(schedule) => {
            let next = schedule.next_after(now).map(|next| next.to_string());
            same(&expected["next"], &json!(next))
        }
        Err(error) => match expected["error"].as_str() {
            Some(wanted) if error.to_string().contains(wanted) => Ok(Passed::Exactly),
            Some(wanted) => Err(format!("error `{error}` instead of `{wanted}`")),
            None => Err(format!("error `{error}`")),
        },
    }
}

fn run_encoding(case: &Value) -> Outcome {
    let (input, expected) = (&case["input"], &case["expected"]);
    let is_json = input["format"] == json!("json");
    if let Some(bytes) = input.get("bytes") {
        let bytes = bytes_of(bytes)?;
        let written = if is_json {
            encoding::to_json(&bytes)
        } else {
            Value::String(encoding::to_transfer(&bytes))
        };
        return same(&expected["value"], &written);
    }
    let decoded = if is_json {
        encoding::from_json(&input["decode"])
    } else {
        encoding::from_transfer(input["decode"].as_str().unwrap_or_default())
    };
    match (decoded, expected["error"].as_str()) {
        (Ok(bytes), None) if bytes == bytes_of(&expected["value"])? => Ok(Passed::Exactly),
        (Err(error), Some(wanted)) if error.to_string().contains(wanted) => Ok(Passed::Exactly),
        (other, _) => Err(format!("{other:?} instead of {expected}")),
    }
}

fn bytes_of(value: &Value) -> Result<Vec<u8>, String> {
    let text = value["base64"].as_str().ok_or("bytes are given in base64")?;
    encoding::decode("base64", text).map_err(|error| error.to_string())
}

fn run_effective_when(case: &Value) -> Outcome {
    let input = &case["input"];
    let conditions = condition::effective(&input["when"], &texts(&input["dependsOn"]));
    let mut found = conditions.clone();
    let mut wanted = case["expected"]["value"].as_array().cloned().unwrap_or_default();
    if case["unordered_tail"] == json!(true) {
        found.sort_by_key(Value::to_string);
        wanted.sort_by_key(Value::to_string);
    }
    same(&json!(wanted), &json!(found))
}

fn run_step_status(case: &Value) -> Outcome {
    let input = &case["input"];
    let when = match input["when_condition"].as_str() {
        Some("WhenConditionEvaluating") => WhenStatus::Evaluating,
        Some("WhenConditionSatisfied") => WhenStatus::Satisfied,
        Some("WhenConditionNotSatisfied") => WhenStatus::NotSatisfied,
        Some("WhenConditionFailure") => WhenStatus::Failure,
        _ => WhenStatus::Unknown,
    };
    let exit_code = input["exit_code"].as_i64().and_then(|code| i32::try_from(code).ok());
    let status = status::step(when, exit_code);
    let fact = |fact: Option<bool>| fact.map_or(json!("unresolved"), Value::Bool);
    let found = json!({
        "steps": {
            "failed": fact(status.facts.failed),
            "skipped": fact(status.facts.skipped),
            "succeeded": fact(status.facts.succeeded),
        },
        "conditions": {
            "Completed": status.completed.name(),
            "Skipped": status.skipped.name(),
            "Succeeded": status.succeeded.name(),
        },
    });
    same(&case["expected"]["value"], &found)
}

fn run_run_status(case: &Value) -> Outcome {
    let steps: Vec<StepStatus> =
        case["input"]["steps"].as_array().into_iter().flatten().map(step_status).collect();
    let status = status::run(&steps, case["input"]["cancelled"] == json!(true));
    let found = json!({
        "Completed": status.completed.name(),
        "Succeeded": status.succeeded.name(),
        "Cancelled": status.cancelled.name(),
    });
    same(&case["expected"]["value"], &found)
}

fn step_status(step: &Value) -> StepStatus {
    let ternary = |name: &str| match step[name].as_str() {
        Some("True") => Ternary::True,
        Some("False") => Ternary::False,
        _ => Ternary::Unknown,
    };
    StepStatus {
        facts: StepFacts::default(),
        completed: ternary("Completed"),
        skipped: ternary("Skipped"),
        succeeded: ternary("Succeeded"),
    }
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn same(expected: &Value, found: &Value) -> Outcome {
    if alike(expected, found) {
        Ok(Passed::Exactly)
    } else {
        Err(format!("{found} instead of {expected}"))
    }
}

/// Equal, numbers by their value.
pub(crate) fn alike(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| alike(a, b)))
        }
        _ => a == b,
    }
}

/// The value in an order that does not depend on the order of a mapping's keys, where a case
/// says that it may.
fn shuffled(case: &Value, value: &Value) -> Value {
    if case["unordered"] == json!(true) {
        return sorted_numbers(value);
    }
    match value.as_str() {
        Some(text) if case["unordered_words"] == json!(true) => {
            let mut words: Vec<&str> = text.split_whitespace().collect();
            words.sort_unstable();
            json!(words)
        }
        _ => value.clone(),
    }
}

fn sorted_numbers(value: &Value) -> Value {
    let as_float = |value: &Value| value.as_f64().map_or_else(|| value.clone(), |f| json!(f));
    match value {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(as_float).collect();
            items.sort_by_key(Value::to_string);
            Value::Array(items)
        }
        other => other.clone(),
    }
}

fn sorted_lists(references: &Value) -> Map<String, Value> {
    let kinds = references.as_object().cloned().unwrap_or_default();
    kinds.into_iter().map(|(kind, ids)| (kind, sorted_numbers(&ids))).collect()
}
