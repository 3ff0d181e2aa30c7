//! What a command needs of the cluster: the rules to which its handle is weakened, and the words
//! for an account that lacks them.

use crate::arguments::Call;
use crate::members::in_a_row;
use crate::session::Target;

/// The most targets that are named one by one.
const TARGETS_MAX: usize = 20;

/// What a command needs for each of its targets.
#[derive(Debug)]
pub struct Needs {
    /// Verbs on the object itself.
    pub verbs: &'static [&'static str],
    /// JSON pointers that its patches touch; empty for all.
    pub fields: &'static [&'static str],
    /// Further ones that only its patches of Deployments touch.
    pub of_deployments: &'static [&'static str],
    /// A subresource that is read and patched, or empty.
    pub subresource: &'static str,
    /// Whether it reads the history.
    pub history: bool,
    /// Whether it watches and looks for pods without being asked to.
    pub watches: bool,
}

impl Needs {
    /// Only these verbs.
    #[must_use]
    pub const fn only(verbs: &'static [&'static str]) -> Self {
        Self {
            verbs,
            fields: &[],
            of_deployments: &[],
            subresource: "",
            history: false,
            watches: false,
        }
    }

    /// The types whose lists hold the history.
    fn lists(&self, targets: &[Target], waits: bool) -> Vec<&'static str> {
        let mut lists = Vec::new();
        let mut add = |name: &'static str| {
            if !lists.contains(&name) {
                lists.push(name);
            }
        };
        for target in targets.iter().filter(|target| target.kind.rolls_out()) {
            let is_deployment = target.kind.name == "Deployment";
            if is_deployment && (self.history || self.watches || waits) {
                add("apps/replicasets");
            }
            if !is_deployment && self.history {
                add("apps/controllerrevisions");
            }
            if self.watches || waits {
                add("pods");
            }
        }
        lists
    }

    /// The rules, as JSON. Names are checked and hold nothing that JSON would have to escape. The
    /// last rule is only to tell a missing namespace from a missing object.
    pub(crate) fn rules(&self, namespace: &str, targets: &[Target], waits: bool) -> Vec<String> {
        let list = |items: &[&str]| format!("[\"{}\"]", in_a_row(items, "\",\""));
        let place = |namespaced: bool| match namespaced {
            true => format!(",\"namespace\":\"{namespace}\""),
            false => String::new(),
        };
        let rule = |verbs: &str, resource: &str, rest: &str| {
            format!("{{\"verbs\":{verbs},\"resource\":\"{resource}\"{rest}}}")
        };
        let mut rules: Vec<String> = Vec::new();
        if targets.len() <= TARGETS_MAX {
            for target in targets {
                let resource = target.kind.rule();
                let place = place(target.kind.namespaced);
                let rest = format!("{place},\"name\":\"{}\"", target.name);
                let mut own = rest.clone();
                let mut fields = self.fields.to_vec();
                if target.kind.name == "Deployment" {
                    fields.extend_from_slice(self.of_deployments);
                }
                if !fields.is_empty() {
                    own = format!("{rest},\"fields\":{}", list(&fields));
                }
                // One verb each: the rule that grants one need not grant another.
                for verb in self.verbs {
                    rules.push(rule(&list(&[*verb]), &resource, &own));
                }
                if !self.subresource.is_empty() {
                    let sub = format!("{rest},\"subresource\":\"{}\"", self.subresource);
                    rules.push(rule("[\"get\",\"patch\"]", &resource, &sub));
                }
                let watch = rule("[\"watch\"]", &resource, &place);
                if (self.watches || waits && target.kind.rolls_out()) && !rules.contains(&watch) {
                    rules.push(watch);
                }
            }
        }
        for resource in self.lists(targets, waits) {
            rules.push(rule("[\"list\"]", resource, &place(true)));
        }
        rules.push(rule("[\"get\"]", "namespaces", &format!(",\"name\":\"{namespace}\"")));
        rules
    }

    /// What the account of the connection needs, in words.
    pub(crate) fn remedy(&self, call: &Call<'_>, targets: &[Target]) -> String {
        let verbs = in_a_row(self.verbs, " and ");
        let kind = targets.first().map(|it| it.kind.plural()).unwrap_or_default();
        let mut needed = format!("{verbs} on {kind}");
        if !self.subresource.is_empty() {
            needed = format!("{needed}, patch on {kind}/{}", self.subresource);
        }
        if self.watches {
            needed = format!("{needed}, watch on {kind}");
        }
        for list in self.lists(targets, false) {
            let (group, resource) = list.split_once('/').unwrap_or(("", list));
            let dot = if group.is_empty() { "" } else { "." };
            needed = format!("{needed} and list on {resource}{dot}{group}");
        }
        format!(
            "the account of connection `{}` needs a role in namespace `{}` with {needed}",
            call.connection, call.namespace
        )
    }
}
