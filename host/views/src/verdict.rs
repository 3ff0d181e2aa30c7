//! What the check of a journal came to, in words and as JSON.
//!
//! Says what happened, where, and what to do next. It accuses nobody: a disk can do all of this.

use crate::audit::Proof;
use crate::escape;
use crate::look::{BAD, BOLD, DIM, GOOD, Look, PLAIN, Row};
use crate::words::count;
use journal::audit::{Audited, Defect, Finding, Marks};
use serde_json::{Value, json};

/// The lines for one finding, each with a line break at its end.
#[must_use]
pub fn finding(finding: &Finding, look: &Look) -> String {
    let whole = Look { width: usize::MAX, ..*look };
    let sign = if look.ascii { "x " } else { "✖ " };
    let head =
        Row::new().add(BAD, sign).add(BOLD, format!("{}: {}", subject(finding), what(finding)));
    let more = |label: &str, text: &str| {
        Row::new().add(DIM, format!("    {label}")).add(PLAIN, text).draw(&whole) + "\n"
    };
    let mut text = head.draw(&whole) + "\n";
    if let Some(why) = why(&finding.defect) {
        text.push_str(&more("", why));
    }
    text.push_str(&more("do: ", &remedy(finding)));
    text
}

/// The line for one finding.
#[must_use]
pub fn finding_json(finding: &Finding) -> String {
    escape::json(finding_value(finding).to_string())
}

/// What was checked, each line with a line break at its end.
#[must_use]
pub fn summary(done: &Audited, look: &Look) -> String {
    let (style, sign) = match (done.findings, look.ascii) {
        (0, false) => (GOOD, "✔ "),
        (0, true) => (GOOD, "+ "),
        (_, false) => (BAD, "✖ "),
        (_, true) => (BAD, "x "),
    };
    let head = if done.findings == 0 {
        let are = if done.records == 1 { "is" } else { "are" };
        format!("{} of {} {are} sound", records(done.records), number(done.runs, "run"))
    } else {
        format!(
            "{}; {} of {} and {} of {} are sound",
            number(done.findings, "finding"),
            done.sound_records,
            records(done.records),
            done.sound_runs,
            number(done.runs, "run")
        )
    };
    let mut lines = vec![Row::new().add(style, sign).add(BOLD, head).draw(look)];
    let facts = [Some(marks(done)), unchained(done), damaged(done), forgotten(done)];
    lines.extend(facts.into_iter().flatten().map(|fact| format!("  {fact}")));
    lines.into_iter().map(|line| line + "\n").collect()
}

/// The line that ends the check.
#[must_use]
pub fn summary_json(done: &Audited) -> String {
    let marks = match &done.marks {
        Marks::Missing => json!("missing"),
        Marks::Read => json!("read"),
        Marks::Unreadable { .. } => json!("unreadable"),
    };
    let value = json!({
        "result": if done.findings == 0 { "sound" } else { "broken" },
        "findings": done.findings,
        "runs": done.runs,
        "soundRuns": done.sound_runs,
        "records": done.records,
        "soundRecords": done.sound_records,
        "unchainedRecords": done.unchained,
        "marks": marks,
        "markedRuns": done.marked_runs,
        "markedRecords": done.marked_records,
        "damagedMarks": done.damaged_marks,
        "forgottenRuns": done.forgotten_runs,
    });
    escape::json(value.to_string())
}

/// The state of one run's chain in a line.
pub(crate) fn chain(proof: Proof<'_>) -> String {
    if let Some(finding) = proof.finding {
        let run = proof.done.run.as_deref().unwrap_or_default();
        let verify = format!("bowline audit verify {}", escape::shell_word(run));
        return format!("BROKEN: {}; {verify}", what(finding));
    }
    let done = proof.done;
    let mut text = format!("sound, {}", records(done.sound_records));
    if done.unchained > 0 {
        text.push_str(&format!(", {} of them older than the chain and unproven", done.unchained));
    }
    let behind = done.sound_records.saturating_sub(done.marked_records);
    text.push_str(&match (done.marked_runs, behind) {
        (0, _) => ", not marked: a lost end would not show".to_owned(),
        (_, 0) => ", marked to the last".to_owned(),
        _ => format!(", marked up to number {}", done.marked_records.saturating_sub(1)),
    });
    text
}

pub(crate) fn chain_json(proof: Proof<'_>) -> Value {
    json!({
        "sound": proof.finding.is_none(),
        "records": proof.done.records,
        "soundRecords": proof.done.sound_records,
        "unchainedRecords": proof.done.unchained,
        "markedRecords": proof.done.marked_records,
        "finding": proof.finding.map(finding_value),
    })
}

fn finding_value(finding: &Finding) -> Value {
    let (kind, number) = match &finding.defect {
        Defect::Changed => ("changed", Value::Null),
        Defect::HashChanged => ("hash-changed", Value::Null),
        Defect::Removed { count } => ("removed", json!({"count": count})),
        Defect::Moved { now } => ("moved", json!({"now": now})),
        Defect::Added { count } => ("added", json!({"count": count})),
        Defect::TailLost { count } => ("tail-lost", json!({"count": count})),
        Defect::RunLost { count } => ("run-lost", json!({"count": count})),
        Defect::Renumbered { now } => ("renumbered", json!({"now": now})),
        Defect::Rewritten => ("rewritten", Value::Null),
        Defect::Listing { column } => ("listing", json!({"column": column})),
        Defect::Unreadable { cause } => ("unreadable", json!({"cause": cause})),
    };
    json!({
        "finding": kind,
        "run": finding.run,
        "position": finding.position,
        "facts": number,
        "message": what(finding),
        "remedy": remedy(finding),
    })
}

fn subject(finding: &Finding) -> String {
    match &finding.run {
        Some(run) => format!("run {}", escape::plain(run)),
        None => "the journal".to_owned(),
    }
}

fn what(finding: &Finding) -> String {
    let at = finding.position.unwrap_or(0);
    let these = |count: u64| match count {
        0 | 1 => format!("record {at} was"),
        many => format!("records {at} to {} were", at.saturating_add(many - 1)),
    };
    match &finding.defect {
        Defect::Changed => format!("record {at} was changed"),
        Defect::HashChanged => format!("the hash of record {at} was changed"),
        Defect::Removed { count } => format!("{} removed", these(*count)),
        Defect::Moved { now } => format!("record {at} was moved, it stands at {now} now"),
        Defect::Added { count } => format!("{} added", these(*count)),
        Defect::TailLost { count } => format!("its end is lost: {} there", these(*count)),
        Defect::RunLost { count } => format!("it is gone, with at least {}", records(*count)),
        Defect::Renumbered { now } => {
            format!("it stands as number {now} in the list of runs, which it never was given")
        }
        Defect::Rewritten => format!("what stands up to record {at} was replaced and chained anew"),
        Defect::Listing { column } => {
            format!("its `{column}` in the list of runs is not what its records say")
        }
        Defect::Unreadable { cause } => {
            let cause = escape::plain(cause);
            match finding.position {
                Some(at) => format!("record {at} can't be read: {cause}"),
                None => format!("it can't be read: {cause}"),
            }
        }
    }
}

fn why(defect: &Defect) -> Option<&'static str> {
    match defect {
        Defect::Changed => Some(
            "The event or its time is not what was written, or the record before it was replaced \
             together with its hash.",
        ),
        Defect::HashChanged => Some("The event itself is what was written."),
        Defect::TailLost { .. } => {
            Some("A damaged write-ahead log does this, an older copy of the file, or a person.")
        }
        Defect::Rewritten => Some(
            "The records follow from each other, but they are not the ones that were marked \
             when they were written.",
        ),
        Defect::Removed { .. }
        | Defect::Moved { .. }
        | Defect::Added { .. }
        | Defect::RunLost { .. }
        | Defect::Renumbered { .. }
        | Defect::Listing { .. }
        | Defect::Unreadable { .. } => None,
    }
}

fn remedy(finding: &Finding) -> String {
    let keep = "keep a copy of the journal and its `.marks`";
    let run = finding.run.as_deref().unwrap_or_default();
    let audit = format!("bowline audit {}", escape::shell_word(run));
    match (&finding.defect, &finding.run) {
        (Defect::Listing { .. }, _) => format!("{keep}; believe the records: {audit}"),
        (Defect::TailLost { .. }, _) => format!(
            "{keep}; restore a newer backup, or look outside what the run did last: {audit}"
        ),
        (Defect::RunLost { .. }, _) | (_, None) => format!(
            "{keep}; restore a backup; where the loss is known and accepted, move the `.marks` away"
        ),
        (_, Some(_)) => format!("{keep}; compare with a backup: {audit}"),
    }
}

fn marks(done: &Audited) -> String {
    match &done.marks {
        Marks::Missing => {
            "no marks beside the journal: a lost end or a lost run would not show".to_owned()
        }
        Marks::Unreadable { cause } => {
            format!("the marks beside the journal can't be read: {}", escape::plain(cause))
        }
        Marks::Read => format!(
            "marks cover {} of {} and {} of {}; what is lost of these would show",
            done.marked_records,
            records(done.sound_records),
            done.marked_runs,
            number(done.runs, "run")
        ),
    }
}

fn unchained(done: &Audited) -> Option<String> {
    let older = if done.unchained == 1 { "is" } else { "are" };
    (done.unchained > 0).then(|| {
        format!("{} {older} older than the chain: nothing proves them", records(done.unchained))
    })
}

fn damaged(done: &Audited) -> Option<String> {
    (done.damaged_marks > 0).then(|| {
        format!("{} can't be read, as after a power cut", number(done.damaged_marks, "mark"))
    })
}

fn forgotten(done: &Audited) -> Option<String> {
    let were = if done.forgotten_runs == 1 { "was" } else { "were" };
    (done.forgotten_runs > 0).then(|| {
        format!("{} {were} forgotten on purpose, as marked", number(done.forgotten_runs, "run"))
    })
}

fn records(number: u64) -> String {
    self::number(number, "record")
}

fn number(number: u64, noun: &str) -> String {
    count(usize::try_from(number).unwrap_or(usize::MAX), noun)
}
