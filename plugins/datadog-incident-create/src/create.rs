//! Declaring once: what to do after each kind of answer.
//!
//! Datadog has no key against doubles that a request could set. So an answer that proves nothing
//! (none at all, 5xx, or one that can't be read) is followed by a look for the mark among the newest
//! incidents; only when it is absent is the same declaration sent again.

use crate::Outputs;
use crate::declaration::Declaration;
use crate::newest::Service;
use bowline_sdk::http::{Response, refusal};
use bowline_sdk::{ConnectError, Failure, log, retry::Patience};
use datadog_api::{Incident, Mark};
use std::time::Duration;

/// The most posts of the same declaration.
const POSTS_MAX: u32 = 4;
/// How long an incident may take to show up in the list.
const LAG: Duration = Duration::from_secs(2);
/// What the step is doing, for its failures.
const DOING: &str = "can't declare the incident";

/// What an answer to a post means.
enum Verdict {
    /// It is there.
    Declared(Incident),
    /// It is there, but the answer does not say which it is.
    Unnamed(Failure),
    /// Certainly not there; the same again after the wait that was asked for.
    NotYet(Failure),
    /// Nobody knows.
    InDoubt(Failure),
    /// Certainly not there, for good.
    Refused(Failure),
}

/// Declares the incident unless one with the mark is there.
pub(crate) fn create(
    service: &Service<'_>,
    declaration: &Declaration,
    mark: &Mark,
) -> Result<Outputs, Failure> {
    if service.ctx.attempt() > 1 {
        // The attempt before may have ended anywhere.
        let before = Failure::permanent("attempt", "an earlier attempt may have declared it");
        let found = look(service, declaration, mark);
        if let Some(incident) = found.map_err(|blind| unknown(mark, &before, &blind))? {
            log::info!("an earlier attempt has declared incident {} already", incident.number);
            return Ok(Outputs::of(incident, false));
        }
    }
    let mut posts = 0;
    loop {
        posts += 1;
        match judge(service, service.declare(declaration)) {
            Verdict::Declared(incident) => {
                log::info!("declared incident {}", incident.number);
                return Ok(Outputs::of(incident, true));
            }
            Verdict::Refused(failure) => return Err(failure),
            Verdict::NotYet(failure) => {
                let patience = Patience { tries: POSTS_MAX, ..Patience::default() };
                if !patience.wait(service.ctx, posts + 1, failure.retry_after()) {
                    return Err(failure);
                }
            }
            Verdict::Unnamed(failure) => {
                log::warn!("looking which incident it is: {failure}");
                return match look(service, declaration, mark) {
                    Ok(Some(incident)) => Ok(Outputs::of(incident, true)),
                    Ok(None) => {
                        Err(unnamed(mark, &failure, "it is not among the newest incidents"))
                    }
                    Err(blind) => Err(unnamed(mark, &failure, &looking_failed(&blind))),
                };
            }
            Verdict::InDoubt(failure) => {
                log::warn!("looking whether the incident was declared: {failure}");
                let found = look(service, declaration, mark);
                if let Some(incident) = found.map_err(|blind| unknown(mark, &failure, &blind))? {
                    return Ok(Outputs::of(incident, true));
                }
                if posts >= POSTS_MAX {
                    let message =
                        format!("{failure}; the incident was not declared in {posts} tries");
                    return Err(Failure::retryable("datadog.unavailable", message, None));
                }
            }
        }
    }
}

fn judge(service: &Service<'_>, outcome: Result<Response, ConnectError>) -> Verdict {
    let answer = match outcome {
        Ok(answer) => answer,
        Err(error) if error.is_done() => return Verdict::Unnamed(error.into()),
        Err(error) if error.in_doubt => return Verdict::InDoubt(error.into()),
        Err(error) if error.worth_repeating() => return Verdict::NotYet(error.into()),
        Err(error) => return Verdict::Refused(error.into()),
    };
    match answer.status() {
        200..=299 => match answer.value() {
            Ok(body) => match Incident::read(&body["data"]) {
                Some(incident) => Verdict::Declared(incident),
                None => Verdict::Unnamed(Failure::permanent(
                    "http.invalid-answer",
                    "the incident was declared, but the answer does not say its id",
                )),
            },
            Err(failure) => Verdict::Unnamed(failure),
        },
        429 => Verdict::NotYet(refusal(answer, "datadog", DOING, "")),
        408 | 500..=599 => Verdict::InDoubt(refusal(answer, "datadog", DOING, "")),
        _ => Verdict::Refused(service.refused(answer, DOING, "incident_write")),
    }
}

/// Looks for the mark twice, with a wait between.
fn look(
    service: &Service<'_>,
    declaration: &Declaration,
    mark: &Mark,
) -> Result<Option<Incident>, Failure> {
    for time in 1..=2 {
        if time > 1 {
            service.ctx.sleep(LAG);
        }
        if let Some(incident) = service.find(&declaration.title, mark)? {
            return Ok(Some(incident));
        }
    }
    Ok(None)
}

/// `doubt` is why one has looked, and `blind` why in vain.
fn unknown(mark: &Mark, doubt: &Failure, blind: &Failure) -> Failure {
    ambiguous(mark, "whether the incident was declared", doubt, &looking_failed(blind))
        .with_detail("inDoubt", true)
}

/// It was declared, and which one it is can't be told, so the step has nothing to give.
fn unnamed(mark: &Mark, lost: &Failure, why: &str) -> Failure {
    ambiguous(mark, "which incident it is that was declared", lost, why)
}

fn looking_failed(blind: &Failure) -> String {
    format!("looking failed: {blind}")
}

fn ambiguous(mark: &Mark, what: &str, because: &Failure, why: &str) -> Failure {
    let message = format!(
        "nobody can tell {what}: {because}; and {why}. It is not declared again; look for an \
         incident whose timeline begins with {}",
        mark.line()
    );
    Failure::permanent("ambiguous", message).with_detail("mark", mark.line())
}
