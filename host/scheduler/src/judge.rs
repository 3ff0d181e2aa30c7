//! What a step's expressions come to, and what that means for the step.
//!
//! The only file here that evaluates. Secrets have no value in it, and a connection is a
//! marker without a credential: what the journal and the runner get can't hold any.

use crate::state::Standing;
use expression::condition::{self, Condition};
use expression::{Expression, References, Scope, StepFacts, evaluate};
use jiff::Timestamp;
use journal::Failure;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use workflow::{PlannedStep, StepKind, StepName};

/// The most characters of a condition that a reason repeats.
const SHOWN_CHARACTERS_MAX: usize = 120;

/// A step's expressions, read once.
pub(crate) struct Judge {
    step: String,
    when: Expression,
    conditions: Vec<(Value, Expression)>,
    spec: Expression,
    connections: BTreeSet<(String, String)>,
}

/// What is to become of a step whose predecessors have ended.
pub(crate) enum Verdict {
    /// It may run with these inputs, an object.
    Ready(Value),
    /// A person must say yes or no first.
    Person,
    /// A person has said yes.
    Passed,
    /// Something that it needs may still come.
    NotYet,
    Skip(String),
    Fail(Failure),
}

/// What expressions may refer to, kept up to date with the run.
pub(crate) struct Facts {
    scope: Scope,
    standings: HashMap<String, Standing>,
    /// Steps of a plan whose outputs come from a write that was not made.
    unmade: HashSet<String>,
}

impl Judge {
    pub(crate) fn new(planned: &PlannedStep) -> Self {
        let spec = match &planned.spec {
            Value::Null => Value::Object(Map::new()),
            spec => spec.clone(),
        };
        let each = planned.when.iter().map(|tree| (tree.clone(), Expression::from_tree(tree)));
        let spec = Expression::from_tree(&spec);
        Self {
            step: planned.name.to_string(),
            when: Expression::from_tree(&together(&planned.when)),
            conditions: each.collect(),
            connections: spec.references().connections,
            spec,
        }
    }

    /// The connections that the spec refers to in so many words, by type and name.
    pub(crate) fn connections(&self) -> &BTreeSet<(String, String)> {
        &self.connections
    }

    pub(crate) fn judge(&self, kind: StepKind, facts: &Facts) -> Verdict {
        match condition::decide(&self.when, &facts.scope) {
            Condition::Satisfied => {}
            Condition::NotSatisfied => return Verdict::Skip(self.why_not(facts)),
            Condition::Waiting(references) => {
                return facts.missing(&self.step, kind, "its `when`", &references);
            }
            Condition::Wrong(problem) => {
                let message = format!("its `when` can't be decided: {problem}");
                return Verdict::Fail(Failure::permanent("when.error", message));
            }
        }
        match kind {
            StepKind::Approval if facts.is_answered(&self.step) => Verdict::Passed,
            StepKind::Approval => Verdict::Person,
            StepKind::Container => self.inputs(facts),
        }
    }

    fn inputs(&self, facts: &Facts) -> Verdict {
        let fail = |code: &str, message: String| Verdict::Fail(Failure::permanent(code, message));
        match evaluate(&self.spec, &facts.scope) {
            Err(error) => fail("inputs.error", format!("its inputs can't be computed: {error}")),
            Ok(evaluated) => match evaluated.value() {
                Some(inputs @ Value::Object(_)) => Verdict::Ready(inputs.clone()),
                Some(_) => {
                    let message = "its `spec` came to something else than a mapping of inputs";
                    fail("inputs.not-a-mapping", message.to_owned())
                }
                None => {
                    let kind = StepKind::Container;
                    facts.missing(&self.step, kind, "its `spec`", &evaluated.unresolved)
                }
            },
        }
    }

    /// Who or what made the condition false.
    fn why_not(&self, facts: &Facts) -> String {
        let no = |(_, condition): &&(Value, Expression)| {
            matches!(condition::decide(condition, &facts.scope), Condition::NotSatisfied)
        };
        let Some((tree, condition)) = self.conditions.iter().find(no) else {
            return "its condition is not met".to_owned();
        };
        let blamed = condition.references().statuses.into_iter().find_map(|(step, property)| {
            let standing = facts.standings.get(&step).copied()?;
            (property == "succeeded").then(|| ended(&step, standing)).flatten()
        });
        match blamed {
            Some(blamed) => format!("it comes after {blamed}"),
            None => format!("its condition is not met: {}", shown(tree)),
        }
    }
}

impl Facts {
    pub(crate) fn new<'a>(
        parameters: BTreeMap<String, Value>,
        judges: impl Iterator<Item = &'a Judge>,
    ) -> Self {
        let mut scope = Scope { parameters, ..Scope::default() };
        let mut standings = HashMap::new();
        for judge in judges {
            standings.insert(judge.step.clone(), Standing::Pending);
            for (kind, name) in &judge.connections {
                let marker = json!({ "connection": { "type": kind, "name": name } });
                scope.connections.entry(kind.clone()).or_default().insert(name.clone(), marker);
            }
        }
        Self { scope, standings, unmade: HashSet::new() }
    }

    /// What people said to the question of `step`.
    pub(crate) fn answer(&mut self, step: &StepName, verdict: journal::Verdict) {
        let word = match verdict {
            journal::Verdict::Approved => "approved",
            _ => "rejected",
        };
        let answers = self.scope.answers.entry(step.to_string()).or_default();
        answers.insert("approval".to_owned(), json!(word));
    }

    fn is_answered(&self, step: &str) -> bool {
        self.scope.answers.contains_key(step)
    }

    /// What the step gives can't be known: a plan does not make its write.
    pub(crate) fn unmade(&mut self, step: &StepName) {
        self.unmade.insert(step.to_string());
    }

    /// What is known of the step does not hold any more.
    pub(crate) fn forget(&mut self, step: &StepName) {
        self.scope.outputs.remove(step.as_str());
        self.scope.answers.remove(step.as_str());
    }

    /// What `now()` is in the evaluations that follow, in milliseconds since 1970.
    pub(crate) fn set_now(&mut self, at: i64) {
        self.scope.now = Timestamp::from_millisecond(at).ok();
    }

    pub(crate) fn outputs(&mut self, step: &StepName, outputs: &Map<String, Value>) {
        let by_name = outputs.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        self.scope.outputs.insert(step.to_string(), by_name);
    }

    pub(crate) fn stand(&mut self, step: &StepName, standing: Standing) {
        self.standings.insert(step.to_string(), standing);
        let (failed, skipped, succeeded) = match standing {
            Standing::Pending => (None, None, None),
            Standing::Running | Standing::Interrupted | Standing::Waiting | Standing::Unknown => {
                (None, Some(false), None)
            }
            Standing::Succeeded => (Some(false), Some(false), Some(true)),
            Standing::Failed => (Some(true), Some(false), Some(false)),
            Standing::Skipped => (Some(false), Some(true), Some(false)),
        };
        self.scope.steps.insert(step.to_string(), StepFacts { failed, skipped, succeeded });
    }

    /// What it means for `step` that `place` (for people: `its spec`) refers to things without
    /// a value.
    ///
    /// What may still come is waited for. Else it matters most that another step was left out
    /// or failed, since then this one could not have run anyway.
    fn missing(&self, step: &str, kind: StepKind, place: &str, absent: &References) -> Verdict {
        if kind == StepKind::Approval && absent.answers.iter().any(|(asks, _)| asks == step) {
            return Verdict::Person;
        }
        let may_come = |other: &str| {
            let standing = self.standings.get(other);
            other != step && standing.is_some_and(|standing| !standing.is_settled())
        };
        let steps = absent.outputs.iter().map(|(from, _)| from);
        let steps = steps.chain(absent.statuses.iter().map(|(of, _)| of));
        let mut steps = steps.chain(absent.answers.iter().map(|(asks, _)| asks));
        if steps.any(|other| may_come(other)) {
            return Verdict::NotYet;
        }
        let gone = absent.outputs.iter().find_map(|(from, name)| {
            let standing = self.standings.get(from).copied()?;
            Some(format!("it needs {} of {}", output(name.as_deref()), ended(from, standing)?))
        });
        let unmade = absent.outputs.iter().find_map(|(from, name)| {
            let output = output(name.as_deref());
            self.unmade
                .contains(from)
                .then(|| format!("it needs {output} of `{from}`, whose write a plan does not make"))
        });
        match gone.or(unmade) {
            Some(reason) => Verdict::Skip(reason),
            None => Verdict::Fail(self.never(place, absent)),
        }
    }

    /// The first thing that will never have a value, and what to do about it.
    fn never(&self, place: &str, absent: &References) -> Failure {
        let fail = Failure::permanent;
        if let Some((from, name)) = absent.outputs.first() {
            let output = output(name.as_deref());
            let message = match self.standings.get(from) {
                Some(Standing::Succeeded) => {
                    format!("{place} needs {output} of `{from}`, which ended without setting it")
                }
                Some(_) => {
                    format!("{place} needs {output} of `{from}`, which can't come before it")
                }
                None => format!("{place} needs {output} of `{from}`, and there is no such step"),
            };
            return fail("output.missing", message);
        }
        if let Some(name) = absent.parameters.first() {
            let message = format!(
                "{place} needs the parameter `{name}`, which has no value; \
                 start the run with `-p {name}=VALUE` or give it a default"
            );
            return fail("parameter.missing", message);
        }
        if let Some(name) = absent.secrets.first() {
            let message = format!(
                "{place} needs the secret `{name}`, but steps get no secrets; \
                 let the step use a connection, which holds the secret for it"
            );
            return fail("secret.not-given", message);
        }
        if let Some((kind, name)) = absent.connections.first() {
            let message = format!(
                "{place} chooses the connection `{kind}/{name}` while it runs; \
                 write it out as `!Connection`, so that it can be granted before"
            );
            return fail("connection.not-granted", message);
        }
        if let Some((step, property)) = absent.statuses.first() {
            let message = format!(
                "{place} asks for `{property}` of the step `{step}`, which nobody will ever know; \
                 a step has `succeeded`, `failed` and `skipped`"
            );
            return fail("status.missing", message);
        }
        if let Some((step, _)) = absent.answers.first() {
            let message = format!("{place} needs the answer of `{step}`, which only `{step}` gets");
            return fail("answer.missing", message);
        }
        let message = format!("{place} needs something that only a trigger has");
        fail("data.missing", message)
    }
}

/// The conditions as one tree. An expression that stands alone may come to a list of booleans,
/// which it may not inside of a list.
fn together(when: &[Value]) -> Value {
    match when {
        [alone @ (Value::String(_) | Value::Object(_))] => alone.clone(),
        all => Value::Array(all.to_vec()),
    }
}

/// `` `undo`, which failed ``; None if nothing is wrong with it.
fn ended(step: &str, standing: Standing) -> Option<String> {
    match standing {
        Standing::Failed => Some(format!("`{step}`, which failed")),
        Standing::Skipped => Some(format!("`{step}`, which was skipped")),
        Standing::Pending
        | Standing::Running
        | Standing::Interrupted
        | Standing::Waiting
        | Standing::Unknown
        | Standing::Succeeded => None,
    }
}

fn output(name: Option<&str>) -> String {
    name.map_or_else(|| "the outputs".to_owned(), |name| format!("the output `{name}`"))
}

/// The condition as its author may recognise it.
fn shown(tree: &Value) -> String {
    let text = match tree {
        Value::String(text) => text.clone(),
        tree => tree.to_string(),
    };
    match text.char_indices().nth(SHOWN_CHARACTERS_MAX) {
        Some((end, _)) => format!("`{}…`", &text[..end]),
        None => format!("`{text}`"),
    }
}
