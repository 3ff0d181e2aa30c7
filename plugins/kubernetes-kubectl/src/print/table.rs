//! The server's printed table as text: columns padded, headers in capitals.

use crate::arguments::json_text;
use serde_json::Value;

/// The rows of one or several pages, under one header. `wide` shows all columns. None when there
/// is no row.
#[must_use]
pub fn text(pages: &[Value], wide: bool, headers: bool) -> Option<String> {
    let columns = pages.first()?["columnDefinitions"].as_array()?;
    let shown: Vec<usize> = (0..columns.len())
        .filter(|place| wide || columns[*place]["priority"].as_i64().unwrap_or_default() == 0)
        .collect();
    let mut rows: Vec<Vec<String>> = Vec::new();
    if headers {
        let header = |place: &usize| cell(&columns[*place]["name"]).to_uppercase();
        rows.push(shown.iter().map(header).collect());
    }
    let mut found = false;
    for row in pages.iter().flat_map(|page| page["rows"].as_array().into_iter().flatten()) {
        found = true;
        rows.push(shown.iter().map(|place| cell(&row["cells"][*place])).collect());
    }
    found.then(|| align(&rows))
}

/// Rows of cells as lines, three blanks between the columns.
#[must_use]
pub fn align(rows: &[Vec<String>]) -> String {
    let width = |place: usize| {
        rows.iter().filter_map(|row| row.get(place)).map(|it| it.chars().count()).max()
    };
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (place, cell) in row.iter().enumerate() {
            line.push_str(cell);
            let wide = width(place).unwrap_or_default() + 3;
            line.extend(std::iter::repeat_n(' ', wide - cell.chars().count()));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    out
}

fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => text.replace(['\n', '\r'], " "),
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
