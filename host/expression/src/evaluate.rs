//! An expression and a scope to a value, or to what is left of the expression.
//!
//! Pure: the same expression and scope give the same result. What a reference or a function
//! returns is inert; nothing is ever evaluated twice.

mod call;
mod machine;
mod node;
mod path;
mod terms;
mod tree;

pub(crate) use call::Arguments;
pub(crate) use machine::Machine;
pub(crate) use node::{Level, Node};
pub(crate) use path::select;

use crate::references::References;
use crate::scope::Scope;
use crate::{EvaluateError, Expression};
use serde_json::Value;

/// What an expression came to.
#[derive(Clone, Debug)]
pub struct Evaluated {
    /// What is left: a literal when everything was found, else the expression with what was
    /// found filled in.
    pub rest: Expression,
    /// What was not found.
    pub unresolved: References,
    /// What was found and used.
    pub resolved: References,
}

impl Evaluated {
    /// Whether everything was found.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.unresolved.is_empty()
    }

    /// The value, if everything was found.
    #[must_use]
    pub fn value(&self) -> Option<&Value> {
        if self.complete() { self.rest.as_literal() } else { None }
    }
}

/// Evaluates `expression` with what `scope` has.
///
/// ```
/// use expression::{Expression, Scope, evaluate};
/// use serde_json::json;
/// let greeting = Expression::from_tree(&json!("hello ${parameters.name}"));
/// let mut scope = Scope::default();
/// assert!(!evaluate(&greeting, &scope).unwrap().complete());
/// scope.parameters.insert("name".into(), json!("${not.evaluated}"));
/// let evaluated = evaluate(&greeting, &scope).unwrap();
/// assert_eq!(evaluated.value(), Some(&json!("hello ${not.evaluated}")));
/// ```
///
/// # Errors
///
/// [`EvaluateError`] for the first mistake: an unknown key, a wrong type, a limit. Something
/// that is only not there yet is no error.
pub fn evaluate(expression: &Expression, scope: &Scope) -> Result<Evaluated, EvaluateError> {
    evaluate_levels(expression, scope, usize::MAX)
}

/// Evaluates only the outermost `levels` of lists and mappings; what is deeper stays as written.
///
/// # Errors
///
/// As [`evaluate`].
pub fn evaluate_levels(
    expression: &Expression,
    scope: &Scope,
    levels: usize,
) -> Result<Evaluated, EvaluateError> {
    let machine = Machine::new(scope);
    let outcome = machine.tree(expression, levels)?;
    let rest = outcome.part.into_expression(&machine)?;
    let (resolved, unresolved) = outcome.trace.into_parts();
    Ok(Evaluated { rest, unresolved, resolved })
}
