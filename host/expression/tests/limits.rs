//! The bounds of evaluation hold, and what is just inside of them works on an ordinary stack.

use expression::limits::DEPTH_MAX;
use expression::{Class, Expression, Scope, Value, evaluate};
use serde_json::json;

fn class(tree: &Value, scope: &Scope) -> Option<Class> {
    evaluate(&Expression::from_tree(tree), scope).err().map(|error| error.class())
}

fn nested(levels: usize, inner: Value, wrap: impl Fn(Value) -> Value) -> Value {
    (0..levels).fold(inner, |inner, _| wrap(inner))
}

fn scope() -> Scope {
    let deep = nested(DEPTH_MAX - 1, json!("x"), |inner| json!([inner]));
    let parameters = [("deep", deep), ("word", json!("x")), ("text", json!("x".repeat(1 << 16)))];
    Scope {
        parameters: parameters.map(|(name, value)| (name.to_owned(), value)).into(),
        ..Scope::default()
    }
}

#[test]
fn the_deepest_tree_that_is_read_is_evaluated_too() {
    let parentheses = format!("${{{}parameters.word{}}}", "(".repeat(100), ")".repeat(100));
    let operators = format!("${{{}parameters.word{}}}", "!(1 + ".repeat(50), ")".repeat(50));
    let calls = format!("${{{}'x'{}}}", "concat(".repeat(100), ")".repeat(100));
    let lists = format!("${{{}parameters.word{}}}", "[".repeat(100), "]".repeat(100));
    for innermost in [parentheses, operators, calls, lists] {
        let lists = nested(100, json!(innermost), |inner| json!([inner]));
        let maps = nested(100, json!(innermost), |inner| json!({"k": inner}));
        let calls = nested(60, json!(innermost), |inner| json!({"$fn.coalesce": [null, inner]}));
        let paths = nested(40, json!(innermost), |inner| json!({"$fn.path": [{"a": inner}, "a"]}));
        for tree in [lists, maps, calls, paths] {
            let class = class(&tree, &scope());
            assert!(!matches!(class, Some(Class::Limit | Class::Parse)), "{class:?} {tree}");
        }
    }
}

#[test]
fn what_is_too_deep_is_refused_and_not_followed() {
    let lists = nested(DEPTH_MAX + 1, json!("${parameters.text}"), |inner| json!([inner]));
    assert_eq!(class(&lists, &scope()), Some(Class::Limit));
    // `json!` copies what it is given, so this is built by hand.
    let calls = nested(50_000, json!(1), |inner| {
        let argument = Value::Array(vec![inner]);
        Value::Object([("$fn.concat".to_owned(), argument)].into_iter().collect())
    });
    assert_eq!(class(&calls, &scope()), Some(Class::Limit));
    // Dropping so deep a tree is this test's own problem.
    std::mem::forget(calls);
    for (open, close) in
        [("(", ")"), ("[", "]"), ("!", ""), ("concat(", ")"), ("-", ""), ("a[", "]")]
    {
        let text = format!("${{{}a{}}}", open.repeat(50_000), close.repeat(50_000));
        assert_eq!(class(&json!(text), &scope()), Some(Class::Parse), "{open}");
    }
    assert_eq!(class(&json!("${[[parameters.deep]]}"), &scope()), Some(Class::Limit));
}

#[test]
fn a_value_that_doubles_itself_is_refused() {
    let lists = format!("${{parameters.text{}}}", " |> [$, $]".repeat(60));
    let texts = format!("${{parameters.text{}}}", " |> concat($, $)".repeat(60));
    let sums = format!("${{parameters.text{}}}", " |> $ + $".repeat(60));
    let joined = "${parameters.text}".repeat(300);
    for text in [lists, texts, sums, joined] {
        assert_eq!(class(&json!(text), &scope()), Some(Class::Limit), "{}", &text[..40]);
    }
    let many: Vec<Value> = (0..300).map(|_| json!("${parameters.text}")).collect();
    assert_eq!(class(&json!(many), &scope()), Some(Class::Limit));
}

#[test]
fn work_is_bounded_even_where_values_stay_small() {
    let doubling = nested(40, json!("x"), |inner| json!({"$fn.path": [{"a": inner}, "a + a"]}));
    assert_eq!(class(&doubling, &scope()), Some(Class::Limit));
}
