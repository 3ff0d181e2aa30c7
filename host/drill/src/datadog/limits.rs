//! Rate limits: so many requests in each window of the calendar, told in the headers.
//!
//! The limits are those that were recorded; where none is known, there is none.

use super::Matter;
use crate::exchange::Answer;
use http::header::HeaderName;
use jiff::Timestamp;
use std::collections::HashMap;

/// Requests taken in the current window of each matter.
#[derive(Debug, Default)]
pub(super) struct Limits {
    taken: HashMap<Matter, (i64, u32)>,
}

/// Where one request stands in its window.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// Requests in a window.
    pub(super) limit: u32,
    /// Seconds of a window.
    pub(super) period: i64,
    remaining: u32,
    reset: i64,
    /// Whether this request is one too many.
    pub(super) is_over: bool,
}

impl Limits {
    /// Counts one request; `None` where nothing is limited.
    pub(super) fn take(&mut self, matter: Matter, now: Timestamp) -> Option<Window> {
        let (limit, period) = limit_of(matter)?;
        let second = now.as_second();
        let window = second.div_euclid(period);
        let (known, taken) = self.taken.entry(matter).or_insert((window, 0));
        if *known != window {
            (*known, *taken) = (window, 0);
        }
        *taken = taken.saturating_add(1);
        Some(Window {
            limit,
            period,
            remaining: limit.saturating_sub(*taken),
            reset: period - second.rem_euclid(period),
            is_over: *taken > limit,
        })
    }
}

impl Window {
    /// The answer with the headers that tell the window.
    pub(super) fn onto(&self, answer: Answer) -> Answer {
        [
            ("x-ratelimit-limit", i64::from(self.limit)),
            ("x-ratelimit-period", self.period),
            ("x-ratelimit-remaining", i64::from(self.remaining)),
            ("x-ratelimit-reset", self.reset),
        ]
        .into_iter()
        .fold(answer, |answer, (name, value)| {
            answer.with_header(HeaderName::from_static(name), &value.to_string())
        })
    }
}

fn limit_of(matter: Matter) -> Option<(u32, i64)> {
    match matter {
        Matter::Incidents | Matter::Incident => Some((400, 60)),
        Matter::IncidentCreation => Some((400, 3_600)),
        Matter::EventV1 => Some((12_000, 60)),
        Matter::EventsV1 | Matter::EventsV2 => Some((250_000, 60)),
        Matter::Validate
        | Matter::Permissions
        | Matter::Search
        | Matter::Timeline
        | Matter::TimelineCell => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_used_up_and_a_new_one_begins() {
        let mut limits = Limits::default();
        let early: Timestamp = "2026-07-01T00:00:10Z".parse().expect("a time");
        let later: Timestamp = "2026-07-01T00:01:00Z".parse().expect("a time");

        let first = limits.take(Matter::Incidents, early).expect("a limit");
        for _ in 1..400 {
            assert!(!limits.take(Matter::Incidents, early).expect("a limit").is_over);
        }

        assert_eq!((first.remaining, first.reset), (399, 50));
        assert!(limits.take(Matter::Incidents, early).expect("a limit").is_over);
        assert!(!limits.take(Matter::Incidents, later).expect("a limit").is_over);
        assert!(limits.take(Matter::Timeline, early).is_none());
    }
}
