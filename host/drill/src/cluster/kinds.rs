//! The kinds of objects that the practice cluster serves: one table, plain data.
//!
//! What is not listed here does not exist for clients.

/// One kind of object.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// The API group; empty for the core group.
    pub(crate) group: &'static str,
    /// The plural, as in URLs. No two kinds share one.
    pub(crate) resource: &'static str,
    /// The singular, as clients may say it.
    pub(crate) singular: &'static str,
    /// As in objects.
    pub(crate) kind: &'static str,
    /// Abbreviations.
    pub(crate) short: &'static [&'static str],
    /// Whether objects live in a namespace.
    pub(crate) namespaced: bool,
    /// `status`, `scale`, or none.
    pub(crate) subresources: &'static [&'static str],
}

/// The version of every kind here, in both groups.
pub(crate) const VERSION: &str = "v1";

const STATUS: &[&str] = &["status"];
const BOTH: &[&str] = &["scale", "status"];

/// All kinds, the core group first.
pub(crate) static KINDS: &[Kind] = &[
    core("configmaps", "configmap", "ConfigMap", &["cm"], true, &[]),
    core("events", "event", "Event", &["ev"], true, &[]),
    core("namespaces", "namespace", "Namespace", &["ns"], false, STATUS),
    core("nodes", "node", "Node", &["no"], false, STATUS),
    core("pods", "pod", "Pod", &["po"], true, STATUS),
    core("secrets", "secret", "Secret", &[], true, &[]),
    core("services", "service", "Service", &["svc"], true, STATUS),
    apps("controllerrevisions", "controllerrevision", "ControllerRevision", &[], &[]),
    apps("daemonsets", "daemonset", "DaemonSet", &["ds"], STATUS),
    apps("deployments", "deployment", "Deployment", &["deploy"], BOTH),
    apps("replicasets", "replicaset", "ReplicaSet", &["rs"], BOTH),
    apps("statefulsets", "statefulset", "StatefulSet", &["sts"], BOTH),
];

const fn core(
    resource: &'static str,
    singular: &'static str,
    kind: &'static str,
    short: &'static [&'static str],
    namespaced: bool,
    subresources: &'static [&'static str],
) -> Kind {
    Kind { group: "", resource, singular, kind, short, namespaced, subresources }
}

const fn apps(
    resource: &'static str,
    singular: &'static str,
    kind: &'static str,
    short: &'static [&'static str],
    subresources: &'static [&'static str],
) -> Kind {
    Kind { group: "apps", resource, singular, kind, short, namespaced: true, subresources }
}

impl Kind {
    /// `apps/v1`, or `v1` for the core group.
    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() { VERSION.to_owned() } else { format!("{}/{VERSION}", self.group) }
    }

    /// `deployments.apps`, or `pods` for the core group, as in messages.
    pub(crate) fn qualified(&self) -> String {
        self.with_group(self.resource)
    }

    /// `Deployment.apps`, or `Pod` for the core group, as in messages.
    pub(crate) fn qualified_kind(&self) -> String {
        self.with_group(self.kind)
    }

    /// Whether `status` is written through a subresource of its own.
    pub(crate) fn has_status(&self) -> bool {
        self.subresources.contains(&"status")
    }

    fn with_group(&self, text: &str) -> String {
        if self.group.is_empty() { text.to_owned() } else { format!("{text}.{}", self.group) }
    }
}

/// The kind with this plural in this group.
pub(crate) fn find(group: &str, resource: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.group == group && kind.resource == resource)
}

/// The kind with this plural. Only for names that this file lists: any other gives the first.
pub(crate) fn known(resource: &str) -> &'static Kind {
    KINDS.iter().find(|kind| kind.resource == resource).unwrap_or(&KINDS[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_kinds_share_a_plural() {
        for (index, kind) in KINDS.iter().enumerate() {
            assert!(KINDS[..index].iter().all(|other| other.resource != kind.resource));
            assert_eq!(known(kind.resource), kind);
        }
        assert_eq!(known("deployments").qualified_kind(), "Deployment.apps");
        assert_eq!(known("pods").api_version(), "v1");
    }
}
