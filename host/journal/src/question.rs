//! What a person is asked, and whose answer counts.
//!
//! Pure: the journals keep questions beside their runs, so that of two who answer at the same
//! moment in two processes one is first, and both hear the same.

use serde::{Deserialize, Serialize};
use workflow::StepName;

/// What is asked of people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Question {
    /// Names what exactly is asked: an answer to another one does not count.
    pub digest: String,
    /// How many must say yes; 1 or more.
    pub quorum: u32,
    /// Who may answer: names of users, and `group:NAME`. Empty: whoever may write to the journal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvers: Vec<String>,
    /// Who may not, whatever else is said: who started the run, where policy says so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub excluded: Vec<String>,
    /// Milliseconds since 1970, UTC, by the clock of whoever keeps the journal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
}

/// An answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Go on.
    Approved,
    /// Don't.
    Rejected,
    /// Nobody answered in time.
    Expired,
    /// The write took effect.
    Done,
    /// It did not.
    NotDone,
}

/// What one person says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// About which step.
    pub step: StepName,
    /// The [`Question::digest`] that the person has seen.
    pub digest: String,
    /// What.
    pub verdict: Verdict,
    /// Who.
    pub by: String,
    /// In that person's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What has become of a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decided {
    /// It counts, and so many more must say yes.
    Counted {
        /// 0 when the question is answered now.
        missing: u32,
    },
    /// It does not count: this has been decided.
    Already {
        /// How.
        verdict: Verdict,
        /// By whom.
        by: String,
    },
    /// It does not count: something else is asked now.
    Changed,
    /// It does not count: nothing is asked of this step.
    NotAsked,
}

/// A question and what was said to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Asked {
    question: Question,
    #[serde(default)]
    yes: Vec<String>,
    #[serde(default)]
    closed: Option<(Verdict, String)>,
    /// Whoever drives the run has taken the answer in.
    #[serde(default)]
    taken_in: bool,
}

impl Verdict {
    /// For people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Done => "done",
            Self::NotDone => "not-done",
        }
    }
}

impl Asked {
    pub(crate) fn new(question: Question) -> Self {
        Self { question, yes: Vec::new(), closed: None, taken_in: false }
    }

    /// Whether nobody can answer any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.is_some()
    }

    /// Whether its time is over at the time `now`.
    pub(crate) fn is_due(&self, now: i64) -> bool {
        self.question.expires_at.is_some_and(|expires| expires <= now)
    }

    /// Whether whoever waits for an answer can go on: it has come, or it can't come any more, and
    /// the run does not know yet.
    pub(crate) fn has_news(&self, now: i64) -> bool {
        !self.taken_in && (self.is_closed() || self.is_due(now))
    }

    /// It is answered, whoever said what, and the run knows.
    pub(crate) fn take_in(&mut self, verdict: Verdict, by: String) {
        self.close(verdict, by);
        self.taken_in = true;
    }

    fn close(&mut self, verdict: Verdict, by: String) {
        self.closed.get_or_insert((verdict, by));
    }

    /// Takes `decision` in at the time `now`.
    pub(crate) fn decide(&mut self, decision: &Decision, now: i64) -> Decided {
        if decision.digest != self.question.digest {
            return Decided::Changed;
        }
        if let Some((verdict, by)) = &self.closed {
            return Decided::Already { verdict: *verdict, by: by.clone() };
        }
        if self.is_due(now) {
            return Decided::Already { verdict: Verdict::Expired, by: "nobody".to_owned() };
        }
        if self.yes.contains(&decision.by) && decision.verdict == Verdict::Approved {
            return Decided::Already { verdict: Verdict::Approved, by: decision.by.clone() };
        }
        if decision.verdict != Verdict::Approved {
            self.close(decision.verdict, decision.by.clone());
            return Decided::Counted { missing: 0 };
        }
        self.yes.push(decision.by.clone());
        let given = u32::try_from(self.yes.len()).unwrap_or(u32::MAX);
        let missing = self.question.quorum.saturating_sub(given);
        if missing == 0 {
            self.close(Verdict::Approved, self.yes.join(", "));
        }
        Decided::Counted { missing }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(quorum: u32) -> Asked {
        let digest = "d".to_owned();
        Asked::new(Question { digest, quorum, expires_at: Some(100), ..Question::default() })
    }

    fn say(asked: &mut Asked, by: &str, verdict: Verdict) -> Decided {
        let step = "a".parse().expect("a name");
        let decision = Decision { step, digest: "d".into(), verdict, by: by.into(), reason: None };
        asked.decide(&decision, 50)
    }

    #[test]
    fn the_first_answer_counts_and_the_others_hear_whose_it_was() {
        let mut one = asked(1);
        assert_eq!(say(&mut one, "ann", Verdict::Approved), Decided::Counted { missing: 0 });
        let already = |by: &str| Decided::Already { verdict: Verdict::Approved, by: by.into() };
        assert_eq!(say(&mut one, "bob", Verdict::Rejected), already("ann"));
        assert_eq!(say(&mut one, "ann", Verdict::Approved), already("ann"));
    }

    #[test]
    fn a_quorum_is_of_different_people_and_one_no_is_enough() {
        let mut two = asked(2);
        assert_eq!(say(&mut two, "ann", Verdict::Approved), Decided::Counted { missing: 1 });
        assert!(matches!(say(&mut two, "ann", Verdict::Approved), Decided::Already { .. }));
        assert!(!two.is_closed());
        assert_eq!(say(&mut two, "bob", Verdict::Approved), Decided::Counted { missing: 0 });
        let mut no = asked(2);
        say(&mut no, "ann", Verdict::Approved);
        assert_eq!(say(&mut no, "ann", Verdict::Rejected), Decided::Counted { missing: 0 });
        assert!(no.is_closed(), "who said yes may think again while it is open");
    }

    #[test]
    fn what_is_late_or_about_something_else_does_not_count() {
        let mut one = asked(1);
        let step = "a".parse().expect("a name");
        let decision = Decision {
            step,
            digest: "other".into(),
            verdict: Verdict::Approved,
            by: "ann".into(),
            reason: None,
        };
        assert_eq!(one.decide(&decision, 50), Decided::Changed);
        let late = one.decide(&Decision { digest: "d".into(), ..decision }, 100);
        assert_eq!(late, Decided::Already { verdict: Verdict::Expired, by: "nobody".into() });
    }
}
