//! The one user of the practice Datadog, and what the application key may do.

use crate::exchange::Answer;
use serde_json::{Value, json};

/// The user's id; the same at every start.
pub(super) const USER_ID: &str = "5a1f0c7e-0000-4000-8000-00000000d00d";

const PERMISSIONS: &[(&str, &str)] = &[
    ("incident_read", "Case and Incident Management"),
    ("incident_write", "Case and Incident Management"),
    ("events_read", "Events"),
];

/// The user, as incidents name who made them.
pub(super) fn user() -> Value {
    json!({"data": {
        "type": "users",
        "id": USER_ID,
        "attributes": {
            "uuid": USER_ID,
            "handle": "practice@example.com",
            "email": "practice@example.com",
            "name": "Practice User",
            "icon": "",
        },
    }})
}

/// A link to the user.
pub(super) fn link() -> Value {
    json!({"data": {"type": "users", "id": USER_ID}})
}

/// Answers which permissions there are.
pub(super) fn permissions() -> Answer {
    let data: Vec<Value> = (1..)
        .zip(PERMISSIONS)
        .map(|(number, (name, group))| {
            json!({
                "type": "permissions",
                "id": format!("5a1f0c7e-0000-4000-8000-{number:012}"),
                "attributes": {
                    "name": name,
                    "display_name": name.replace('_', " "),
                    "description": format!("Gives {name}."),
                    "created": "2020-01-01T00:00:00.000000+00:00",
                    "group_name": group,
                    "display_type": if name.ends_with("read") { "read" } else { "write" },
                    "restricted": false,
                },
            })
        })
        .collect();
    Answer::json(200, &json!({"data": data}))
}
