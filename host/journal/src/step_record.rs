//! What one attempt did, as far as it was written down: what an attempt that is run again gets its
//! answers from.
//!
//! A fold over events and nothing more; what an answer means is decided where calls are made.

use crate::{Effect, EffectOutcome, Event, Readings, Repeatable};

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
    /// The place of the event that began it.
    intended_at: u32,
    /// The place of the event that ended it; 0 before there is one.
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
                let call = self.call(*number);
                (call.effect, call.intended_at) = (Some(effect.clone()), place);
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
            Event::OutcomeSettled { number, done, .. } => {
                let call = self.call(*number);
                // What the step was told of it then is not what is known now.
                (call.settled, call.reply) = (Some(*done), None);
            }
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

    /// The number of the last write that must not be made again: it changed something, or may have;
    /// 0 if there is none.
    #[must_use]
    pub fn last_change(&self) -> u32 {
        let changes = self.own_calls().filter(|call| {
            call.changed() || call.is_in_doubt() || (call.is_unsure() && !call.may_be_sent_again())
        });
        changes.map(|call| call.number).max().unwrap_or(0)
    }

    /// The writes of which nobody knows whether they took effect: they got no answer, or one that
    /// does not tell. Not those behind whose end the step has written again: it had found out.
    pub fn in_doubt(&self) -> impl Iterator<Item = &CallRecord> {
        let writes = || self.own_calls().filter(|call| call.writes() && !call.was_not_made());
        let is_open = |call: &&CallRecord| {
            call.is_in_doubt() || (call.is_unsure() && !call.may_be_sent_again())
        };
        let newest = writes().map(|call| call.intended_at).max().unwrap_or(0);
        // Whatever was on its way together with it proves nothing.
        let is_last = move |call: &&CallRecord| call.outcome.is_none() || call.ended_at > newest;
        writes().filter(is_open).filter(is_last)
    }

    /// How many writes like this one took effect, or may have: of this text, on this connection,
    /// with this content.
    #[must_use]
    pub fn made(&self, operation: &str, connection: &str, content: &str) -> usize {
        let same = |effect: &Effect| {
            effect.operation == operation
                && effect.connection == connection
                && effect.content.as_deref().unwrap_or(&effect.digest) == content
        };
        let counts = |call: &&CallRecord| {
            call.changed() || call.is_in_doubt() || (call.is_unsure() && !call.may_be_sent_again())
        };
        let made = self.own_calls().filter(counts);
        made.filter(|call| call.effect.as_ref().is_some_and(same)).count()
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

    /// Leaves out the calls behind number `keep`, and what came behind the end of the last one
    /// that is left: lines, readings, pieces of streams.
    fn cut(&mut self, keep: u32) {
        self.calls.retain(|call| call.number <= keep);
        // A run that goes on right there wants to know anew.
        if let Some(last) = self.calls.last_mut().filter(|last| last.number == keep)
            && (matches!(last.outcome, Some(EffectOutcome::InDoubt { .. })) || last.is_unsure())
        {
            last.outcome = None;
            last.reply = None;
        }
        if keep == u32::MAX {
            return;
        }
        let end = self.calls.iter().map(|call| call.ended_at.max(call.intended_at)).max();
        let end = end.unwrap_or(0);
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
                    intended_at: 0,
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

    /// Whether it is a write that was answered in a way that does not tell whether it took effect:
    /// a 503 proves nothing.
    fn is_unsure(&self) -> bool {
        let unsure = self.outcome.as_ref().is_some_and(EffectOutcome::is_unsure);
        self.writes() && unsure && self.settled.is_none()
    }

    /// Whether it may be made again, or the host can find out whether it took effect.
    #[must_use]
    pub fn may_be_tried_again(&self) -> bool {
        self.effect.as_ref().is_some_and(|effect| effect.repeatable.is_some())
    }

    /// Whether it does no harm to make it again, whether or not it took effect.
    fn may_be_sent_again(&self) -> bool {
        let repeatable = self.effect.as_ref().and_then(|effect| effect.repeatable);
        repeatable.is_some_and(|repeatable| repeatable != Repeatable::Verifiable)
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
            answered(3, 400),
            line(),
        ]);
        assert_eq!((record.lines, record.last_number, record.last_change()), (4, 3, 1));

        record.apply(&Event::StepResumed { step: step(), attempt: 1, keep: 1 });

        assert_eq!((record.lines, record.last_number), (2, 3));
        assert_eq!(record.calls.iter().map(|call| call.number).collect::<Vec<_>>(), [1]);
        record.apply(&line());
        assert_eq!(record.lines, 3);
    }

    fn doubts(record: &StepRecord) -> Vec<u32> {
        record.in_doubt().map(|call| call.number).collect()
    }

    #[test]
    fn a_write_whose_answer_does_not_tell_is_in_doubt_until_someone_says() {
        let mut doubt = record(&[intended(1, true), answered(1, 503)]);
        assert_eq!((doubts(&doubt), doubt.last_change()), (vec![1], 1));
        let (step, by) = (step(), "ann".to_owned());
        let said =
            Event::OutcomeSettled { step, attempt: 1, number: 1, done: true, by, reason: None };

        doubt.apply(&said);

        assert_eq!((doubts(&doubt), doubt.last_change()), (vec![], 1));
        assert_eq!(doubt.calls[0].reply, None, "it is not told the 503 again");
    }

    #[test]
    fn who_has_written_again_since_had_found_out_and_who_wrote_meanwhile_had_not() {
        let since = [intended(1, true), answered(1, 503), intended(2, true), answered(2, 429)];
        let mut since = record(&since);
        assert_eq!((doubts(&since), since.last_change()), (vec![], 1), "it is not sent again");
        since.apply(&Event::StepResumed { step: step(), attempt: 1, keep: 1 });
        assert_eq!(doubts(&since), [1], "of what is open again nobody knows");

        let meanwhile = [intended(1, true), intended(2, true), answered(2, 201)];
        let together = record(&meanwhile);
        assert_eq!((doubts(&together), together.last_change()), (vec![1], 2));
        let answered = [&meanwhile[..], &[answered(1, 503)]].concat();
        assert_eq!(doubts(&record(&answered)), [1]);
    }

    #[test]
    fn what_may_be_sent_again_is_in_no_doubt_once_it_is_answered() {
        let in_doubt = |repeatable| {
            let effect = Effect { repeatable, ..effect(true) };
            let (step, readings) = (step(), Readings::default());
            let write = Event::EffectIntended { step, attempt: 1, number: 1, effect, readings };
            doubts(&record(&[write, answered(1, 503)])).len()
        };
        assert_eq!(in_doubt(None), 1);
        assert_eq!(in_doubt(Some(Repeatable::Verifiable)), 1);
        assert_eq!(in_doubt(Some(Repeatable::Recognised)), 0);
    }

    #[test]
    fn what_was_read_for_a_call_without_an_answer_is_read_again() {
        let readings: Readings =
            serde_json::from_value(serde_json::json!([[7, 1]])).expect("readings");
        let intent = Event::EffectIntended {
            step: step(),
            attempt: 1,
            number: 1,
            effect: effect(true),
            readings: readings.clone(),
        };
        let mut record = record(&[intent]);

        record.apply(&Event::StepResumed { step: step(), attempt: 1, keep: 1 });

        assert_eq!(record.readings(), readings);
    }

    #[test]
    fn a_write_without_an_answer_is_in_doubt_until_someone_says() {
        let mut doubt = record(&[intended(1, false), intended(2, true)]);
        assert_eq!(doubts(&doubt), [2]);
        let say = |done| Event::OutcomeSettled {
            step: step(),
            attempt: 1,
            number: 2,
            done,
            by: "ann".into(),
            reason: None,
        };
        doubt.apply(&say(false));
        assert_eq!((doubts(&doubt), doubt.last_change()), (vec![], 0));
        let why = "not done".to_owned();
        doubt.apply(&Event::EffectAskedAgain { step: step(), attempt: 1, number: 2, why });
        assert_eq!(doubts(&doubt), [2], "it left the host again");
        doubt.apply(&answered(2, 200));
        assert_eq!((doubts(&doubt), doubt.last_change()), (vec![], 2));
    }
}
