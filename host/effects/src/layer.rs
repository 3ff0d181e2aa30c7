//! The layers that keep a step inside its bounds, by name, so that a test can take one away.
//!
//! A suite of attacks proves nothing unless it fails when a defence is missing. With the feature
//! `layer-switches`, which only the tests turn on, a whole process can be run without one layer.
//! Without the feature every layer is a constant `true`: there is nothing to switch.

/// One defence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Layer {
    /// A handle ends with its attempt.
    Live,
    /// Calls and bytes are counted.
    Budget,
    /// A request is taken apart and refused if it is malformed.
    Shape,
    /// Calls are compared with the rules.
    Scope,
    /// Every decision is written down.
    Record,
    /// A call ends with its time.
    Deadline,
    /// What comes back is bounded.
    Bound,
    /// Credentials are taken out of what comes back and of what is told.
    Redact,
    /// Redirects are handed to the step and not followed.
    Redirect,
    /// A name may not lead to an address that no service of the outside has.
    Address,
    /// A connection whose credentials are refused again and again ends.
    Breaker,
    /// Computing is bounded.
    Cpu,
    /// Steps that compute take turns.
    Turns,
    /// Memory, tables and instances are bounded.
    Memory,
    /// What crosses the boundary in one call is bounded.
    HostcallBytes,
    /// The handles of one attempt are bounded.
    Handles,
    /// What a step prints and logs is bounded.
    Log,
    /// Outputs are bounded and free of credentials.
    Outputs,
    /// Only a connection that the workflow itself writes is granted.
    Written,
    /// What a plugin imports is compared with its manifest and with what the host has.
    Imports,
    /// A component that would be slow to compile is refused.
    Complexity,
    /// Components are compiled in a process of their own, within bounds.
    Compile,
    /// Compiled code is authenticated before it is loaded.
    Seal,
    /// Signatures are checked.
    Signature,
    /// The operator's policy narrows what is granted.
    Policy,
    /// What was accepted once may not grow.
    Lock,
    /// What people see has no control characters.
    Escape,
    /// What was done before a crash is answered from the record.
    Replay,
    /// A plan makes no write, and a run that is bound to a plan makes no other.
    Plan,
}

impl Layer {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Self; 29] = [
        Self::Live,
        Self::Budget,
        Self::Shape,
        Self::Scope,
        Self::Record,
        Self::Deadline,
        Self::Bound,
        Self::Redact,
        Self::Redirect,
        Self::Address,
        Self::Breaker,
        Self::Cpu,
        Self::Turns,
        Self::Memory,
        Self::HostcallBytes,
        Self::Handles,
        Self::Log,
        Self::Outputs,
        Self::Written,
        Self::Imports,
        Self::Complexity,
        Self::Compile,
        Self::Seal,
        Self::Signature,
        Self::Policy,
        Self::Lock,
        Self::Escape,
        Self::Replay,
        Self::Plan,
    ];

    /// Whether the layer does its work: always, unless a test took it away.
    #[cfg(not(feature = "layer-switches"))]
    #[must_use]
    #[inline]
    pub const fn on(self) -> bool {
        true
    }

    /// Whether the layer does its work: always, unless a test took it away.
    #[cfg(feature = "layer-switches")]
    #[must_use]
    pub fn on(self) -> bool {
        OFF.load(std::sync::atomic::Ordering::Relaxed) & self.bit() == 0
    }

    /// Whether this program was built with switches.
    pub const SWITCHES: bool = cfg!(feature = "layer-switches");

    /// Takes the layer of that name, in lower case, away for the rest of this process; does nothing
    /// in a program that was built without switches.
    pub fn take_away_named(name: &str) {
        #[cfg(feature = "layer-switches")]
        for layer in Self::ALL {
            if format!("{layer:?}").to_lowercase() == name {
                layer.take_away();
            }
        }
        #[cfg(not(feature = "layer-switches"))]
        let _ = name;
    }

    /// Takes the layer away for the rest of this process.
    #[cfg(feature = "layer-switches")]
    pub fn take_away(self) {
        OFF.fetch_or(self.bit(), std::sync::atomic::Ordering::Relaxed);
    }

    #[cfg(feature = "layer-switches")]
    fn bit(self) -> u64 {
        1 << (self as u8)
    }
}

/// One bit for each layer that is away.
#[cfg(feature = "layer-switches")]
static OFF: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_layers_are_listed_once_and_fit_their_bits() {
        let mut seen = std::collections::BTreeSet::new();
        assert!(Layer::ALL.iter().all(|layer| seen.insert(*layer as u8) && (*layer as u8) < 64));
        assert_eq!(seen.len(), Layer::Plan as usize + 1);
    }
}
