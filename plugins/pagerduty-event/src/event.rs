//! The event as it is sent: the inputs checked, and put into the form that its action has.
//!
//! Pure. The key of the integration is not in it; the host adds that on the way out.

use crate::{Action, Inputs};
use bowline_sdk::{Failure, log, shown, text};
use serde_json::{Map, Value, json};

/// The most characters of a summary, as documented.
const SUMMARY_CHARACTERS_MAX: usize = 1024;
/// The most characters of a key, as documented.
const KEY_CHARACTERS_MAX: usize = 255;
/// The most bytes of an event, as documented.
const EVENT_BYTES_MAX: usize = 512 << 10;

/// What is to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Where to.
    pub path: &'static str,
    /// The whole body, the key of the integration apart.
    pub body: Map<String, Value>,
    /// What names the alert; none for a change.
    pub dedup_key: Option<String>,
}

/// Makes the event; `key` names the alert when the author does not.
///
/// # Errors
///
/// `config` when an input is missing, or can't be right.
pub fn event(inputs: &Inputs, key: &str) -> Result<Event, Failure> {
    let event = match inputs.event_action {
        Action::Change => change(inputs)?,
        action => alert(inputs, action, key)?,
    };
    let bytes = serde_json::to_vec(&event.body).map_or(usize::MAX, |bytes| bytes.len());
    if bytes > EVENT_BYTES_MAX {
        let message =
            format!("the event has {bytes} bytes, and at most {EVENT_BYTES_MAX} are taken");
        return Err(Failure::config(format!("{message}; shorten `custom_details`")));
    }
    Ok(event)
}

fn change(inputs: &Inputs) -> Result<Event, Failure> {
    let of_alerts = [
        ("severity", inputs.severity.is_some()),
        ("dedup_key", inputs.dedup_key.is_some()),
        ("component", inputs.component.is_some()),
        ("group", inputs.group.is_some()),
        ("class", inputs.class.is_some()),
    ];
    if let Some((name, _)) = of_alerts.iter().find(|(_, given)| *given) {
        return Err(Failure::config(format!(
            "a change has no `{name}`; say `event_action: trigger`, `acknowledge` or `resolve` for \
             an alert, or leave `{name}` out"
        )));
    }
    let mut payload = payload(inputs, "change")?;
    if let Some(source) = words(inputs.source.as_deref()) {
        payload.insert("source".into(), source.into());
    }
    let mut body = Map::new();
    body.insert("payload".into(), payload.into());
    add_links(&mut body, inputs)?;
    Ok(Event { path: "/v2/change/enqueue", body, dedup_key: None })
}

fn alert(inputs: &Inputs, action: Action, key: &str) -> Result<Event, Failure> {
    let (name, given) = (name(action), words(inputs.dedup_key.as_deref()));
    let key = match given {
        Some(given) => given,
        None if action == Action::Trigger => key.to_owned(),
        None => {
            return Err(Failure::config(format!(
                "`{name}` needs the `dedup_key` of the alert, for example the output of the step \
                 that triggered it"
            )));
        }
    };
    let length = key.chars().count();
    if length > KEY_CHARACTERS_MAX {
        let message = format!("`dedup_key` has {length} characters, at most {KEY_CHARACTERS_MAX}");
        return Err(Failure::config(message));
    }
    let mut body = Map::new();
    body.insert("event_action".into(), name.into());
    body.insert("dedup_key".into(), key.clone().into());
    if action == Action::Trigger {
        let mut payload = payload(inputs, name)?;
        let source = words(inputs.source.as_deref())
            .ok_or_else(|| Failure::config("`trigger` needs `source`; say what it happened to"))?;
        payload.insert("source".into(), source.into());
        let severity = inputs.severity.ok_or_else(|| {
            Failure::config("`trigger` needs `severity`: critical, error, warning or info")
        })?;
        payload.insert("severity".into(), json!(severity));
        for (name, given) in
            [("component", &inputs.component), ("group", &inputs.group), ("class", &inputs.class)]
        {
            if let Some(given) = words(given.as_deref()) {
                payload.insert(name.into(), given.into());
            }
        }
        body.insert("payload".into(), payload.into());
        add_links(&mut body, inputs)?;
        body.insert("client".into(), "Bowline".into());
    }
    Ok(Event { path: "/v2/enqueue", body, dedup_key: Some(key) })
}

fn name(action: Action) -> &'static str {
    match action {
        Action::Trigger => "trigger",
        Action::Acknowledge => "acknowledge",
        Action::Resolve => "resolve",
        Action::Change => "change",
    }
}

/// What alerts and changes have in common.
fn payload(inputs: &Inputs, action: &str) -> Result<Map<String, Value>, Failure> {
    let summary = inputs.summary.as_deref().unwrap_or_default();
    let (summary, cut) = text::line(summary, SUMMARY_CHARACTERS_MAX);
    if summary.is_empty() {
        return Err(Failure::config(format!("`{action}` needs `summary`; say what happened")));
    }
    if cut {
        log::warn!("`summary` is cut to {SUMMARY_CHARACTERS_MAX} characters");
    }
    let mut payload = Map::new();
    payload.insert("summary".into(), summary.into());
    if let Some(time) = words(inputs.timestamp.as_deref()) {
        payload.insert("timestamp".into(), time.into());
    }
    if !inputs.custom_details.is_empty() {
        payload.insert("custom_details".into(), inputs.custom_details.clone().into());
    }
    Ok(payload)
}

fn add_links(body: &mut Map<String, Value>, inputs: &Inputs) -> Result<(), Failure> {
    let is_link = |href: &str| href.starts_with("https://") || href.starts_with("http://");
    if let Some(link) = inputs.links.iter().find(|link| !is_link(&link.href)) {
        let shown = shown(&link.href);
        let message = format!("`links` can't lead to `{shown}`; give an address with `https://`");
        return Err(Failure::config(message));
    }
    if !inputs.links.is_empty() {
        body.insert("links".into(), json!(inputs.links));
    }
    Ok(())
}

/// A text on one line, if there is one.
fn words(given: Option<&str>) -> Option<String> {
    let (line, _) = text::line(given.unwrap_or_default(), 1024);
    (!line.is_empty()).then_some(line)
}
