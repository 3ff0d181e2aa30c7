//! When a schedule trigger fires: five-field cron, `@daily` and its like, `@every 1h30m`.
//!
//! Pure: the time comes in as a value, time zones come from a table inside the program. There is
//! no seconds field and no `@reboot`, and Sunday is 0 only.

mod fields;
mod period;

use fields::Fields;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp, ToSpan, Zoned};

/// A parsed schedule.
#[derive(Clone, Debug)]
pub struct Schedule {
    rule: Rule,
}

#[derive(Clone, Debug)]
enum Rule {
    Calendar { fields: Fields, zone: TimeZone },
    Every(SignedDuration),
}

/// Why a text is no schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// Nothing, or only a time zone.
    #[error("empty spec string")]
    Empty,
    /// `TZ=` or `CRON_TZ=` with a name that no time zone has.
    #[error("provided bad location {name}: unknown time zone {name}")]
    Zone {
        /// The name as written.
        name: String,
    },
    /// Not five fields.
    #[error("expected exactly 5 fields, found {}: [{}]", found.len(), found.join(" "))]
    FieldCount {
        /// The fields that were found.
        found: Vec<String>,
    },
    /// A field that is no list of ranges.
    #[error("{0}")]
    Field(String),
    /// An `@` word that does not exist.
    #[error("unrecognized descriptor: {0}")]
    Descriptor(String),
    /// `@every` with something that is no duration.
    #[error("failed to parse duration {text}: {problem}")]
    Duration {
        /// The whole text.
        text: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl Schedule {
    /// Reads a schedule, for example `0 7 * * MON-FRI` or `CRON_TZ=Europe/Berlin @daily`.
    ///
    /// Without a time zone, fields count in UTC.
    ///
    /// # Errors
    ///
    /// [`ScheduleError`], which names the field or the word that does not fit.
    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        let (zone, rest) = zone(text)?;
        let rule = match rest.strip_prefix('@') {
            None => Rule::Calendar { fields: Fields::parse(rest)?, zone },
            Some(_) => match rest.strip_prefix("@every ") {
                Some(period) => {
                    let problem =
                        |problem| ScheduleError::Duration { text: rest.to_owned(), problem };
                    Rule::Every(period::parse(period).map_err(problem)?)
                }
                None => Rule::Calendar { fields: descriptor(rest)?, zone },
            },
        };
        Ok(Self { rule })
    }

    /// The first time after `time` that the schedule names; `None` if there is none within five
    /// years, as for 30 February.
    #[must_use]
    pub fn next_after(&self, time: Timestamp) -> Option<Timestamp> {
        match &self.rule {
            Rule::Every(period) => {
                let whole = SignedDuration::from_secs(time.as_second());
                Timestamp::from_duration(whole.checked_add(*period)?).ok()
            }
            Rule::Calendar { fields, zone } => {
                let start = Timestamp::from_second(time.as_second().checked_add(1)?).ok()?;
                next(fields, start.to_zoned(zone.clone())).map(|found| found.timestamp())
            }
        }
    }
}

/// The time zone that the text begins with, and what comes after it.
fn zone(text: &str) -> Result<(TimeZone, &str), ScheduleError> {
    if text.is_empty() {
        return Err(ScheduleError::Empty);
    }
    let Some(named) = text.strip_prefix("TZ=").or_else(|| text.strip_prefix("CRON_TZ=")) else {
        return Ok((TimeZone::UTC, text));
    };
    let (name, rest) = named.split_once(' ').ok_or(ScheduleError::Empty)?;
    let zone = match name {
        "" | "UTC" => TimeZone::UTC,
        // Relay means the zone of its own process, which is UTC.
        "Local" => TimeZone::UTC,
        _ => TimeZoneDatabase::bundled()
            .get(name)
            .map_err(|_| ScheduleError::Zone { name: name.to_owned() })?,
    };
    Ok((zone, rest.trim()))
}

fn descriptor(word: &str) -> Result<Fields, ScheduleError> {
    let fields = match word {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * 0",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        _ => return Err(ScheduleError::Descriptor(word.to_owned())),
    };
    Fields::parse(fields)
}

/// The first time from `start` on that all fields match.
fn next(fields: &Fields, start: Zoned) -> Option<Zoned> {
    let year_max = start.year().checked_add(5)?;
    let mut at = start;
    loop {
        if at.year() > year_max {
            return None;
        }
        let later = if !fields.has_month(at.month()) {
            let first = at.date().first_of_month().checked_add(1.month()).ok()?;
            first.to_zoned(at.time_zone().clone()).ok()?
        } else if !fields.has_day(at.date()) {
            let tomorrow = at.date().tomorrow().ok()?;
            tomorrow.to_zoned(at.time_zone().clone()).ok()?
        } else if !fields.has_hour(at.hour()) {
            after_this_unit(&at, 3600)?
        } else if !fields.has_minute(at.minute()) || at.second() != 0 {
            after_this_unit(&at, 60)?
        } else {
            return Some(at);
        };
        // Where clocks are set back, a local time can come again; never go back with them.
        at = if later > at { later } else { after_this_unit(&at, 3600)? };
    }
}

/// The end of the minute or hour that `at` is in, by elapsed time.
fn after_this_unit(at: &Zoned, unit_seconds: i64) -> Option<Zoned> {
    let into = i64::from(at.minute()) * 60 + i64::from(at.second());
    let left = unit_seconds - into % unit_seconds;
    at.checked_add(SignedDuration::from_secs(left)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(schedule: &str, time: &str) -> Option<String> {
        let schedule = Schedule::parse(schedule).unwrap();
        schedule.next_after(time.parse().unwrap()).map(|next| next.to_string())
    }

    #[test]
    fn the_next_time() {
        let new_year = "2021-01-01T00:00:00Z";
        let cases = [
            ("* * * * *", new_year, Some("2021-01-01T00:01:00Z")),
            ("*/15 3 * * *", new_year, Some("2021-01-01T03:00:00Z")),
            ("5/20 * * * *", "2021-01-01T00:25:30Z", Some("2021-01-01T00:45:00Z")),
            ("0 0 29 2 *", new_year, Some("2024-02-29T00:00:00Z")),
            ("0 0 30 2 *", new_year, None),
            ("0 0 1 * 1", new_year, Some("2021-01-04T00:00:00Z")),
            ("0 0 ? * MON-FRI", new_year, Some("2021-01-04T00:00:00Z")),
            ("0 0 13 * fri", new_year, Some("2021-01-08T00:00:00Z")),
            ("59 23 31 DEC *", new_year, Some("2021-12-31T23:59:00Z")),
            ("@yearly", new_year, Some("2022-01-01T00:00:00Z")),
            ("@weekly", new_year, Some("2021-01-03T00:00:00Z")),
            ("@every 1h30m", "2021-01-01T00:00:00.5Z", Some("2021-01-01T01:30:00Z")),
            ("@every 10ms", new_year, Some("2021-01-01T00:00:01Z")),
            ("@every 1.5s", new_year, Some("2021-01-01T00:00:01Z")),
            ("TZ=UTC 0 0 * * *", new_year, Some("2021-01-02T00:00:00Z")),
            ("CRON_TZ=America/Los_Angeles 0 9 * * *", new_year, Some("2021-01-01T17:00:00Z")),
            ("CRON_TZ=Asia/Kolkata 30 0 * * *", new_year, Some("2021-01-01T19:00:00Z")),
        ];
        for (schedule, time, expected) in cases {
            assert_eq!(after(schedule, time).as_deref(), expected, "{schedule} after {time}");
        }
    }

    #[test]
    fn clocks_that_are_set_do_not_stop_a_schedule() {
        let cases = [
            // 02:30 does not exist on this night in Berlin.
            ("TZ=Europe/Berlin 30 2 * * *", "2021-03-28T00:00:00Z", "2021-03-29T00:30:00Z"),
            // 02:30 comes twice; the first one counts.
            ("TZ=Europe/Berlin 30 2 * * *", "2021-10-30T22:00:00Z", "2021-10-31T00:30:00Z"),
            // Midnight does not exist on this day in São Paulo.
            ("TZ=America/Sao_Paulo 0 12 * * *", "2018-11-04T02:00:00Z", "2018-11-04T14:00:00Z"),
        ];
        for (schedule, time, expected) in cases {
            assert_eq!(after(schedule, time).as_deref(), Some(expected), "{schedule}");
        }
    }

    #[test]
    fn what_is_no_schedule() {
        let cases = [
            ("", "empty spec string"),
            ("nonsense", "expected exactly 5 fields, found 1: [nonsense]"),
            ("0 0 0 * * *", "expected exactly 5 fields, found 6: [0 0 0 * * *]"),
            ("60 * * * *", "end of range (60) above maximum (59): 60"),
            ("0 0 * * 7", "end of range (7) above maximum (6): 7"),
            ("0 0 0 * *", "beginning of range (0) below minimum (1): 0"),
            ("5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"),
            ("*/0 * * * *", "step of range should be a positive number: */0"),
            ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
            ("1/2/3 * * * *", "too many slashes: 1/2/3"),
            (
                "x * * * *",
                "failed to parse int from x: strconv.Atoi: parsing \"x\": invalid syntax",
            ),
            ("-1 * * * *", "failed to parse int from : strconv.Atoi: parsing \"\": invalid syntax"),
            ("@reboot", "unrecognized descriptor: @reboot"),
            ("@every x", "failed to parse duration @every x: time: invalid duration \"x\""),
            ("@every 5", "failed to parse duration @every 5: time: missing unit in duration \"5\""),
            (
                "TZ=Mars/Base 0 0 * * *",
                "provided bad location Mars/Base: unknown time zone Mars/Base",
            ),
            ("TZ=UTC", "empty spec string"),
        ];
        for (text, expected) in cases {
            assert_eq!(Schedule::parse(text).unwrap_err().to_string(), expected, "{text}");
        }
    }
}
