//! How the API server says no: `Status` objects with code, reason, message and details.
//!
//! Clients decide by reason and code and show the message to people, so all three follow the
//! real server's grammar. Nothing here decides whether to refuse.

use super::kinds::Kind;
use crate::exchange::Answer;
use http::header::RETRY_AFTER;
use serde_json::{Value, json};

/// A request that is refused.
#[derive(Debug, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) code: u16,
    reason: &'static str,
    message: String,
    details: Option<Box<Value>>,
    retry_after_seconds: Option<u32>,
}

/// One thing that is wrong with an object, at its place.
#[derive(Debug, PartialEq)]
pub(crate) struct Cause {
    /// The path, as `spec.replicas`.
    pub(crate) field: String,
    /// `FieldValueInvalid`, `FieldValueRequired`, `FieldManagerConflict` …
    pub(crate) reason: &'static str,
    /// What is wrong, without the path.
    pub(crate) message: String,
}

impl Cause {
    /// A value that can't be.
    pub(crate) fn invalid(field: &str, value: &Value, why: &str) -> Self {
        Self {
            field: field.to_owned(),
            reason: "FieldValueInvalid",
            message: format!("Invalid value: {value}: {why}"),
        }
    }

    /// A value that is missing.
    pub(crate) fn required(field: &str, why: &str) -> Self {
        let message = if why.is_empty() {
            "Required value".to_owned()
        } else {
            format!("Required value: {why}")
        };
        Self { field: field.to_owned(), reason: "FieldValueRequired", message }
    }

    fn line(&self) -> String {
        format!("{}: {}", self.field, self.message)
    }
}

impl Refusal {
    fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: None, retry_after_seconds: None }
    }

    fn details(mut self, details: Value) -> Self {
        self.details = Some(Box::new(details));
        self
    }

    /// 400.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// 401: no token, or a wrong one.
    pub(crate) fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized")
    }

    /// 403; `who` is `cannot get resource …` or another reason.
    pub(crate) fn forbidden(kind: &Kind, name: &str, why: &str) -> Self {
        let object = if name.is_empty() { String::new() } else { format!(" {name:?}") };
        let message = format!("{}{object} is forbidden: {why}", kind.qualified());
        Self::new(403, "Forbidden", message).details(named(kind, kind.resource, name))
    }

    /// 404: no such object.
    pub(crate) fn not_found(kind: &Kind, name: &str) -> Self {
        let message = format!("{} {name:?} not found", kind.qualified());
        Self::new(404, "NotFound", message).details(named(kind, kind.resource, name))
    }

    /// 404: no such path.
    pub(crate) fn no_such_path() -> Self {
        Self::new(404, "NotFound", "the server could not find the requested resource")
            .details(json!({}))
    }

    /// 405.
    pub(crate) fn method_not_allowed() -> Self {
        Self::new(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        )
        .details(json!({}))
    }

    /// 406.
    pub(crate) fn not_acceptable() -> Self {
        Self::new(
            406,
            "NotAcceptable",
            "only the following media types are accepted: application/json",
        )
    }

    /// 409: the name is taken.
    pub(crate) fn already_exists(kind: &Kind, name: &str) -> Self {
        let message = format!("{} {name:?} already exists", kind.qualified());
        Self::new(409, "AlreadyExists", message).details(named(kind, kind.resource, name))
    }

    /// 409: the object is another one than the client thinks.
    pub(crate) fn conflict(kind: &Kind, name: &str) -> Self {
        Self::conflict_because(
            kind,
            name,
            "the object has been modified; please apply your changes to the latest version and \
             try again",
        )
    }

    /// 409 with a reason of its own.
    pub(crate) fn conflict_because(kind: &Kind, name: &str, why: &str) -> Self {
        let message =
            format!("Operation cannot be fulfilled on {} {name:?}: {why}", kind.qualified());
        Self::new(409, "Conflict", message).details(named(kind, kind.resource, name))
    }

    /// 409: other managers own what an apply wants to set.
    pub(crate) fn apply_conflict(causes: &[Cause]) -> Self {
        let count = causes.len();
        let plural = if count == 1 { "conflict" } else { "conflicts" };
        let lines = causes.iter().map(|cause| format!("{}: {}", cause.message, cause.field));
        let message = match causes {
            [_] => format!("Apply failed with 1 conflict: {}", lines.collect::<String>()),
            _ => {
                let list: Vec<_> = lines.map(|line| format!("- {line}")).collect();
                format!("Apply failed with {count} {plural}:\n{}", list.join("\n"))
            }
        };
        Self::new(409, "Conflict", message).details(json!({"causes": listed(causes)}))
    }

    /// 410: the version that was asked for is too old.
    pub(crate) fn expired(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message)
    }

    /// 413.
    pub(crate) fn too_large(message: impl Into<String>) -> Self {
        Self::new(413, "RequestEntityTooLarge", message)
    }

    /// 415, with the media types that would do.
    pub(crate) fn unsupported_media_type(accepted: &[&str]) -> Self {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: {}",
            accepted.join(", ")
        );
        Self::new(415, "UnsupportedMediaType", message)
    }

    /// 422: the object has these faults.
    pub(crate) fn invalid(kind: &Kind, name: &str, causes: &[Cause]) -> Self {
        Self::invalid_object(kind.group, kind.kind, &kind.qualified_kind(), name, causes)
    }

    /// 422: an option of the request has these faults.
    pub(crate) fn invalid_options(options: &str, causes: &[Cause]) -> Self {
        let qualified = format!("{options}.meta.k8s.io");
        Self::invalid_object("meta.k8s.io", options, &qualified, "", causes)
    }

    /// 422: a scale has these faults.
    pub(crate) fn invalid_scale(name: &str, causes: &[Cause]) -> Self {
        Self::invalid_object("autoscaling", "Scale", "Scale.autoscaling", name, causes)
    }

    fn invalid_object(
        group: &str,
        kind: &str,
        qualified: &str,
        name: &str,
        causes: &[Cause],
    ) -> Self {
        let lines: Vec<_> = causes.iter().map(Cause::line).collect();
        let why = match lines.as_slice() {
            [single] => single.clone(),
            several => format!("[{}]", several.join(", ")),
        };
        let mut details = json!({"kind": kind, "causes": listed(causes)});
        put_filled(&mut details, "name", name);
        put_filled(&mut details, "group", group);
        Self::new(422, "Invalid", format!("{qualified} {name:?} is invalid: {why}"))
            .details(details)
    }

    /// 422: a JSON patch could not be applied. The real server gives no cause either.
    pub(crate) fn patch_failed() -> Self {
        Self::generic(422, None)
    }

    /// What the server says with `code` when it says nothing special.
    pub(crate) fn generic(code: u16, retry_after_seconds: Option<u32>) -> Self {
        let (reason, message) = words(code);
        let mut details = json!({});
        if let Some(seconds) = retry_after_seconds {
            details = json!({"retryAfterSeconds": seconds});
        }
        let refusal = Self::new(code, reason, message).details(details);
        Self { retry_after_seconds, ..refusal }
    }

    /// 504: the server has not come as far as the version that was asked for.
    pub(crate) fn version_in_the_future(wanted: u64, newest: u64) -> Self {
        let message = format!("Too large resource version: {wanted}, current: {newest}");
        let cause =
            json!({"reason": "ResourceVersionTooLarge", "message": "Too large resource version"});
        let refusal = Self::new(504, "Timeout", message)
            .details(json!({"causes": [cause], "retryAfterSeconds": 1}));
        Self { retry_after_seconds: Some(1), ..refusal }
    }

    /// The `Status` object.
    pub(crate) fn to_status(&self) -> Value {
        let mut status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": if self.code < 400 { "Success" } else { "Failure" },
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
        });
        if let (Some(details), Some(fields)) = (&self.details, status.as_object_mut()) {
            fields.insert("details".to_owned(), details.as_ref().clone());
        }
        status
    }

    /// The answer that carries it.
    pub(crate) fn into_answer(self) -> Answer {
        let answer = Answer::json(self.code, &self.to_status());
        match self.retry_after_seconds {
            Some(seconds) => answer.with_header(RETRY_AFTER, &seconds.to_string()),
            None => answer,
        }
    }
}

fn words(code: u16) -> (&'static str, &'static str) {
    match code {
        400 => ("BadRequest", "the server rejected our request for an unknown reason"),
        401 => ("Unauthorized", "Unauthorized"),
        403 => ("Forbidden", "the server does not allow access to the requested resource"),
        404 => ("NotFound", "the server could not find the requested resource"),
        409 => ("Conflict", "the server reported a conflict"),
        413 => ("RequestEntityTooLarge", "Request entity too large: limit is 3145728"),
        422 => ("Invalid", "the server rejected our request due to an error in our request"),
        429 => (
            "TooManyRequests",
            "the server has received too many requests and has asked us to try again later",
        ),
        500 => {
            ("InternalError", "an error on the server has prevented the request from succeeding")
        }
        503 => ("ServiceUnavailable", "the server is currently unable to handle the request"),
        504 => (
            "Timeout",
            "the server was unable to return a response in the time allotted, but may still be \
             processing the request",
        ),
        _ => ("Unknown", "the server responded with a status that has no words of its own"),
    }
}

fn named(kind: &Kind, what: &str, name: &str) -> Value {
    let mut details = json!({"kind": what});
    put_filled(&mut details, "name", name);
    put_filled(&mut details, "group", kind.group);
    details
}

fn put_filled(details: &mut Value, key: &str, value: &str) {
    if let (false, Some(fields)) = (value.is_empty(), details.as_object_mut()) {
        fields.insert(key.to_owned(), json!(value));
    }
}

fn listed(causes: &[Cause]) -> Vec<Value> {
    let cause = |cause: &Cause| json!({"reason": cause.reason, "message": cause.message, "field": cause.field});
    causes.iter().map(cause).collect()
}

#[cfg(test)]
mod tests {
    use super::super::kinds::known;
    use super::*;

    #[test]
    fn refusals_read_as_the_real_ones() {
        let deployments = known("deployments");
        let cause = || Cause::invalid("spec.replicas", &json!(-1), "must be greater than 0");
        for (refusal, code, reason, message) in [
            (
                Refusal::not_found(deployments, "web"),
                404,
                "NotFound",
                "deployments.apps \"web\" not found",
            ),
            (
                Refusal::not_found(known("namespaces"), "nope"),
                404,
                "NotFound",
                "namespaces \"nope\" not found",
            ),
            (
                Refusal::already_exists(deployments, "web"),
                409,
                "AlreadyExists",
                "deployments.apps \"web\" already exists",
            ),
            (
                Refusal::conflict(deployments, "web"),
                409,
                "Conflict",
                "Operation cannot be fulfilled on deployments.apps \"web\": the object has been \
                 modified; please apply your changes to the latest version and try again",
            ),
            (
                Refusal::invalid(deployments, "web", &[cause()]),
                422,
                "Invalid",
                "Deployment.apps \"web\" is invalid: spec.replicas: Invalid value: -1: must be \
                 greater than 0",
            ),
            (
                Refusal::patch_failed(),
                422,
                "Invalid",
                "the server rejected our request due to an error in our request",
            ),
        ] {
            let status = refusal.to_status();
            assert_eq!(status["code"], code);
            assert_eq!(status["reason"], reason);
            assert_eq!(status["message"], message);
            assert_eq!(status["status"], "Failure");
        }
    }

    #[test]
    fn details_name_the_resource_and_causes_its_fields() {
        let deployments = known("deployments");

        let status = Refusal::not_found(deployments, "web").to_status();
        assert_eq!(
            status["details"],
            json!({"name": "web", "group": "apps", "kind": "deployments"})
        );

        let causes = [Cause::required("spec.selector", ""), Cause::required("spec.template", "")];
        let status = Refusal::invalid(deployments, "web", &causes).to_status();
        assert_eq!(status["details"]["kind"], "Deployment");
        assert_eq!(status["details"]["causes"][1]["field"], "spec.template");
        assert_eq!(
            status["message"],
            "Deployment.apps \"web\" is invalid: [spec.selector: Required value, spec.template: \
             Required value]"
        );
    }
}
