//! A value as indented JSON or as YAML, in the form that kubectl prints.

use crate::arguments::json_text;
use crate::members::holds;
use serde_json::Value;

/// The value as JSON, indented by four blanks.
#[must_use]
pub fn json(value: &Value) -> String {
    let mut out = String::new();
    write_json(value, 0, &mut out);
    out
}

fn write_json(value: &Value, depth: usize, out: &mut String) {
    let (open, close) = match value {
        Value::Array(items) if !items.is_empty() => ('[', ']'),
        Value::Object(members) if !members.is_empty() => ('{', '}'),
        scalar => return out.push_str(&json_text(scalar)),
    };
    out.push(open);
    let mut first = true;
    let mut item = |name: Option<&str>, value: &Value, out: &mut String| {
        out.push_str(if first { "\n" } else { ",\n" });
        first = false;
        indent(4 * (depth + 1), out);
        if let Some(name) = name {
            out.push_str(&json_text(&name.into()));
            out.push_str(": ");
        }
        write_json(value, depth + 1, out);
    };
    match value {
        Value::Array(items) => items.iter().for_each(|value| item(None, value, out)),
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| item(Some(name), value, out));
        }
        _ => (),
    }
    out.push('\n');
    indent(4 * depth, out);
    out.push(close);
}

/// The value as YAML.
#[must_use]
pub fn yaml(value: &Value) -> String {
    let mut out = String::new();
    write_yaml(value, 0, false, &mut out);
    out.trim_start_matches('\n').to_owned()
}

/// Writes what follows a key or a dash. `in_list`: the first line goes on where the dash stands.
fn write_yaml(value: &Value, depth: usize, in_list: bool, out: &mut String) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (place, (name, value)) in members.iter().enumerate() {
                if place > 0 || !in_list {
                    out.push('\n');
                    indent(depth, out);
                }
                out.push_str(&plain(name));
                out.push(':');
                let inner = if value.is_array() { depth } else { depth + 2 };
                follow(value, inner, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (place, value) in items.iter().enumerate() {
                if place > 0 || !in_list {
                    out.push('\n');
                    indent(depth, out);
                }
                out.push_str("- ");
                write_yaml(value, depth + 2, true, out);
            }
        }
        Value::String(text) => out.push_str(&plain(text)),
        scalar => out.push_str(&json_text(scalar)),
    }
}

fn follow(value: &Value, depth: usize, out: &mut String) {
    let nested = match value {
        Value::Object(members) => !members.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    if !nested {
        out.push(' ');
    }
    write_yaml(value, depth, false, out);
}

/// A text without quotes where no reader of YAML takes it for something else.
fn plain(text: &str) -> String {
    let letters = |c: char| c.is_ascii_alphanumeric() || "-_./ ()+,=<>@".chars().any(|it| it == c);
    let first = |c: char| c.is_ascii_alphabetic() || c == '/' || c == '_' || c == '.';
    let special = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", "~"];
    let safe = text.starts_with(first)
        && text.chars().all(|c| letters(c) || c == ':')
        && !text.ends_with([' ', ':'])
        && !holds(text, ": ")
        && !text.starts_with('.')
        && !special.contains(&text.to_ascii_lowercase().as_str());
    if safe { text.to_owned() } else { json_text(&text.into()) }
}

fn indent(width: usize, out: &mut String) {
    for _ in 0..width {
        out.push(' ');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object() -> Value {
        json!({"a": [], "b": {}, "kind": "Pod", "list": [{"x": 1, "y": ["z", 2]}, [true]],
            "quoted": ["yes", "1", "a: b", "", "ü", "x:", "line\nline"], "nested": {"deep": null}})
    }

    #[test]
    fn json_is_indented_as_kubectl_does() {
        let printed = json(&object());
        assert_eq!(serde_json::from_str::<Value>(&printed).expect("JSON"), object());
        assert!(printed.starts_with("{\n    \"a\": [],\n    \"b\": {},\n    \"kind\": \"Pod\",\n    \"list\": [\n        {\n"), "{printed}");
        assert_eq!(json(&json!(7)), "7");
    }

    #[test]
    fn yaml_quotes_what_would_be_something_else() {
        let expected = "a: []\nb: {}\nkind: Pod\nlist:\n- x: 1\n  \"y\":\n  - z\n  - 2\n- - true\nnested:\n  deep: null\nquoted:\n- \"yes\"\n- \"1\"\n- \"a: b\"\n- \"\"\n- \"ü\"\n- \"x:\"\n- \"line\\nline\"";
        assert_eq!(yaml(&object()), expected);
    }
}
