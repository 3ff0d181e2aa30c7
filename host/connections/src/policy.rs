//! What the operator allows: `policy:` in the settings, and what was accepted in `bowline.lock`.
//!
//! Pure: it compares a plugin with rules and says what follows. It reads no file and asks nobody.
//! A plugin is known by its digest or by who signed it, never by its name alone: names can be
//! taken by anybody.

mod accepted;

pub use accepted::{Accepted, AcceptedPlugin, AcceptedSlot, Change, LOCK_BYTES_MAX, LockError};

use effects::Layer;
use sandbox::{BUILT_IN_SIGNER, Reference};
use serde::Deserialize;
use serde_json::Value;
use workflow::{PluginPin, StepLimits};

/// `policy:` in the settings.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Policy {
    /// What holds for a plugin that no rule names.
    #[serde(default)]
    pub default: Default,
    /// Whether a plugin must be signed by one of `signers`.
    #[serde(default)]
    pub require_signature: bool,
    /// All that fit count.
    #[serde(default)]
    pub rules: Vec<PolicyRule>,
}

/// What holds for a plugin that no rule names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Default {
    /// Those inside the program may have what they ask for; others must be accepted.
    #[default]
    Ask,
    /// Nothing, not even those inside the program.
    Deny,
    /// What it asks for.
    Allow,
}

/// One rule of the policy.
///
/// A rule that names a plugin or a signer accepts it, within `allow`. One that names neither
/// narrows whoever uses the connection.
#[derive(Clone, Debug, std::default::Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicyRule {
    /// `sha256:` and the digest, or a name together with `signer`.
    #[serde(default)]
    pub plugin: Option<String>,
    /// A name under `signers`; `bowline` for the plugins inside the program.
    #[serde(default)]
    pub signer: Option<String>,
    /// `TYPE/NAME` or `TYPE/*`.
    #[serde(default)]
    pub connection: Option<String>,
    /// The `environment` of the connection.
    #[serde(default)]
    pub environment: Option<String>,
    /// In the form of a manifest. Without it, whatever the plugin asks for.
    #[serde(default)]
    pub allow: Option<Vec<Value>>,
    /// Nothing at all.
    #[serde(default)]
    pub deny: bool,
    /// What one attempt of the plugin may use up.
    #[serde(default)]
    pub limits: StepLimits,
}

/// What the operator sets for a connection besides how to reach it.
#[derive(Clone, Debug, std::default::Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConnectionRules {
    /// What it is part of, for the policy: `production`.
    #[serde(default)]
    pub environment: Option<String>,
    /// All that anybody may do with it. Without it, everything.
    #[serde(default)]
    pub allow: Option<Vec<Value>>,
    /// What one attempt may use up of it.
    #[serde(default)]
    pub limits: ConnectionLimits,
}

/// What one attempt may use up of one connection.
#[derive(Clone, Copy, Debug, std::default::Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConnectionLimits {
    /// Calls; 1 to 100,000.
    #[serde(default)]
    pub calls: Option<u32>,
}

/// What the policy says of a plugin and a connection.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It may, within both of these; None: whatever it asks for.
    Within {
        /// What the rules that name the plugin allow.
        own: Option<Vec<Value>>,
        /// What the rules for everybody allow.
        everybody: Option<Vec<Value>>,
    },
    /// Somebody must accept it first.
    Unaccepted,
    /// It may not; says why and what would change it.
    Denied(String),
}

impl Policy {
    /// Whether the rules can be meant.
    ///
    /// # Errors
    ///
    /// The first mistake.
    pub fn check(&self, signers: &[&str]) -> Result<(), String> {
        for (index, rule) in self.rules.iter().enumerate() {
            let at = format!("policy.rules[{index}]");
            rule.check(signers).map_err(|error| format!("`{at}`: {error}"))?;
            rule.limits.check(&format!("{at}.limits"))?;
        }
        Ok(())
    }

    /// What holds for `plugin` on a connection.
    #[must_use]
    pub fn verdict(
        &self,
        plugin: &PluginPin,
        reference: &Reference,
        environment: Option<&str>,
        accepted: bool,
    ) -> Verdict {
        if !Layer::Policy.on() {
            return Verdict::Within { own: None, everybody: None };
        }
        if let Some(reason) = self.unsigned(plugin) {
            return Verdict::Denied(reason);
        }
        let fitting = || {
            self.rules.iter().filter(|rule| {
                rule.names(plugin) != Some(false) && rule.is_about(reference, environment)
            })
        };
        if fitting().any(|rule| rule.deny) {
            let id = reference.id();
            return Verdict::Denied(format!(
                "a rule of the operator's policy denies `{}` the connection `{id}`",
                plugin.name
            ));
        }
        let own: Vec<_> = fitting().filter(|rule| rule.names(plugin) == Some(true)).collect();
        let built_in = plugin.signer.as_deref() == Some(BUILT_IN_SIGNER);
        let taken = match self.default {
            Default::Allow => true,
            Default::Ask => built_in || accepted || !own.is_empty(),
            Default::Deny => !own.is_empty(),
        };
        if !taken && self.default == Default::Deny {
            return Verdict::Denied(format!(
                "the operator's policy is `default: deny` and no rule names `{}` ({}) for `{}`",
                plugin.name,
                plugin.digest,
                reference.id()
            ));
        }
        if !taken {
            return Verdict::Unaccepted;
        }
        let everybody: Vec<_> = fitting().filter(|rule| rule.names(plugin).is_none()).collect();
        Verdict::Within { own: together(&own), everybody: together(&everybody) }
    }

    /// What holds for a plugin whatever connection it uses, or if it uses none.
    #[must_use]
    pub fn standing(&self, plugin: &PluginPin, accepted: bool) -> Verdict {
        if !Layer::Policy.on() {
            return Verdict::Within { own: None, everybody: None };
        }
        if let Some(reason) = self.unsigned(plugin) {
            return Verdict::Denied(reason);
        }
        let named = || self.rules.iter().filter(|rule| rule.names(plugin) == Some(true));
        if named().any(|rule| rule.deny && rule.connection.is_none() && rule.environment.is_none())
        {
            return Verdict::Denied(format!(
                "a rule of the operator's policy denies the plugin `{}`",
                plugin.name
            ));
        }
        let built_in = plugin.signer.as_deref() == Some(BUILT_IN_SIGNER);
        let known = named().any(|rule| !rule.deny);
        match self.default {
            Default::Allow => Verdict::Within { own: None, everybody: None },
            Default::Ask if built_in || accepted || known => {
                Verdict::Within { own: None, everybody: None }
            }
            Default::Ask => Verdict::Unaccepted,
            Default::Deny if known => Verdict::Within { own: None, everybody: None },
            Default::Deny => Verdict::Denied(format!(
                "the operator's policy is `default: deny` and no rule names `{}` ({})",
                plugin.name, plugin.digest
            )),
        }
    }

    /// The limits for a plugin: of rules that name it, the last one that says something.
    #[must_use]
    pub fn limits(&self, plugin: &PluginPin) -> StepLimits {
        let named = self.rules.iter().filter(|rule| rule.names(plugin) == Some(true));
        named.fold(StepLimits::default(), |limits, rule| rule.limits.or(limits))
    }

    /// Why a plugin may not be used at all.
    #[must_use]
    pub fn unsigned(&self, plugin: &PluginPin) -> Option<String> {
        let missing = self.require_signature && plugin.signer.is_none() && Layer::Signature.on();
        missing.then(|| {
            format!(
                "the operator's policy demands a signature, and `{}` ({}) has none; put a \
                 minisign signature beside it (`.minisig`) and its key under `signers`",
                plugin.name, plugin.digest
            )
        })
    }
}

/// What any of the rules allows; None when one of them allows everything, or there are none.
fn together(rules: &[&PolicyRule]) -> Option<Vec<Value>> {
    if rules.is_empty() {
        return None;
    }
    // One that is there for its limits says nothing about what is allowed, unless it stands alone.
    let speaking = |rule: &&&PolicyRule| rule.allow.is_some() || rule.limits.is_empty();
    let speaking: Vec<_> = rules.iter().filter(speaking).collect();
    if speaking.is_empty() {
        return None;
    }
    let lists: Option<Vec<_>> = speaking.iter().map(|rule| rule.allow.clone()).collect();
    lists.map(|lists| lists.concat())
}

fn is_connection(id: &str) -> bool {
    id.split_once('/').is_some_and(|(kind, name)| {
        let start = name.strip_suffix('*').unwrap_or(name);
        !kind.is_empty() && !name.is_empty() && !kind.contains('*') && !start.contains('*')
    })
}

fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|digits| {
        digits.len() == 64 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    })
}

impl PolicyRule {
    fn check(&self, signers: &[&str]) -> Result<(), String> {
        let by_digest = self.plugin.as_ref().filter(|plugin| plugin.starts_with("sha256:"));
        if let Some(digest) = by_digest
            && !is_digest(digest)
        {
            return Err(format!(
                "`{digest}` is not `sha256:` and 64 hexadecimal digits in lower case"
            ));
        }
        if let Some(plugin) = &self.plugin
            && by_digest.is_none()
            && self.signer.is_none()
        {
            return Err(format!(
                "a name is no identity, anybody can take `{plugin}`; write its digest \
                 (`sha256:…`, see `bowline plugin inspect`) or add `signer` (`{BUILT_IN_SIGNER}` \
                 for those inside the program)"
            ));
        }
        if let Some(signer) = &self.signer
            && signer != BUILT_IN_SIGNER
            && !signers.contains(&signer.as_str())
        {
            return Err(format!("nobody is called `{signer}` under `signers`"));
        }
        if self.connection.as_deref().is_some_and(|id| !is_connection(id)) {
            let forms = "`TYPE/NAME`, `TYPE/PREFIX*` or `TYPE/*`";
            return Err(format!("`connection` is not of the form {forms}"));
        }
        if self.deny && self.allow.is_some() {
            return Err("`deny: true` leaves nothing to allow".to_owned());
        }
        if self.allow.is_some() && self.connection.is_none() {
            return Err(
                "`allow` needs `connection: TYPE/NAME` or `TYPE/*`: the form of its rules belongs \
                 to the type"
                    .to_owned(),
            );
        }
        let named = self.plugin.is_some() || self.signer.is_some();
        let placed = self.connection.is_some() || self.environment.is_some();
        if !self.limits.is_empty() && (!named || placed) {
            return Err(
                "`limits` hold for all attempts of a plugin: the rule must name a plugin or a \
                 signer, and no connection or environment (a connection has `limits` of its own)"
                    .to_owned(),
            );
        }
        let narrows = self.allow.is_some() || self.deny;
        if self.plugin.is_none() && self.signer.is_none() && !narrows {
            return Err(
                "it names no plugin and no signer, so it needs `allow` or `deny`".to_owned()
            );
        }
        Ok(())
    }

    /// Whether it names this plugin; None when it names none.
    fn names(&self, plugin: &PluginPin) -> Option<bool> {
        if self.plugin.is_none() && self.signer.is_none() {
            return None;
        }
        let fits = self
            .plugin
            .as_ref()
            .is_none_or(|named| *named == plugin.digest || *named == plugin.name);
        let signed = self.signer.is_none() || self.signer == plugin.signer;
        Some(fits && signed)
    }

    fn is_about(&self, reference: &Reference, environment: Option<&str>) -> bool {
        let connection = self.connection.as_deref().is_none_or(|id| match id.split_once('/') {
            Some((kind, name)) => match name.strip_suffix('*') {
                Some(start) => kind == reference.kind && reference.name.starts_with(start),
                None => kind == reference.kind && name == reference.name,
            },
            None => false,
        });
        connection && self.environment.as_deref().is_none_or(|wanted| Some(wanted) == environment)
    }
}

impl ConnectionRules {
    /// The keys in a connection's settings that are ours.
    const KEYS: [&str; 3] = ["allow", "environment", "limits"];

    /// The members of a connection's settings that are ours.
    #[must_use]
    pub fn members(settings: &Value) -> Vec<(String, Value)> {
        let members = settings.as_object().into_iter().flatten();
        let ours = members.filter(|(key, _)| Self::KEYS.contains(&key.as_str()));
        ours.map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    /// Takes what is ours out of a connection's settings.
    ///
    /// # Errors
    ///
    /// It can't be understood.
    pub fn split(settings: &Value) -> Result<(Self, Value), String> {
        let Value::Object(members) = settings else {
            return Ok((Self::default(), settings.clone()));
        };
        let (ours, rest) = members
            .clone()
            .into_iter()
            .partition::<serde_json::Map<_, _>, _>(|(key, _)| Self::KEYS.contains(&key.as_str()));
        let rules: Self =
            serde_json::from_value(Value::Object(ours)).map_err(|error| error.to_string())?;
        if rules.limits.calls.is_some_and(|calls| calls == 0 || calls > 100_000) {
            return Err("`limits.calls` must be 1 to 100000".to_owned());
        }
        Ok((rules, Value::Object(rest)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pin(name: &str, signer: Option<&str>) -> PluginPin {
        PluginPin {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            digest: digest(name),
            signer: signer.map(str::to_owned),
        }
    }

    /// A digest that is easy to tell apart.
    fn digest(name: &str) -> String {
        let hex: String = name.bytes().map(|b| format!("{b:02x}")).collect();
        format!("sha256:{hex:0>64}")
    }

    fn policy(value: Value) -> Policy {
        let policy: Policy = serde_json::from_value(value).expect("a policy");
        policy.check(&["acme"]).expect("a good one");
        policy
    }

    fn within(own: Option<&Value>, everybody: Option<&Value>) -> Verdict {
        let list = |rule: Option<&Value>| rule.map(|rule| vec![rule.clone()]);
        Verdict::Within { own: list(own), everybody: list(everybody) }
    }

    fn cluster(name: &str) -> Reference {
        Reference { kind: "kubernetes".to_owned(), name: name.to_owned() }
    }

    #[test]
    fn what_follows_for_a_plugin_that_no_rule_names() {
        let [own, signed, stranger] =
            [pin("own", Some("bowline")), pin("signed", Some("acme")), pin("odd", None)];
        let within = Verdict::Within { own: None, everybody: None };
        let cases = [
            ("ask", &own, false, Some(&within)),
            ("ask", &signed, false, Some(&Verdict::Unaccepted)),
            ("ask", &stranger, false, Some(&Verdict::Unaccepted)),
            ("ask", &stranger, true, Some(&within)),
            ("allow", &stranger, false, Some(&within)),
            ("deny", &own, true, None),
        ];
        for (default, plugin, accepted, expected) in cases {
            let policy = policy(json!({ "default": default }));
            let verdict = policy.verdict(plugin, &cluster("prod"), None, accepted);
            match expected {
                Some(expected) => assert_eq!(verdict, *expected, "{default} {}", plugin.name),
                None => assert!(matches!(verdict, Verdict::Denied(_)), "{default} {verdict:?}"),
            }
        }
    }

    #[test]
    fn rules_accept_by_digest_or_signer_and_narrow_by_connection_and_environment() {
        let read = json!({"verbs": ["get"], "resource": "*", "namespace": "*"});
        let web = json!({"verbs": ["get", "patch"], "resource": "*", "namespace": "web"});
        let policy = policy(json!({"rules": [
            {"plugin": digest("odd"), "connection": "kubernetes/prod", "allow": [web]},
            {"signer": "acme"},
            {"connection": "kubernetes/*", "environment": "production", "allow": [read]},
            {"signer": "acme", "limits": {"calls": 7}},
            {"connection": "kubernetes/vault", "deny": true},
        ]}));
        let cases = [
            ("odd", None, "prod", None, within(Some(&web), None)),
            ("odd", None, "staging", None, Verdict::Unaccepted),
            ("signed", Some("acme"), "staging", None, within(None, None)),
            ("signed", Some("acme"), "prod", Some("production"), within(None, Some(&read))),
            ("odd", None, "prod", Some("production"), within(Some(&web), Some(&read))),
        ];
        for (name, signer, connection, environment, expected) in cases {
            let verdict =
                policy.verdict(&pin(name, signer), &cluster(connection), environment, false);
            assert_eq!(verdict, expected, "{name} on {connection}");
        }
        let vault = policy.verdict(&pin("own", Some("bowline")), &cluster("vault"), None, true);
        assert!(matches!(vault, Verdict::Denied(_)));
    }

    #[test]
    fn h04_a_name_is_no_identity() {
        let by_name = json!({"rules": [{"plugin": "restart"}]});
        let read: Policy = serde_json::from_value(by_name).expect("reads");
        assert!(read.check(&[]).expect_err("refused").contains("a name is no identity"));
        let policy = policy(json!({"rules": [{"plugin": "restart", "signer": "acme"}]}));
        for (signer, expected) in [
            (Some("acme"), within(None, None)),
            (Some("other"), Verdict::Unaccepted),
            (None, Verdict::Unaccepted),
        ] {
            assert_eq!(
                policy.verdict(&pin("restart", signer), &cluster("a"), None, false),
                expected
            );
        }
    }

    #[test]
    fn connections_can_be_meant_by_their_beginning() {
        let policy = policy(json!({"rules": [{"connection": "kubernetes/prod-*", "deny": true}]}));
        for (name, denied) in
            [("prod-eu", true), ("prod-", true), ("prod", false), ("x-prod-eu", false)]
        {
            let verdict = policy.verdict(&pin("own", Some("bowline")), &cluster(name), None, true);
            assert_eq!(matches!(verdict, Verdict::Denied(_)), denied, "{name}");
        }
    }

    #[test]
    fn a_plugin_without_connections_stands_under_the_policy_too() {
        let [own, odd] = [pin("own", Some("bowline")), pin("odd", None)];
        let denied =
            json!({"default": "allow", "rules": [{"plugin": digest("odd"), "deny": true}]});
        let cases = [
            (json!({}), &own, "within"),
            (json!({}), &odd, "unaccepted"),
            (json!({"default": "deny"}), &own, "denied"),
            (denied, &odd, "denied"),
            (json!({"rules": [{"plugin": digest("odd"), "limits": {"calls": 1}}]}), &odd, "within"),
        ];
        for (written, plugin, expected) in cases {
            let found = match policy(written.clone()).standing(plugin, false) {
                Verdict::Within { .. } => "within",
                Verdict::Unaccepted => "unaccepted",
                Verdict::Denied(_) => "denied",
            };
            assert_eq!(found, expected, "{written} {}", plugin.name);
        }
    }

    #[test]
    fn a_signature_can_be_demanded() {
        let policy = policy(json!({"requireSignature": true, "default": "allow"}));
        assert!(policy.unsigned(&pin("odd", None)).is_some());
        assert!(policy.unsigned(&pin("signed", Some("acme"))).is_none());
        let verdict = policy.verdict(&pin("odd", None), &cluster("a"), None, true);
        assert!(matches!(verdict, Verdict::Denied(reason) if reason.contains("minisign")));
    }

    #[test]
    fn mistakes_in_rules_are_told() {
        let cases = [
            (json!({"plugin": "x"}), "a name is no identity"),
            (json!({"signer": "nobody"}), "nobody is called `nobody`"),
            (json!({"signer": "acme", "connection": "prod"}), "TYPE/NAME"),
            (json!({"signer": "acme", "deny": true, "allow": []}), "nothing to allow"),
            (json!({"connection": "kubernetes/a"}), "needs `allow` or `deny`"),
            (json!({"signer": "acme", "limits": {"calls": 0}}), "limits.calls"),
            (
                json!({"signer": "acme", "connection": "http/*", "limits": {"calls": 1}}),
                "has `limits` of its own",
            ),
            (
                json!({"connection": "http/*", "deny": true, "limits": {"calls": 1}}),
                "must name a plugin",
            ),
            (json!({"signer": "acme", "allow": []}), "needs `connection"),
            (json!({"connection": "kub*/a", "deny": true}), "TYPE/NAME"),
            (json!({"connection": "kubernetes/a*b", "deny": true}), "TYPE/NAME"),
            (json!({"plugin": "sha256:27EF39AC"}), "64 hexadecimal digits"),
        ];
        for (rule, expected) in cases {
            let policy: Policy = serde_json::from_value(json!({"rules": [rule]})).expect("reads");
            let error = policy.check(&["acme"]).expect_err(expected);
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn what_is_ours_is_taken_out_of_a_connection() {
        let settings = json!({"server": "x", "environment": "production", "limits": {"calls": 3},
            "allow": [{"verbs": ["get"], "resource": "pods", "namespace": "web"}]});
        let (rules, rest) = ConnectionRules::split(&settings).expect("good");
        assert_eq!(
            (rules.environment.as_deref(), rules.limits.calls),
            (Some("production"), Some(3))
        );
        assert_eq!((rules.allow.map(|allow| allow.len()), rest), (Some(1), json!({"server": "x"})));
        assert!(ConnectionRules::split(&json!({"limits": {"call": 3}})).is_err());
    }
}
