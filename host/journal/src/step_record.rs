//! What one attempt did, as far as it was written down: what an attempt that is run again gets its
//! answers from.
//!
//! A fold over events and nothing more; what an answer means is decided where calls are made.

use crate::{Effect, EffectOutcome, Event, Readings};

/// The record of one attempt of one step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepRecord {
    /// Its calls, by their numbers.
    pub calls: Vec<CallRecord>,
    /// Lines that the step wrote and that still count.
    pub lines: u32,
    /// The greatest number that was ever given to a call, also to one that does not count.
    pub last_number: u32,
    /// Where the connections led, by their slots.
    pub addresses: Vec<(String, String)>,
    /// Writes that a plan has shown and not made.
    pub planned: u32,
    /// All lines that were written.
    heard: u32,
    /// What was read, each with the place of the event that holds it.
    readings: Vec<(u32, Readings)>,
    /// Counts what was taken in.
    place: u32,
}

/// One call of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallRecord {
    /// Counts the calls of the attempt, from 1.
    pub number: u32,
    /// None for a call that was never admitted.
    pub effect: Option<Effect>,
    /// None while nobody knows.
    pub outcome: Option<EffectOutcome>,
    /// The digest of what the step was told.
    pub reply: Option<String>,
    /// Whether someone has found out that it took effect, although it got no answer.
    pub settled: Option<bool>,
    /// The digests of the pieces of the stream that it opened.
    pub pieces: Vec<Option<String>>,
    /// The places of the events that hold the pieces.
    heard_at: Vec<u32>,
    /// The place of the event that ended it.
    ended_at: u32,
    /// Lines that the step had written when it ended.
    lines: u32,
}

impl StepRecord {
    /// Takes in what happened to the step. Events of other steps must not come here.
    pub fn apply(&mut self, event: &Event) {
        self.place += 1;
        let place = self.place;
        match event {
            Event::StepStarted { .. } => *self = Self::default(),
            Event::StepResumed { keep, .. } => self.cut(*keep),
            Event::StepLogged { .. } => {
                self.heard += 1;
                self.lines = self.heard;
            }
            Event::EffectIntended { number, effect, readings, .. } => {
                self.call(*number).effect = Some(effect.clone());
                self.read(readings);
            }
            Event::EffectSettled { number, outcome, reply, .. } => {
                let lines = self.lines;
                let call = self.call(*number);
                call.outcome = Some(outcome.clone());
                call.reply = reply.clone();
                (call.ended_at, call.lines) = (place, lines);
            }
            Event::StreamHeard { number, reply, readings, .. } => {
                let call = self.call(*number);
                call.pieces.push(reply.clone());
                call.heard_at.push(place);
                self.read(readings);
            }
            Event::OutcomeSettled { number, done, .. } => self.call(*number).settled = Some(*done),
            Event::EffectPlanned { .. } => self.planned += 1,
            // From here on the outcome is open again, whatever was found out before.
            Event::EffectAskedAgain { number, .. } => {
                let call = self.call(*number);
                call.outcome = None;
                call.reply = None;
                call.settled = None;
            }
            Event::ConnectionGranted { slot, address: Some(address), .. } => {
                self.addresses.retain(|(known, _)| known != slot);
                self.addresses.push((slot.clone(), address.clone()));
            }
            _ => {}
        }
    }

    /// The calls that the step itself made: those that the host made for itself are left out.
    pub fn own_calls(&self) -> impl Iterator<Item = &CallRecord> {
        self.calls.iter().filter(|call| call.effect.as_ref().is_none_or(|effect| !effect.own))
    }

    /// The number of the last write that changed something, or may have; 0 if none did.
    #[must_use]
    pub fn last_change(&self) -> u32 {
        let changes = self.own_calls().filter(|call| call.changed() || call.is_in_doubt());
        changes.map(|call| call.number).max().unwrap_or(0)
    }

    /// The write of which nobody knows whether it took effect. An earlier one is none of these:
    /// a step that has written again since had found out.
    #[must_use]
    pub fn in_doubt(&self) -> Option<&CallRecord> {
        let writes = self.own_calls().filter(|call| call.writes() && !call.was_not_made());
        writes.max_by_key(|call| call.number).filter(|call| call.is_in_doubt())
    }

    /// What was read, in order.
    #[must_use]
    pub fn readings(&self) -> Readings {
        let mut all = Readings::default();
        self.readings.iter().for_each(|(_, readings)| all.extend(readings));
        all
    }

    fn read(&mut self, readings: &Readings) {
        if !readings.is_empty() {
            self.readings.push((self.place, readings.clone()));
        }
    }

    /// Whether the last write was answered in a way that does not tell whether it took effect, and
    /// may not be made again.
    #[must_use]
    pub fn ends_unsure(&self) -> bool {
        let last = self.own_calls().filter(|call| call.writes()).max_by_key(|call| call.number);
        last.is_some_and(|call| {
            let unsure = call.outcome.as_ref().is_some_and(EffectOutcome::is_unsure);
            unsure && call.effect.as_ref().is_some_and(|effect| effect.repeatable.is_none())
        })
    }

    /// Leaves out the calls behind number `keep`, and what came behind the end of the last one
    /// that is left: lines, readings, pieces of streams.
    fn cut(&mut self, keep: u32) {
        self.calls.retain(|call| call.number <= keep);
        // A run that goes on right there wants to know anew.
        if let Some(last) = self.calls.last_mut().filter(|last| last.number == keep)
            && matches!(last.outcome, Some(EffectOutcome::InDoubt { .. }))
        {
            last.outcome = None;
            last.reply = None;
        }
        if keep == u32::MAX {
            return;
        }
        let end = self.calls.iter().map(|call| call.ended_at).max().unwrap_or(0);
        self.readings.retain(|(place, _)| *place <= end);
        for call in &mut self.calls {
            let kept = call.heard_at.iter().filter(|place| **place <= end).count();
            call.heard_at.truncate(kept);
            call.pieces.truncate(kept);
        }
        self.lines = self.calls.last().map_or(0, |call| call.lines);
        self.heard = self.lines;
    }

    /// The call of that number, new if it was not mentioned before.
    fn call(&mut self, number: u32) -> &mut CallRecord {
        self.last_number = self.last_number.max(number);
        let place = match self.calls.binary_search_by_key(&number, |call| call.number) {
            Ok(place) => place,
            Err(place) => {
                let call = CallRecord {
                    number,
                    effect: None,
                    outcome: None,
                    reply: None,
                    settled: None,
                    pieces: Vec::new(),
                    heard_at: Vec::new(),
                    ended_at: 0,
                    lines: self.lines,
                };
                self.calls.insert(place, call);
                place
            }
        };
        &mut self.calls[place]
    }
}

impl CallRecord {
    /// Whether it changes anything when it takes effect.
    #[must_use]
    pub fn writes(&self) -> bool {
        self.effect.as_ref().is_some_and(|effect| effect.writes)
    }

    /// Whether it is known that it never left the host, or reached nobody.
    fn was_not_made(&self) -> bool {
        matches!(self.outcome, Some(EffectOutcome::NotMade { .. }))
    }

    /// Whether it is a write that left the host, or was about to, and got no answer.
    #[must_use]
    pub fn is_in_doubt(&self) -> bool {
        let unknown = matches!(self.outcome, None | Some(EffectOutcome::InDoubt { .. }));
        self.writes() && unknown && self.settled.is_none()
    }

    /// Whether it changed something, as far as the answer tells.
    #[must_use]
    pub fn changed(&self) -> bool {
        let answered =
            matches!(&self.outcome, Some(EffectOutcome::Answered { status, .. }) if *status < 400);
        self.writes() && (answered || self.settled == Some(true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Level;
    use workflow::StepName;

    fn step() -> StepName {
        "a".parse().expect("a name")
    }

    fn effect(writes: bool) -> Effect {
        Effect { writes, ..crate::conformance::effect() }
    }

    fn intended(number: u32, writes: bool) -> Event {
        let (step, readings) = (step(), Readings::default());
        Event::EffectIntended { step, attempt: 1, number, effect: effect(writes), readings }
    }

    fn answered(number: u32, status: u16) -> Event {
        let outcome = EffectOutcome::Answered { status, bytes: 0, redacted: 0 };
        let reply = Some(format!("blake3:{number}"));
        Event::EffectSettled { step: step(), attempt: 1, number, outcome, reply }
    }

    fn line() -> Event {
        let (message, fields) = ("x".to_owned(), Vec::new());
        Event::StepLogged { step: step(), attempt: 1, level: Level::Info, message, fields }
    }

    fn record(events: &[Event]) -> StepRecord {
        let mut record = StepRecord::default();
        events.iter().for_each(|event| record.apply(event));
        record
    }

    #[test]
    fn what_came_behind_a_cut_does_not_count() {
        let mut record = record(&[
            line(),
            intended(1, true),
            line(),
            answered(1, 201),
            line(),
            intended(2, false),
            answered(2, 200),
            intended(3, true),
            answered(3, 503),
            line(),
        ]);
        assert_eq!((record.lines, record.last_number, record.last_change()), (4, 3, 1));

        record.apply(&Event::StepResumed { step: step(), attempt: 1, keep: 1 });

        assert_eq!((record.lines, record.last_number), (2, 3));
        assert_eq!(record.calls.iter().map(|call| call.number).collect::<Vec<_>>(), [1]);
        record.apply(&line());
        assert_eq!(record.lines, 3);
    }

    #[test]
    fn a_write_without_an_answer_is_in_doubt_until_someone_says() {
        let mut doubt = record(&[intended(1, false), intended(2, true)]);
        assert_eq!(doubt.in_doubt().map(|call| call.number), Some(2));
        let say = |done| Event::OutcomeSettled {
            step: step(),
            attempt: 1,
            number: 2,
            done,
            by: "ann".into(),
            reason: None,
        };
        doubt.apply(&say(false));
        assert_eq!((doubt.in_doubt(), doubt.last_change()), (None, 0));
        let why = "not done".to_owned();
        doubt.apply(&Event::EffectAskedAgain { step: step(), attempt: 1, number: 2, why });
        assert!(doubt.in_doubt().is_some(), "it left the host again");
        doubt.apply(&answered(2, 200));
        assert_eq!((doubt.in_doubt(), doubt.last_change()), (None, 2));
    }
}
