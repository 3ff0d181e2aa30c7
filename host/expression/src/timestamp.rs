//! How a point in time is written: RFC 3339 as data, Relay's own form inside a text.
//!
//! Always UTC. It must not read a clock.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// `2021-05-31T01:02:03.004005Z`, with as many digits of a second as needed.
pub(crate) fn rfc3339(time: Timestamp) -> String {
    let (date, clock) = parts(time);
    format!("{date}T{clock}Z")
}

/// `2021-05-31 01:02:03.004005 +0000 UTC`.
pub(crate) fn shown(time: Timestamp) -> String {
    let (date, clock) = parts(time);
    format!("{date} {clock} +0000 UTC")
}

fn parts(time: Timestamp) -> (String, String) {
    let at = time.to_zoned(TimeZone::UTC);
    let date = format!("{:04}-{:02}-{:02}", at.year(), at.month(), at.day());
    let clock = format!("{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second());
    let nanoseconds = format!("{:09}", at.subsec_nanosecond());
    match nanoseconds.trim_end_matches('0') {
        "" => (date, clock),
        fraction => (date, format!("{clock}.{fraction}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_keep_only_the_digits_needed() {
        let cases = [
            ("2021-05-31T01:02:03.004005Z", "2021-05-31 01:02:03.004005 +0000 UTC"),
            ("2021-05-31T00:00:00Z", "2021-05-31 00:00:00 +0000 UTC"),
        ];
        for (text, expected) in cases {
            let time: Timestamp = text.parse().unwrap();
            assert_eq!(rfc3339(time), text);
            assert_eq!(shown(time), expected);
        }
    }
}
