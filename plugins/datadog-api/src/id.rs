//! The internal id of an incident, before it becomes part of a path.

use bowline_sdk::{Failure, shown};

/// Checks the internal id of an incident and gives it back as it is, since the grant names it.
///
/// # Errors
///
/// `config` for everything but 32 hexadecimal digits, with or without the dashes of a UUID.
pub fn incident_id(text: &str) -> Result<&str, Failure> {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    let shaped = lengths == [8, 4, 4, 4, 12] || lengths == [32];
    if shaped && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-') {
        return Ok(text);
    }
    let shown = shown(text);
    Err(Failure::config(format!(
        "`incident_id` is no incident id: `{shown}`; give the internal id (UUID), for example the \
         output `incident_id` of `datadog-incident-extract-id`"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_id_leads_into_a_path() {
        for id in ["6248184c-3ce0-54e7-a9f3-8db44efede9d", "6248184C3CE054E7A9F38DB44EFEDE9D"] {
            assert_eq!(incident_id(id).ok(), Some(id));
        }
        for id in [
            "",
            "5",
            "IR-5",
            "../x",
            "6248184c-3ce0-54e7-a9f3-8db44efede9d/timeline",
            "6248184c-3ce0-54e7-a9f3-8db44efede9d?x",
            " 6248184c-3ce0-54e7-a9f3-8db44efede9d",
            "6248184c-3ce0-54e7-a9f3-8db44efede9g",
            "$INCIDENT_UUID",
            "--------------------------------",
        ] {
            let failure = incident_id(id).expect_err(id);
            assert_eq!(failure.code(), "config", "{id}");
        }
    }
}
