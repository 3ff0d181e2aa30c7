//! What a command acts on: `TYPE/NAME` or `TYPE NAME`, in all the forms that kubectl takes.
//!
//! kubectl asks the cluster which types there are; a step for a few fixed types need not. Error
//! texts are kubectl's, with what to do about it. One object per step: several would leave the
//! step half done when the second fails.

use crate::namespace::check_name;
use bowline_sdk::{Failure, shown};

/// A type of object that is known by name.
#[derive(Debug, PartialEq, Eq)]
pub struct Type {
    /// As in a manifest, for example `Deployment`.
    pub kind: &'static str,
    /// Lower-case plural, as in URLs.
    pub plural: &'static str,
    /// Short names.
    pub short: &'static [&'static str],
    /// Empty for the core group.
    pub group: &'static str,
    /// The version that is served.
    pub version: &'static str,
}

/// One object by type and name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Its type.
    pub kind: &'static Type,
    /// Its name, an RFC 1123 subdomain.
    pub name: String,
}

const fn known(
    kind: &'static str,
    plural: &'static str,
    short: &'static [&'static str],
    group: &'static str,
    version: &'static str,
) -> Type {
    Type { kind, plural, short, group, version }
}

/// The types that people name in commands; more than can be acted on, for a good message.
const TYPES: &[Type] = &[
    known("Deployment", "deployments", &["deploy"], "apps", "v1"),
    known("StatefulSet", "statefulsets", &["sts"], "apps", "v1"),
    known("DaemonSet", "daemonsets", &["ds"], "apps", "v1"),
    known("ReplicaSet", "replicasets", &["rs"], "apps", "v1"),
    known("Pod", "pods", &["po"], "", "v1"),
    known("Service", "services", &["svc"], "", "v1"),
    known("ConfigMap", "configmaps", &["cm"], "", "v1"),
    known("Secret", "secrets", &[], "", "v1"),
    known("Namespace", "namespaces", &["ns"], "", "v1"),
    known("Node", "nodes", &["no"], "", "v1"),
    known("ReplicationController", "replicationcontrollers", &["rc"], "", "v1"),
    known("Job", "jobs", &[], "batch", "v1"),
    known("CronJob", "cronjobs", &["cj"], "batch", "v1"),
    known("Ingress", "ingresses", &["ing"], "networking.k8s.io", "v1"),
    known("HorizontalPodAutoscaler", "horizontalpodautoscalers", &["hpa"], "autoscaling", "v2"),
    known("Rollout", "rollouts", &["ro"], "argoproj.io", "v1alpha1"),
];

/// Reads the words that name the object.
///
/// # Errors
///
/// `config`: nothing or too much is named, the type is unknown, the name is not RFC 1123.
pub fn read(words: &[String]) -> Result<Resource, Failure> {
    let slashed = words.iter().filter(|word| word.contains('/')).count();
    let (kind, name) = match words {
        [] => return refuse("required resource not specified; name one, as `deployment/web`"),
        _ if slashed > 0 && slashed < words.len() => {
            return refuse(
                "there is no need to specify a resource type as a separate argument when passing \
                 arguments in resource/name form (e.g. 'kubectl get resource/<resource_name>' \
                 instead of 'kubectl get resource resource/<resource_name>'",
            );
        }
        [word] if slashed == 1 => halves(word)?,
        [kind] => {
            let kind = shown(kind);
            return refuse(&format!(
                "`{kind}` alone names no object, and kubectl would take all of that type in the \
                 namespace; name one, as `deployment/web`"
            ));
        }
        [kind, name] if slashed == 0 => (kind.as_str(), name.as_str()),
        _ => {
            let all: Vec<String> = words.iter().map(|word| shown(word)).collect();
            let all = all.join(" ");
            return refuse(&format!("`{all}` is more than one object; use one step for each"));
        }
    };
    Ok(Resource { name: check_name(name)?.to_owned(), kind: find(kind)? })
}

fn refuse<T>(message: &str) -> Result<T, Failure> {
    Err(Failure::config(message))
}

fn halves(word: &str) -> Result<(&str, &str), Failure> {
    match word.split('/').collect::<Vec<_>>().as_slice() {
        [kind, ""] if !kind.is_empty() => refuse(
            "arguments in resource/name form must have a single resource and name; the name is empty",
        ),
        ["", _] => refuse("arguments in resource/name form must have a single resource and name"),
        [kind, name] => Ok((kind, name)),
        _ => refuse("arguments in resource/name form may not have more than one slash"),
    }
}

/// `TYPE`, `TYPE.GROUP` (a prefix of the group is enough) or `TYPE.VERSION.GROUP`.
fn find(text: &str) -> Result<&'static Type, Failure> {
    let (name, rest) = match text.split_once('.') {
        Some((name, rest)) => (name, Some(rest)),
        None => (text, None),
    };
    let lower = name.to_ascii_lowercase();
    let called = |kind: &&Type| {
        kind.plural == lower
            || kind.kind.eq_ignore_ascii_case(&lower)
            || kind.short.contains(&lower.as_str())
    };
    let exact = |kind: &&Type, rest: &str| rest.split_once('.') == Some((kind.version, kind.group));
    let grouped = |kind: &&Type, rest: &str| !rest.is_empty() && kind.group.starts_with(rest);
    let found = TYPES.iter().filter(called).find(|kind| match rest {
        None => true,
        Some(rest) => exact(kind, rest) || grouped(kind, rest),
    });
    found.ok_or_else(|| {
        let name = shown(name);
        let rest = rest.map(shown).map(|rest| format!(" (asked for as `.{rest}`)"));
        let rest = rest.unwrap_or_default();
        Failure::config(format!("the server doesn't have a resource type \"{name}\"{rest}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(words: &str) -> String {
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        match read(&words) {
            Ok(resource) => format!("{}/{}", resource.kind.kind, resource.name),
            Err(failure) => {
                assert_eq!(failure.code(), "config");
                failure.message().to_owned()
            }
        }
    }

    #[test]
    fn all_name_forms_mean_the_same_object() {
        for form in [
            "deployment/nginx",
            "deploy/nginx",
            "deploy nginx",
            "deployments nginx",
            "deployment.apps/nginx",
            "deployments.apps/nginx",
            "deployment.v1.apps/nginx",
            "deployments.v1.apps nginx",
            "Deployment/nginx",
            "DEPLOYMENT/nginx",
            "Deployment.v1.apps/nginx",
            "deployment.app/nginx",
        ] {
            assert_eq!(outcome(form), "Deployment/nginx", "{form}");
        }
        assert_eq!(outcome("sts/db"), "StatefulSet/db");
        assert_eq!(outcome("rollouts.argoproj.io/web"), "Rollout/web");
    }

    #[test]
    fn mistakes_are_told_in_the_words_of_kubectl() {
        let cases = [
            (
                "deployment/ns/nginx",
                "arguments in resource/name form may not have more than one slash",
            ),
            (
                "deployment.v1.apps/",
                "arguments in resource/name form must have a single resource and name; the name is empty",
            ),
            ("/nginx", "arguments in resource/name form must have a single resource and name"),
            (
                "deployment deployment/nginx",
                "there is no need to specify a resource type as a separate argument",
            ),
            ("deployments", "`deployments` alone names no object"),
            ("deployment/a deployment/b", "`deployment/a deployment/b` is more than one object"),
            ("deployment a b", "`deployment a b` is more than one object"),
            ("deploymnt/nginx", "the server doesn't have a resource type \"deploymnt\""),
            (
                "deployment.v1beta9.apps/nginx",
                "the server doesn't have a resource type \"deployment\" (asked for as `.v1beta9.apps`)",
            ),
            ("deployment.v9.apps nginx", "the server doesn't have a resource type \"deployment\""),
            ("deployment./nginx", "the server doesn't have a resource type \"deployment\""),
            ("deployment,sts/nginx", "the server doesn't have a resource type \"deployment,sts\""),
            ("deployment/nginx-é", r"no valid RFC 1123 name: `nginx-\u{e9}`"),
            ("deployment/NGINX", "no valid RFC 1123 name: `NGINX`"),
            ("deployment/..", "no valid RFC 1123 name: `..`"),
        ];
        for (words, expected) in cases {
            let actual = outcome(words);
            assert!(actual.contains(expected), "{words}: {actual}");
        }
        assert!(
            read(&[]).expect_err("nothing").message().contains("required resource not specified")
        );
    }
}
