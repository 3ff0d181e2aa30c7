//! The cells of a timeline, as the list of them shows them.

use bowline_sdk::Failure;
use serde_json::Value;

/// The cells in an answer to a list.
///
/// # Errors
///
/// `http.invalid-answer` when there is no list.
pub fn cells(answer: &Value) -> Result<&[Value], Failure> {
    let cells = answer["data"].as_array().map(Vec::as_slice);
    cells.ok_or_else(|| {
        Failure::permanent("http.invalid-answer", "the timeline is no list of cells")
    })
}

/// The texts of a cell, under either key that the service has known. Cells of other kinds have
/// other contents and no text.
#[must_use]
pub fn texts(cell: &Value) -> Vec<&str> {
    let content = &cell["attributes"]["content"];
    ["message", "content"]
        .iter()
        .filter_map(|key| content[key].as_str())
        .filter(|text| !text.trim().is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_text_stands_under_either_key_and_other_kinds_have_none() {
        let cases = [
            (json!({"message": "a"}), vec!["a"]),
            (json!({"content": "a"}), vec!["a"]),
            (json!({"message": " ", "content": "b"}), vec!["b"]),
            (json!({"before": null, "action": {"x": 1}}), vec![]),
            (json!([1]), vec![]),
            (json!(null), vec![]),
        ];
        for (content, expected) in cases {
            let cell = json!({"attributes": {"content": content}});
            assert_eq!(texts(&cell), expected, "{cell}");
        }
        assert!(texts(&json!({"attributes": null})).is_empty());
        assert_eq!(cells(&json!({"data": [1]})).map(<[Value]>::len).ok(), Some(1));
        for wrong in [json!({}), json!([]), json!({"data": null})] {
            assert_eq!(cells(&wrong).expect_err("no list").code(), "http.invalid-answer");
        }
    }
}
