//! The operators of expressions, applied to finished values.
//!
//! Each tries the types in a fixed order, converts texts that are numbers, and refuses the rest.
//! Whether an operand is evaluated at all is decided elsewhere.

use crate::datum::Datum;
use crate::fault::Fault;
use crate::{number, pattern, show};
use std::cmp::Ordering;

/// An operator before its operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prefix {
    Not,
    Negative,
    Complement,
}

/// An operator between two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Infix {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Matches,
    MatchesNot,
    BitAnd,
    BitOr,
    BitXor,
    ShiftLeft,
    ShiftRight,
    Plus,
    Minus,
    Times,
    Divided,
    Remainder,
    Power,
}

/// Each operator as written, and how tight it binds.
const INFIX: &[(&str, Infix, u8)] = &[
    ("||", Infix::Or, 20),
    ("&&", Infix::And, 21),
    ("==", Infix::Equal, 40),
    ("!=", Infix::NotEqual, 40),
    ("<", Infix::Less, 40),
    ("<=", Infix::LessOrEqual, 40),
    (">", Infix::Greater, 40),
    (">=", Infix::GreaterOrEqual, 40),
    ("=~", Infix::Matches, 40),
    ("!~", Infix::MatchesNot, 40),
    ("&", Infix::BitAnd, 60),
    ("|", Infix::BitOr, 60),
    ("^", Infix::BitXor, 60),
    ("<<", Infix::ShiftLeft, 90),
    (">>", Infix::ShiftRight, 90),
    ("+", Infix::Plus, 120),
    ("-", Infix::Minus, 120),
    ("*", Infix::Times, 150),
    ("/", Infix::Divided, 150),
    ("%", Infix::Remainder, 150),
    ("**", Infix::Power, 200),
];

impl Infix {
    /// The operator written as `text`.
    pub(crate) fn named(text: &str) -> Option<Self> {
        INFIX.iter().find(|(name, ..)| *name == text).map(|(_, operator, _)| *operator)
    }

    /// How the operator is written.
    pub(crate) fn symbol(self) -> &'static str {
        INFIX.iter().find(|(_, operator, _)| *operator == self).map_or("", |(name, ..)| name)
    }

    /// 20 to 200; a higher one binds tighter.
    pub(crate) fn precedence(self) -> u8 {
        INFIX.iter().find(|(_, operator, _)| *operator == self).map_or(0, |(.., it)| *it)
    }
}

/// Applies a prefix operator.
pub(crate) fn prefix(prefix: Prefix, operand: &Datum) -> Result<Datum, Fault> {
    let refused = || Fault::Operand(operand.type_name());
    Ok(match prefix {
        Prefix::Not => Datum::Bool(!to_bool(operand).ok_or_else(refused)?),
        Prefix::Negative => Datum::Number(-to_number(operand).ok_or_else(refused)?),
        Prefix::Complement => {
            Datum::Number(!number::to_int(to_number(operand).ok_or_else(refused)?) as f64)
        }
    })
}

/// What the left operand alone decides: `false && …` and `true || …`.
pub(crate) fn short_circuit(infix: Infix, left: &Datum) -> Option<Datum> {
    match (infix, to_bool(left)) {
        (Infix::And, Some(false)) => Some(Datum::Bool(false)),
        (Infix::Or, Some(true)) => Some(Datum::Bool(true)),
        _ => None,
    }
}

/// Applies an infix operator to both operands.
pub(crate) fn infix(infix: Infix, left: &Datum, right: &Datum) -> Result<Datum, Fault> {
    match infix {
        Infix::Or => logical(left, right, |a, b| a || b),
        Infix::And => logical(left, right, |a, b| a && b),
        Infix::Equal => Ok(Datum::Bool(equal(left, right))),
        Infix::NotEqual => Ok(Datum::Bool(!equal(left, right))),
        Infix::Less => compare(left, right, Ordering::is_lt),
        Infix::LessOrEqual => compare(left, right, Ordering::is_le),
        Infix::Greater => compare(left, right, Ordering::is_gt),
        Infix::GreaterOrEqual => compare(left, right, Ordering::is_ge),
        Infix::Matches => matches(left, right).map(Datum::Bool),
        Infix::MatchesNot => matches(left, right).map(|found| Datum::Bool(!found)),
        Infix::BitAnd => integers(left, right, |a, b| a & b),
        Infix::BitOr => integers(left, right, |a, b| a | b),
        Infix::BitXor => integers(left, right, |a, b| a ^ b),
        Infix::ShiftLeft => integers(left, right, |a, b| shift(b, 0, |by| a << by)),
        Infix::ShiftRight => {
            integers(left, right, |a, b| shift(b, if a < 0 { -1 } else { 0 }, |by| a >> by))
        }
        Infix::Plus => plus(left, right),
        Infix::Minus => numeric(left, right, |a, b| a - b),
        Infix::Times => numeric(left, right, |a, b| a * b),
        Infix::Divided => numeric(left, right, |a, b| a / b),
        Infix::Remainder => numeric(left, right, |a, b| a % b),
        Infix::Power => numeric(left, right, f64::powf),
    }
}

fn refused(left: &Datum, right: &Datum) -> Fault {
    Fault::Operands(left.type_name(), right.type_name())
}

/// Numbers, and texts that are one. Booleans and null are none.
pub(crate) fn to_number(datum: &Datum) -> Option<f64> {
    match datum {
        Datum::Number(value) => Some(*value),
        Datum::Text(text) => number::parse(text).ok(),
        _ => None,
    }
}

/// Booleans, null as false, the words `true`/`TRUE`/`false`/`FALSE`, and numbers but 0.
pub(crate) fn to_bool(datum: &Datum) -> Option<bool> {
    match datum {
        Datum::Bool(value) => Some(*value),
        Datum::Null => Some(false),
        Datum::Text(text) if matches!(&**text, "true" | "TRUE") => Some(true),
        Datum::Text(text) if matches!(&**text, "false" | "FALSE") => Some(false),
        other => to_number(other).map(|value| value != 0.0),
    }
}

fn numbers(left: &Datum, right: &Datum) -> Option<(f64, f64)> {
    Some((to_number(left)?, to_number(right)?))
}

/// Both operands of an operator, as they are shown inside a text.
type Shown = (Vec<u8>, Vec<u8>);

/// Both operands as they would be shown; null has no text.
fn texts(left: &Datum, right: &Datum) -> Result<Option<Shown>, Fault> {
    if left.is_null() || right.is_null() {
        return Ok(None);
    }
    Ok(Some((show::bytes(left)?, show::bytes(right)?)))
}

fn numeric(left: &Datum, right: &Datum, apply: fn(f64, f64) -> f64) -> Result<Datum, Fault> {
    let (a, b) = numbers(left, right).ok_or_else(|| refused(left, right))?;
    Ok(Datum::Number(apply(a, b)))
}

fn integers(left: &Datum, right: &Datum, apply: impl Fn(i64, i64) -> i64) -> Result<Datum, Fault> {
    let (a, b) = numbers(left, right).ok_or_else(|| refused(left, right))?;
    Ok(Datum::Number(apply(number::to_int(a), number::to_int(b)) as f64))
}

/// A shift by 64 bits or more, or by less than nothing, leaves only `emptied`.
fn shift(by: i64, emptied: i64, apply: impl Fn(u32) -> i64) -> i64 {
    match u32::try_from(by) {
        Ok(by) if by < 64 => apply(by),
        _ => emptied,
    }
}

fn logical(left: &Datum, right: &Datum, apply: fn(bool, bool) -> bool) -> Result<Datum, Fault> {
    match (to_bool(left), to_bool(right)) {
        (Some(a), Some(b)) => Ok(Datum::Bool(apply(a, b))),
        _ => Err(refused(left, right)),
    }
}

/// `==`: as numbers if both are, else as booleans if both are, else exactly.
fn equal(left: &Datum, right: &Datum) -> bool {
    converted_equal(left, right).unwrap_or_else(|| left == right)
}

/// Whether both are the same number or the same boolean; nothing if they are neither.
pub(crate) fn converted_equal(left: &Datum, right: &Datum) -> Option<bool> {
    if let (Datum::Bool(a), Datum::Bool(b)) = (left, right) {
        return Some(a == b);
    }
    if let Some((a, b)) = numbers(left, right) {
        return Some(a == b);
    }
    Some(to_bool(left)? == to_bool(right)?)
}

fn compare(left: &Datum, right: &Datum, accept: fn(Ordering) -> bool) -> Result<Datum, Fault> {
    let both_texts = left.as_bytes().zip(right.as_bytes());
    let order = match (both_texts, numbers(left, right)) {
        (Some((a, b)), _) => Some(a.cmp(b)),
        (None, Some((a, b))) => a.partial_cmp(&b),
        (None, None) => {
            let (a, b) = texts(left, right)?.ok_or_else(|| refused(left, right))?;
            Some(a.cmp(&b))
        }
    };
    Ok(Datum::Bool(order.is_some_and(accept)))
}

fn plus(left: &Datum, right: &Datum) -> Result<Datum, Fault> {
    let both_texts = left.as_bytes().is_some() && right.as_bytes().is_some();
    if let Some((a, b)) = numbers(left, right).filter(|_| !both_texts) {
        return Ok(Datum::Number(a + b));
    }
    let (mut a, b) = texts(left, right)?.ok_or_else(|| refused(left, right))?;
    if a.len() + b.len() > crate::limits::OUTPUT_BYTES_MAX {
        return Err(Fault::TooLarge);
    }
    a.extend_from_slice(&b);
    Ok(Datum::from_bytes(a))
}

fn matches(left: &Datum, right: &Datum) -> Result<bool, Fault> {
    let (text, expression) = texts(left, right)?.ok_or_else(|| refused(left, right))?;
    pattern::is_match(&String::from_utf8_lossy(&expression), &text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn apply(text: &str, left: Value, right: Value) -> Result<Value, String> {
        let (left, right) = (Datum::from_json(&left).unwrap(), Datum::from_json(&right).unwrap());
        infix(Infix::named(text).unwrap(), &left, &right)
            .and_then(|value| value.to_json())
            .map_err(|fault| fault.to_string())
    }

    #[test]
    fn operators() {
        let refused =
            |a: &str, b: &str| Err(format!("operands of types {a} and {b} are not supported"));
        let cases = [
            ("+", json!(1), json!("2"), Ok(json!(3))),
            ("+", json!("1"), json!("2"), Ok(json!("12"))),
            ("+", json!("a"), json!(1), Ok(json!("a1"))),
            ("+", json!(true), json!(1), Ok(json!("true1"))),
            ("+", json!("a"), json!(null), refused("string", "<nil>")),
            ("-", json!("5"), json!(2), Ok(json!(3))),
            ("/", json!(7), json!(2), Ok(json!(3.5))),
            ("/", json!(1), json!(0), Err("json: unsupported value: +Inf".into())),
            ("%", json!(-7), json!(3), Ok(json!(-1))),
            ("**", json!(2), json!(10), Ok(json!(1024))),
            ("<<", json!(1), json!(64), Ok(json!(0))),
            (">>", json!(-8), json!(99), Ok(json!(-1))),
            ("<<", json!(1), json!(-1), Ok(json!(0))),
            ("&", json!(1.9), json!(1), Ok(json!(1))),
            ("==", json!("10"), json!(10), Ok(json!(true))),
            ("==", json!("1.0"), json!("1"), Ok(json!(true))),
            ("==", json!("nan"), json!("nan"), Ok(json!(false))),
            ("==", json!(null), json!(0), Ok(json!(true))),
            ("==", json!(""), json!(false), Ok(json!(false))),
            ("!=", json!([1]), json!([1.0]), Ok(json!(false))),
            ("<", json!("10"), json!("9"), Ok(json!(true))),
            ("<", json!(10), json!("9"), Ok(json!(false))),
            (">", json!("a"), json!(1), Ok(json!(true))),
            (">", json!(null), json!(1), refused("<nil>", "float64")),
            ("=~", json!("abc"), json!("^b"), Ok(json!(false))),
            ("!~", json!("abc"), json!("^b"), Ok(json!(true))),
            ("&&", json!("TRUE"), json!(1), Ok(json!(true))),
            ("||", json!("True"), json!(1), refused("string", "float64")),
        ];
        for (text, left, right, expected) in cases {
            assert_eq!(apply(text, left.clone(), right.clone()), expected, "{left} {text} {right}");
        }
    }

    #[test]
    fn every_operator_has_a_symbol_of_its_own() {
        for (text, operator, precedence) in INFIX {
            assert_eq!(Infix::named(text), Some(*operator));
            assert_eq!(operator.symbol(), *text);
            assert_eq!(operator.precedence(), *precedence);
        }
    }
}
