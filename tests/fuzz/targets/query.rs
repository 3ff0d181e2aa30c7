//! A text as a query in each of the four languages, of a tree in which not everything is known.
#![no_main]

use expression::Expression;
use expression::query::{Functions, Language, query};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|text: &str| {
    let tree = json!({
        "a": [1, {"b-c": "x", "n": 4.5}, [true, null]],
        "store": {"book": [{"price": 8.95, "title": "x"}, {"price": 22.99, "title": "y"}]},
        "p": {"$type": "Parameter", "name": "b"},
        "later": {"$type": "Output", "from": "later", "name": "out"},
        "t": "${parameters.a + 'x'}",
    });
    let expression = Expression::from_tree(&tree);
    let scope = fuzz::world();
    for name in ["path", "path-template", "jsonpath", "jsonpath-template"] {
        let language: Language = name.parse().expect("a language");
        for functions in [Functions::None, Functions::All] {
            if let Ok(queried) = query(&expression, &scope, language, text, functions) {
                assert_eq!(queried.complete(), queried.unresolved.is_empty());
                let _ = queried.value.to_string();
            }
        }
    }
});
