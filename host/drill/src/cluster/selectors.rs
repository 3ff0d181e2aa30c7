//! Label selectors and field selectors: from text to a question about an object.
//!
//! A selector that can't be understood is refused; it never selects everything by mistake.

use super::kinds::Kind;
use super::object;
use super::status_errors::Refusal;
use serde_json::Value;
use std::collections::BTreeMap;

/// The longest selector.
const SELECTOR_BYTES_MAX: usize = 8 * 1024;

/// Conditions on labels; all must hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct LabelSelector(Vec<Requirement>);

#[derive(Debug, Clone, PartialEq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Debug, Clone, PartialEq)]
enum Test {
    Exists,
    Absent,
    In(Vec<String>),
    NotIn(Vec<String>),
    Above(i64),
    Below(i64),
}

impl LabelSelector {
    /// Reads `a=b,c!=d,e in (f,g),h notin (i),j,!k,l>1`.
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        if text.len() > SELECTOR_BYTES_MAX {
            return Err(unparsable("the selector is too long"));
        }
        let requirements = split(text)?
            .into_iter()
            .filter(|part| !part.trim().is_empty())
            .map(|part| Requirement::parse(part.trim()))
            .collect::<Result<_, _>>()?;
        Ok(Self(requirements))
    }

    /// Reads the selector of a workload: `matchLabels` and `matchExpressions`.
    pub(crate) fn of_workload(selector: &Value) -> Self {
        let mut requirements: Vec<Requirement> = object::labels(selector, &["matchLabels"])
            .into_iter()
            .map(|(key, value)| Requirement { key, test: Test::In(vec![value]) })
            .collect();
        for expression in
            object::at(selector, &["matchExpressions"]).as_array().into_iter().flatten()
        {
            let values: Vec<String> = object::at(expression, &["values"])
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|value| value.as_str().map(str::to_owned))
                .collect();
            let test = match object::text(expression, &["operator"]) {
                "In" => Test::In(values),
                "NotIn" => Test::NotIn(values),
                "Exists" => Test::Exists,
                "DoesNotExist" => Test::Absent,
                // Validation lets nothing else in; what it missed selects nothing.
                _ => Test::In(Vec::new()),
            };
            requirements
                .push(Requirement { key: object::text(expression, &["key"]).to_owned(), test });
        }
        Self(requirements)
    }

    /// Whether there is no condition.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether labels meet all conditions.
    pub(crate) fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.0.iter().all(|requirement| requirement.holds(labels.get(&requirement.key)))
    }
}

impl Requirement {
    fn parse(text: &str) -> Result<Self, Refusal> {
        let (key, test) = if let Some(key) = text.strip_prefix('!') {
            (key, Test::Absent)
        } else if let Some((key, values)) = set(text, " notin ", " notin(") {
            (key, Test::NotIn(list(values)?))
        } else if let Some((key, values)) = set(text, " in ", " in(") {
            (key, Test::In(list(values)?))
        } else if let Some((key, value)) = text.split_once("!=") {
            (key, Test::NotIn(vec![single(value)?]))
        } else if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
            (key, Test::In(vec![single(value)?]))
        } else if let Some((key, value)) = text.split_once('>') {
            (key, Test::Above(whole(value)?))
        } else if let Some((key, value)) = text.split_once('<') {
            (key, Test::Below(whole(value)?))
        } else {
            (text, Test::Exists)
        };
        let key = key.trim();
        if !is_label_key(key) {
            return Err(unparsable(&format!("{key:?} is no label key")));
        }
        Ok(Self { key: key.to_owned(), test })
    }

    fn holds(&self, value: Option<&String>) -> bool {
        let number = || value.and_then(|value| value.parse::<i64>().ok());
        match &self.test {
            Test::Exists => value.is_some(),
            Test::Absent => value.is_none(),
            Test::In(values) => value.is_some_and(|value| values.contains(value)),
            Test::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
            Test::Above(bound) => number().is_some_and(|number| number > *bound),
            Test::Below(bound) => number().is_some_and(|number| number < *bound),
        }
    }
}

/// Conditions on fields; all must hold.
#[derive(Debug, Clone, Default)]
pub(crate) struct FieldSelector(Vec<(Vec<String>, String, bool)>);

impl FieldSelector {
    /// Reads `metadata.name=a,status.phase!=Running`, with the fields that `kind` has.
    pub(crate) fn parse(text: &str, kind: &Kind) -> Result<Self, Refusal> {
        if text.len() > SELECTOR_BYTES_MAX {
            return Err(unparsable("the selector is too long"));
        }
        let mut conditions = Vec::new();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let (field, value, wanted) = if let Some((field, value)) = part.split_once("!=") {
                (field, value, false)
            } else if let Some((field, value)) =
                part.split_once("==").or_else(|| part.split_once('='))
            {
                (field, value, true)
            } else {
                return Err(Refusal::bad_request(format!(
                    "invalid selector: {part:?}; can't understand {part:?}"
                )));
            };
            if !has_field(kind, field) {
                return Err(Refusal::bad_request(format!("field label not supported: {field}")));
            }
            let path = field.split('.').map(str::to_owned).collect();
            conditions.push((path, value.to_owned(), wanted));
        }
        Ok(Self(conditions))
    }

    /// Whether there is no condition.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an object meets all conditions.
    pub(crate) fn matches(&self, object: &Value) -> bool {
        self.0.iter().all(|(path, value, wanted)| {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            (object::text(object, &path) == value) == *wanted
        })
    }
}

fn has_field(kind: &Kind, field: &str) -> bool {
    let own: &[&str] = match kind.resource {
        "pods" => &["spec.nodeName", "spec.restartPolicy", "status.phase", "status.podIP"],
        "events" => &[
            "involvedObject.kind",
            "involvedObject.name",
            "involvedObject.namespace",
            "involvedObject.uid",
            "reason",
            "type",
        ],
        "secrets" => &["type"],
        "namespaces" => &["status.phase"],
        "replicasets" => &["status.replicas"],
        _ => &[],
    };
    field == "metadata.name"
        || (kind.namespaced && field == "metadata.namespace")
        || own.contains(&field)
}

/// Splits at commas that are not inside parentheses.
fn split(text: &str) -> Result<Vec<&str>, Refusal> {
    let (mut parts, mut start, mut inside) = (Vec::new(), 0, false);
    for (index, letter) in text.char_indices() {
        match letter {
            '(' if !inside => inside = true,
            ')' if inside => inside = false,
            '(' | ')' => return Err(unparsable("parentheses don't match")),
            ',' if !inside => {
                parts.push(&text[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    if inside {
        return Err(unparsable("parentheses don't match"));
    }
    parts.push(&text[start..]);
    Ok(parts)
}

fn set<'a>(text: &'a str, spaced: &str, tight: &str) -> Option<(&'a str, &'a str)> {
    text.split_once(spaced).or_else(|| {
        let (key, _) = text.split_once(tight)?;
        Some((key, &text[key.len() + tight.len() - 1..]))
    })
}

fn list(text: &str) -> Result<Vec<String>, Refusal> {
    let inner = text
        .trim()
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'))
        .ok_or_else(|| unparsable("a set stands in parentheses"))?;
    inner.split(',').map(single).collect()
}

fn single(text: &str) -> Result<String, Refusal> {
    let value = text.trim();
    let is_value = value.len() <= 63
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if is_value {
        Ok(value.to_owned())
    } else {
        Err(unparsable(&format!("{value:?} is no label value")))
    }
}

fn whole(text: &str) -> Result<i64, Refusal> {
    text.trim().parse().map_err(|_| unparsable(&format!("{text:?} is no whole number")))
}

/// Whether `key` can be the key of a label or an annotation.
pub(crate) fn is_label_key(key: &str) -> bool {
    let (prefix, name) =
        key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    let plain = |byte: u8| byte.is_ascii_alphanumeric();
    let is_name = (1..=63).contains(&name.len())
        && name.bytes().all(|byte| plain(byte) || b"-_.".contains(&byte))
        && name.bytes().next().is_some_and(plain)
        && name.bytes().last().is_some_and(plain);
    is_name && prefix.is_none_or(super::validation::is_subdomain)
}

fn unparsable(why: &str) -> Refusal {
    Refusal::bad_request(format!("unable to parse requirement: {why}"))
}

#[cfg(test)]
mod tests {
    use super::super::kinds::known;
    use super::*;
    use serde_json::json;

    fn labels() -> BTreeMap<String, String> {
        [("app", "web"), ("tier", "front"), ("weight", "7")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into()
    }

    #[test]
    fn label_selectors_ask_what_they_say() {
        for (text, wanted) in [
            ("", true),
            ("app=web", true),
            ("app==web", true),
            ("app = web , tier=front", true),
            ("app!=web", false),
            ("absent!=web", true),
            ("app in (web, shop)", true),
            ("app in(web)", true),
            ("app notin (web,shop)", false),
            ("absent notin (web)", true),
            ("app", true),
            ("!app", false),
            ("!absent", true),
            ("weight>6,weight<8", true),
            ("weight>7", false),
            ("app>1", false),
            ("app=web,tier in (back),app", false),
        ] {
            let selector = LabelSelector::parse(text).expect(text);
            assert_eq!(selector.matches(&labels()), wanted, "{text}");
        }
    }

    #[test]
    fn what_is_not_understood_selects_nothing() {
        for text in [
            "app in web",
            "app in (a",
            "app in a)",
            "=b",
            "a=b c",
            "weight>x",
            "a b",
            "app=(x)",
            "-a",
        ] {
            assert!(LabelSelector::parse(text).is_err(), "{text}");
        }
        assert!(FieldSelector::parse("spec.replicas=3", known("deployments")).is_err());
        assert!(FieldSelector::parse("metadata.name", known("deployments")).is_err());
    }

    #[test]
    fn field_selectors_compare_texts() {
        let pod = json!({"metadata": {"name": "a"}, "status": {"phase": "Running"}});
        for (text, wanted) in [
            ("metadata.name=a", true),
            ("metadata.name!=a", false),
            ("status.phase==Running,metadata.name=a", true),
            ("status.phase=Pending", false),
        ] {
            let selector = FieldSelector::parse(text, known("pods")).expect(text);
            assert_eq!(selector.matches(&pod), wanted, "{text}");
        }
    }

    #[test]
    fn a_workload_selects_by_labels_and_expressions() {
        let selector = LabelSelector::of_workload(&json!({
            "matchLabels": {"app": "web"},
            "matchExpressions": [{"key": "tier", "operator": "In", "values": ["front"]}],
        }));

        assert!(selector.matches(&labels()));
        assert!(!selector.matches(&BTreeMap::new()));
        assert!(!selector.is_empty());
    }
}
