//! What must hold for every text and every tree, tried with random ones.

use expression::query::{Functions, Language, query};
use expression::schedule::Schedule;
use expression::{Expression, Scope, Value, encoding, evaluate, template};
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeMap;

/// Texts that look like expressions more often than chance would have it.
fn text() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "${",
        "}",
        "$",
        "{",
        "[",
        "]",
        "(",
        ")",
        ".",
        "..",
        ",",
        ":",
        "?",
        "*",
        "'",
        "\"",
        "`",
        "\\",
        "|>",
        "&&",
        "||",
        "==",
        "=~",
        "+",
        "-",
        "!",
        "~",
        "@",
        "/*",
        "*/",
        "//",
        " ",
        "\n",
        "a",
        "b-c",
        "parameters",
        "outputs",
        "steps",
        "true",
        "null",
        "path(",
        "concat(",
        "convertMarkdown('html', '",
        "now()",
        "1",
        "0x",
        "1e",
        "1_0",
        "1e999",
        "\\u",
        "\\xff",
        "größe",
        "\0",
        "\u{2028}",
        "range ",
        "end",
        "(?i)",
        "a{2}",
        "[^",
        "# ",
        "- ",
        "> ",
        "|-|",
    ]);
    prop_oneof![
        any::<String>(),
        prop::collection::vec(pieces, 0..24).prop_map(|pieces| pieces.concat()),
    ]
}

fn full_scope() -> Scope {
    let parameters = [
        ("a", json!("text")),
        ("b", json!({"x": [1, {"y": "${parameters.a}"}], "": null})),
        ("c", json!([1, "${secrets.key}", {"$type": "Secret", "name": "key"}])),
        ("d", json!(4.5)),
        ("e", json!({"$fn.concat": ["never", "evaluated"]})),
    ];
    Scope {
        parameters: parameters.map(|(name, value)| (name.to_owned(), value)).into(),
        secrets: [("key".to_owned(), json!("hidden"))].into(),
        outputs: [("step".to_owned(), [("out".to_owned(), json!("${1 +}"))].into())].into(),
        now: "2024-02-29T12:00:00Z".parse().ok(),
        ..Scope::default()
    }
}

/// The same scope without what `known` says no to.
fn part_of(full: &Scope, known: &[bool]) -> Scope {
    let mut known = known.iter().copied().chain(std::iter::repeat(true));
    let mut keep = |map: &BTreeMap<String, Value>| -> BTreeMap<String, Value> {
        let kept = map.iter().filter(|_| known.next().unwrap_or(true));
        kept.map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    Scope {
        parameters: keep(&full.parameters),
        secrets: keep(&full.secrets),
        outputs: full.outputs.iter().map(|(step, named)| (step.clone(), keep(named))).collect(),
        ..full.clone()
    }
}

/// Trees whose value does not depend on what is *not* known: no `coalesce`, no whole roots.
fn tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        prop::sample::select(vec![
            json!(null),
            json!(true),
            json!(7),
            json!("plain"),
            json!("$${x}"),
            json!({"$type": "Nope", "x": "${parameters.a}"}),
            json!({"$type": "Parameter", "name": "a"}),
            json!({"$type": "Parameter", "name": "c", "more": 1}),
            json!({"$type": "Secret", "name": "key"}),
            json!({"$type": "Output", "from": "step", "name": "out"}),
            json!("${parameters.b.x[1].y}"),
            json!("${parameters.b}"),
            json!("x ${parameters.a} ${secrets.key}"),
            json!("${parameters.d * 2 > 8 && parameters.a == 'text'}"),
            json!("${concat(parameters.a, outputs.step.out)}"),
            json!("${path(parameters.b, 'x[0]')}"),
            json!("${exists(parameters.b.nope)}"),
            json!("${parameters.b.nope}"),
            json!("${merge(parameters.b, parameters.e)}"),
            json!("${[parameters.c, {'k': secrets.key}]}"),
            json!("${parameters.a |> $ + 'x'}"),
            json!("${now()}"),
        ]),
        "[a-z$ }]{0,8}".prop_map(Value::String),
    ];
    let name = prop::sample::select(vec![
        "append",
        "concat",
        "equals",
        "exists",
        "jsonMarshal",
        "merge",
        "notEquals",
        "path",
        "toString",
        "nope",
    ]);
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::btree_map("[a-c$]{1,2}", inner.clone(), 0..4)
                .prop_map(|fields| json!(fields)),
            (name.clone(), prop::collection::vec(inner.clone(), 0..4))
                .prop_map(|(name, arguments)| json!({format!("$fn.{name}"): arguments})),
            (name.clone(), inner.clone())
                .prop_map(|(name, argument)| json!({format!("$fn.{name}"): argument})),
            inner.prop_map(|data| json!({"$encoding": "", "data": data})),
        ]
    })
}

/// A value, or that there is none; messages may differ.
fn outcome(expression: &Expression, scope: &Scope) -> Result<Option<Value>, ()> {
    match evaluate(expression, scope) {
        Ok(evaluated) => Ok(evaluated.value().cloned()),
        Err(_) => Err(()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn no_text_makes_anything_panic(text in text(), other in text()) {
        let _ = template::parse(&text);
        let _ = Schedule::parse(&text).map(|schedule| schedule.next_after("2024-02-29T12:00:00Z".parse().unwrap()));
        let _ = encoding::from_transfer(&text);
        let scope = full_scope();
        let tree = json!({
            "a": text,
            "b": {"$type": "Data", "query": text},
            "c": {"$encoding": text, "data": other},
        });
        let expression = Expression::from_tree(&tree);
        let _ = expression.references();
        let _ = evaluate(&expression, &scope);
        for name in ["path", "path-template", "jsonpath", "jsonpath-template"] {
            let language: Language = name.parse().unwrap();
            let data = Expression::literal(json!({"a": [1, {"b-c": text}]}));
            let _ = query(&data, &scope, language, &other, Functions::All);
        }
        for call in [
            json!({"$fn.convertMarkdown": ["html", {"$type": "Parameter", "name": "t"}]}),
            json!({"$fn.convertMarkdown": ["jira", {"$type": "Parameter", "name": "t"}]}),
            json!({"$fn.jsonUnmarshal": {"$type": "Parameter", "name": "t"}}),
            json!({"$fn.path": [{"a": 1}, {"$type": "Parameter", "name": "t"}, 1]}),
            json!("${'abc' =~ parameters.t}"),
        ] {
            let mut scope = full_scope();
            scope.parameters.insert("t".into(), json!(other));
            let _ = evaluate(&Expression::from_tree(&call), &scope);
        }
    }

    #[test]
    fn a_mistake_in_a_template_is_inside_its_text(text in text()) {
        if let Err(error) = template::parse(&text) {
            prop_assert!(error.offset_bytes <= error.end_bytes && error.end_bytes <= text.len());
            prop_assert!(text.is_char_boundary(error.offset_bytes));
            prop_assert!(text.is_char_boundary(error.end_bytes));
        }
    }

    #[test]
    fn evaluating_in_two_parts_is_evaluating_at_once(
        tree in tree(),
        known in prop::collection::vec(any::<bool>(), 8),
    ) {
        let full = full_scope();
        let expression = Expression::from_tree(&tree);
        let at_once = outcome(&expression, &full);
        let Ok(first) = evaluate(&expression, &part_of(&full, &known)) else {
            // A mistake behind a short circuit may be found early.
            return Ok(());
        };
        prop_assert_eq!(&outcome(&first.rest, &full), &at_once, "{}", tree);
        let read_again = Expression::from_tree(&first.rest.to_tree());
        prop_assert_eq!(&outcome(&read_again, &full), &at_once, "{} as {}", tree, first.rest.to_tree());
    }

    #[test]
    fn what_is_found_and_what_is_not_are_named_in_the_text(tree in tree(), known in prop::collection::vec(any::<bool>(), 8)) {
        let expression = Expression::from_tree(&tree);
        if let Ok(evaluated) = evaluate(&expression, &part_of(&full_scope(), &known)) {
            let named = expression.references();
            for found in [&evaluated.resolved, &evaluated.unresolved] {
                prop_assert!(found.parameters.is_subset(&named.parameters), "{}", tree);
                prop_assert!(found.secrets.is_subset(&named.secrets), "{}", tree);
                prop_assert!(found.outputs.is_subset(&named.outputs), "{}", tree);
            }
        }
    }

    #[test]
    fn inert_data_comes_back_as_it_was(tree in tree(), text in text()) {
        // Texts with NUL travel encoded.
        let text = text.replace('\0', "");
        let value = json!([tree, {"$type": "Secret", "name": text}, text, {"$fn.x": text}]);
        let written = Expression::literal(value.clone()).to_tree();
        let evaluated = evaluate(&Expression::from_tree(&written), &Scope::default()).unwrap();
        prop_assert_eq!(evaluated.value(), Some(&value), "{}", written);
    }
}
