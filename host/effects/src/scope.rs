//! What a handle may do: a list of rules, any of which may allow a call.
//!
//! Pure data and comparisons. Rules are written as JSON, in the manifest and for `restrict`;
//! `${inputs.x}` in them is replaced by this step's input before anything is compared, so the
//! handle of one run covers one deployment and not all of them.

pub mod http;
pub mod kubernetes;
mod when;

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
#[derive(Clone, Copy, Debug)]
pub struct Binding<'a>(pub &'a Value);

/// A name in a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// `*`
    Any,
    /// This and no other.
    Literal(String),
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
        let invalid =
            |error: ScopeError| CallError::invalid("scope.invalid", format!("restrict: {error}"));
        let wider = |text: String| {
            CallError::new(
                Reason::Denied,
                "scope.wider",
                format!("restrict can only take away, and this handle does not allow {text}"),
            )
        };
        match self {
            Self::Http(held) => {
                let asked = read(rules, |rule| http::Rule::read(rule, Binding(&nothing)));
                let asked = asked.map_err(invalid)?;
                match asked.iter().find(|rule| !held.iter().any(|h| h.covers(rule))) {
                    Some(rule) => Err(wider(rule.to_json().to_string())),
                    None => Ok(Self::Http(asked)),
                }
            }
            Self::Kubernetes(held) => {
                let asked = read(rules, |rule| kubernetes::Rule::read(rule, Binding(&nothing)));
                let asked = asked.map_err(invalid)?;
                match asked.iter().find(|rule| !rule.is_covered_by(held)) {
                    Some(rule) => Err(wider(rule.to_json().to_string())),
                    None => Ok(Self::Kubernetes(asked)),
                }
            }
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

impl Binding<'_> {
    /// `text` with each `${inputs.path}` replaced by that input.
    fn fill(self, text: &str) -> Result<String, String> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            out.push_str(&rest[..start]);
            let after = &rest[start + 2..];
            let end = after.find('}').ok_or_else(|| format!("`{text}` lacks a `}}`"))?;
            out.push_str(&self.input(&after[..end])?);
            rest = &after[end + 1..];
        }
        out.push_str(rest);
        Ok(out)
    }

    /// The input at a dotted path.
    fn at(&self, path: &str) -> Option<&Value> {
        let pointer: String = path.split('.').map(|part| format!("/{part}")).collect();
        self.0.pointer(&pointer)
    }

    fn input(self, reference: &str) -> Result<String, String> {
        let path = reference
            .strip_prefix("inputs.")
            .ok_or_else(|| format!("`${{{reference}}}` is not of the form `${{inputs.NAME}}`"))?;
        match self.at(path) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(Value::Number(number)) => Ok(number.to_string()),
            Some(_) => Err(format!("the input `{path}` is neither a text nor a number")),
            None => Err(format!("the input `{path}` is not given, and the scope needs it")),
        }
    }
}

impl Pattern {
    /// Reads one name of a rule. Only a `*` written in the rule itself means anything; one
    /// that comes out of an input is refused by `valid`.
    fn read(
        text: &str,
        binding: Binding<'_>,
        valid: impl Fn(&str) -> bool,
    ) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let filled = binding.fill(text)?;
        if valid(&filled) {
            Ok(Self::Literal(filled))
        } else {
            Err(format!("`{}` is not a name here", filled.escape_debug()))
        }
    }

    fn matches(&self, name: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Literal(literal) => literal == name,
        }
    }

    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (Self::Literal(a), Self::Literal(b)) => a == b,
            (Self::Literal(_), Self::Any) => false,
        }
    }

    fn as_str(&self) -> &str {
        match self {
            Self::Any => "*",
            Self::Literal(literal) => literal,
        }
    }
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

/// The refusal of a call: says which rule would have allowed it, in the manifest's form.
pub(crate) fn denied(code: &str, what: &str, rule: &Value) -> CallError {
    CallError::new(
        Reason::Denied,
        code,
        format!(
            "{what} is outside of what this step was granted; the rule that would allow it is {rule}"
        ),
    )
}
