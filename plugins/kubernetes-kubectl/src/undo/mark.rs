//! The mark that a rollback leaves on the object, so that it is never done twice.
//!
//! A second `undo` would bring the bad release back. So the write carries the step's key, which is
//! the same for all attempts of this step in this run and for no other. Whoever finds the mark
//! knows that the write took effect, whatever happened to its answer.

use super::{annotation, history::Chosen, template};
use serde_json::Value;

/// The annotation that holds the mark.
pub const ANNOTATION: &str = "bowline/undo";

/// What an earlier attempt of this step did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The revision before, when the object said it.
    pub from: Option<i64>,
    /// The revision gone back to.
    pub to: i64,
    /// The digest of the template that was written.
    pub template: String,
}

/// The text of a mark.
#[must_use]
pub fn write(key: &str, run: &str, from: Option<i64>, chosen: &Chosen) -> String {
    let from = from.map_or_else(|| "-".to_owned(), |from| from.to_string());
    let template = template::digest(&chosen.template);
    let to = chosen.revision;
    format!("key={key} run={run} from={from} to={to} template={template}")
}

/// The mark on `object`, if it was left under `key`.
#[must_use]
pub fn find(object: &Value, key: &str) -> Option<Mark> {
    let text = annotation(object, ANNOTATION)?;
    let field =
        |name: &str| text.split(' ').find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
    if key.is_empty() || field("key") != Some(key) {
        return None;
    }
    Some(Mark {
        from: field("from").and_then(|from| from.parse().ok()),
        to: field("to").and_then(|to| to.parse().ok()).unwrap_or_default(),
        template: field("template").unwrap_or_default().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_the_own_mark_is_found() {
        let chosen = Chosen {
            name: "web-a".into(),
            revision: 2,
            template: json!({"a": 1}),
            annotations: serde_json::Map::new(),
            ambiguous: false,
            data: None,
        };
        let text = write("k1", "run-1", Some(3), &chosen);
        let marked = json!({"metadata": {"annotations": {"bowline/undo": text}}});

        let expected = Mark { from: Some(3), to: 2, template: template::digest(&json!({"a": 1})) };
        assert_eq!(find(&marked, "k1"), Some(expected));
        assert_eq!(find(&marked, "k2"), None);
        assert_eq!(find(&marked, "k"), None);
        assert_eq!(find(&marked, ""), None);
        assert_eq!(find(&json!({}), "k1"), None);
    }
}
