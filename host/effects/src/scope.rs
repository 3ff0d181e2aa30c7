//! What a handle may do: a list of rules, any of which may allow a call.
//!
//! Pure data and comparisons, a small algebra: `matches`, `covers`, `intersect`. Rules are written
//! as JSON, in manifests, in the operator's policy and for `restrict`; `${inputs.x}` in them is
//! replaced by this step's input before anything is compared, so the handle of one run covers one
//! deployment and not all of them. Where an input is not known yet (before the run), it stays as
//! a name that nobody has chosen: narrower than any pattern, equal to no other name.

mod effective;
pub mod http;
pub mod kubernetes;
mod pattern;
#[cfg(test)]
mod properties;
mod when;

pub use effective::{Effective, Party};
pub(crate) use pattern::Pattern;

use crate::{CallError, Reason};
use serde_json::Value;

/// What a handle may do.
#[derive(Clone, Debug, PartialEq)]
pub enum Scope {
    /// Of an HTTP API.
    Http(Vec<http::Rule>),
    /// Of a Kubernetes cluster.
    Kubernetes(Vec<kubernetes::Rule>),
}

/// A rule can't be understood, or its inputs don't fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("scope rule {number}: {message}")]
pub struct ScopeError {
    /// Counts from 1.
    pub number: usize,
    /// What is wrong.
    pub message: String,
}

/// The inputs that `${inputs.x}` stands for.
#[derive(Clone, Copy)]
pub struct Binding<'a> {
    inputs: &'a Value,
    unknown: &'a dyn Fn(&str) -> bool,
}

/// What a text of a rule comes to.
#[derive(Debug, PartialEq, Eq)]
enum Filled {
    /// Every input in it is known.
    Known(String),
    /// At least one is not; the text is as written.
    Unknown(String),
}

impl Scope {
    /// Reads rules of an HTTP API, without those whose `when` does not hold.
    ///
    /// # Errors
    ///
    /// [`ScopeError`] for the first rule that can't be understood.
    pub fn http(rules: &[Value], binding: Binding<'_>) -> Result<Self, ScopeError> {
        bind(rules, binding, |rule| http::Rule::read(rule, binding)).map(Self::Http)
    }

    /// Reads rules of a Kubernetes cluster, without those whose `when` does not hold.
    ///
    /// # Errors
    ///
    /// [`ScopeError`] for the first rule that can't be understood.
    pub fn kubernetes(rules: &[Value], binding: Binding<'_>) -> Result<Self, ScopeError> {
        bind(rules, binding, |rule| kubernetes::Rule::read(rule, binding)).map(Self::Kubernetes)
    }

    /// The weaker scope that `rules` describe.
    ///
    /// # Errors
    ///
    /// `invalid` when they can't be understood, `denied` when one allows anything that this scope
    /// does not. Whoever asks for several verbs in one rule may hold them by several.
    pub fn restrict(&self, rules: &[Value]) -> Result<Self, CallError> {
        let nothing = Value::Object(serde_json::Map::new());
        let none = Binding::all(&nothing);
        let invalid =
            |error: ScopeError| CallError::invalid("scope.invalid", format!("restrict: {error}"));
        // A handle has no inputs, so a rule with a condition is refused.
        let asked = match self {
            Self::Http(_) => read(rules, |rule| http::Rule::read(rule, none)).map(Self::Http),
            Self::Kubernetes(_) => {
                read(rules, |rule| kubernetes::Rule::read(rule, none)).map(Self::Kubernetes)
            }
        };
        let asked = asked.map_err(invalid)?;
        match self.wider_in(&asked) {
            Some(rule) => Err(CallError::new(
                Reason::Denied,
                "scope.wider",
                format!("restrict can only take away, and this handle does not allow {rule}"),
            )),
            None => Ok(asked),
        }
    }

    /// The first rule of `other` that allows anything which this scope does not, as JSON. May
    /// name one that several rules of this scope allow together, and never misses one.
    #[must_use]
    pub fn wider_in(&self, other: &Self) -> Option<Value> {
        match (self, other) {
            (Self::Http(held), Self::Http(asked)) => asked
                .iter()
                .find(|rule| !held.iter().any(|held| held.covers(rule)))
                .map(http::Rule::to_json),
            (Self::Kubernetes(held), Self::Kubernetes(asked)) => {
                asked.iter().find(|rule| !rule.is_covered_by(held)).map(kubernetes::Rule::to_json)
            }
            (_, Self::Http(asked)) => asked.first().map(http::Rule::to_json),
            (_, Self::Kubernetes(asked)) => asked.first().map(kubernetes::Rule::to_json),
        }
    }

    /// What both allow.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Http(a), Self::Http(b)) => Self::Http(meet(a, b, http::Rule::meet)),
            (Self::Kubernetes(a), Self::Kubernetes(b)) => {
                Self::Kubernetes(meet(a, b, kubernetes::Rule::meet))
            }
            (Self::Http(_), _) => Self::Http(Vec::new()),
            (Self::Kubernetes(_), _) => Self::Kubernetes(Vec::new()),
        }
    }

    /// Whether it allows nothing at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Http(rules) => rules.is_empty(),
            Self::Kubernetes(rules) => rules.is_empty(),
        }
    }

    /// The rules as JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        Value::Array(match self {
            Self::Http(rules) => rules.iter().map(http::Rule::to_json).collect(),
            Self::Kubernetes(rules) => rules.iter().map(kubernetes::Rule::to_json).collect(),
        })
    }
}

impl<'a> Binding<'a> {
    /// All inputs are there; one that is missing is missing.
    #[must_use]
    pub fn all(inputs: &'a Value) -> Self {
        Self { inputs, unknown: &|_pointer| false }
    }

    /// Some inputs are not known yet: those for whose JSON pointer `unknown` says so.
    #[must_use]
    pub fn partly(inputs: &'a Value, unknown: &'a dyn Fn(&str) -> bool) -> Self {
        Self { inputs, unknown }
    }

    /// `text` with each `${inputs.path}` replaced by that input; None while one is not known.
    ///
    /// # Errors
    ///
    /// What is wrong with a reference, in words.
    pub fn text(self, text: &str) -> Result<Option<String>, String> {
        Ok(match self.fill(text)? {
            Filled::Known(text) => Some(text),
            Filled::Unknown(_) => None,
        })
    }

    /// `text` with each `${inputs.path}` replaced by that input.
    fn fill(self, text: &str) -> Result<Filled, String> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            out.push_str(&rest[..start]);
            let after = &rest[start + 2..];
            let end = after.find('}').ok_or_else(|| format!("`{text}` lacks a `}}`"))?;
            match self.input(&after[..end])? {
                Some(input) => out.push_str(&input),
                None => return Ok(Filled::Unknown(text.to_owned())),
            }
            rest = &after[end + 1..];
        }
        out.push_str(rest);
        Ok(Filled::Known(out))
    }

    /// The input at a dotted path; the outer None when it is not known yet.
    fn at(&self, path: &str) -> Option<Option<&'a Value>> {
        let pointer = pointer(path);
        if (self.unknown)(&pointer) {
            return None;
        }
        Some(self.inputs.pointer(&pointer))
    }

    fn input(self, reference: &str) -> Result<Option<String>, String> {
        let path = reference
            .strip_prefix("inputs.")
            .ok_or_else(|| format!("`${{{reference}}}` is not of the form `${{inputs.NAME}}`"))?;
        match self.at(path) {
            None => Ok(None),
            Some(Some(Value::String(text))) => Ok(Some(text.clone())),
            Some(Some(Value::Number(number))) => Ok(Some(number.to_string())),
            Some(Some(_)) => Err(format!("the input `{path}` is neither a text nor a number")),
            Some(None) => Err(format!("the input `{path}` is not given, and the scope needs it")),
        }
    }
}

impl std::fmt::Debug for Binding<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Inputs may be large, and may be anybody's.
        f.write_str("Binding(…)")
    }
}

/// The JSON pointer of a dotted path.
fn pointer(path: &str) -> String {
    path.split('.').map(|part| format!("/{part}")).collect()
}

/// What each pair of rules allows together.
fn meet<T>(a: &[T], b: &[T], both: impl Fn(&T, &T) -> Option<T>) -> Vec<T>
where
    T: PartialEq,
{
    let mut rules = Vec::new();
    for one in a {
        for other in b {
            if let Some(rule) = both(one, other)
                && !rules.contains(&rule)
            {
                rules.push(rule);
            }
        }
    }
    rules
}

/// Reads the rules whose `when` holds for these inputs. Those that are left out are numbered, too.
fn bind<T>(
    rules: &[Value],
    binding: Binding<'_>,
    one: impl Fn(&Value) -> Result<T, String>,
) -> Result<Vec<T>, ScopeError> {
    let bound = read(rules, |rule| match when::split(rule, binding)? {
        Some(rule) => one(&rule).map(Some),
        None => Ok(None),
    })?;
    Ok(bound.into_iter().flatten().collect())
}

fn read<T>(
    rules: &[Value],
    one: impl Fn(&Value) -> Result<T, String>,
) -> Result<Vec<T>, ScopeError> {
    let numbered = rules.iter().enumerate();
    numbered
        .map(|(index, rule)| one(rule).map_err(|message| ScopeError { number: index + 1, message }))
        .collect()
}

/// The refusal of a call: holds the rule that would have allowed it, in the manifest's form.
pub(crate) fn denied(code: &str, what: &str, rule: Value) -> CallError {
    let message = format!(
        "{what} is outside of what this step was granted; the rule that would allow it is {rule}"
    );
    let mut error = CallError::new(Reason::Denied, code, message);
    error.missing_rule = Some(Box::new(rule));
    error
}

/// A rule's number, from 1.
pub(crate) fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX).saturating_add(1)
}
