//! Recordings that the step answers otherwise on purpose: the reason, and what it does instead.

/// One difference.
pub(crate) struct Otherwise {
    /// The recording.
    pub(crate) name: &'static str,
    /// The case among the edge cases, or empty, and the reason.
    pub(crate) why: &'static str,
    /// Whether the step fails.
    pub(crate) fails: bool,
    /// What stands in its log.
    pub(crate) says: &'static str,
}

const fn refuses(name: &'static str, why: &'static str, says: &'static str) -> Otherwise {
    Otherwise { name, why, fails: true, says }
}

const fn does(name: &'static str, why: &'static str, says: &'static str) -> Otherwise {
    Otherwise { name, why, fails: false, says }
}

/// All differences.
pub(crate) const OTHERWISE: &[Otherwise] = &[
    does(
        "undo-deployment-without-annotations",
        "K33: `add` works where `replace` fails",
        "deployment.apps/nginx rolled back",
    ),
    does(
        "undo-dry-run-bare",
        "says in one line what kubectl describes in fifteen",
        "would go to revision 2 with nginx=nginx:1.22 (dry run)",
    ),
    does(
        "undo-dry-run-client",
        "says in one line what kubectl describes in fifteen",
        "would go to revision 2 with nginx=nginx:1.22 (dry run)",
    ),
    does(
        "undo-dry-run-client-paused",
        "says in one line what kubectl describes in fifteen",
        "(dry run)",
    ),
    does(
        "undo-statefulset-dry-run-client",
        "says in one line what kubectl describes in fifteen",
        "statefulset.apps/db would go to revision 1 with nginx=redis:7.0 (dry run)",
    ),
    refuses(
        "undo-selector-none",
        "K8: a selector that matches nothing is a failure",
        "no objects passed to rollout undo",
    ),
    refuses(
        "delete-selector-none",
        "K8: a selector that matches nothing is a failure",
        "no objects passed to delete",
    ),
    refuses(
        "undo-type-only-selects-all",
        "K7: a type alone is refused",
        "`deployment` alone names no object",
    ),
    refuses(
        "undo-output-json",
        "the outputs are the output",
        "unknown shorthand flag: -o; this step knows",
    ),
    does(
        "undo-all-flag-unknown",
        "K7: `--all` is how all are asked for",
        "deployment.apps/nginx rolled back",
    ),
    refuses(
        "undo-injected-namespace-last-wins",
        "K5: no second namespace",
        "the flag `--namespace` is never accepted",
    ),
    refuses("undo-unicode-name", "K6: not sent at all", r"no valid RFC 1123 name: `nginx-\u{e9}`"),
    refuses(
        "undo-unauthorized",
        "K51: kubectl fails in discovery, which the step does not need",
        "the credentials of the connection are expired or invalid",
    ),
    refuses("undo-connection-refused", "K55: the host words it", "connection refused"),
    refuses("undo-dns-failure", "K55: the host words it", "connection refused"),
    refuses("undo-tls-unknown-ca", "K53: the host words it", "connection refused"),
    refuses(
        "undo-crd-rollout-unsupported",
        "K13: with what to do instead",
        "Argo Rollouts go back with",
    ),
    does(
        "history-revision-2",
        "prints the template itself, where kubectl describes a part of it",
        "deployment.apps/nginx with revision #2",
    ),
    refuses(
        "get-no-args",
        "kubectl prints its usage",
        "You must specify the type of resource to get",
    ),
    refuses("rollout-no-sub", "kubectl prints its usage", "`kubectl rollout` alone is no command"),
    refuses(
        "unknown-command",
        "says in the same line what it can",
        "unknown command \"rolout\" for \"kubectl\"; this step can: `rollout undo`",
    ),
    refuses("apply-bad-yaml", "K40: the host reads files", "`file` came as text"),
    refuses("apply-missing-file", "K40: the host reads files", "`file` came as text"),
];
