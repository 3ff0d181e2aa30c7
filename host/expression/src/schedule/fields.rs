//! The five fields of a cron line: lists of values, ranges and steps.
//!
//! If both day fields are restricted, either may match; a `*` or `?` restricts nothing.

use super::ScheduleError;
use crate::fault::quoted;
use jiff::civil::{Date, Weekday};

/// Which minutes, hours, days and months match, a bit for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fields {
    minutes: u64,
    hours: u64,
    days_of_month: u64,
    months: u64,
    days_of_week: u64,
}

/// The highest bit says that the field was written with a star.
const STAR: u64 = 1 << 63;

struct Bounds {
    min: u32,
    max: u32,
    names: &'static [&'static str],
}

const MINUTES: Bounds = Bounds { min: 0, max: 59, names: &[] };
const HOURS: Bounds = Bounds { min: 0, max: 23, names: &[] };
const DAYS_OF_MONTH: Bounds = Bounds { min: 1, max: 31, names: &[] };
const MONTHS: Bounds = Bounds {
    min: 1,
    max: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
};
const DAYS_OF_WEEK: Bounds =
    Bounds { min: 0, max: 6, names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"] };

impl Fields {
    pub(super) fn parse(text: &str) -> Result<Self, ScheduleError> {
        let found: Vec<&str> = text.split_whitespace().collect();
        let [minutes, hours, days_of_month, months, days_of_week] = found.as_slice() else {
            let found = found.into_iter().map(str::to_owned).collect();
            return Err(ScheduleError::FieldCount { found });
        };
        let read = |text: &str, bounds| field(text, bounds).map_err(ScheduleError::Field);
        Ok(Self {
            minutes: read(minutes, &MINUTES)?,
            hours: read(hours, &HOURS)?,
            days_of_month: read(days_of_month, &DAYS_OF_MONTH)?,
            months: read(months, &MONTHS)?,
            days_of_week: read(days_of_week, &DAYS_OF_WEEK)?,
        })
    }

    pub(super) fn has_minute(&self, minute: i8) -> bool {
        has(self.minutes, minute)
    }

    pub(super) fn has_hour(&self, hour: i8) -> bool {
        has(self.hours, hour)
    }

    pub(super) fn has_month(&self, month: i8) -> bool {
        has(self.months, month)
    }

    pub(super) fn has_day(&self, date: Date) -> bool {
        let of_month = has(self.days_of_month, date.day());
        let of_week = has(self.days_of_week, sunday_first(date.weekday()));
        if (self.days_of_month | self.days_of_week) & STAR != 0 {
            of_month && of_week
        } else {
            of_month || of_week
        }
    }
}

fn sunday_first(day: Weekday) -> i8 {
    day.to_sunday_zero_offset()
}

fn has(bits: u64, value: i8) -> bool {
    u32::try_from(value).is_ok_and(|value| bits >> value & 1 == 1)
}

fn field(text: &str, bounds: &Bounds) -> Result<u64, String> {
    text.split(',')
        .filter(|part| !part.is_empty())
        .try_fold(0, |bits, part| range(part, bounds).map(|more| bits | more))
}

fn range(text: &str, bounds: &Bounds) -> Result<u64, String> {
    let (span, step_text) = match text.split('/').collect::<Vec<_>>().as_slice() {
        [span] => (*span, None),
        [span, step] => (*span, Some(*step)),
        _ => return Err(format!("too many slashes: {text}")),
    };
    let ends: Vec<&str> = span.split('-').collect();
    let is_star = matches!(ends[0], "*" | "?");
    let (start, mut end) = match ends.as_slice() {
        _ if is_star => (bounds.min, bounds.max),
        [single] => (value(single, bounds)?, value(single, bounds)?),
        [start, end] => (value(start, bounds)?, value(end, bounds)?),
        _ => return Err(format!("too many hyphens: {text}")),
    };
    let step = match step_text {
        None => 1,
        Some(step) => {
            let step = whole(step)?;
            if ends.len() == 1 {
                end = bounds.max;
            }
            step
        }
    };
    check(start, end, step, bounds, text)?;
    let star = if is_star && step <= 1 { STAR } else { 0 };
    let bits = (start..=end).step_by(step as usize).fold(0, |bits, value| bits | 1 << value);
    Ok(bits | star)
}

fn check(start: u32, end: u32, step: u32, bounds: &Bounds, text: &str) -> Result<(), String> {
    let Bounds { min, max, .. } = *bounds;
    if start < min {
        Err(format!("beginning of range ({start}) below minimum ({min}): {text}"))
    } else if end > max {
        Err(format!("end of range ({end}) above maximum ({max}): {text}"))
    } else if start > end {
        Err(format!("beginning of range ({start}) beyond end of range ({end}): {text}"))
    } else if step == 0 {
        Err(format!("step of range should be a positive number: {text}"))
    } else {
        Ok(())
    }
}

fn value(text: &str, bounds: &Bounds) -> Result<u32, String> {
    match bounds.names.iter().position(|name| name.eq_ignore_ascii_case(text)) {
        Some(place) => Ok(bounds.min + u32::try_from(place).unwrap_or(0)),
        None => whole(text),
    }
}

fn whole(text: &str) -> Result<u32, String> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let atoi = |problem: &str| {
        let quoted = quoted(text);
        format!("failed to parse int from {text}: strconv.Atoi: parsing {quoted}: {problem}")
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(atoi("invalid syntax"));
    }
    let number: i64 = text.parse().map_err(|_| atoi("value out of range"))?;
    if number < 0 {
        return Err(format!("negative number ({number}) not allowed: {text}"));
    }
    // Larger than every bound is all that matters.
    Ok(u32::try_from(number).unwrap_or(u32::MAX))
}
