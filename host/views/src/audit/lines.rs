//! The record of decisions for programs: one JSON object per line.
//!
//! Members are only ever added. What is not known is `null`.

use super::page::in_words;
use super::{
    Audit, Call, Plugin, Proof, Record, What, facts_of, request_bytes, struck,
    without_query_values, words_of,
};
use crate::look::rfc3339;
use crate::{escape, verdict};
use journal::{EffectOutcome, Failure, RunId};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// The lines: first the run and the state of its chain, then each decision.
#[must_use]
pub fn lines(audit: &Audit, proof: Option<Proof<'_>>) -> Vec<String> {
    let run = write(&head(audit, proof));
    std::iter::once(run).chain(audit.records.iter().map(|record| line(audit, record))).collect()
}

fn head<'a>(audit: &'a Audit, proof: Option<Proof<'_>>) -> Head<'a> {
    let run = &audit.run;
    Head {
        record: "run",
        run: &run.run,
        workflow: &run.plan.workflow,
        source: &run.plan.source,
        source_digest: &run.plan.source_digest,
        by: &run.by,
        drill: run.drill,
        status: run.status.as_str(),
        started_at: rfc3339(run.started_at),
        finished_at: run.finished_at.map(rfc3339),
        cancelled_by: run.cancelled_by.as_deref(),
        chain: proof.map(verdict::chain_json),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Head<'a> {
    record: &'static str,
    run: &'a RunId,
    workflow: &'a str,
    source: &'a str,
    source_digest: &'a str,
    by: &'a str,
    drill: bool,
    status: &'static str,
    started_at: String,
    finished_at: Option<String>,
    cancelled_by: Option<&'a str>,
    chain: Option<Value>,
}

#[derive(Serialize)]
struct Line<'a> {
    record: &'static str,
    run: &'a RunId,
    at: String,
    position: u64,
    step: Option<&'a str>,
    attempt: Option<u32>,
    plugin: Option<Plugin>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

fn line(audit: &Audit, record: &Record) -> String {
    let (kind, rest) = told(audit, record);
    let rest = match rest {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    write(&Line {
        record: kind,
        run: &audit.run.run,
        at: rfc3339(record.at),
        position: record.position,
        step: record.step.as_ref().map(|step| step.as_str()),
        attempt: Some(record.attempt).filter(|attempt| *attempt > 0),
        plugin: record.step.as_ref().and_then(|step| audit.plugin(step)),
        rest,
    })
}

fn told(audit: &Audit, record: &Record) -> (&'static str, Value) {
    match &record.what {
        What::Started => ("started", json!({"by": audit.run.by})),
        What::CancelAsked { by } => ("cancel-requested", json!({"by": by})),
        What::Finished { status } => ("finished", json!({"status": status.as_str()})),
        What::Attempt => ("attempt", json!({})),
        What::TimedOut { seconds } => ("timed-out", json!({"seconds": seconds})),
        What::Reopened { by, steps } => ("reopened", json!({"by": by, "steps": steps})),
        What::TakenUp { by } => ("taken-up", json!({"by": by})),
        What::Resumed { keep } => {
            // All of it counts, and not a number that nobody ever gave.
            ("resumed", json!({"keep": Some(*keep).filter(|keep| *keep < u32::MAX)}))
        }
        What::TriedAgain { failure, delay_ms } => {
            let mut rest = failed(failure);
            rest["delayMs"] = json!(delay_ms);
            ("tried-again", rest)
        }
        What::Granted { slot, connection, rules, address } => {
            let words =
                rules.as_array().map(|rules| rules.iter().map(in_words).collect::<Vec<_>>());
            let rest = json!({
                "slot": slot,
                "connection": connection,
                "rules": words,
                "address": address,
            });
            ("granted", rest)
        }
        What::Call(call) => ("call", self::call(record.at, call)),
        What::AskedAgain { why, call } => {
            let mut rest = self::call(record.at, call);
            rest["why"] = json!(without_query_values(why));
            ("asked-again", rest)
        }
        What::Told(call) => ("told", self::call(record.at, call)),
        What::Planned { effect, rehearsed } => {
            let rest = json!({
                "connection": effect.connection,
                "operation": without_query_values(&effect.operation),
                "precondition": effect.precondition,
                "digest": effect.digest,
                "rehearsedStatus": rehearsed,
            });
            ("planned", rest)
        }
        What::OutcomeUnknown { number, question } => {
            ("outcome-unknown", json!({"number": number, "question": question}))
        }
        What::OutcomeSettled { number, done, by, reason } => {
            let by = without_query_values(by);
            let rest = json!({"number": number, "done": done, "by": by, "reason": reason});
            ("outcome-settled", rest)
        }
        What::ApprovalAsked { question } => ("approval-asked", json!({"question": question})),
        What::ApprovalGiven { by, verdict, reason } => {
            let rest = json!({"by": by, "verdict": verdict.as_str(), "reason": reason});
            ("approval-given", rest)
        }
        What::ApprovalSettled { verdict, by } => {
            ("approval-settled", json!({"verdict": verdict.as_str(), "by": by}))
        }
        What::Succeeded => ("succeeded", json!({})),
        What::Failed { failure } => ("failed", failed(failure)),
        What::Skipped { reason } => ("skipped", json!({"reason": reason})),
        What::Interrupted => ("interrupted", json!({})),
    }
}

fn failed(failure: &Failure) -> Value {
    json!({
        "code": failure.code,
        "reason": words_of(failure),
        "struck": struck(failure),
        "details": facts_of(failure),
    })
}

fn call(at: i64, call: &Call) -> Value {
    let (effect, denial) = (call.effect.as_ref(), call.denial());
    let slot = effect.map(|effect| effect.slot.as_deref());
    let slot = slot.unwrap_or(denial.map(|denial| denial.slot.as_str()));
    let connection = effect.map(|effect| &effect.connection);
    let connection = connection.or(denial.map(|denial| &denial.connection));
    let (outcome, status, bytes, redacted, code, reason) = match &call.outcome {
        None => ("unknown", None, None, None, None, None),
        Some(EffectOutcome::Answered { status, bytes, redacted }) => {
            ("answered", Some(*status), Some(*bytes), Some(*redacted), None, None)
        }
        Some(EffectOutcome::NotMade { code, message, .. }) => {
            let outcome = if call.is_refused() { "refused" } else { "not-made" };
            (outcome, None, None, None, Some(code.as_str()), Some(without_query_values(message)))
        }
        Some(EffectOutcome::InDoubt { message }) => {
            ("in-doubt", None, None, None, None, Some(without_query_values(message)))
        }
    };
    json!({
        "number": call.number,
        "decision": if call.is_refused() { "denied" } else { "admitted" },
        "slot": slot,
        "connection": connection,
        "operation": effect.map(|effect| without_query_values(&effect.operation)),
        "precondition": effect.and_then(|effect| effect.precondition.as_deref()),
        "writes": effect.map(|effect| effect.writes),
        "digest": effect.map(|effect| effect.digest.as_str()),
        "own": effect.map(|effect| effect.own),
        "repeatable": effect.and_then(|effect| effect.repeatable),
        "rule": effect.and_then(|effect| effect.rule),
        "deniedBy": denial.map(|denial| denial.by.as_str()),
        "missingRule": denial.map(|denial| &denial.rule),
        "requestBytes": effect.and_then(request_bytes),
        "outcome": outcome,
        "status": status,
        "responseBytes": bytes,
        "redacted": redacted,
        "code": code,
        "reason": reason,
        "durationMs": call.took(at),
    })
}

/// None of the forms above can fail to be JSON: all keys are texts.
fn write(value: &impl Serialize) -> String {
    escape::json(serde_json::to_string(value).unwrap_or_default())
}
