//! What a plugin may do with a connection: what it asks for, met with what was accepted, with what
//! the workflow grants, with the operator's policy and with the connection's own limits.
//!
//! Decides without a credential and without the network, so that it can be asked before a run as
//! well as at each attempt.

use crate::Connections;
use crate::connections::KUBERNETES;
use crate::policy::{ConnectionRules, Verdict};
use effects::{Binding, Effective, Layer, Party, Scope};
use sandbox::{Asking, Reference};
use serde_json::Value;
use workflow::{ConnectionNeed, PluginPin};

/// What a plugin may do with a connection.
#[derive(Clone, Debug, PartialEq)]
pub struct Granted {
    /// The rules, and who narrowed them.
    pub scope: Effective,
    /// Calls of this connection in one attempt, if the operator bounds them.
    pub calls_max: Option<u32>,
}

/// A plugin may do nothing with a connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Nobody has accepted it yet.
    #[error(
        "the plugin `{plugin}` was not accepted: it is none of those inside the program, and neither \
         `bowline.lock` nor a rule of the policy names it; `bowline plugin accept` shows what it asks \
         for and remembers the answer"
    )]
    Unaccepted {
        /// Its name.
        plugin: String,
    },
    /// The operator's policy says no.
    #[error("{reason}")]
    Denied {
        /// Why, and what would change it.
        reason: String,
    },
    /// What it asks for and what it may do have nothing in common.
    #[error("of what `{plugin}` asks of `{connection}` nothing is left: {by} allows none of it")]
    NothingLeft {
        /// Its name.
        plugin: String,
        /// `type/name`.
        connection: String,
        /// Who took the rest away.
        by: Party,
        /// What it asks for, for these inputs.
        asked: Vec<Value>,
    },
    /// Somebody's rules can't be read for these inputs.
    #[error("the scope of `{connection}` does not fit this step's inputs: {reason}")]
    Unfit {
        /// `type/name`.
        connection: String,
        /// Whose rules, and what is wrong.
        reason: String,
    },
}

impl Refused {
    /// Stable, dotted, for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unaccepted { .. } => "denied.unaccepted",
            Self::Denied { .. } => "denied.policy",
            Self::NothingLeft { .. } => "denied.nothing-left",
            Self::Unfit { .. } => "connection.scope",
        }
    }

    /// Whether it is a decision about the plugin, and not a mistake in rules or inputs.
    #[must_use]
    pub fn is_denial(&self) -> bool {
        !matches!(self, Self::Unfit { .. })
    }
}

impl Connections {
    /// What a plugin may do with a connection for which `need` stands in its manifest.
    ///
    /// # Errors
    ///
    /// [`Refused`], in the order: not accepted or denied, unfit, nothing left.
    pub fn granted(
        &self,
        reference: &Reference,
        need: &ConnectionNeed,
        binding: Binding<'_>,
        asking: &Asking<'_>,
    ) -> Result<Granted, Refused> {
        let plugin = asking.plugin;
        let id = || reference.id();
        let own = self.connection_rules(reference).map_err(|reason| Refused::Unfit {
            connection: id(),
            reason: format!("its own settings: {reason}"),
        })?;
        let accepted =
            self.accepted.find(plugin).and_then(|known| known.connections.get(asking.slot));
        let accepted = accepted.filter(|slot| slot.kind == need.kind);
        let environment = own.environment.as_deref();
        let policy = &self.settings.policy;
        let taken = accepted.is_some() || self.accepts_all || !Layer::Lock.on();
        let (own_rules, everybody) = match policy.verdict(plugin, reference, environment, taken) {
            Verdict::Within { own, everybody } => (own, everybody),
            Verdict::Unaccepted => {
                return Err(Refused::Unaccepted { plugin: plugin.name.clone() });
            }
            Verdict::Denied(reason) => return Err(Refused::Denied { reason }),
        };

        let scope = |party: Party, rules: &[Value]| {
            self.scope(&reference.kind, rules, binding).map_err(|reason| Refused::Unfit {
                connection: id(),
                reason: format!("{party}: {reason}"),
            })
        };
        let mut effective = Effective::asked(scope(Party::Manifest, &need.allow)?);
        if let Some(accepted) = accepted.filter(|_| Layer::Lock.on()) {
            effective =
                effective.narrowed(Party::Accepted, scope(Party::Accepted, &accepted.allow)?);
        }
        if let Some(grants) = asking.grants {
            effective = effective.narrowed(Party::Workflow, scope(Party::Workflow, grants)?);
        }
        let operator = [
            (Party::Policy, own_rules.as_ref()),
            (Party::PolicyForAll, everybody.as_ref()),
            (Party::Connection, own.allow.as_ref()),
        ];
        for (party, rules) in operator {
            if let Some(rules) = rules {
                effective = effective.narrowed(party, scope(party, rules)?);
            }
        }
        if let Some(by) = effective.emptied_by() {
            let asked = self.scope(&reference.kind, &need.allow, binding);
            let asked = asked.map(|asked| asked.to_json()).unwrap_or_default();
            return Err(Refused::NothingLeft {
                plugin: plugin.name.clone(),
                connection: id(),
                by,
                asked: asked.as_array().cloned().unwrap_or_default(),
            });
        }
        Ok(Granted { scope: effective, calls_max: own.limits.calls })
    }

    /// Whether every rule of the operator's can be understood: one that can't would guard nothing.
    pub(crate) fn check_rules(&self) -> Result<(), String> {
        let nothing = Value::Null;
        let binding = Binding::partly(&nothing, &|_pointer| true);
        for (index, rule) in self.settings.policy.rules.iter().enumerate() {
            let kind = rule.connection.as_deref().and_then(|id| id.split('/').next());
            let Some(kind) = kind else { continue };
            let allow = rule.allow.as_deref().unwrap_or_default();
            self.scope(kind, allow, binding)
                .map_err(|error| format!("`policy.rules[{index}]`: {error}"))?;
        }
        for reference in self.list() {
            let Ok(rules) = self.connection_rules(&reference) else { continue };
            self.scope(&reference.kind, rules.allow.as_deref().unwrap_or_default(), binding)
                .map_err(|error| format!("`{}`: {error}", reference.id()))?;
        }
        Ok(())
    }

    /// What holds for a plugin whatever connections it uses.
    ///
    /// # Errors
    ///
    /// [`Refused::Unaccepted`], [`Refused::Denied`].
    pub fn standing(&self, plugin: &PluginPin) -> Result<(), Refused> {
        let known = self.accepted.find(plugin).is_some();
        let taken = known || self.accepts_all || !Layer::Lock.on();
        match self.settings.policy.standing(plugin, taken) {
            Verdict::Within { .. } => Ok(()),
            Verdict::Unaccepted => Err(Refused::Unaccepted { plugin: plugin.name.clone() }),
            Verdict::Denied(reason) => Err(Refused::Denied { reason }),
        }
    }

    /// What the operator set for a connection besides how to reach it.
    pub(crate) fn connection_rules(
        &self,
        reference: &Reference,
    ) -> Result<ConnectionRules, String> {
        match self.settings.connection(&reference.kind, &reference.name) {
            Some(settings) => ConnectionRules::split(settings).map(|(rules, _rest)| rules),
            None => Ok(ConnectionRules::default()),
        }
    }

    fn scope(&self, kind: &str, rules: &[Value], binding: Binding<'_>) -> Result<Scope, String> {
        let text = |error: effects::ScopeError| error.to_string();
        match self.profiles.get(kind) {
            Some(profile) => Scope::http(&profile.expand(rules)?, binding).map_err(text),
            None if kind == KUBERNETES => Scope::kubernetes(rules, binding).map_err(text),
            None => Err(format!("no type is called `{kind}`")),
        }
    }
}
