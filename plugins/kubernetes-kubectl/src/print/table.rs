//! The server's printed table as text: columns padded, headers in capitals.

use crate::arguments::json_text;
use crate::members::items;
use serde_json::Value;

/// The rows of one or several pages, under one header. `wide` shows all columns. None when there
/// is no row.
#[must_use]
pub fn text(pages: &[Value], wide: bool, headers: bool) -> Option<String> {
    let columns = pages.first()?["columnDefinitions"].as_array()?;
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut add = |get: &dyn Fn(usize) -> String| {
        let mut row = Vec::new();
        for (place, column) in columns.iter().enumerate() {
            if wide || column["priority"].as_i64().unwrap_or_default() == 0 {
                row.push(get(place));
            }
        }
        rows.push(row);
    };
    if headers {
        add(&|place| cell(&columns[place]["name"]).to_ascii_uppercase());
    }
    let mut found = false;
    for page in pages {
        for row in items(&page["rows"]) {
            found = true;
            add(&|place| cell(&row["cells"][place]));
        }
    }
    found.then(|| align(&rows, 3))
}

/// Rows of cells as lines, with at least `gap` blanks between the columns.
#[must_use]
pub fn align(rows: &[Vec<String>], gap: usize) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        for (place, cell) in row.iter().enumerate() {
            if place == widths.len() {
                widths.push(0);
            }
            widths[place] = widths[place].max(cell.chars().count());
        }
    }
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (place, cell) in row.iter().enumerate() {
            line.push_str(cell);
            for _ in cell.chars().count()..widths[place] + gap {
                line.push(' ');
            }
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    out
}

fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "<none>".to_owned(),
        other => json_text(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_table_is_padded_and_hides_wide_columns() {
        let page = json!({
            "columnDefinitions": [{"name": "Name", "priority": 0}, {"name": "Ready"}, {"name": "Node", "priority": 1}],
            "rows": [{"cells": ["web", "1/1", "n1"]}, {"cells": ["longer", 2, null]}],
        });
        let pages = [page.clone(), json!({"rows": [{"cells": ["last", "0/1", "n2"]}]})];
        let narrow = "NAME     READY\nweb      1/1\nlonger   2\nlast     0/1";
        assert_eq!(text(&pages, false, true).as_deref(), Some(narrow));
        let wide = "NAME     READY   NODE\nweb      1/1     n1\nlonger   2       <none>";
        assert_eq!(text(&pages[..1], true, true).as_deref(), Some(wide));
        assert_eq!(text(&pages[1..], false, true), None);
        assert_eq!(text(&[json!({"columnDefinitions": [], "rows": []})], false, true), None);
        assert_eq!(text(&[page], false, false).as_deref(), Some("web      1/1\nlonger   2"));
    }
}
