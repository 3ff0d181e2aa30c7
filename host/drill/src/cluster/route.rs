//! From the segments of a path to what is meant by it.
//!
//! Knows the shape of the API's paths and nothing about methods or objects.

use super::kinds::{self, Kind};
use super::status_errors::Refusal;
use super::store::Key;
use super::{discovery, kinds::VERSION};
use crate::exchange::Answer;

/// What a path means.
#[derive(Debug)]
pub(crate) enum Route {
    /// A fixed document: version, discovery, health.
    Document(Answer),
    /// The question whether one may do something.
    AccessReview,
    /// Objects.
    Resource(Target),
}

/// Objects of one kind: one of them, or all of a namespace or of the cluster.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// The kind.
    pub(crate) kind: &'static Kind,
    /// The namespace; `None` for kinds without, and for lists over all namespaces.
    pub(crate) namespace: Option<String>,
    /// The name; `None` for the collection.
    pub(crate) name: Option<String>,
    /// `status` or `scale`.
    pub(crate) subresource: Option<String>,
}

impl Target {
    /// Where an object of this name is kept.
    pub(crate) fn key(&self, name: &str) -> Key {
        Key {
            resource: self.kind.resource,
            namespace: self.namespace.clone().unwrap_or_default(),
            name: name.to_owned(),
        }
    }
}

/// Finds what `segments` mean.
pub(crate) fn find(segments: &[String]) -> Result<Route, Refusal> {
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    if let Some(document) = discovery::document(&path) {
        return Ok(Route::Document(document));
    }
    match path.as_slice() {
        ["apis", "authorization.k8s.io", VERSION, "selfsubjectaccessreviews"] => {
            Ok(Route::AccessReview)
        }
        ["api", VERSION, rest @ ..] => resource("", rest),
        ["apis", "apps", VERSION, rest @ ..] => resource("apps", rest),
        _ => Err(Refusal::no_such_path()),
    }
}

fn resource(group: &str, rest: &[&str]) -> Result<Route, Refusal> {
    let (namespace, rest) = match rest {
        // `namespaces/NAME/status` is the status of a namespace and no list of statuses.
        ["namespaces", _, "status"] => (None, rest),
        ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (Some(*namespace), rest),
        _ => (None, rest),
    };
    let (resource, name, subresource) = match rest {
        [resource] => (*resource, None, None),
        [resource, name] => (*resource, Some(*name), None),
        [resource, name, subresource] => (*resource, Some(*name), Some(*subresource)),
        _ => return Err(Refusal::no_such_path()),
    };
    let kind = kinds::find(group, resource).ok_or_else(Refusal::no_such_path)?;
    let place_is_right = match (kind.namespaced, namespace, name) {
        (true, None, Some(_)) | (false, Some(_), _) => false,
        (true | false, _, _) => true,
    };
    let part_exists = subresource.is_none_or(|part| kind.subresources.contains(&part));
    if !place_is_right || !part_exists {
        return Err(Refusal::no_such_path());
    }
    Ok(Route::Resource(Target {
        kind,
        namespace: namespace.map(str::to_owned),
        name: name.map(str::to_owned),
        subresource: subresource.map(str::to_owned),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str) -> String {
        let segments = crate::query::segments(path).expect("segments");
        match find(&segments) {
            Err(refusal) => format!("{}", refusal.code),
            Ok(Route::Document(_)) => "document".to_owned(),
            Ok(Route::AccessReview) => "review".to_owned(),
            Ok(Route::Resource(target)) => format!(
                "{} {} {} {}",
                target.kind.resource,
                target.namespace.as_deref().unwrap_or("-"),
                target.name.as_deref().unwrap_or("-"),
                target.subresource.as_deref().unwrap_or("-"),
            ),
        }
    }

    #[test]
    fn a_path_means_one_thing() {
        for (path, wanted) in [
            ("/version", "document"),
            ("/api", "document"),
            ("/apis/apps/v1", "document"),
            ("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "review"),
            ("/apis/apps/v1/deployments", "deployments - - -"),
            ("/apis/apps/v1/namespaces/web/deployments", "deployments web - -"),
            ("/apis/apps/v1/namespaces/web/deployments/a", "deployments web a -"),
            ("/apis/apps/v1/namespaces/web/deployments/a/scale", "deployments web a scale"),
            ("/api/v1/namespaces", "namespaces - - -"),
            ("/api/v1/namespaces/web", "namespaces - web -"),
            ("/api/v1/namespaces/web/status", "namespaces - web status"),
            ("/api/v1/namespaces/web/pods", "pods web - -"),
            ("/api/v1/nodes/n", "nodes - n -"),
            ("/apis/apps/v1/namespaces/web/daemonsets/a/scale", "404"),
            ("/apis/apps/v1/deployments/a", "404"),
            ("/api/v1/namespaces/web/nodes", "404"),
            ("/api/v1/deployments", "404"),
            ("/apis/batch/v1/jobs", "404"),
            ("/apis/apps/v1beta1/deployments", "404"),
            ("/apis/apps/v1/namespaces/web/deployments/a/scale/b", "404"),
            ("/", "404"),
        ] {
            assert_eq!(found(path), wanted, "{path}");
        }
    }
}
