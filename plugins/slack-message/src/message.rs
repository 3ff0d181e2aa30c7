//! The message as it is sent: the inputs checked, bounded, and without what would notify people.
//!
//! Pure. Slack's own Markdown stays as the author wrote it.

use crate::Inputs;
use bowline_sdk::{Failure, log, shown, text};
use serde_json::{Map, Value, json};

/// The most characters of a text, as documented.
const TEXT_CHARACTERS_MAX: usize = 40_000;
/// The most blocks of a message, as documented.
const BLOCKS_MAX: usize = 50;
/// What stands at the end of a text that was cut.
const NOTE: &str = "\n… (cut)";
/// Elements of rich text that notify: they become text.
const NOTIFYING: &[&str] = &["broadcast", "user", "usergroup"];

/// The body of the request.
///
/// # Errors
///
/// `config` when an input can't be right.
pub fn body(inputs: &Inputs) -> Result<Map<String, Value>, Failure> {
    let channel = inputs.channel.trim();
    let is_channel = !channel.is_empty()
        && channel.chars().count() <= 100
        && !channel.chars().any(|letter| letter.is_whitespace() || letter.is_control());
    if !is_channel {
        let shown = shown(channel);
        return Err(Failure::config(format!(
            "`channel` is no channel: `{shown}`; give its id or its name, for example `#incidents`"
        )));
    }
    let mut body = Map::new();
    body.insert("channel".into(), channel.into());
    let message = message(inputs);
    let blocks = inputs.blocks.as_ref().map(blocks).transpose()?.unwrap_or_default();
    if message.is_empty() && blocks.is_empty() {
        return Err(Failure::config("there is nothing to send; give `message` or `blocks`"));
    }
    if !message.is_empty() {
        body.insert("text".into(), message.into());
    }
    if !blocks.is_empty() {
        let blocks = blocks.into_iter();
        let blocks = blocks.map(|block| if inputs.notify { block } else { quiet_block(block) });
        body.insert("blocks".into(), Value::Array(blocks.collect()));
    }
    if let Some(name) = inputs.username.as_deref() {
        let (name, _) = text::line(name, 80);
        if !name.is_empty() {
            body.insert("username".into(), name.into());
        }
    }
    if let Some(thread) = inputs.thread_ts.as_deref().map(str::trim).filter(|ts| !ts.is_empty()) {
        body.insert("thread_ts".into(), thread_ts(thread)?.into());
    }
    Ok(body)
}

fn message(inputs: &Inputs) -> String {
    let message = text::clean(inputs.message.as_deref().unwrap_or_default());
    let message = message.trim();
    let message = if inputs.notify { message.to_owned() } else { quiet(message) };
    if message.chars().count() <= TEXT_CHARACTERS_MAX {
        return message;
    }
    log::warn!("`message` is cut to {TEXT_CHARACTERS_MAX} characters");
    let kept = text::first_letters(&message, TEXT_CHARACTERS_MAX - NOTE.chars().count());
    format!("{}{NOTE}", kept.trim_end())
}

/// Mentions shown instead of followed: `<!here>`, `<@U1>` and `<!subteam^S1>` become text.
fn quiet(message: &str) -> String {
    message.replace("<!", "&lt;!").replace("<@", "&lt;@")
}

fn quiet_block(block: Value) -> Value {
    match block {
        Value::String(text) => Value::String(quiet(&text)),
        Value::Array(items) => items.into_iter().map(quiet_block).collect(),
        Value::Object(members) => {
            let kind = members.get("type").and_then(Value::as_str).unwrap_or_default();
            if NOTIFYING.contains(&kind) {
                let named = ["range", "user_id", "usergroup_id"]
                    .iter()
                    .find_map(|name| members.get(*name)?.as_str());
                return json!({"type": "text", "text": format!("@{}", named.unwrap_or(kind))});
            }
            let is_markdown = kind == "mrkdwn";
            let quiet = members.into_iter().map(|(name, value)| (name, quiet_block(value)));
            let mut quiet: Map<String, Value> = quiet.collect();
            if is_markdown {
                // Slack would make a mention of a plain `@here` otherwise.
                quiet.insert("verbatim".to_owned(), Value::Bool(true));
            }
            Value::Object(quiet)
        }
        other => other,
    }
}

/// The blocks, which Relay's workflows write as the JSON text of a list.
fn blocks(given: &Value) -> Result<Vec<Value>, Failure> {
    let wrong = |why: &str| {
        let message = format!("`blocks` can't be sent: {why}; give a list of blocks, or its JSON");
        Err(Failure::config(message))
    };
    let parsed;
    let given = match given {
        Value::String(text) if text.trim().is_empty() => return Ok(Vec::new()),
        Value::String(text) => match serde_json::from_str(text) {
            Ok(value) => {
                parsed = value;
                &parsed
            }
            Err(error) => return wrong(&format!("the text is no JSON ({error})")),
        },
        other => other,
    };
    match given {
        Value::Null => Ok(Vec::new()),
        Value::Array(blocks) if blocks.len() > BLOCKS_MAX => {
            wrong(&format!("there are {}, and at most {BLOCKS_MAX} are allowed", blocks.len()))
        }
        Value::Array(blocks) if blocks.iter().all(|block| block["type"].is_string()) => {
            Ok(blocks.clone())
        }
        Value::Array(_) => wrong("each block must be an object with a `type`"),
        _ => wrong("it is no list"),
    }
}

fn thread_ts(text: &str) -> Result<&str, Failure> {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if text.split_once('.').is_some_and(|(seconds, rest)| digits(seconds) && digits(rest)) {
        return Ok(text);
    }
    let shown = shown(text);
    Err(Failure::config(format!(
        "`thread_ts` is no name of a message: `{shown}`; give the output `ts` of an earlier \
         `slack-message`, for example `1700000000.000100`"
    )))
}
