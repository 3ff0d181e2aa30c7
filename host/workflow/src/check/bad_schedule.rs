//! `bad-schedule`: a schedule that would never fire.

use super::Context;
use crate::diagnostic::{Code, Diagnostic, printable, quote};
use crate::document::Source;
use expression::schedule::Schedule;

pub(super) fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    for trigger in &context.document().triggers {
        let Some(Source::Schedule { schedule: Some(schedule) }) = &trigger.source else { continue };
        if let Err(error) = Schedule::parse(&schedule.value) {
            let message = format!(
                "{} is no schedule: {}",
                quote(&schedule.value),
                printable(&error.to_string())
            );
            let help = "five fields: minute, hour, day of month, month, day of week; or `@daily`";
            found.push(Diagnostic::new(Code::BadSchedule, schedule.span, message).helping(help));
        }
    }
}
