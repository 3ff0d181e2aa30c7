//! Who asks, and what they may do.
//!
//! The practice user may do everything except change `kube-system` and the nodes or read
//! secrets outside of its own namespaces, so that a refusal can be met in a rehearsal too.

use super::kinds;
use super::object::text;
use super::route::Target;
use super::status_errors::Refusal;
use crate::credentials::{Credentials, same};
use crate::exchange::{Answer, Asked};
use http::Method;
use serde_json::json;

/// The name of the user that the token stands for.
const USER: &str = "bowline-practice";
/// Paths that the real server shows to everyone who shows no token at all.
const OPEN_PATHS: &[&str] = &["version", "healthz", "livez", "readyz"];
const SYSTEM_NAMESPACE: &str = "kube-system";

/// Checks the bearer token.
pub(crate) fn authenticate(asked: &Asked, keys: &Credentials) -> Result<(), Refusal> {
    let is_open =
        matches!(asked.segments.as_slice(), [only] if OPEN_PATHS.contains(&only.as_str()));
    let Some(header) = asked.headers.get("authorization") else {
        return if is_open { Ok(()) } else { Err(Refusal::unauthorized()) };
    };
    let shown = header
        .as_bytes()
        .split_at_checked(7)
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"bearer "))
        .map(|(_, token)| token.trim_ascii());
    match shown {
        Some(token) if same(token, keys.token.as_bytes()) => Ok(()),
        _ => Err(Refusal::unauthorized()),
    }
}

/// What a request does, in the API's words.
pub(crate) fn verb(asked: &Asked, target: &Target) -> Result<&'static str, Refusal> {
    let on_part = target.subresource.is_some();
    match (&asked.method, target.name.is_some()) {
        (&Method::GET, true) => Ok("get"),
        (&Method::GET, false) if asked.query.is_set("watch") => Ok("watch"),
        (&Method::GET, false) => Ok("list"),
        (&Method::POST, false) if namespace_fits(target) => Ok("create"),
        (&Method::PUT, true) => Ok("update"),
        (&Method::PATCH, true) => Ok("patch"),
        (&Method::DELETE, true) if !on_part => Ok("delete"),
        (&Method::DELETE, false) if namespace_fits(target) => Ok("deletecollection"),
        _ => Err(Refusal::method_not_allowed()),
    }
}

fn namespace_fits(target: &Target) -> bool {
    !target.kind.namespaced || target.namespace.is_some()
}

/// Checks that the practice user may do `verb` there.
pub(crate) fn authorize(verb: &str, target: &Target) -> Result<(), Refusal> {
    let namespace = target.namespace.as_deref();
    if may(verb, target.kind.resource, namespace, target.name.as_deref()) {
        return Ok(());
    }
    let resource = match &target.subresource {
        Some(part) => format!("{}/{part}", target.kind.resource),
        None => target.kind.resource.to_owned(),
    };
    let place = match namespace {
        Some(namespace) => format!("in the namespace {namespace:?}"),
        None => "at the cluster scope".to_owned(),
    };
    let why = format!(
        "User {USER:?} cannot {verb} resource {resource:?} in API group {:?} {place}",
        target.kind.group
    );
    Err(Refusal::forbidden(target.kind, target.name.as_deref().unwrap_or_default(), &why))
}

fn may(verb: &str, resource: &str, namespace: Option<&str>, name: Option<&str>) -> bool {
    let reads = matches!(verb, "get" | "list" | "watch");
    let in_system = namespace == Some(SYSTEM_NAMESPACE)
        || (resource == "namespaces" && name == Some(SYSTEM_NAMESPACE));
    match resource {
        "nodes" => reads,
        "secrets" => !in_system && namespace.is_some(),
        _ => reads || !in_system,
    }
}

/// Answers whether the practice user may do what the body of the request describes.
pub(crate) fn review(asked: &Asked) -> Result<Answer, Refusal> {
    if asked.method != Method::POST {
        return Err(Refusal::method_not_allowed());
    }
    let mut review = super::update::body(asked)?;
    let attribute = |key: &str| text(&review, &["spec", "resourceAttributes", key]).to_owned();
    let (group, resource) = (attribute("group"), attribute("resource"));
    let filled = |text: String| Some(text).filter(|text| !text.is_empty());
    let allowed = kinds::find(&group, &resource).is_some()
        && may(
            &attribute("verb"),
            &resource,
            filled(attribute("namespace")).as_deref(),
            filled(attribute("name")).as_deref(),
        );
    let reason = if allowed { "" } else { "no rule of the practice user allows it" };
    super::object::put(&mut review, &["status"], json!({"allowed": allowed, "reason": reason}));
    Ok(Answer::json(201, &review))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_practice_user_may_do_most_things() {
        for (verb, resource, namespace, name, wanted) in [
            ("patch", "deployments", Some("default"), Some("a"), true),
            ("get", "deployments", Some("kube-system"), Some("a"), true),
            ("patch", "deployments", Some("kube-system"), Some("a"), false),
            ("get", "secrets", Some("web"), Some("a"), true),
            ("get", "secrets", Some("kube-system"), Some("a"), false),
            ("list", "secrets", None, None, false),
            ("list", "pods", None, None, true),
            ("list", "nodes", None, None, true),
            ("delete", "nodes", None, Some("n"), false),
            ("delete", "namespaces", None, Some("kube-system"), false),
            ("create", "namespaces", None, None, true),
        ] {
            assert_eq!(may(verb, resource, namespace, name), wanted, "{verb} {resource}");
        }
    }
}
