//! The simple part of kubectl's JSON path templates: members, indices, `[*]`, texts, `range`.
//!
//! Filters, slices and `..` are refused: a workflow can ask more of the step's output `object`.

use crate::arguments::json_text;
use crate::members::joined;
use serde_json::Value;

/// The text that a template gives for a value, or what is wrong with the template.
///
/// # Errors
///
/// A text that names the part that is not understood.
pub fn text(template: &str, root: &Value) -> Result<String, String> {
    let mut rest = template;
    let mut out = String::new();
    fill(&mut rest, root, root, 0, &mut out)?;
    Ok(out)
}

/// The values that one path leads to, for example `{.status.phase}` or `.items[*].metadata.name`.
///
/// # Errors
///
/// As [`text`].
pub fn values<'a>(path: &str, root: &'a Value) -> Result<Vec<&'a Value>, String> {
    let inner = path.strip_prefix('{').and_then(|path| path.strip_suffix('}')).unwrap_or(path);
    follow(inner.trim(), root, root)
}

/// Fills in one level: up to `{end}` inside of a `range`, else up to the end.
fn fill(
    rest: &mut &str,
    root: &Value,
    here: &Value,
    depth: usize,
    out: &mut String,
) -> Result<(), String> {
    while let Some(open) = rest.find('{') {
        out.push_str(&rest[..open]);
        let after = &rest[open + 1..];
        let close = close(after).ok_or_else(|| "a `{` is not closed".to_owned())?;
        let inner = after[..close].trim();
        *rest = &after[close + 1..];
        if inner == "end" {
            return if depth > 0 { Ok(()) } else { Err("`{end}` without `{range}`".to_owned()) };
        }
        if let Some(path) = inner.strip_prefix("range").filter(|it| it.starts_with([' ', '.', '[']))
        {
            if depth > 8 {
                return Err("`{range}` is nested too deeply".to_owned());
            }
            let body = *rest;
            let items = follow(path.trim(), root, here)?;
            for item in &items {
                *rest = body;
                fill(rest, root, item, depth + 1, out)?;
            }
            if items.is_empty() {
                fill(rest, root, &Value::Null, depth + 1, &mut String::new())?;
            }
        } else if let Some(literal) = quoted(inner) {
            out.push_str(&literal);
        } else {
            let found = follow(inner, root, here)?;
            out.push_str(&joined(&mut found.into_iter().map(printed), " "));
        }
    }
    if depth > 0 {
        return Err("`{range}` without `{end}`".to_owned());
    }
    out.push_str(rest);
    *rest = "";
    Ok(())
}

/// The place of the brace that closes, outside of quotes.
fn close(text: &str) -> Option<usize> {
    let mut quote = None;
    for (place, letter) in text.char_indices() {
        match (quote, letter) {
            (Some(open), _) if open == letter => quote = None,
            (Some(_), _) => (),
            (None, '"' | '\'') => quote = Some(letter),
            (None, '}') => return Some(place),
            (None, _) => (),
        }
    }
    None
}

fn quoted(text: &str) -> Option<String> {
    let inner = ['"', '\''].into_iter().find_map(|it| text.strip_prefix(it)?.strip_suffix(it))?;
    let mut out = String::new();
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        out.push(match (letter, letters.clone().next()) {
            ('\\', Some(escaped @ ('n' | 't'))) => {
                letters.next();
                if escaped == 'n' { '\n' } else { '\t' }
            }
            _ => letter,
        });
    }
    Some(out)
}

fn printed(value: &Value) -> String {
    value.as_str().map_or_else(|| json_text(value), str::to_owned)
}

fn follow<'a>(path: &str, root: &'a Value, here: &'a Value) -> Result<Vec<&'a Value>, String> {
    let refused = |why: &str| Err(format!("{why} in the path `{}`", bowline_sdk::shown(path)));
    let (mut rest, start) = match (path.strip_prefix('$'), path.strip_prefix('@')) {
        (Some(rest), _) => (rest, root),
        (_, Some(rest)) => (rest, here),
        _ => (path, here),
    };
    let mut found = vec![start];
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('[') {
            let Some(end) = after.find(']') else { return refused("a `[` is not closed") };
            let inner = after[..end].trim();
            rest = &after[end + 1..];
            found = if inner == "*" {
                step(&found, &Step::All)
            } else if let Some(name) = quoted(inner) {
                step(&found, &Step::Member(&name))
            } else {
                let Ok(place) = inner.parse::<i64>() else {
                    return refused("only a number, `*` or a quoted name may stand in brackets");
                };
                step(&found, &Step::Item(place))
            };
            continue;
        }
        rest = rest.strip_prefix('.').unwrap_or(rest);
        if rest.is_empty() {
            break;
        }
        // A backslash keeps a dot inside of a name.
        let mut name = String::new();
        let mut letters = rest.char_indices();
        let mut end = rest.len();
        while let Some((place, letter)) = letters.next() {
            match letter {
                '\\' => name.extend(letters.next().map(|(_, letter)| letter)),
                '.' | '[' => {
                    end = place;
                    break;
                }
                letter
                    if letter.is_ascii_alphanumeric() || "-_/*".chars().any(|it| it == letter) =>
                {
                    name.push(letter)
                }
                _ => return refused("only names, indices and `*` are understood"),
            }
        }
        if name.is_empty() {
            return refused("`..` is not understood");
        }
        rest = &rest[end..];
        let next = if name == "*" { Step::All } else { Step::Member(&name) };
        found = step(&found, &next);
    }
    Ok(found)
}

/// One step from values to values inside of them.
enum Step<'a> {
    All,
    Member(&'a str),
    Item(i64),
}

fn step<'a>(from: &[&'a Value], step: &Step<'_>) -> Vec<&'a Value> {
    let mut found = Vec::new();
    for value in from {
        match (step, value) {
            (Step::All, Value::Array(items)) => found.extend(items),
            (Step::All, Value::Object(members)) => found.extend(members.values()),
            (Step::All, _) => (),
            (Step::Member(name), value) => found.extend(value.get(name)),
            (Step::Item(place), value) => found.extend(at(value, *place)),
        }
    }
    found
}

fn at(value: &Value, place: i64) -> Option<&Value> {
    let items = value.as_array()?;
    let place = if place < 0 { place + i64::try_from(items.len()).ok()? } else { place };
    items.get(usize::try_from(place).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_simple_forms_are_filled_in() {
        let object = json!({"metadata": {"name": "web", "annotations": {"a.b/c": "x"}},
            "spec": {"containers": [{"image": "a", "ports": [1, 2]}, {"image": "b", "ports": []}]}});
        let cases = [
            ("{.metadata.name}", "web"),
            ("{.metadata.name}{\":\"}{range .spec.containers[*]}{.image}{end}", "web:ab"),
            ("{.metadata.name}{\":\"}{range.spec.containers[*]}{.image}{end}", "web:ab"),
            ("{range .spec.containers[*]}{.image}{\"\\n\"}{end}", "a\nb\n"),
            ("{.spec.containers[*].image}", "a b"),
            ("{.spec.containers[-1].image}", "b"),
            ("{.spec.containers[0].ports}", "[1,2]"),
            ("name={.metadata.name}!", "name=web!"),
            ("{.metadata.annotations.a\\.b/c}", "x"),
            ("{.metadata.annotations['a.b/c']}", "x"),
            ("{.missing.deep}", ""),
            ("{range .missing[*]}{.x}{end}done", "done"),
            ("{$.metadata.name}", "web"),
            ("{@.metadata.name}", "web"),
            (
                "{range .spec.containers[*]}{$.metadata.name}{.image}{range .ports[*]}{@}{end};{end}",
                "weba12;webb;",
            ),
            ("{'}'}", "}"),
            ("", ""),
        ];
        for (template, expected) in cases {
            assert_eq!(text(template, &object).as_deref(), Ok(expected), "{template}");
        }
    }

    #[test]
    fn what_is_not_understood_is_named() {
        let cases = [
            ("{.a", "a `{` is not closed"),
            ("{end}", "`{end}` without `{range}`"),
            ("{range .a[*]}x", "`{range}` without `{end}`"),
            ("{..name}", "`..` is not understood"),
            ("{.items[?(@.a==1)]}", "in brackets"),
            ("{.items[0:2]}", "in brackets"),
            ("{.items[0}", "a `[` is not closed"),
            ("{.a|b}", "only names, indices"),
        ];
        for (template, expected) in cases {
            let error = text(template, &json!({})).expect_err(template);
            assert!(error.contains(expected), "{template}: {error}");
        }
    }
}
