//! The flags of kubectl that this step knows, and the keys of the spec that mean the same.
//!
//! One table for all commands; a command names those that it takes. Nothing here knows what a
//! flag does.

/// Whether a flag takes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlagValue {
    /// `--flag=value` or `--flag value`.
    Required,
    /// `--flag` or `--flag=value`; without a value it means `true`.
    Optional,
}

/// One flag.
#[derive(Debug)]
pub struct Flag {
    /// Its long name without dashes. Empty for what is only a key.
    pub name: &'static str,
    /// Its letter, or empty.
    pub short: &'static str,
    /// The key of the spec, or empty.
    pub key: &'static str,
    /// Whether it takes a value.
    pub value: FlagValue,
}

const fn flag(
    name: &'static str,
    short: &'static str,
    key: &'static str,
    value: FlagValue,
) -> Flag {
    Flag { name, short, key, value }
}

use FlagValue::{Optional, Required};

/// All flags.
pub const FLAGS: &[Flag] = &[
    flag("to-revision", "", "to_revision", Required),
    flag("dry-run", "", "dry_run", Optional),
    flag("replicas", "", "replicas", Required),
    flag("current-replicas", "", "current_replicas", Required),
    flag("resource-version", "", "resource_version", Required),
    flag("timeout", "", "timeout", Required),
    flag("wait", "", "wait", Optional),
    flag("watch", "w", "watch", Optional),
    flag("revision", "", "revision", Required),
    flag("selector", "l", "selector", Required),
    flag("field-selector", "", "field_selector", Required),
    flag("all", "", "all", Optional),
    flag("allow-empty", "", "allow_empty", Optional),
    flag("output", "o", "output", Required),
    flag("ignore-not-found", "", "ignore_not_found", Optional),
    flag("overwrite", "", "overwrite", Optional),
    flag("force-conflicts", "", "force_conflicts", Optional),
    flag("server-side", "", "", Optional),
    flag("validate", "", "", Optional),
    flag("grace-period", "", "grace_period", Required),
    flag("force", "", "force", Optional),
    flag("now", "", "", Optional),
    flag("cascade", "", "cascade", Required),
    flag("patch", "p", "patch", Required),
    flag("type", "", "patch_type", Required),
    flag("for", "", "for", Required),
    flag("record", "", "", Optional),
    flag("no-headers", "", "", Optional),
    flag("filename", "f", "", Required),
    flag("kustomize", "k", "", Required),
];

/// Flags of kubectl that lead to another place or make the step somebody else.
pub const ELSEWHERE: &[&str] = &[
    "A",
    "all-namespaces",
    "as",
    "as-group",
    "as-uid",
    "as-user-extra",
    "auth-provider",
    "certificate-authority",
    "client-certificate",
    "client-key",
    "cluster",
    "context",
    "insecure-skip-tls-verify",
    "kubeconfig",
    "n",
    "namespace",
    "password",
    "s",
    "server",
    "tls-server-name",
    "token",
    "user",
    "username",
];

/// The flag of this long name or letter.
#[must_use]
pub fn find(name: &str) -> Option<&'static Flag> {
    FLAGS.iter().find(|flag| flag.name == name || (!flag.short.is_empty() && flag.short == name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Inputs;
    use std::collections::BTreeSet;

    #[test]
    fn each_key_of_the_table_stands_in_the_schema_and_the_other_way_round() {
        let schema = schemars::schema_for!(Inputs);
        let written: BTreeSet<&str> = schema.as_value()["properties"]
            .as_object()
            .expect("properties")
            .keys()
            .map(String::as_str)
            .collect();
        let own =
            ["command", "args", "namespace", "cluster", "connection", "manifest", "file", "git"];
        let known: BTreeSet<&str> =
            FLAGS.iter().map(|flag| flag.key).filter(|key| !key.is_empty()).chain(own).collect();
        assert_eq!(written, known);
    }

    #[test]
    fn no_name_stands_twice() {
        for (place, flag) in FLAGS.iter().enumerate() {
            let again = FLAGS[place + 1..].iter().any(|other| {
                other.name == flag.name || (!flag.short.is_empty() && other.short == flag.short)
            });
            assert!(!again, "{}", flag.name);
            assert!(
                !ELSEWHERE.contains(&flag.name) && !ELSEWHERE.contains(&flag.short),
                "{flag:?}"
            );
        }
    }

    #[test]
    fn only_what_is_always_there_is_required_of_the_outputs() {
        let schema = schemars::schema_for!(crate::Outputs);
        let required = &schema.as_value()["required"];
        assert_eq!(*required, serde_json::json!(["changed", "message", "namespace"]));
    }
}
