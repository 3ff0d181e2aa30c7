//! What a step may really do with a connection: the meeting of what several parties say.
//!
//! Nobody can widen what another one narrowed. The meeting is computed once, so that it can be
//! shown and found empty before the run; at each call it is asked first, and then every party by
//! itself, so that a mistake in the algebra can't let anything through either.

use super::Scope;
use crate::{CallError, Layer, Reason};
use serde_json::Value;
use std::fmt;

/// Who has a say, in the order in which a refusal is laid at their door.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Party {
    /// What the plugin asks for.
    Manifest,
    /// What was accepted for this plugin, in `bowline.lock`.
    Accepted,
    /// What the workflow grants, in the step.
    Workflow,
    /// The rules of the operator's policy that name the plugin.
    Policy,
    /// The rules of the operator's policy for everybody.
    PolicyForAll,
    /// The connection's own limits.
    Connection,
    /// The step itself, by `restrict`.
    Restriction,
}

/// The rules that hold, and who gave them.
#[derive(Clone, Debug, PartialEq)]
pub struct Effective {
    /// What everybody but the step itself allows.
    granted: Scope,
    /// The step's own restriction of that, if there is one.
    restricted: Option<Scope>,
    parties: Vec<(Party, Scope)>,
}

impl Effective {
    /// What the manifest asks for, before anybody has narrowed it.
    #[must_use]
    pub fn asked(manifest: Scope) -> Self {
        let parties = vec![(Party::Manifest, manifest.clone())];
        Self { granted: manifest, restricted: None, parties }
    }

    /// Narrowed by one more.
    #[must_use]
    pub fn narrowed(mut self, party: Party, scope: Scope) -> Self {
        if Layer::Policy.on() {
            self.granted = self.granted.intersect(&scope);
            self.parties.push((party, scope));
        }
        self
    }

    /// The meeting of all.
    #[must_use]
    pub fn rules(&self) -> &Scope {
        self.restricted.as_ref().unwrap_or(&self.granted)
    }

    /// The meeting of all but the step itself: what it says of itself can't add anything, not even
    /// a name for what it has.
    #[must_use]
    pub fn granted(&self) -> &Scope {
        &self.granted
    }

    /// The first party after whose say nothing was left; None when something is, or when the
    /// manifest asks for nothing.
    #[must_use]
    pub fn emptied_by(&self) -> Option<Party> {
        let mut parties = self.parties.iter();
        let mut left = parties.next()?.1.clone();
        if left.is_empty() {
            return None;
        }
        parties.find_map(|(party, scope)| {
            left = left.intersect(scope);
            left.is_empty().then_some(*party)
        })
    }

    /// The parties that took something away.
    pub fn narrowed_by(&self) -> impl Iterator<Item = Party> {
        let mut left: Option<Scope> = None;
        let narrowing = self.parties.iter().filter_map(move |(party, scope)| {
            let Some(before) = &left else {
                left = Some(scope.clone());
                return None;
            };
            let after = before.intersect(scope);
            let narrower = after.wider_in(before).is_some();
            left = Some(after);
            narrower.then_some(*party)
        });
        narrowing.collect::<Vec<_>>().into_iter()
    }

    /// Takes away what `rules` do not list.
    ///
    /// # Errors
    ///
    /// As [`Scope::restrict`].
    pub fn restrict(&self, rules: &[Value]) -> Result<Self, CallError> {
        // One restriction implies those before it.
        let restricted = Some(self.rules().restrict(rules)?);
        Ok(Self { restricted, ..self.clone() })
    }

    /// Decides about one call; `decide` compares it with one list of rules and gives the number
    /// of the one that allows it, from 1. What comes back counts in [`Self::granted`].
    ///
    /// # Errors
    ///
    /// `denied`, saying who does not allow it and, in [`CallError::missing_rule`], what would.
    pub fn check(
        &self,
        decide: impl Fn(&Scope) -> Result<u32, CallError>,
    ) -> Result<u32, CallError> {
        if !Layer::Scope.on() {
            return Ok(0);
        }
        let restricted = self.restricted.iter().map(|scope| (Party::Restriction, scope));
        let parties = self.parties.iter().map(|(party, scope)| (*party, scope));
        for (party, scope) in parties.chain(restricted) {
            if let Err(mut refused) = decide(scope) {
                // Anything else is a mistake in the call, whoever looks at it.
                if refused.reason == Reason::Denied {
                    refused.message = format!("{}; {}", refused.message, party.remedy());
                    refused.denied_by = Some(party);
                }
                return Err(refused);
            }
        }
        decide(&self.granted)
    }
}

impl Party {
    /// The party of that word in [`as_str`](Self::as_str).
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        let all = [
            Self::Manifest,
            Self::Accepted,
            Self::Workflow,
            Self::Policy,
            Self::PolicyForAll,
            Self::Connection,
            Self::Restriction,
        ];
        all.into_iter().find(|party| party.as_str() == word)
    }

    /// Who it is, as a word for programs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::Accepted => "accepted",
            Self::Workflow => "workflow",
            Self::Policy => "policy",
            Self::PolicyForAll => "policy-for-all",
            Self::Connection => "connection",
            Self::Restriction => "restriction",
        }
    }

    /// Why it is not allowed, and where that could be changed.
    fn remedy(self) -> &'static str {
        match self {
            Self::Manifest => "the plugin does not ask for it in its manifest",
            Self::Accepted => "what was accepted for this plugin in bowline.lock does not allow it",
            Self::Workflow => "the step's `x-bowline.grants` does not allow it",
            Self::Policy => "no rule of the operator's `policy` for this plugin allows it",
            Self::PolicyForAll => "no rule of the operator's `policy` for everybody allows it",
            Self::Connection => "the connection's own `allow` does not allow it",
            Self::Restriction => "the step itself gave it up by `restrict`",
        }
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Manifest => "the plugin's manifest",
            Self::Accepted => "bowline.lock",
            Self::Workflow => "the step's `x-bowline.grants`",
            Self::Policy => "the operator's policy for this plugin",
            Self::PolicyForAll => "the operator's policy for everybody",
            Self::Connection => "the connection's own `allow`",
            Self::Restriction => "the step's own restriction",
        })
    }
}
