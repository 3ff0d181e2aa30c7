//! When a step is tried again, and after which wait. Pure: time and chance come in as values.

use journal::{Disposition, Failure};
use std::time::Duration;
use workflow::{Retry, RunExtras, StepExtras};

/// Tries in all, where the workflow does not say. A hiccup of a service is over by then, and an
/// outage is not waited for behind a person's back.
const ATTEMPTS: u32 = 3;

/// Before the second try; doubled for each one after.
const DELAY: Duration = Duration::from_secs(1);

/// The most that is waited, also where the far side asks for more.
const DELAY_MAX: Duration = Duration::from_secs(60);

/// How often and how patiently one step is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patience {
    attempts: u32,
    delay: Duration,
    delay_max: Duration,
    /// Whether the workflow says so itself.
    said: bool,
}

impl Patience {
    /// What the step says, else the run, else the defaults.
    pub(crate) fn of(step: &StepExtras, run: &RunExtras) -> Self {
        let Retry { attempts, delay_seconds, max_delay_seconds } =
            step.retry.unwrap_or_default().or(run.retry.unwrap_or_default());
        let delay = delay_seconds.map_or(DELAY, Duration::from_secs);
        let delay_max = max_delay_seconds.map_or(DELAY_MAX.max(delay), Duration::from_secs);
        let said = attempts.is_some();
        Self { attempts: attempts.unwrap_or(ATTEMPTS), delay, delay_max, said }
    }

    /// One try, whatever happens.
    pub(crate) fn none() -> Self {
        Self { attempts: 1, delay: DELAY, delay_max: DELAY, said: true }
    }

    /// How long to wait after `failed` tries that failed, the last of them with `failure`; None
    /// when there is no further try. `dice` is any number: those who fail together must not come
    /// back together.
    pub(crate) fn wait(&self, failed: u32, failure: &Failure, dice: u32) -> Option<Duration> {
        // What took all its time once is not waited for three times, unless somebody wants that.
        if failed >= self.attempts || (failure.code == Failure::OUT_OF_TIME && !self.said) {
            return None;
        }
        let doubled = self.delay.saturating_mul(1 << failed.saturating_sub(1).min(16));
        let most = doubled.min(self.delay_max);
        // At least half of it, so that a short wait stays a wait.
        let share = most / 2 * (dice % 1024) / 1023;
        let own = most / 2 + share;
        match failure.retry_after_ms.map(Duration::from_millis) {
            // Who asks for more than anybody wants to wait is not asked again in vain.
            Some(asked) if asked > self.delay_max => None,
            // Those who were sent away together must not come back together either.
            Some(asked) => Some(own.max((asked + share).min(self.delay_max))),
            None => Some(own),
        }
    }
}

/// Whether another try may help.
pub(crate) fn is_worth_it(failure: &Failure) -> bool {
    failure.disposition == Disposition::Retryable
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(retry_after_ms: Option<u64>) -> Failure {
        Failure { retry_after_ms, ..Failure::permanent("x", "x") }
    }

    fn seconds(retry: Retry) -> Patience {
        Patience::of(
            &StepExtras { retry: Some(retry), ..StepExtras::default() },
            &RunExtras::default(),
        )
    }

    #[test]
    fn waits_double_up_to_the_cap_and_end_with_the_tries() {
        let retry = Retry { attempts: Some(5), delay_seconds: Some(2), max_delay_seconds: Some(6) };
        let patience = seconds(retry);
        let waits = |dice| {
            (1..=5).map(|failed| patience.wait(failed, &failure(None), dice)).collect::<Vec<_>>()
        };
        let ms = |waits: &[u64]| {
            let mut all: Vec<_> = waits.iter().map(|ms| Some(Duration::from_millis(*ms))).collect();
            all.push(None);
            all
        };
        assert_eq!(waits(0), ms(&[1000, 2000, 3000, 3000]));
        assert_eq!(waits(1023), ms(&[2000, 4000, 6000, 6000]));
    }

    #[test]
    fn what_the_far_side_asks_for_is_honoured_up_to_the_cap() {
        let patience = seconds(Retry { max_delay_seconds: Some(10), ..Retry::default() });
        let wait = |asked| patience.wait(1, &failure(Some(asked)), 0);
        assert_eq!(wait(7_000), Some(Duration::from_secs(7)));
        assert_eq!(wait(1), Some(Duration::from_millis(500)));
        assert_eq!(wait(10_001), None);
    }

    #[test]
    fn what_took_all_its_time_is_tried_again_only_where_the_workflow_says_so() {
        let late = Failure::permanent(Failure::OUT_OF_TIME, "x");
        let silent = Patience::of(&StepExtras::default(), &RunExtras::default());
        assert_eq!(silent.wait(1, &late, 0), None);
        let said = seconds(Retry { attempts: Some(2), ..Retry::default() });
        assert!(said.wait(1, &late, 0).is_some());
    }

    #[test]
    fn a_step_goes_before_its_run_and_both_before_the_defaults() {
        let run = RunExtras {
            retry: Some(Retry { attempts: Some(9), delay_seconds: Some(4), ..Retry::default() }),
            ..RunExtras::default()
        };
        let retry = Some(Retry { attempts: Some(2), ..Retry::default() });
        let step = StepExtras { retry, ..StepExtras::default() };
        let patience = Patience::of(&step, &run);
        assert_eq!((patience.attempts, patience.delay), (2, Duration::from_secs(4)));
        assert_eq!(Patience::of(&StepExtras::default(), &RunExtras::default()).attempts, ATTEMPTS);
        assert_eq!(Patience::none().wait(1, &failure(None), 0), None);
    }
}
