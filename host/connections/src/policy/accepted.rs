//! `bowline.lock`: which plugins somebody accepted, each with its digest and what it asked for.
//!
//! A digest that is not in it is not accepted, whatever its name is, so an update stops until
//! somebody has looked at it. The file is text to be kept with the workflows: it is read strictly
//! and written sorted.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use workflow::{LimitsWanted, Manifest, PluginPin};

/// The form of the file.
const VERSION: u32 = 1;

/// Bytes of the file.
pub const LOCK_BYTES_MAX: u64 = 4 << 20;

/// What was accepted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    version: u32,
    #[serde(default)]
    plugins: Vec<AcceptedPlugin>,
}

/// One plugin that was accepted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcceptedPlugin {
    /// The manifest's name.
    pub name: String,
    /// The manifest's version.
    pub version: String,
    /// `sha256:` and the digest of the file.
    pub digest: String,
    /// The operator's name for whoever signed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    /// Who accepted it, for people.
    pub by: String,
    /// What it wished of the budgets then.
    #[serde(default)]
    pub limits: LimitsWanted,
    /// What it asked for then, by its own names for connections.
    #[serde(default)]
    pub connections: BTreeMap<String, AcceptedSlot>,
}

/// What a plugin asked for of one connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcceptedSlot {
    /// The type of the connection.
    #[serde(rename = "type")]
    pub kind: String,
    /// The rules, in the form of a manifest.
    pub allow: Vec<Value>,
}

/// How a plugin that is not accepted differs from one of the same name that is.
#[derive(Clone, Debug, PartialEq)]
pub struct Change<'a> {
    /// The one that is accepted.
    pub before: &'a AcceptedPlugin,
    /// Rules that it asks for and did not before, by connection.
    pub more: BTreeMap<String, Vec<Value>>,
    /// Rules that it does not ask for any more.
    pub less: BTreeMap<String, Vec<Value>>,
    /// What it wishes of the budgets, if that is not what it wished before.
    pub limits: Option<LimitsWanted>,
}

/// The file can't be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LockError(String);

impl Accepted {
    /// Nothing.
    #[must_use]
    pub fn none() -> Self {
        Self { version: VERSION, plugins: Vec::new() }
    }

    /// Reads the file's text.
    ///
    /// # Errors
    ///
    /// [`LockError`].
    pub fn parse(text: &str) -> Result<Self, LockError> {
        if text.trim().is_empty() {
            return Ok(Self::none());
        }
        let accepted: Self =
            serde_saphyr::from_str(text).map_err(|error| LockError(error.to_string()))?;
        if accepted.version != VERSION {
            return Err(LockError(format!(
                "it has form {}, and this program reads form {VERSION}; update the program",
                accepted.version
            )));
        }
        let mut digests: Vec<&str> = accepted.plugins.iter().map(|p| p.digest.as_str()).collect();
        digests.sort_unstable();
        if let Some(pair) = digests.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(LockError(format!("{} stands in it twice", pair[0])));
        }
        Ok(accepted)
    }

    /// The file's text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::from(
            "# Plugins that were accepted, and what each may ask for. Written by `bowline`; keep it\n\
             # with the workflows. To take an acceptance back, delete its entry.\n",
        );
        let _ = writeln!(text, "version: {}", self.version);
        text.push_str(if self.plugins.is_empty() { "plugins: []\n" } else { "plugins:\n" });
        for plugin in &self.plugins {
            // A line of JSON is YAML, and a line for each connection makes differences readable.
            let _ = writeln!(text, "- name: {}", Value::from(plugin.name.as_str()));
            let _ = writeln!(text, "  version: {}", Value::from(plugin.version.as_str()));
            let _ = writeln!(text, "  digest: {}", Value::from(plugin.digest.as_str()));
            if let Some(signer) = &plugin.signer {
                let _ = writeln!(text, "  signer: {}", Value::from(signer.as_str()));
            }
            let _ = writeln!(text, "  by: {}", Value::from(plugin.by.as_str()));
            if plugin.limits != LimitsWanted::default() {
                let limits = serde_json::to_value(plugin.limits).unwrap_or_default();
                let _ = writeln!(text, "  limits: {limits}");
            }
            text.push_str(if plugin.connections.is_empty() {
                "  connections: {}\n"
            } else {
                "  connections:\n"
            });
            for (slot, asked) in &plugin.connections {
                let _ = writeln!(text, "    {}:", Value::from(slot.as_str()));
                let _ = writeln!(text, "      type: {}", Value::from(asked.kind.as_str()));
                text.push_str(if asked.allow.is_empty() {
                    "      allow: []\n"
                } else {
                    "      allow:\n"
                });
                for rule in &asked.allow {
                    let _ = writeln!(text, "      - {rule}");
                }
            }
        }
        text
    }

    /// The entry of exactly this plugin.
    #[must_use]
    pub fn find(&self, pin: &PluginPin) -> Option<&AcceptedPlugin> {
        let found = self.plugins.iter().find(|plugin| plugin.digest == pin.digest)?;
        // Signed by another one than then, it is not what was accepted.
        (found.signer == pin.signer).then_some(found)
    }

    /// How a plugin that is not accepted differs from the one of its name that is.
    #[must_use]
    pub fn change(&self, pin: &PluginPin, manifest: &Manifest) -> Option<Change<'_>> {
        let before = self.plugins.iter().rev().find(|plugin| plugin.name == pin.name)?;
        let asked = slots(manifest);
        let missing = |from: &BTreeMap<String, AcceptedSlot>,
                       to: &BTreeMap<String, AcceptedSlot>| {
            from.iter()
                .filter_map(|(slot, asked)| {
                    let other = to.get(slot).filter(|other| other.kind == asked.kind);
                    let known = other.map(|other| other.allow.as_slice()).unwrap_or_default();
                    let rules: Vec<Value> =
                        asked.allow.iter().filter(|rule| !known.contains(rule)).cloned().collect();
                    let lost = other.is_none() || !rules.is_empty();
                    lost.then(|| (slot.clone(), rules))
                })
                .collect()
        };
        let more = missing(&asked, &before.connections);
        let less = missing(&before.connections, &asked);
        let limits = (manifest.limits != before.limits).then_some(manifest.limits);
        Some(Change { before, more, less, limits })
    }

    /// Accepts a plugin. An older entry of the same name and signer goes, unless its digest is one
    /// of `kept`: those that are in use beside it.
    pub fn accept(&mut self, pin: &PluginPin, manifest: &Manifest, by: &str, kept: &[&str]) {
        self.version = VERSION;
        self.plugins.retain(|plugin| {
            let other = plugin.name != pin.name || plugin.signer != pin.signer;
            plugin.digest != pin.digest && (other || kept.contains(&plugin.digest.as_str()))
        });
        self.plugins.push(AcceptedPlugin {
            name: pin.name.clone(),
            version: pin.version.clone(),
            digest: pin.digest.clone(),
            signer: pin.signer.clone(),
            by: by.to_owned(),
            limits: manifest.limits,
            connections: slots(manifest),
        });
        self.plugins.sort_by(|a, b| (&a.name, &a.digest).cmp(&(&b.name, &b.digest)));
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.plugins.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.plugins.is_empty()
    }
}

fn slots(manifest: &Manifest) -> BTreeMap<String, AcceptedSlot> {
    let needs = manifest.connections.iter();
    needs
        .map(|(slot, need)| {
            (slot.clone(), AcceptedSlot { kind: need.kind.clone(), allow: need.allow.clone() })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn manifest(allow: Value) -> Manifest {
        serde_json::from_value(json!({
            "schema": 1, "name": "restart", "version": "1.0.0", "summary": "s",
            "inputs": {}, "outputs": {},
            "connections": {"cluster": {"type": "kubernetes", "from": ["/c"], "reason": "r", "allow": allow}},
        }))
        .expect("a manifest")
    }

    fn pin(digest: &str, signer: Option<&str>) -> PluginPin {
        PluginPin {
            name: "restart".to_owned(),
            version: "1.0.0".to_owned(),
            digest: format!("sha256:{digest}"),
            signer: signer.map(str::to_owned),
        }
    }

    #[test]
    fn what_was_accepted_is_read_back() {
        let mut accepted = Accepted::none();
        let rule = json!({"verbs": ["get"], "resource": "pods", "namespace": "${inputs.n}"});
        accepted.accept(&pin("1", None), &manifest(json!([rule])), "alice: \"x\"\n#", &[]);
        accepted.accept(&pin("2", Some("acme")), &manifest(json!([])), "bob", &[]);

        let text = accepted.to_text();

        assert_eq!(Accepted::parse(&text), Ok(accepted), "{text}");
        assert_eq!(Accepted::parse(" \n"), Ok(Accepted::none()));
        assert_eq!(Accepted::parse(&Accepted::none().to_text()), Ok(Accepted::none()));
    }

    #[test]
    fn a18_another_digest_or_signer_is_not_what_was_accepted() {
        let mut accepted = Accepted::none();
        accepted.accept(&pin("1", Some("acme")), &manifest(json!([])), "alice", &[]);

        assert!(accepted.find(&pin("1", Some("acme"))).is_some());
        assert!(accepted.find(&pin("2", Some("acme"))).is_none());
        assert!(accepted.find(&pin("1", None)).is_none());
    }

    #[test]
    fn b12_an_update_shows_what_it_asks_for_more() {
        let [get, list, patch] = ["get", "list", "patch"]
            .map(|verb| json!({"verbs": [verb], "resource": "pods", "namespace": "web"}));
        let mut accepted = Accepted::none();
        accepted.accept(&pin("1", None), &manifest(json!([get, list])), "alice", &[]);

        let update = manifest(json!([get, patch]));
        let change = accepted.change(&pin("2", None), &update).expect("a change");

        assert_eq!(change.before.digest, "sha256:1");
        assert_eq!(change.more, BTreeMap::from([("cluster".to_owned(), vec![patch])]));
        assert_eq!(change.less, BTreeMap::from([("cluster".to_owned(), vec![list])]));
        accepted.accept(&pin("2", None), &update, "alice", &[]);
        assert_eq!(accepted.len(), 1, "the older one is not accepted any more");
    }

    #[test]
    fn mistakes_in_the_file_are_told() {
        let cases = [
            ("version: 2\n", "form 2"),
            ("version: 1\nplugin: []\n", "plugin"),
            ("plugins: {\n", ""),
            (
                "version: 1\nplugins:\n- {name: a, version: '1', digest: d, by: x}\n- {name: b, version: '1', digest: d, by: x}\n",
                "twice",
            ),
        ];
        for (text, expected) in cases {
            let error = Accepted::parse(text).expect_err(text).to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
