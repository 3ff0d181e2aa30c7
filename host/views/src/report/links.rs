//! Addresses that steps gave out, as links that lead where they say.

use serde_json::Value;

/// The most links of one output.
const LINKS_MAX: usize = 20;

/// The longest address.
const BYTES_MAX: usize = 2_000;

/// The addresses in a value, each once.
pub(super) fn of(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect(value, &mut found);
    found.truncate(LINKS_MAX);
    found
}

fn collect(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => {
            for link in in_text(text) {
                if !found.iter().any(|known| known == link) {
                    found.push(link.to_owned());
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
        Value::Object(members) => members.values().for_each(|value| collect(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn in_text(text: &str) -> Vec<&str> {
    let mut links = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("http") {
        let (before, from) = rest.split_at(start);
        let end = from.find(|c| !may_be_in_an_address(c)).unwrap_or(from.len());
        let link = from[..end].trim_end_matches(['.', ',', ';', ':', '!', '?', ')', '*', '_']);
        // In the middle of a word it is a part of something else.
        if !before.ends_with(|c: char| c.is_alphanumeric()) && leads_where_it_says(link) {
            links.push(link);
        }
        rest = &from[end.max("http".len())..];
    }
    links
}

/// What an address is made of, without what could end a link early.
fn may_be_in_an_address(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~:/?#[]@!$&()*+,;=%".contains(c)
}

/// Whether it has a host, and nothing before it that looks like one.
fn leads_where_it_says(link: &str) -> bool {
    let rest = link.strip_prefix("https://").or_else(|| link.strip_prefix("http://"));
    let Some(rest) = rest.filter(|_| link.len() <= BYTES_MAX) else { return false };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    host.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[')
        && host.chars().all(|c| c.is_ascii_alphanumeric() || "-._:[]".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_whole_addresses_of_the_web_are_links() {
        let cases = [
            ("see https://a.test/x?y=1#z.", vec!["https://a.test/x?y=1#z"]),
            ("(http://a.test:8080/)", vec!["http://a.test:8080/"]),
            (
                "https://a.test https://a.test http://b.test",
                vec!["https://a.test", "http://b.test"],
            ),
            ("javascript:alert(1) ftp://a.test data:x", vec![]),
            ("xhttps://a.test httpss://a.test https:/a.test https://", vec![]),
            ("https://good.test@evil.test/", vec![]),
            ("https://a.test/\"onclick=x", vec!["https://a.test/"]),
            ("https://a.test/<b>", vec!["https://a.test/"]),
            ("https://a.test/\u{202e}x", vec!["https://a.test/"]),
        ];
        for (text, expected) in cases {
            assert_eq!(of(&json!(text)), expected, "{text:?}");
        }
        let nested = json!({"a": ["https://a.test/1", {"b": "https://a.test/2"}], "n": 5});
        assert_eq!(of(&nested), ["https://a.test/1", "https://a.test/2"]);
        assert_eq!(
            of(&json!(format!("https://a.test/{}", "x".repeat(3_000)))),
            Vec::<String>::new()
        );
    }
}
