//! A run as a record of decisions: who let what happen, under which rule, and what came of it.
//!
//! Drawn from events alone, one record per decision, in [`page()`] for people and in [`lines()`] for
//! programs. Never shows a body or the value of a query, nor what a plugin says of a failure of its
//! own; what an older journal does not know is unknown here and not guessed. What people say in
//! their own words is shown: it is theirs to answer for.

mod fold;
mod lines;
mod page;

pub use lines::lines;
pub use page::page;

use crate::RunView;
use fold::Fold;
use journal::audit::{Audited, Finding};
use journal::{Denial, Effect, EffectOutcome, Failure, Question, Recorded, RunStatus, Verdict};
use serde_json::{Map, Value};
use workflow::StepName;

/// A run and the decisions in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Audit {
    /// What the run was.
    pub run: RunView,
    /// In the order in which they were first written.
    pub records: Vec<Record>,
}

/// One decision, or one turn of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// When it was written, in milliseconds since 1970, UTC.
    pub at: i64,
    /// Of the event that tells it first.
    pub position: u64,
    /// Which step, unless it is about the whole run.
    pub step: Option<StepName>,
    /// Which attempt; 0 when it is about none.
    pub attempt: u32,
    /// What.
    pub what: What,
}

/// What was decided or happened.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// The run began.
    Started,
    /// Someone asked the run to stop.
    CancelAsked {
        /// Who.
        by: String,
    },
    /// The run ended, or waits.
    Finished {
        /// How.
        status: RunStatus,
    },
    /// The run's time was up.
    TimedOut {
        /// The seconds that it was allowed.
        seconds: u64,
    },
    /// The run had ended, and goes on.
    Reopened {
        /// Who wanted it.
        by: String,
        /// What is tried again.
        steps: Vec<StepName>,
    },
    /// Another process took the run up.
    TakenUp {
        /// Who.
        by: String,
    },
    /// An attempt began.
    Attempt,
    /// An attempt that did not come to its end was run again from its start.
    Resumed {
        /// Calls up to this number count.
        keep: u32,
    },
    /// The attempt failed, and another try follows.
    TriedAgain {
        /// Why.
        failure: Failure,
        /// Milliseconds until then.
        delay_ms: u64,
    },
    /// The attempt may use a connection.
    Granted {
        /// The plugin's name for it.
        slot: String,
        /// `type/name`.
        connection: String,
        /// In the form of a manifest.
        rules: Value,
        /// Where it leads; None in an older journal.
        address: Option<String>,
    },
    /// The attempt asked for a call.
    Call(Box<Call>),
    /// A call left the host again.
    AskedAgain {
        /// Why that does no harm.
        why: String,
        /// The call, with the outcome of this time.
        call: Box<Call>,
    },
    /// What the step was told of a write that it made before, whatever the far side had answered.
    Told(Box<Call>),
    /// A plan shows a write and does not make it.
    Planned {
        /// What would be done.
        effect: Box<Effect>,
        /// Whether the far side has tried it: the status that it gave.
        rehearsed: Option<u16>,
    },
    /// Nobody knows whether a write took effect, and a person was asked.
    OutcomeUnknown {
        /// Which call.
        number: u32,
        /// What is asked.
        question: Question,
    },
    /// Somebody found out whether that write took effect.
    OutcomeSettled {
        /// Which call.
        number: u32,
        /// Whether it did.
        done: bool,
        /// Who says so.
        by: String,
        /// In that person's words.
        reason: Option<String>,
    },
    /// People were asked whether the run goes on.
    ApprovalAsked {
        /// What, and of whom.
        question: Question,
    },
    /// One of them answered.
    ApprovalGiven {
        /// Who.
        by: String,
        /// What.
        verdict: Verdict,
        /// In that person's words.
        reason: Option<String>,
    },
    /// The approval was over.
    ApprovalSettled {
        /// How.
        verdict: Verdict,
        /// Those whose answers decided it.
        by: Vec<String>,
    },
    /// The attempt did its work.
    Succeeded,
    /// The attempt did not do its work.
    Failed {
        /// Why.
        failure: Failure,
    },
    /// The step was left out.
    Skipped {
        /// Why.
        reason: String,
    },
    /// The host ended in the middle of the attempt.
    Interrupted,
}

/// A call that was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Counts the calls of the attempt.
    pub number: u32,
    /// None for a call that was refused.
    pub effect: Option<Effect>,
    /// None while nobody knows.
    pub outcome: Option<EffectOutcome>,
    /// When the outcome was written, in milliseconds since 1970, UTC.
    pub settled_at: Option<i64>,
}

/// What the check of the run's chain came to.
#[derive(Clone, Copy, Debug)]
pub struct Proof<'a> {
    /// What was checked.
    pub done: &'a Audited,
    /// The first thing that is wrong with the run.
    pub finding: Option<&'a Finding>,
}

impl Audit {
    /// What these events, from the first on, tell. None if they do not begin with the start of a
    /// run.
    #[must_use]
    pub fn from_events(events: &[Recorded]) -> Option<Self> {
        let run = RunView::from_events(events)?;
        let mut fold = Fold::default();
        for recorded in events {
            fold.take(recorded);
        }
        Some(Self { run, records: fold.records })
    }

    /// The plugin that the plan pins for a step: name, version, digest, and who signed it.
    fn plugin(&self, step: &StepName) -> Option<Plugin> {
        let planned = self.run.plan.steps.iter().find(|planned| planned.name == *step)?;
        let pin = serde_json::to_value(planned.plugin.as_ref()?).ok()?;
        let text = |name: &str| Some(pin.get(name)?.as_str()?.to_owned());
        Some(Plugin {
            name: text("name")?,
            version: text("version")?,
            digest: text("digest")?,
            signer: text("signer"),
        })
    }
}

/// A pinned plugin.
#[derive(Clone, Debug, serde::Serialize)]
struct Plugin {
    name: String,
    version: String,
    digest: String,
    /// None if nobody signed it, or nobody looked.
    signer: Option<String>,
}

impl Call {
    /// Whether the host refused it before it was on its way.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.effect.is_none()
    }

    /// What would have allowed it, if it was refused for being outside of what was granted.
    fn denial(&self) -> Option<&Denial> {
        match &self.outcome {
            Some(EffectOutcome::NotMade { denial, .. }) => denial.as_ref(),
            _ => None,
        }
    }

    /// Milliseconds from the intent on record to the outcome on record.
    fn took(&self, at: i64) -> Option<i64> {
        self.effect.as_ref()?;
        Some(self.settled_at?.saturating_sub(at).max(0))
    }
}

/// Bytes of the request; None if the journal that tells of it did not count them.
fn request_bytes(effect: &Effect) -> Option<u64> {
    let counted = effect.request_bytes > 0 || effect.slot.is_some() || effect.rule.is_some();
    counted.then_some(effect.request_bytes)
}

/// Which kind of bound a failure met: `limit`, `denied` or `handle`.
fn struck(failure: &Failure) -> Option<&'static str> {
    let (kind, _) = failure.code.split_once('.')?;
    ["limit", "denied", "handle"].into_iter().find(|known| *known == kind)
}

/// What a failure says, if the host's own codes stand for it: a plugin's words may hold what it was
/// sent, and are shown with the run instead.
fn words_of(failure: &Failure) -> Option<String> {
    let (kind, rest) = failure.code.split_once('.')?;
    let own = ["limit", "denied", "handle", "connection", "host"].contains(&kind);
    (own || rest == "denied").then(|| without_query_values(&failure.message))
}

/// The facts that the host gives with a bound that was met: its measures and the name of what was
/// done, and no text that a plugin wrote.
fn facts_of(failure: &Failure) -> Option<Value> {
    struck(failure)?;
    let word =
        |text: &str| text.len() <= 64 && text.chars().all(|c| c == '-' || c.is_ascii_lowercase());
    let facts = failure.details.as_ref()?.as_object()?.iter().filter(|(name, value)| match value {
        Value::Number(_) | Value::Bool(_) => true,
        Value::String(text) => *name == "violation" && word(text),
        _ => false,
    });
    let facts: Map<String, Value> =
        facts.map(|(name, value)| (name.clone(), value.clone())).collect();
    (!facts.is_empty()).then_some(Value::Object(facts))
}

/// `text` with the values of queries left out: `GET /x?id=5&y=6` becomes `GET /x?id=…&y=…`.
fn without_query_values(text: &str) -> String {
    let words = text.split(' ').map(|word| {
        let is_query = |(path, query): &(&str, &str)| path.contains('/') || query.contains('=');
        let Some((path, query)) = word.split_once('?').filter(is_query) else {
            return word.to_owned();
        };
        let end = if query.ends_with(':') { ":" } else { "" };
        let names = query.split('&').map(|pair| match pair.split_once('=') {
            Some((name, _)) => format!("{name}=…"),
            None => pair.trim_end_matches(':').to_owned(),
        });
        format!("{path}?{}{end}", names.collect::<Vec<_>>().join("&"))
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_queries_are_left_out() {
        let cases = [
            ("GET /api/v2/incidents", "GET /api/v2/incidents"),
            ("GET /x?id=5&key=a=b&flag", "GET /x?id=…&key=…&flag"),
            ("http/x GET /x?secret=5: not allowed", "http/x GET /x?secret=…: not allowed"),
            ("http/x GET /x?flag: no", "http/x GET /x?flag: no"),
            ("is this a question? yes=no", "is this a question? yes=no"),
            ("items?id=5 was asked for", "items?id=… was asked for"),
            ("https://far.test/x?a=1\n/y?b=2", "https://far.test/x?a=…"),
            ("", ""),
        ];
        for (text, expected) in cases {
            assert_eq!(without_query_values(text), expected);
        }
    }

    #[test]
    fn only_the_hosts_words_are_told_of_a_failure() {
        let told = "GET /x?card=4111: too late";
        let cases = [
            ("limit.cpu", true),
            ("denied.wasi-sockets", true),
            ("handle.forged", true),
            ("connection.tls", true),
            ("host.panic", true),
            ("kubernetes.denied", true),
            ("http.denied", true),
            ("http.status-422", false),
            ("far.denied.not", false),
            ("denied", false),
            ("limits.cpu", false),
            ("guest.panic", false),
            ("", false),
        ];
        for (code, own) in cases {
            let expected = own.then_some("GET /x?card=…: too late");
            assert_eq!(words_of(&Failure::permanent(code, told)).as_deref(), expected, "{code}");
        }
    }

    #[test]
    fn a_bound_keeps_its_measures_and_loses_what_a_plugin_printed() {
        let facts = |code, details| {
            let failure = Failure::permanent(code, "x");
            facts_of(&Failure { details: Some(details), ..failure })
        };
        let all = serde_json::json!({
            "limitMs": 5, "exact": true, "violation": "handle-forgery", "trace": "Jane Doe",
            "body": {"patient": "Jane Doe"},
        });
        let kept = serde_json::json!({"limitMs": 5, "exact": true, "violation": "handle-forgery"});
        assert_eq!(facts("handle.forged", all.clone()), Some(kept));
        assert_eq!(facts("http.status-422", all), None);
        let spoken = serde_json::json!({"violation": "Jane Doe", "trace": "Jane Doe"});
        assert_eq!(facts("limit.cpu", spoken), None);
        assert_eq!(facts("limit.cpu", serde_json::json!("Jane Doe")), None);
    }

    #[test]
    fn bounds_are_known_by_their_codes() {
        let cases = [
            ("limit.cpu", Some("limit")),
            ("denied.wasi-sockets", Some("denied")),
            ("handle.forged", Some("handle")),
            ("limit", None),
            ("limits.cpu", None),
            ("datadog.not-found", None),
        ];
        for (code, expected) in cases {
            assert_eq!(struck(&Failure::permanent(code, "x")), expected, "{code}");
        }
    }
}

#[cfg(test)]
mod examples;
