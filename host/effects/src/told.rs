//! What a step was told of a call, as bytes that are kept and read back.
//!
//! A number for the form, the length of what stands in front, that as JSON, and a body as it is.

use crate::{Answer, CallError, Party, Reason};
use journal::{Disposition, Reply};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The form of these bytes.
const FORM: u8 = 1;

#[derive(Serialize, Deserialize)]
#[serde(tag = "told", rename_all = "kebab-case")]
enum Front {
    Answer { status: u16, headers: Vec<(String, String)> },
    Error(Box<Error>),
}

#[derive(Serialize, Deserialize)]
struct Error {
    reason: String,
    disposition: Disposition,
    code: String,
    message: String,
    status: Option<u16>,
    retry_after_ms: Option<u64>,
    in_doubt: bool,
    details: Option<Value>,
    missing_rule: Option<Box<Value>>,
    denied_by: Option<String>,
}

const REASONS: &[(&str, Reason)] = &[
    ("denied", Reason::Denied),
    ("revoked", Reason::Revoked),
    ("invalid", Reason::Invalid),
    ("exhausted", Reason::Exhausted),
    ("withheld", Reason::Withheld),
    ("timeout", Reason::Timeout),
    ("unreachable", Reason::Unreachable),
    ("remote", Reason::Remote),
    ("other", Reason::Other),
];

/// What is kept of it. The caller has taken credentials out.
pub(crate) fn keep(told: Result<&Answer, &CallError>) -> Option<Reply> {
    let (front, body) = match told {
        Ok(Answer { status, headers, body }) => {
            (Front::Answer { status: *status, headers: headers.clone() }, body.as_slice())
        }
        Err(error) => (Front::Error(Box::new(of(error))), &[][..]),
    };
    let front = serde_json::to_vec(&front).ok()?;
    let length = u32::try_from(front.len()).ok()?;
    let mut bytes = Vec::with_capacity(5 + front.len() + body.len());
    bytes.push(FORM);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&front);
    bytes.extend_from_slice(body);
    Some(Reply::new(bytes))
}

/// What was kept; None if these bytes are something else.
pub(crate) fn read(bytes: &[u8]) -> Option<Result<Answer, CallError>> {
    let (form, rest) = bytes.split_first()?;
    let (length, rest) = rest.split_at_checked(4)?;
    let length = usize::try_from(u32::from_le_bytes(length.try_into().ok()?)).ok()?;
    let (front, body) = rest.split_at_checked(length)?;
    if *form != FORM {
        return None;
    }
    Some(match serde_json::from_slice(front).ok()? {
        Front::Answer { status, headers } => Ok(Answer { status, headers, body: body.to_vec() }),
        Front::Error(error) => Err(into(*error)?),
    })
}

fn of(error: &CallError) -> Error {
    let named = REASONS.iter().find(|(_, reason)| *reason == error.reason);
    Error {
        reason: named.map_or("other", |(name, _)| name).to_owned(),
        disposition: error.disposition,
        code: error.code.clone(),
        message: error.message.clone(),
        status: error.status,
        retry_after_ms: error.retry_after_ms,
        in_doubt: error.in_doubt,
        details: error.details.clone(),
        missing_rule: error.missing_rule.clone(),
        denied_by: error.denied_by.map(|party| party.as_str().to_owned()),
    }
}

fn into(kept: Error) -> Option<CallError> {
    let reason = REASONS.iter().find(|(name, _)| *name == kept.reason)?.1;
    Some(CallError {
        reason,
        disposition: kept.disposition,
        code: kept.code,
        message: kept.message,
        status: kept.status,
        retry_after_ms: kept.retry_after_ms,
        in_doubt: kept.in_doubt,
        details: kept.details,
        missing_rule: kept.missing_rule,
        denied_by: kept.denied_by.and_then(|by| Party::named(&by)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_comes_back_byte_for_byte() {
        let headers = vec![("a".to_owned(), "b".to_owned())];
        let answer = Answer { status: 201, headers, body: vec![0, 255, b'{', 10] };
        let kept = keep(Ok(&answer)).expect("keep");

        let read = read(&kept.bytes).expect("read").expect("an answer");

        assert_eq!((read.status, read.headers, read.body), (201, answer.headers, answer.body));
    }

    #[test]
    fn an_error_comes_back_with_all_that_a_step_decides_by() {
        let mut error = CallError::new(Reason::Timeout, "connection.timeout", "late");
        error.in_doubt = true;
        error.retry_after_ms = Some(7);
        error.denied_by = Some(Party::Policy);
        let kept = keep(Err(&error)).expect("keep");

        let read = read(&kept.bytes).expect("read").expect_err("an error");

        assert_eq!(format!("{read:?}"), format!("{error:?}"));
    }

    #[test]
    fn every_reason_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<&str> =
            REASONS.iter().map(|(name, _)| *name).collect();
        assert_eq!(names.len(), Reason::ALL.len());
        assert!(Reason::ALL.iter().all(|reason| REASONS.iter().any(|(_, known)| known == reason)));
    }

    #[test]
    fn other_bytes_are_no_answer() {
        for bytes in
            [&b""[..], b"\x01", b"\x02\0\0\0\0", b"\x01\x02\0\0\0{}", b"\x01\xff\xff\xff\xff"]
        {
            assert!(read(bytes).is_none(), "{bytes:?}");
        }
    }
}
