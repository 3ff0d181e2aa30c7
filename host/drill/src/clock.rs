//! The one place of the practice services that reads the clock.
//!
//! Everything below takes the time as a value, so that history can be made at the start and
//! deadlines can be tested without waiting.

use jiff::Timestamp;

/// Now, as both services stamp it.
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// `2026-07-01T12:00:00Z`, as Kubernetes writes times: whole seconds.
pub(crate) fn seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// `2026-07-01T12:00:00.123456+00:00`, as Datadog writes times.
pub(crate) fn micros(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%6f+00:00").to_string()
}

/// `2026-07-01T12:00:00.123Z`, as the record of requests writes times.
pub(crate) fn millis(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// Whole seconds from `earlier` to `later`; negative when it is the other way round.
pub(crate) fn seconds_between(earlier: Timestamp, later: Timestamp) -> i64 {
    later.as_second().saturating_sub(earlier.as_second())
}

/// `time` moved back by `seconds`; the same time at the edge of the calendar.
pub(crate) fn before(time: Timestamp, seconds: i64) -> Timestamp {
    Timestamp::from_second(time.as_second().saturating_sub(seconds)).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_service_gets_its_own_way_to_write_a_time() {
        let time: Timestamp = "2026-07-01T12:00:00.123456Z".parse().expect("a time");

        assert_eq!(seconds(time), "2026-07-01T12:00:00Z");
        assert_eq!(micros(time), "2026-07-01T12:00:00.123456+00:00");
        assert_eq!(millis(time), "2026-07-01T12:00:00.123Z");
        assert_eq!(seconds_between(before(time, 90), time), 90);
    }
}
