//! The event as it is sent: the inputs checked, cut and brought into Datadog's form.
//!
//! Pure. Version 1 of the API, which needs the API key alone and is served by every site under the
//! same name as the rest; version 2 has an address of its own that a connection does not lead to.

use crate::Inputs;
use bowline_sdk::{Failure, log, shown, text};
use datadog_api::quiet;
use serde_json::{Map, Value};

/// The most characters of a title. The service takes more, people don't.
const TITLE_CHARACTERS_MAX: usize = 500;
/// The most characters of a text, as documented.
const TEXT_CHARACTERS_MAX: usize = 4000;
/// The most characters of a key, as documented.
const KEY_CHARACTERS_MAX: usize = 100;
/// The most characters of a tag, as documented.
const TAG_CHARACTERS_MAX: usize = 200;
/// How an event may be shown.
const TYPES: &[&str] =
    &["error", "warning", "info", "success", "user_update", "recommendation", "snapshot"];
/// What begins and ends Markdown in the text of an event.
const MARKDOWN: (&str, &str) = ("%%% \n", "\n %%%");
/// What stands at the end of a text that was cut.
const NOTE: &str = "\n… (cut)";

/// The body of the request; `key` is the aggregation key when the author gives none.
///
/// # Errors
///
/// `config` when an input can't be right.
pub fn body(inputs: &Inputs, key: &str) -> Result<Map<String, Value>, Failure> {
    let mut body = Map::new();
    body.insert("title".into(), title(inputs)?.into());
    body.insert("text".into(), content(inputs)?.into());
    let kind = choice("event_type", &inputs.event_type, TYPES)?;
    body.insert("alert_type".into(), kind.into());
    if let Some(priority) = &inputs.priority {
        let priority = choice("priority", priority, &["normal", "low"])?;
        body.insert("priority".into(), priority.into());
    }
    body.insert("aggregation_key".into(), aggregation_key(inputs, key)?.into());
    let tags = tags(&inputs.tags);
    if !tags.is_empty() {
        body.insert("tags".into(), tags.into());
    }
    if let Some(host) = inputs.host.as_deref().map(str::trim).filter(|host| !host.is_empty()) {
        body.insert("host".into(), host.into());
    }
    if let Some(time) = inputs.date_happened {
        if time < 0 {
            let message = "`date_happened` is negative; give Unix time in seconds, or leave it out";
            return Err(Failure::config(message));
        }
        body.insert("date_happened".into(), time.into());
    }
    body.insert("source_type_name".into(), "bowline".into());
    Ok(body)
}

fn title(inputs: &Inputs) -> Result<String, Failure> {
    let (title, cut) = text::line(&inputs.event_title, TITLE_CHARACTERS_MAX);
    if title.is_empty() {
        return Err(Failure::config("`event_title` is empty; say what happened"));
    }
    if cut {
        log::warn!("`event_title` is cut to {TITLE_CHARACTERS_MAX} characters");
    }
    Ok(if inputs.notify { title } else { quiet(&title).0 })
}

/// The text, within the limit together with whatever is put around it.
fn content(inputs: &Inputs) -> Result<String, Failure> {
    let content = text::clean(&inputs.event_text);
    let content = content.trim();
    if content.is_empty() {
        return Err(Failure::config("`event_text` is empty; give the text of the event"));
    }
    let content = broken_up(content);
    let (content, mentions) = if inputs.notify { (content, 0) } else { quiet(&content) };
    if mentions > 0 {
        log::info!("{mentions} mentions notify nobody; set `notify: true` to let them");
    }
    let (before, after) = if inputs.markdown { MARKDOWN } else { ("", "") };
    let room = TEXT_CHARACTERS_MAX - before.chars().count() - after.chars().count();
    let content = if content.chars().count() > room {
        log::warn!("`event_text` is cut to {TEXT_CHARACTERS_MAX} characters");
        let kept = text::first_letters(&content, room - NOTE.chars().count());
        format!("{}{NOTE}", kept.trim_end())
    } else {
        content
    };
    Ok(format!("{before}{content}{after}"))
}

/// `%%%` would begin or end Markdown; a zero-width joiner after each second sign keeps it from that.
fn broken_up(content: &str) -> String {
    let mut out = String::with_capacity(content.len());
    let mut signs = 0;
    for letter in content.chars() {
        signs = if letter == '%' { signs + 1 } else { 0 };
        if signs == 3 {
            out.push('\u{200d}');
            signs = 1;
        }
        out.push(letter);
    }
    out
}

fn choice(name: &str, given: &str, choices: &[&'static str]) -> Result<&'static str, Failure> {
    let given = given.trim();
    choices.iter().find(|choice| **choice == given).copied().ok_or_else(|| {
        let (given, choices) = (shown(given), choices.join(", "));
        Failure::config(format!("`{name}` can't be `{given}`; there are {choices}"))
    })
}

fn aggregation_key<'a>(inputs: &'a Inputs, key: &'a str) -> Result<&'a str, Failure> {
    let Some(given) = inputs.aggregation_key.as_deref().map(str::trim) else { return Ok(key) };
    let length = given.chars().count();
    if (1..=KEY_CHARACTERS_MAX).contains(&length) {
        return Ok(given);
    }
    Err(Failure::config(format!(
        "`aggregation_key` has {length} characters; give 1 to {KEY_CHARACTERS_MAX}, or leave it out"
    )))
}

/// Tags as Datadog keeps them: lower case, letters, digits and `_-:./`, everything else as `_`, at
/// most 200 characters, each once.
fn tags(given: &[String]) -> Vec<String> {
    let mut tags: Vec<String> = Vec::new();
    for given in given {
        let tag = tag(given);
        if tag != *given {
            log::warn!("the tag `{}` becomes `{}`", shown(given), shown(&tag));
        }
        if !tag.is_empty() && !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    tags
}

fn tag(given: &str) -> String {
    let mut tag = String::new();
    for letter in given.trim().chars().flat_map(char::to_lowercase) {
        let kept = letter.is_alphanumeric() || "_-:./".contains(letter);
        match (kept, tag.ends_with('_')) {
            (true, _) => tag.push(letter),
            (false, false) => tag.push('_'),
            (false, true) => (),
        }
    }
    // A tag begins with a letter, and blanks at its end would be underscores.
    let tag = tag.trim_start_matches(|letter: char| !letter.is_alphabetic());
    text::first_letters(tag, TAG_CHARACTERS_MAX).trim_end_matches('_').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e09_tags_are_brought_into_datadog_s_form() {
        let cases = [
            ("env:prod", "env:prod"),
            ("Env:PROD", "env:prod"),
            ("team:on call", "team:on_call"),
            ("a,b;c", "a_b_c"),
            (" spaced  out ", "spaced_out"),
            ("1st:x", "st:x"),
            ("größe:ß", "größe:ß"),
            ("trailing_", "trailing"),
            (",,", ""),
        ];
        for (given, expected) in cases {
            assert_eq!(tag(given), expected, "{given:?}");
        }
        assert_eq!(tag(&"x".repeat(300)).chars().count(), TAG_CHARACTERS_MAX);
        let given = ["A:b", "a:b", "", "c"].map(str::to_owned);
        assert_eq!(tags(&given), ["a:b", "c"]);
    }

    #[test]
    fn e02_percent_signs_do_not_end_the_markdown() {
        let cases = [
            ("100% sure, 50%% off", "100% sure, 50%% off".to_owned()),
            ("%%%", "%%\u{200d}%".to_owned()),
            ("%%%%%%", "%%\u{200d}%%\u{200d}%%".to_owned()),
        ];
        for (text, expected) in cases {
            assert_eq!(broken_up(text), expected, "{text}");
            assert!(!broken_up(text).contains("%%%"), "{text}");
        }
    }
}
