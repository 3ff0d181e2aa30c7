//! Credentials that a service wants inside the JSON body, put there on the way out.
//!
//! Two halves: `check` looks at the guest's body before anything is granted or written down, and
//! knows no credential; `with_member` runs last, when scope, budget and journal have said yes.

use effects::CallError;
use serde_json::{Map, Value};

/// Whether each of `names` can be put into `body` without a doubt about what it then means: it is
/// one JSON object, and has none of them yet.
pub(crate) fn check<'a>(
    body: &[u8],
    names: impl IntoIterator<Item = &'a str>,
) -> Result<(), CallError> {
    let invalid = |message: String| Err(CallError::invalid("http.invalid-body", message));
    let mut names = names.into_iter().peekable();
    if names.peek().is_none() {
        return Ok(());
    }
    let members: Map<String, Value> = match serde_json::from_slice(body) {
        Ok(members) => members,
        Err(error) => {
            return invalid(format!(
                "this connection puts its credential into the body, which must be a JSON object: \
                 {error}"
            ));
        }
    };
    match names.find(|name| members.contains_key(*name)) {
        Some(name) => invalid(format!("the member `{name}` of the body belongs to the host")),
        None => Ok(()),
    }
}

/// `body`, which has passed [`check`], with one member more. Everything else stays byte for byte.
pub(crate) fn with_member(body: &[u8], name: &str, value: &str) -> Vec<u8> {
    let Some(start) = body.iter().position(|byte| *byte == b'{') else { return body.to_vec() };
    let rest = &body[start + 1..];
    let is_empty = rest.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'}');
    let member = format!("{}:{}", Value::from(name), Value::from(value));
    let mut out = Vec::with_capacity(body.len() + member.len() + 1);
    out.extend_from_slice(&body[..=start]);
    out.extend_from_slice(member.as_bytes());
    if !is_empty {
        out.push(b',');
    }
    out.extend_from_slice(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_object_without_the_member_can_take_it() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(500), "]".repeat(500));
        let cases: [(&[u8], bool); 12] = [
            (b"{}", true),
            (b" { \"a\": {\"routing_key\": 1} } ", true),
            (b"{\"routing_key\":\"x\"}", false),
            (b"{\"routing\\u005fkey\":\"x\"}", false),
            (b"[]", false),
            (b"\"{}\"", false),
            (b"null", false),
            (b"", false),
            (b"{} {}", false),
            (b"{\"a\":1", false),
            (b"a=b", false),
            (deep.as_bytes(), false),
        ];
        for (body, expected) in cases {
            let text = String::from_utf8_lossy(body);
            assert_eq!(check(body, ["routing_key"]).is_ok(), expected, "{text}");
            assert!(check(body, []).is_ok(), "without a member any body is good: {text}");
        }
    }

    #[test]
    fn the_member_is_added_and_the_rest_stays_as_it_is() {
        let cases = [
            ("{}", r#"{"k\"":"a\"b\\"}"#),
            (" { } ", r#" {"k\"":"a\"b\\" } "#),
            (r#"{"n": 1.50}"#, r#"{"k\"":"a\"b\\","n": 1.50}"#),
        ];
        for (body, expected) in cases {
            let sent = with_member(body.as_bytes(), "k\"", "a\"b\\");
            assert_eq!(String::from_utf8_lossy(&sent), expected);
            let parsed: Value = serde_json::from_slice(&sent).unwrap();
            assert_eq!(parsed["k\""], "a\"b\\", "{body}");
        }
    }
}
