//! Trouble on demand: the next requests of a kind are refused, left hanging or cut off.
//!
//! A fault strikes before the request took effect or after it, which is the difference that a
//! client must get right. Faults never change what a service would have done.

use crate::recording::Service;
use serde::Deserialize;
use std::sync::{Mutex, PoisonError};

/// Faults that wait at the same time.
const FAULTS_MAX: usize = 64;
/// How often one fault may strike.
const TIMES_MAX: u32 = 10_000;
/// How long one request may be left hanging.
const HANG_SECONDS_MAX: u64 = 600;
/// The text that a fault may answer with.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// Why a fault was not taken.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum FaultError {
    /// Too many faults wait already.
    #[error("{FAULTS_MAX} faults wait already; reset the practice services or let some strike")]
    TooMany,
    /// `times` or `skip` is out of bounds.
    #[error("a fault strikes 1 to {TIMES_MAX} times and skips at most {TIMES_MAX} requests")]
    Times,
    /// The status can't be an answer.
    #[error("`status` is 200 to 599, not {0}")]
    Status(u16),
    /// The hang is too long.
    #[error("a request hangs for at most {HANG_SECONDS_MAX} seconds")]
    Hang,
    /// The body is too long.
    #[error("the body of a fault has at most {BODY_BYTES_MAX} bytes")]
    Body,
    /// A name in the fault can't stand in an HTTP header.
    #[error("`content_type` can't be sent as a header")]
    ContentType,
}

/// What happens to some of the next requests.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Only requests to this service; any when none.
    #[serde(default)]
    pub service: Option<Service>,
    /// Only this method, upper case; any when none.
    #[serde(default)]
    pub method: Option<String>,
    /// Only paths that start like this; any when empty.
    #[serde(default)]
    pub path_prefix: String,
    /// Only queries that contain this; any when empty.
    #[serde(default)]
    pub query_contains: String,
    /// This many matching requests pass first; at most 10,000.
    #[serde(default)]
    pub skip: u32,
    /// Then it strikes this often: 1 to 10,000.
    #[serde(default = "once")]
    pub times: u32,
    /// Whether the request takes effect all the same.
    #[serde(default)]
    pub when: Moment,
    /// What the client gets.
    pub then: Outcome,
}

/// On which side of the effect a fault strikes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Moment {
    /// The service never sees the request.
    #[default]
    Before,
    /// The service has done what was asked; only the answer is lost.
    After,
}

/// What the client gets instead of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// This status. Without a body, one that the service in question would send with it.
    Answer {
        /// 200 to 599.
        status: u16,
        /// The body as it is; at most 64 KiB.
        #[serde(default)]
        body: Option<String>,
        /// `application/json` when none. Counts only with a body.
        #[serde(default)]
        content_type: Option<String>,
        /// Sent as `Retry-After` (and as Datadog's `X-RateLimit-Reset`).
        #[serde(default)]
        retry_after_seconds: Option<u32>,
    },
    /// Nothing for so many seconds (at most 600), then the connection is closed.
    Hang {
        /// How long.
        seconds: u64,
    },
    /// The connection is closed without an answer.
    Cut,
    /// The real status and headers and half of the real body, then the connection is closed.
    Truncate,
}

fn once() -> u32 {
    1
}

/// The faults that wait.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    waiting: Mutex<Vec<Fault>>,
}

impl Faults {
    /// Adds faults, all or none; earlier ones strike first.
    pub(crate) fn add(&self, faults: Vec<Fault>) -> Result<(), FaultError> {
        for fault in &faults {
            check(fault)?;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() + faults.len() > FAULTS_MAX {
            return Err(FaultError::TooMany);
        }
        waiting.extend(faults);
        Ok(())
    }

    /// Forgets all.
    pub(crate) fn clear(&self) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The fault that strikes this request, which is counted.
    pub(crate) fn strike(
        &self,
        service: Service,
        method: &str,
        path: &str,
        query: &str,
    ) -> Option<(Moment, Outcome)> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let index = waiting.iter().position(|fault| {
            fault.service.is_none_or(|wanted| wanted == service)
                && fault.method.as_deref().is_none_or(|wanted| wanted == method)
                && path.starts_with(&fault.path_prefix)
                && query.contains(&fault.query_contains)
        })?;
        let fault = &mut waiting[index];
        if fault.skip > 0 {
            fault.skip -= 1;
            return None;
        }
        fault.times -= 1;
        let struck = (fault.when, fault.then.clone());
        if fault.times == 0 {
            waiting.remove(index);
        }
        Some(struck)
    }
}

fn check(fault: &Fault) -> Result<(), FaultError> {
    if fault.times == 0 || fault.times > TIMES_MAX || fault.skip > TIMES_MAX {
        return Err(FaultError::Times);
    }
    match &fault.then {
        Outcome::Answer { status, .. } if !(200..=599).contains(status) => {
            Err(FaultError::Status(*status))
        }
        Outcome::Answer { body: Some(body), .. } if body.len() > BODY_BYTES_MAX => {
            Err(FaultError::Body)
        }
        Outcome::Answer { content_type: Some(text), .. }
            if http::HeaderValue::from_str(text).is_err() =>
        {
            Err(FaultError::ContentType)
        }
        Outcome::Hang { seconds } if *seconds > HANG_SECONDS_MAX => Err(FaultError::Hang),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(json: &str) -> Fault {
        serde_json::from_str(json).expect("a fault")
    }

    #[test]
    fn a_fault_skips_strikes_and_is_gone() {
        let faults = Faults::default();
        faults
            .add(vec![fault(r#"{"method":"PATCH","path_prefix":"/apis","skip":1,"times":2,"when":"after","then":"cut"}"#)])
            .expect("taken");
        let strike = |method| faults.strike(Service::Kubernetes, method, "/apis/apps", "");

        assert_eq!(strike("GET"), None);
        assert_eq!(strike("PATCH"), None);
        assert_eq!(strike("PATCH"), Some((Moment::After, Outcome::Cut)));
        assert_eq!(strike("PATCH"), Some((Moment::After, Outcome::Cut)));
        assert_eq!(strike("PATCH"), None);
    }

    #[test]
    fn a_fault_of_one_service_leaves_the_other_alone() {
        let faults = Faults::default();
        faults
            .add(vec![fault(r#"{"service":"datadog","then":{"answer":{"status":502}}}"#)])
            .expect("taken");

        assert_eq!(faults.strike(Service::Kubernetes, "GET", "/", ""), None);
        assert!(faults.strike(Service::Datadog, "GET", "/", "").is_some());
    }

    #[test]
    fn faults_out_of_bounds_are_refused() {
        let long = format!(
            r#"{{"then":{{"answer":{{"status":500,"body":"{}"}}}}}}"#,
            "x".repeat(BODY_BYTES_MAX + 1)
        );
        for (json, wanted) in [
            (r#"{"times":0,"then":"cut"}"#, FaultError::Times),
            (r#"{"times":10001,"then":"cut"}"#, FaultError::Times),
            (r#"{"then":{"answer":{"status":99}}}"#, FaultError::Status(99)),
            (r#"{"then":{"hang":{"seconds":601}}}"#, FaultError::Hang),
            (
                r#"{"then":{"answer":{"status":500,"body":"x","content_type":"a\nb"}}}"#,
                FaultError::ContentType,
            ),
            (long.as_str(), FaultError::Body),
        ] {
            assert_eq!(Faults::default().add(vec![fault(json)]), Err(wanted), "{json:.80}");
        }
        let many = vec![fault(r#"{"then":"cut"}"#); FAULTS_MAX + 1];
        assert_eq!(Faults::default().add(many), Err(FaultError::TooMany));
    }
}
