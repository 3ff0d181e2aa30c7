//! What Datadog's refusals mean, and what to do about them.

use bowline_sdk::Failure;
use bowline_sdk::http::{Response, refusal};

/// The failure that an answer means which came while `doing` something with the connection of that
/// name; `permission` is what the call needs.
///
/// Datadog answers 403 to a wrong key, a wrong site and a missing permission alike, so all causes
/// are named. Codes are those of [`refusal`], with `datadog` before them.
#[must_use]
pub fn refused(answer: Response, doing: &str, connection: &str, permission: &str) -> Failure {
    let remedy = remedy(answer.status(), connection, permission);
    refusal(answer, "datadog", doing, &remedy)
}

fn remedy(status: u16, connection: &str, permission: &str) -> String {
    match status {
        401 => format!("the credentials of connection `{connection}` are not accepted"),
        403 => format!(
            "Datadog does not say which it is: connection `{connection}` has a wrong or revoked key, \
             is set to another site than the key's, lacks the permission `{permission}` (or the \
             application key's scope does), or comes from an address that is not allowed"
        ),
        300..=399 => {
            format!("check the site of connection `{connection}`; redirects are not followed")
        }
        _ => String::new(),
    }
}
