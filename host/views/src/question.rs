//! What people are asked, in words: of whom, how many, until when, and what they said.

use crate::look::Look;
use crate::{AnswerView, SettledView, escape, words};
use journal::{Question, Verdict};
use std::collections::BTreeSet;

/// What stands before the name of a group among those who may answer.
const GROUP: &str = "group:";

/// `needs 2 approvals from ana, bob or the group sre, until 2026-11-22 15:03:01`.
pub(crate) fn needs(question: &Question, answers: &[AnswerView], look: &Look) -> String {
    let until = question.expires_at.map(|at| format!(", until {}", look.date(at)));
    format!(
        "needs {} from {}{}",
        missing(question, answers),
        people(question),
        until.unwrap_or_default()
    )
}

fn missing(question: &Question, answers: &[AnswerView]) -> String {
    let (given, quorum) = (given(answers), question.quorum.max(1) as usize);
    match (quorum.saturating_sub(given).max(1), given) {
        (1, 0) => "an approval".to_owned(),
        (more, 0) => words::count(more, "approval"),
        (more, _) => words::count(more, "more approval"),
    }
}

/// How many have said yes.
pub(crate) fn given(answers: &[AnswerView]) -> usize {
    let yes = answers.iter().filter(|answer| answer.verdict == Verdict::Approved);
    yes.map(|answer| &answer.by).collect::<BTreeSet<_>>().len()
}

/// Whose answer counts: `ana, bob or the group sre, but not eric`.
pub(crate) fn people(question: &Question) -> String {
    let may = match question.approvers.as_slice() {
        [] => "anyone".to_owned(),
        some => listed(some),
    };
    match question.excluded.as_slice() {
        [] => may,
        not => format!("{may}, but not {}", listed(not)),
    }
}

fn listed(names: &[String]) -> String {
    let named = |name: &String| match name.strip_prefix(GROUP) {
        Some(group) => format!("the group {}", escape::plain(group)),
        None => escape::plain(name).into_owned(),
    };
    let mut names: Vec<String> = names.iter().map(named).collect();
    match (names.pop(), names.is_empty()) {
        (Some(last), false) => format!("{} or {last}", names.join(", ")),
        (last, _) => last.unwrap_or_default(),
    }
}

/// `ana said yes: looks right`.
pub(crate) fn said(by: &str, verdict: Verdict, reason: Option<&str>) -> String {
    let what = match verdict {
        Verdict::Approved => "said yes",
        Verdict::Rejected => "said no",
        Verdict::Expired => "did not answer in time",
        Verdict::Done => "said that it took effect",
        Verdict::NotDone => "said that it did not take effect",
    };
    format!("{} {what}{}", escape::plain(by), because(reason))
}

/// `approved by ana, bob`.
pub(crate) fn ended(verdict: Verdict, by: &[String]) -> String {
    let what = match verdict {
        Verdict::Approved => "approved",
        Verdict::Rejected => "rejected",
        Verdict::Expired => return "expired, nobody answered in time".to_owned(),
        Verdict::Done => "done",
        Verdict::NotDone => "not done",
    };
    match by {
        [] => what.to_owned(),
        by => format!("{what} by {}", escape::plain(&by.join(", "))),
    }
}

/// `it took effect, according to ana: I see it there`.
pub(crate) fn settled(settled: &SettledView) -> String {
    found(settled.done, &settled.by, settled.reason.as_deref())
}

/// As [`settled`].
pub(crate) fn found(done: bool, by: &str, reason: Option<&str>) -> String {
    let what = if done { "it took effect" } else { "it did not take effect" };
    format!("{what}, according to {}{}", escape::plain(by), because(reason))
}

fn because(reason: Option<&str>) -> String {
    reason.map(|reason| format!(": {}", escape::plain(reason))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(quorum: u32, approvers: &[&str], excluded: &[&str]) -> Question {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let (approvers, excluded) = (owned(approvers), owned(excluded));
        Question { quorum, approvers, excluded, ..Question::default() }
    }

    fn yes(by: &str) -> AnswerView {
        AnswerView { at: 0, by: by.to_owned(), verdict: Verdict::Approved, reason: None }
    }

    #[test]
    fn who_is_asked_and_how_many_are_missing() {
        let some = question(2, &["ana", "bob\u{1b}", "group:sre"], &[]);
        let cases = [
            (question(1, &[], &[]), vec![], "needs an approval from anyone"),
            (question(0, &["ana"], &[]), vec![], "needs an approval from ana"),
            (
                question(1, &[], &["eric", "dan"]),
                vec![],
                "needs an approval from anyone, but not eric or dan",
            ),
            (some.clone(), vec![], "needs 2 approvals from ana, bob\\u{1b} or the group sre"),
            (
                some.clone(),
                vec![yes("ana")],
                "needs 1 more approval from ana, bob\\u{1b} or the group sre",
            ),
            (
                some,
                vec![yes("ana"), yes("ana")],
                "needs 1 more approval from ana, bob\\u{1b} or the group sre",
            ),
        ];
        for (question, answers, expected) in cases {
            assert_eq!(needs(&question, &answers, &Look::PLAIN), expected);
        }
        let timed = Question { expires_at: Some(1_795_356_181_000), ..question(1, &["ana"], &[]) };
        let expected = "needs an approval from ana, until 2026-11-22 14:03:01";
        assert_eq!(needs(&timed, &[], &Look::PLAIN), expected);
    }
}
