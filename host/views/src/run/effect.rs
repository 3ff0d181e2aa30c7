//! What is known of one call to the outside.

use journal::{Effect, EffectOutcome};

/// A call to the outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectView {
    /// Of the attempt that made it.
    pub attempt: u32,
    /// Counts the calls of the attempt.
    pub number: u32,
    /// When it was first mentioned, in milliseconds since 1970, UTC.
    pub at: i64,
    /// When it last left the host, in milliseconds since 1970, UTC.
    pub left_at: i64,
    /// None for a call that was never admitted.
    pub effect: Option<Effect>,
    /// None while nobody knows.
    pub outcome: Option<EffectOutcome>,
    /// Whether it took effect, where it got no answer and somebody found out.
    pub settled: Option<SettledView>,
    /// How often it left the host again.
    pub asked: u32,
    /// Why that does no harm, for people.
    pub asked_because: Option<String>,
    /// It does not count any more: its attempt was run again, and has asked anew from an earlier
    /// call on.
    pub dropped: bool,
}

/// Somebody found out whether a write took effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettledView {
    /// Milliseconds since 1970, UTC.
    pub at: i64,
    /// Whether it did.
    pub done: bool,
    /// Who says so.
    pub by: String,
    /// In that person's words.
    pub reason: Option<String>,
}

impl EffectView {
    pub(super) fn new(at: i64, attempt: u32, number: u32) -> Self {
        Self {
            attempt,
            number,
            at,
            left_at: at,
            effect: None,
            outcome: None,
            settled: None,
            asked: 0,
            asked_because: None,
            dropped: false,
        }
    }

    /// It leaves the host again, so its outcome is open again, whatever was found out before.
    pub(super) fn ask_again(&mut self, at: i64, why: &str) {
        (self.outcome, self.settled) = (None, None);
        self.asked += 1;
        self.left_at = at;
        self.asked_because = Some(why.to_owned());
    }

    /// Whether it changes something when it takes effect.
    #[must_use]
    pub fn writes(&self) -> bool {
        self.effect.as_ref().is_some_and(|effect| effect.writes)
    }

    /// Whether the host made it by itself, and the step does not know of it.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.effect.as_ref().is_some_and(|effect| effect.own)
    }

    /// Whether nobody knows if this took effect: a write that left the host, or was about to,
    /// without an answer.
    #[must_use]
    pub fn is_in_doubt(&self) -> bool {
        let unknown = matches!(&self.outcome, None | Some(EffectOutcome::InDoubt { .. }));
        self.writes() && unknown && self.settled.is_none()
    }

    /// Whether this is a write that was answered in a way that does not tell whether it took effect.
    #[must_use]
    pub fn is_unsure(&self) -> bool {
        let unsure = self.outcome.as_ref().is_some_and(EffectOutcome::is_unsure);
        self.writes() && unsure && self.settled.is_none()
    }

    /// Whether this changed something outside, as far as the answer tells, or whoever found out.
    #[must_use]
    pub fn changed(&self) -> bool {
        let answered =
            matches!(&self.outcome, Some(EffectOutcome::Answered { status: 200..400, .. }));
        let settled = self.settled.as_ref().is_some_and(|settled| settled.done);
        self.writes() && (answered || settled)
    }
}
