//! One step of a run, as far as its events tell.

use super::{Decision, PlanError};
use crate::judge::Judge;
use crate::retry::Patience;
use journal::{Disposition, Failure, Question, StepRecord, Verdict as Answer};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use workflow::{Plan, PlannedStep, PluginPin, StepExtras, StepKind, StepName};

/// How long an answer may take from the journal to whoever drives the run; requests are read
/// several times within it.
const HEARING_MS: i64 = 1_000;

pub(super) struct Step {
    pub(super) name: StepName,
    pub(super) kind: StepKind,
    pub(super) plugin: Option<PluginPin>,
    pub(super) extras: Arc<StepExtras>,
    pub(super) after: Vec<usize>,
    pub(super) judge: Judge,
    pub(super) standing: Standing,
    pub(super) attempts: u32,
    /// When what comes after this may count as known, in milliseconds since 1970.
    pub(super) moment: i64,
    pub(super) patience: Patience,
    /// How long all its tries may take together.
    pub(super) time_max: Option<Duration>,
    /// When its first attempt began, in milliseconds since 1970.
    pub(super) began_at: Option<i64>,
    /// Tries that failed.
    pub(super) failed: u32,
    /// What is written of its newest attempt; kept until the step has succeeded.
    pub(super) record: StepRecord,
    /// How its newest attempt is run again: calls up to this number count. None: a new attempt.
    pub(super) keep: Option<u32>,
    /// How long it waits for its next try, and since when.
    pub(super) wait: Option<Wait>,
    /// What people are asked about it.
    pub(super) asked: Option<Asked>,
    /// How often they were asked what came of a write.
    pub(super) doubts: u32,
}

/// A wait between two tries.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wait {
    pub(super) delay_ms: u64,
    /// Milliseconds since 1970; None until its event is written.
    pub(super) since: Option<i64>,
}

/// A question, and what was said to it.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    pub(super) question: Question,
    pub(super) yes: Vec<String>,
    /// The answer that decides it.
    pub(super) verdict: Option<(Answer, Vec<String>)>,
    /// In the words of whoever said no.
    pub(super) reason: Option<String>,
    /// The call that it is about.
    pub(super) number: u32,
}

/// Where a step stands. It is in exactly one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Pending,
    Running,
    /// The host ended in the middle of an attempt.
    Interrupted,
    /// An attempt has failed, and another follows.
    Waiting,
    /// Nobody knows whether a write took effect.
    Unknown,
    Succeeded,
    Failed,
    Skipped,
}

impl Standing {
    pub(crate) fn is_settled(self) -> bool {
        match self {
            Self::Pending | Self::Running | Self::Interrupted | Self::Waiting | Self::Unknown => {
                false
            }
            Self::Succeeded | Self::Failed | Self::Skipped => true,
        }
    }
}

impl Step {
    pub(super) fn new(
        planned: &PlannedStep,
        plan: &Plan,
        places: &HashMap<StepName, usize>,
    ) -> Result<Self, PlanError> {
        let after = planned.after.iter().map(|name| {
            let place = places.get(name).copied();
            place.ok_or_else(|| PlanError::NoSuchStep { step: name.clone() })
        });
        Ok(Self {
            name: planned.name.clone(),
            kind: planned.kind,
            plugin: planned.plugin.clone(),
            extras: Arc::new(planned.extras.clone()),
            after: after.collect::<Result<_, _>>()?,
            judge: Judge::new(planned),
            standing: Standing::Pending,
            attempts: 0,
            moment: 0,
            patience: Patience::of(&planned.extras, &plan.extras),
            time_max: planned.extras.timeout_seconds.map(Duration::from_secs),
            began_at: None,
            failed: 0,
            record: StepRecord::default(),
            keep: None,
            wait: None,
            asked: None,
            doubts: 0,
        })
    }

    /// An attempt failed, and after a wait there is another one. Calls that changed something, or
    /// may have, are not made again.
    pub(super) fn fail_once(&mut self, delay_ms: u64) {
        self.failed += 1;
        self.wait = Some(Wait { delay_ms, since: None });
        self.keep = Some(self.record.last_change()).filter(|keep| *keep > 0);
    }

    /// What happened to it was written at the time `at`, which is `now` for whoever drives it.
    pub(super) fn stamp(&mut self, at: i64, now: i64) {
        match self.standing {
            Standing::Running => drop(self.began_at.get_or_insert(now)),
            Standing::Waiting => {
                if let Some(wait) = &mut self.wait {
                    wait.since = Some(now);
                }
            }
            _ => self.moment = at,
        }
    }

    /// When it is tried again, in milliseconds since 1970.
    pub(super) fn wakes_at(&self) -> Option<i64> {
        let wait = self.wait.filter(|_| self.standing == Standing::Waiting)?;
        let delay = i64::try_from(wait.delay_ms).unwrap_or(i64::MAX);
        Some(wait.since?.saturating_add(delay))
    }

    /// When it counts as not answered: a moment after nobody can answer any more, so that an
    /// answer that came in time has been heard.
    pub(super) fn expires_at(&self) -> Option<i64> {
        Some(self.answered_until()?.saturating_add(HEARING_MS))
    }

    /// Whether nobody can answer any more what is still open.
    pub(super) fn is_overdue(&self, now: i64) -> bool {
        self.answered_until().is_some_and(|until| until <= now)
    }

    fn answered_until(&self) -> Option<i64> {
        let asked = self.asked.as_ref().filter(|_| self.standing == Standing::Pending)?;
        asked.question.expires_at.filter(|_| asked.verdict.is_none())
    }

    /// How long it may still take, with all its tries.
    pub(super) fn time_left(&self, now: i64, run_ends_at: Option<i64>) -> Option<Duration> {
        let began = self.began_at.unwrap_or(now);
        let own = self.time_max.map(|max| began.saturating_add(millis(max)));
        let end = own.into_iter().chain(run_ends_at).min()?;
        Some(Duration::from_millis(u64::try_from(end.saturating_sub(now)).unwrap_or(0)))
    }

    /// How long to wait for the next try; None when there is none, or when it would come too late.
    pub(super) fn next_try(
        &self,
        failure: &Failure,
        dice: u32,
        now: i64,
        run_ends_at: Option<i64>,
    ) -> Option<Duration> {
        if failure.disposition == Disposition::Cancelled {
            return None;
        }
        let wait = self.patience.wait(self.failed + 1, failure, dice)?;
        let fits = self.time_left(now, run_ends_at).is_none_or(|left| wait < left);
        fits.then_some(wait)
    }

    pub(super) fn was_rejected(&self) -> bool {
        let verdict = self.asked.as_ref().and_then(|asked| asked.verdict.as_ref());
        verdict.is_some_and(|(verdict, _)| *verdict != Answer::Approved)
    }

    /// Who said no, in words, if it was a person or nobody in time.
    pub(super) fn said_no(&self) -> Option<String> {
        let asked = self.asked.as_ref()?;
        match asked.verdict.as_ref()? {
            (Answer::Expired, _) => Some("nobody answered in time".to_owned()),
            (Answer::Approved, _) => None,
            (_, by) => {
                let by = by.join(", ");
                let because = asked.reason.as_ref().map(|reason| format!(": {reason}"));
                Some(format!("it was rejected by {by}{}", because.unwrap_or_default()))
            }
        }
    }

    pub(super) fn fail(&self, failure: Failure) -> Decision {
        Decision::Fail { step: self.name.clone(), attempt: self.attempts, failure }
    }
}

impl Asked {
    pub(super) fn hear(&mut self, by: &str, verdict: Answer, reason: Option<&str>) {
        if self.verdict.is_some() {
            return;
        }
        if verdict != Answer::Approved {
            self.reason = reason.map(str::to_owned);
            self.verdict = Some((verdict, vec![by.to_owned()]));
            return;
        }
        if !self.yes.iter().any(|yes| yes == by) {
            self.yes.push(by.to_owned());
        }
        if self.yes.len() >= self.question.quorum.max(1) as usize {
            self.verdict = Some((Answer::Approved, self.yes.clone()));
        }
    }
}

pub(super) fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
