//! The record of decisions for people: read at night, by someone who did not start the run.

use super::{
    Audit, Call, Proof, Record, What, facts_of, request_bytes, struck, without_query_values,
    words_of,
};
use crate::look::{BAD, BOLD, DIM, Look, PLAIN, Row, bytes, duration};
use crate::{escape, question, rules, verdict, words};
use anstyle::Style;
use journal::{Denial, Effect, EffectOutcome, Failure};
use serde_json::Value;
use unicode_width::UnicodeWidthStr;

/// The most columns for a step's name.
const STEP_COLUMNS_MAX: usize = 40;

/// Columns for what happened, in a word.
const KIND_COLUMNS: usize = 12;

/// Characters of a digest that are shown behind its kind.
const DIGEST_SHOWN: usize = 12;

/// The page, each line with a line break at its end. Lines are not cut: this is the record. Each
/// decision has the number of its first event, which the check of the chain names.
#[must_use]
pub fn page(audit: &Audit, proof: Option<Proof<'_>>, look: &Look) -> String {
    let widest = audit.records.iter().map(|record| who(record).width()).max().unwrap_or(0);
    let mut page = Page {
        text: String::new(),
        look: Look { width: usize::MAX, ..*look },
        step_columns: widest.min(STEP_COLUMNS_MAX) + 2,
        number_columns: audit.records.last().map_or(0, |last| last.position.to_string().len()),
    };
    page.head(audit, proof);
    for record in &audit.records {
        page.record(audit, record);
    }
    page.text
}

struct Page {
    text: String,
    look: Look,
    step_columns: usize,
    number_columns: usize,
}

impl Page {
    fn line(&mut self, row: Row) {
        self.text.push_str(&row.draw(&self.look));
        self.text.push('\n');
    }

    fn fact(&mut self, name: &str, style: Style, value: &str) {
        self.line(Row::new().add(PLAIN, "  ").column(DIM, name, 12).add(style, value));
    }

    fn head(&mut self, audit: &Audit, proof: Option<Proof<'_>>) {
        let run = &audit.run;
        let (style, sign) = words::run_sign(run.status, &self.look);
        let name = escape::plain(&run.plan.workflow);
        let title = format!(" {name} {}", words::run_verb(run.status));
        self.line(Row::new().add(style, sign).add(BOLD, title));
        self.fact("run", PLAIN, run.run.as_str());
        let source = format!("{} {}", run.plan.source, run.plan.source_digest);
        self.fact("workflow", PLAIN, &escape::plain(&source));
        let drill = if run.drill { ", as a drill: nothing outside was touched" } else { "" };
        let started = self.look.date(run.started_at);
        self.fact("started", PLAIN, &format!("{started} by {}{drill}", escape::plain(&run.by)));
        if let Some(at) = run.finished_at {
            let took = duration(at.saturating_sub(run.started_at));
            let finished = format!("{}, after {took}", self.look.date(at));
            self.fact("finished", PLAIN, &finished);
        }
        if let Some(by) = &run.cancelled_by {
            self.fact("stopped by", PLAIN, &escape::plain(by));
        }
        if let Some(proof) = proof {
            let style = if proof.finding.is_some() { BAD } else { PLAIN };
            self.fact("chain", style, &verdict::chain(proof));
        }
        self.text.push('\n');
    }

    fn record(&mut self, audit: &Audit, record: &Record) {
        let (style, kind, lines) = told(audit, record, &self.look);
        let mut lines = lines.into_iter();
        let first = lines.next().unwrap_or_default();
        self.line(
            Row::new()
                .add(DIM, format!("{:>1$}", record.position, self.number_columns))
                .add(DIM, format!("  {}  ", self.look.time(record.at)))
                .column(PLAIN, &who(record), self.step_columns)
                .column(style, kind, KIND_COLUMNS)
                .add(PLAIN, first),
        );
        let indent = " "
            .repeat(self.number_columns + "  14:03:01  ".len() + self.step_columns + KIND_COLUMNS);
        for line in lines {
            self.line(Row::new().add(PLAIN, indent.as_str()).add(PLAIN, line));
        }
    }
}

/// The step and its attempt.
fn who(record: &Record) -> String {
    match (&record.step, record.attempt) {
        (None, _) => "run".to_owned(),
        (Some(step), 0) => escape::plain(step.as_str()).into_owned(),
        (Some(step), attempt) => format!("{} ({attempt})", escape::plain(step.as_str())),
    }
}

/// A word for what happened, and what there is to say of it.
fn told(audit: &Audit, record: &Record, look: &Look) -> (Style, &'static str, Vec<String>) {
    let plain = |text: &str| escape::plain(text).into_owned();
    match &record.what {
        What::Started => (PLAIN, "started", vec![format!("by {}", plain(&audit.run.by))]),
        What::CancelAsked { by } => {
            (BAD, "stop", vec![format!("{} asked the run to stop", plain(by))])
        }
        What::Finished { status } => {
            (BOLD, "ended", vec![format!("the run {}", words::run_verb(*status))])
        }
        What::TimedOut { seconds } => (BAD, "timed out", vec![words::timed_out(*seconds)]),
        What::Reopened { by, steps } => {
            let names: Vec<_> = steps.iter().map(|step| plain(step.as_str())).collect();
            let text = format!("{} has this tried again: {}", plain(by), names.join(", "));
            (BOLD, "reopened", vec![text])
        }
        What::TakenUp { by } => {
            (BOLD, "taken up", vec![format!("{} drives it on in another process", plain(by))])
        }
        What::Attempt => (PLAIN, "attempt", vec![plugin(audit, record)]),
        What::Resumed { keep: u32::MAX } => {
            (PLAIN, "resumed", vec!["from its start, all that is on record counts".to_owned()])
        }
        What::Resumed { keep } => {
            (PLAIN, "resumed", vec![format!("from its start, calls up to number {keep} count")])
        }
        What::TriedAgain { failure, delay_ms } => {
            let delay = words::wait(i64::try_from(*delay_ms).unwrap_or(i64::MAX));
            let mut lines = why_failed(failure);
            lines.push(format!("tried again after {delay}"));
            (BAD, struck(failure).unwrap_or("failed"), lines)
        }
        What::Granted { slot, connection, rules, address } => {
            let at = address.as_ref().map(|at| format!(", at {}", plain(at))).unwrap_or_default();
            let mut lines = vec![format!("{} as `{}`{at}", plain(connection), plain(slot))];
            lines.extend(numbered(rules));
            (PLAIN, "granted", lines)
        }
        What::Call(call) => self::call(record.at, call),
        What::AskedAgain { why, call } => {
            let (style, _, mut lines) = self::call(record.at, call);
            lines.insert(0, plain(&without_query_values(why)));
            (style, "asked again", lines)
        }
        What::Told(call) => {
            let told = format!("the step is told of call {}: {}", call.number, outcome(call));
            (PLAIN, "told", vec![told])
        }
        What::Planned { effect, rehearsed } => {
            let tried = match rehearsed {
                Some(status) => format!("tried on the far side and taken back, answered {status}"),
                None => "shown, and not sent".to_owned(),
            };
            (BOLD, "planned", vec![subject(effect), tried])
        }
        What::OutcomeUnknown { number, .. } => {
            let text = format!("nobody knows whether call {number} took effect; a person is asked");
            (BAD, "unknown", vec![text])
        }
        What::OutcomeSettled { number, done, by, reason } => {
            let found = question::found(*done, &without_query_values(by), reason.as_deref());
            (BOLD, "settled", vec![format!("call {number}: {found}")])
        }
        What::ApprovalAsked { question } => {
            (BOLD, "asked", vec![question::needs(question, &[], look)])
        }
        What::ApprovalGiven { by, verdict, reason } => {
            (BOLD, "answered", vec![question::said(by, *verdict, reason.as_deref())])
        }
        What::ApprovalSettled { verdict, by } => {
            (BOLD, "decided", vec![question::ended(*verdict, by)])
        }
        What::Succeeded => (PLAIN, "succeeded", Vec::new()),
        What::Failed { failure } => (BAD, struck(failure).unwrap_or("failed"), why_failed(failure)),
        What::Skipped { reason } => (PLAIN, "skipped", vec![plain(reason)]),
        What::Interrupted => {
            let text = "the host ended in the middle of it; nobody knows how far it came";
            (BAD, "broken off", vec![text.to_owned()])
        }
    }
}

/// What the host's own codes and measures say of it.
fn why_failed(failure: &Failure) -> Vec<String> {
    let first = match words_of(failure) {
        Some(text) => format!("{text} ({})", failure.code),
        None => format!("({})", failure.code),
    };
    let facts = facts_of(failure).map(|facts| escape::json(facts.to_string()));
    std::iter::once(escape::plain(&first).into_owned()).chain(facts).collect()
}

fn plugin(audit: &Audit, record: &Record) -> String {
    let Some(plugin) = record.step.as_ref().and_then(|step| audit.plugin(step)) else {
        return "-".to_owned();
    };
    let shown = |digest: &str| match digest.split_once(':') {
        Some((kind, hex)) if hex.chars().count() > DIGEST_SHOWN => {
            format!("{kind}:{}", hex.chars().take(DIGEST_SHOWN).collect::<String>())
        }
        _ => digest.to_owned(),
    };
    let signer = plugin.signer.map_or("-".to_owned(), |signer| format!("`{signer}`"));
    let text =
        format!("{}@{} {} signed by {signer}", plugin.name, plugin.version, shown(&plugin.digest));
    escape::plain(&text).into_owned()
}

/// Each rule in words behind its number, which the calls name.
fn numbered(rules: &Value) -> Vec<String> {
    match rules {
        Value::Array(list) if list.is_empty() => vec!["no call at all".to_owned()],
        Value::Array(list) => {
            let number = |(number, rule)| format!("{number}. {}", in_words(rule));
            (1..).zip(list).map(number).collect()
        }
        other => vec![escape::json(other.to_string())],
    }
}

/// One rule, with its condition if it has one.
pub(super) fn in_words(rule: &Value) -> String {
    let lines = rules::lines(std::slice::from_ref(rule));
    let lines: Vec<&str> =
        lines.iter().map(|line| line.trim_start().trim_start_matches("- ")).collect();
    lines.join(" ")
}

fn call(at: i64, call: &Call) -> (Style, &'static str, Vec<String>) {
    let Some(effect) = &call.effect else {
        let denied = call.denial().map(denied);
        return (BAD, "refused", std::iter::once(outcome(call)).chain(denied).collect());
    };
    let in_doubt =
        matches!(&call.outcome, None | Some(EffectOutcome::InDoubt { .. })) && effect.writes;
    let (style, kind) = match (in_doubt, effect.writes) {
        (true, _) => (BAD, "in doubt"),
        (false, true) => (BOLD, "write"),
        (false, false) => (PLAIN, "read"),
    };
    let took = call.took(at).map_or("-".to_owned(), millis);
    let went =
        format!("{}; after {took} {}; {}", admitted(effect), outcome(call), sizes(call, effect));
    (style, kind, vec![subject(effect), went])
}

/// Why a call was let through. The rule's number is that in the list that was granted.
fn admitted(effect: &Effect) -> String {
    match (effect.rule, request_bytes(effect)) {
        _ if effect.own => "the host's own, needs no rule".to_owned(),
        (Some(rule), _) => format!("admitted by rule {rule}"),
        // The journal that tells of it did not name rules yet.
        (None, None) => "admitted by rule -".to_owned(),
        (None, Some(_)) => "the host's own, needs no rule".to_owned(),
    }
}

/// Who refused a call, in a line.
fn denied(denial: &Denial) -> String {
    let by = match denial.by.as_str() {
        "manifest" => "the plugin's manifest",
        "accepted" => "what `bowline.lock` accepted",
        "workflow" => "the step's `x-bowline.grants`",
        "policy" => "the operator's policy for this plugin",
        "policy-for-all" => "the operator's policy for everybody",
        "connection" => "the connection's own `allow`",
        "restriction" => "the step's own restriction",
        other => other,
    };
    let text = format!("denied by {by}, on {} as `{}`", denial.connection, denial.slot);
    escape::plain(&text).into_owned()
}

fn subject(effect: &Effect) -> String {
    let slot = effect.slot.as_ref().map(|slot| format!(" as `{slot}`")).unwrap_or_default();
    let condition = effect.precondition.as_ref();
    let condition = condition.map(|text| format!(", if {text}")).unwrap_or_default();
    let operation = without_query_values(&effect.operation);
    let text = format!("{operation} on {}{slot}{condition}", effect.connection);
    escape::plain(&text).into_owned()
}

fn outcome(call: &Call) -> String {
    let text = match &call.outcome {
        None => "no answer is on record".to_owned(),
        Some(EffectOutcome::Answered { status, .. }) => format!("answered {status}"),
        Some(EffectOutcome::NotMade { code, message, .. }) if call.is_refused() => {
            format!("{} ({code})", without_query_values(message))
        }
        Some(EffectOutcome::NotMade { code, message, .. }) => {
            format!("not made: {} ({code})", without_query_values(message))
        }
        Some(EffectOutcome::InDoubt { message }) => {
            format!("it may have taken effect, {}", without_query_values(message))
        }
    };
    escape::plain(&text).into_owned()
}

/// What went out, what came back, and what was taken out of it.
fn sizes(call: &Call, effect: &Effect) -> String {
    let out = request_bytes(effect).map_or("-".to_owned(), bytes);
    let (back, redacted) = match &call.outcome {
        Some(EffectOutcome::Answered { bytes: count, redacted, .. }) => (bytes(*count), *redacted),
        _ => ("-".to_owned(), 0),
    };
    let taken = match redacted {
        0 => String::new(),
        1 => ", 1 credential taken out".to_owned(),
        many => format!(", {many} credentials taken out"),
    };
    format!("{out} out, {back} back{taken}")
}

fn millis(took: i64) -> String {
    if took < 1_000 { format!("{took} ms") } else { duration(took) }
}
