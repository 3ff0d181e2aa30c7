//! An incident as Datadog shows it. Only what is needed is read; everything else may be anything.

use serde_json::Value;

/// What is known of an incident.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Incident {
    /// The internal id.
    pub id: String,
    /// The number that people see.
    pub number: u64,
    /// For example `IR-5`.
    pub slug: Option<String>,
    /// Its title.
    pub title: Option<String>,
    /// For example `active`.
    pub state: Option<String>,
    /// For example `SEV-2`.
    pub severity: Option<String>,
    /// The id of the user who leads it.
    pub commander: Option<String>,
}

impl Incident {
    /// Reads one item of JSON:API; none when it says no id or no number.
    #[must_use]
    pub fn read(item: &Value) -> Option<Self> {
        let attributes = &item["attributes"];
        let number = match &attributes["public_id"] {
            Value::Number(number) => number.as_u64()?,
            Value::String(text) => text.parse().ok()?,
            _ => return None,
        };
        let field = |name: &str| text(&attributes["fields"][name]["value"]);
        Some(Self {
            id: text(&item["id"])?,
            number,
            slug: field("slug"),
            title: text(&attributes["title"]),
            state: text(&attributes["state"]).or_else(|| field("state")),
            severity: text(&attributes["severity"]).or_else(|| field("severity")),
            // Recorded answers name the commander in the attributes while the relationship is null.
            commander: text(&attributes["commander"]["data"]["id"])
                .or_else(|| text(&item["relationships"]["commander_user"]["data"]["id"])),
        })
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn d20_nulls_and_unknown_members_are_no_hindrance() {
        let known = |item: Value| Incident::read(&item);
        let plain = json!({"id": "a", "attributes": {"public_id": 5, "new": {"x": [1]}}});
        let five = Incident { id: "a".into(), number: 5, ..Incident::default() };
        assert_eq!(known(plain), Some(five.clone()));
        let nulls = json!({"id": "a", "attributes": {"public_id": "5", "title": null,
            "fields": null, "state": {"odd": 1}, "severity": " "}, "relationships": null});
        assert_eq!(known(nulls), Some(five.clone()));
        let fields = json!({"id": "a", "attributes": {"public_id": 5, "fields": {
            "teams": null, "state": {"type": "new_kind", "value": "active"}, "slug": {"value": 7},
            "severity": {"value": "SEV-3"}}}});
        let told = Incident {
            state: Some("active".into()),
            severity: Some("SEV-3".into()),
            ..five.clone()
        };
        assert_eq!(known(fields), Some(told));
        for led in [
            json!({"id": "a", "attributes": {"public_id": 5, "commander": {"data": {"id": "u"}}},
                "relationships": {"commander_user": {"data": null}}}),
            json!({"id": "a", "attributes": {"public_id": 5, "commander": null},
                "relationships": {"commander_user": {"data": {"id": "u"}}}}),
        ] {
            let commander = Some("u".to_owned());
            assert_eq!(known(led), Some(Incident { commander, ..five.clone() }));
        }
        for not_one in [
            json!(null),
            json!([]),
            json!({"id": "a", "attributes": null}),
            json!({"id": "", "attributes": {"public_id": 5}}),
            json!({"id": "a", "attributes": {"public_id": -5}}),
            json!({"id": "a", "attributes": {"public_id": "five"}}),
        ] {
            assert_eq!(known(not_one.clone()), None, "{not_one}");
        }
    }
}
