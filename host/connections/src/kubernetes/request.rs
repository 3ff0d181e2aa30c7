//! From a verb to a request of the API: names checked first, so that no name can change the
//! meaning of a URL.

use crate::bindings::kubernetes::{Kind, PatchKind, Query, Target, WriteOptions};
use effects::scope::kubernetes::is_subdomain;
use effects::{CallError, Layer};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Objects in one page.
const PAGE_MAX: u32 = 500;

/// Bytes of a selector.
const SELECTOR_BYTES_MAX: usize = 4 << 10;

/// Parts of a path that stand where a kind stands: `/api/v1/watch/secrets` is a stream of all
/// secrets, and not the object `secrets`.
const NO_KINDS: &[&str] = &["proxy", "redirect", "watch"];

/// Who writes, where the step does not say; and the beginning of all that it may say. Whoever
/// writes under another's name takes over what that one owns.
const FIELD_MANAGER: &str = "bowline";

/// Characters of a field manager, as the API has it.
const FIELD_MANAGER_MAX: usize = 128;

/// What stays as it is in a query.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The kind's collection: `/apis/apps/v1/namespaces/web/deployments`.
pub(crate) fn collection(kind: &Kind, namespace: Option<&str>) -> Result<String, CallError> {
    check_kind(kind)?;
    let root = match kind.group.as_str() {
        "" => format!("/api/{}", kind.version),
        group => format!("/apis/{group}/{}", kind.version),
    };
    Ok(match namespace {
        Some(namespace) => {
            name("namespace", namespace)?;
            format!("{root}/namespaces/{namespace}/{}", kind.resource)
        }
        None => format!("{root}/{}", kind.resource),
    })
}

/// One object.
pub(crate) fn object(target: &Target) -> Result<String, CallError> {
    let collection = collection(&target.kind, target.namespace.as_deref())?;
    name("name", &target.name)?;
    Ok(match &target.subresource {
        Some(subresource) => {
            name("subresource", subresource)?;
            check_subresource(&target.kind, subresource)?;
            format!("{collection}/{}/{subresource}", target.name)
        }
        None => format!("{collection}/{}", target.name),
    })
}

/// The parameters of a page.
pub(crate) fn page(query: &Query) -> Result<Vec<(&'static str, String)>, CallError> {
    let mut parameters = Vec::new();
    let texts = [
        ("labelSelector", &query.label_selector),
        ("fieldSelector", &query.field_selector),
        ("continue", &query.continue_token),
    ];
    for (name, text) in texts {
        if let Some(text) = text.as_ref().filter(|text| !text.is_empty()) {
            if text.len() > SELECTOR_BYTES_MAX {
                let message = format!("`{name}` has more than {SELECTOR_BYTES_MAX} bytes");
                return Err(CallError::invalid("kubernetes.invalid-query", message));
            }
            parameters.push((name, text.clone()));
        }
    }
    let limit = query.limit.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
    parameters.push(("limit", limit.to_string()));
    Ok(parameters)
}

/// The parameters of a write.
pub(crate) fn write(
    options: &WriteOptions,
    how: Option<PatchKind>,
) -> Result<Vec<(&'static str, String)>, CallError> {
    let mut parameters = vec![("fieldManager", field_manager(options.field_manager.as_deref())?)];
    if options.dry_run {
        parameters.push(("dryRun", "All".to_owned()));
    }
    if options.strict {
        parameters.push(("fieldValidation", "Strict".to_owned()));
    }
    match how {
        Some(PatchKind::Apply) => parameters.push(("force", options.force.to_string())),
        _ if options.force => {
            let message = "only a patch of kind `apply` can take fields over by force";
            return Err(CallError::invalid("kubernetes.invalid-force", message));
        }
        _ => {}
    }
    Ok(parameters)
}

/// `asked` under the host's own name.
fn field_manager(asked: Option<&str>) -> Result<String, CallError> {
    let manager = match asked {
        None | Some(FIELD_MANAGER) => FIELD_MANAGER.to_owned(),
        Some(asked) => format!("{FIELD_MANAGER}/{asked}"),
    };
    let visible =
        asked.is_none_or(|asked| !asked.is_empty() && asked.bytes().all(|b| b.is_ascii_graphic()));
    if visible && manager.len() <= FIELD_MANAGER_MAX {
        return Ok(manager);
    }
    let message = format!(
        "a field manager is 1 to {} visible characters",
        FIELD_MANAGER_MAX - FIELD_MANAGER.len() - 1
    );
    Err(CallError::invalid("kubernetes.invalid-field-manager", message))
}

/// `path` with `parameters` behind it.
pub(crate) fn with_query(path: &str, parameters: &[(&str, String)]) -> String {
    let mut text = path.to_owned();
    for (index, (name, value)) in parameters.iter().enumerate() {
        text.push(if index == 0 { '?' } else { '&' });
        text.push_str(name);
        text.push('=');
        text.extend(utf8_percent_encode(value, QUERY));
    }
    text
}

/// The media type of a patch.
pub(crate) fn media_type(how: PatchKind) -> &'static str {
    match how {
        PatchKind::JsonPatch => "application/json-patch+json",
        PatchKind::Merge => "application/merge-patch+json",
        PatchKind::StrategicMerge => "application/strategic-merge-patch+json",
        PatchKind::Apply => "application/apply-patch+yaml",
    }
}

/// `patch apps/deployments web/nginx`, for people and for the journal.
pub(crate) fn text(verb: &str, kind: &Kind, namespace: Option<&str>, rest: Option<&str>) -> String {
    let kind = match kind.group.as_str() {
        "" => kind.resource.clone(),
        group => format!("{group}/{}", kind.resource),
    };
    let place = match (namespace, rest) {
        (Some(namespace), Some(name)) => format!(" {namespace}/{name}"),
        (Some(namespace), None) => format!(" in {namespace}"),
        (None, Some(name)) => format!(" {name}"),
        (None, None) => String::new(),
    };
    format!("{verb} {kind}{place}")
}

fn check_kind(kind: &Kind) -> Result<(), CallError> {
    if !kind.group.is_empty() {
        name("group", &kind.group)?;
    }
    name("version", &kind.version)?;
    name("resource", &kind.resource)?;
    if Layer::Shape.on() && NO_KINDS.contains(&kind.resource.as_str()) {
        return Err(CallError::invalid(
            "kubernetes.invalid-name",
            format!("`{}` is no kind of object but a way to reach others", kind.resource),
        ));
    }
    Ok(())
}

/// `/api/v1/namespaces/web/secrets` is a list of secrets: behind a namespace's name only its own
/// subresources are subresources.
fn check_subresource(kind: &Kind, subresource: &str) -> Result<(), CallError> {
    let namespace = kind.group.is_empty() && kind.resource == "namespaces";
    if !namespace || matches!(subresource, "finalize" | "status") || !Layer::Shape.on() {
        return Ok(());
    }
    let message = format!("`{subresource}` is no subresource of a namespace");
    Err(CallError::invalid("kubernetes.invalid-name", message))
}

fn name(what: &str, text: &str) -> Result<(), CallError> {
    if is_subdomain(text) || !Layer::Shape.on() {
        return Ok(());
    }
    let shown: String = text.chars().take(64).collect();
    Err(CallError::invalid(
        "kubernetes.invalid-name",
        format!(
            "the {what} `{}` is not a name of Kubernetes: at most 253 of a-z, 0-9, `-` and `.`, \
             beginning and ending with a letter or digit",
            shown.escape_debug()
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(group: &str, version: &str, resource: &str) -> Kind {
        Kind { group: group.into(), version: version.into(), resource: resource.into() }
    }

    fn target(kind: Kind, namespace: Option<&str>, name: &str, sub: Option<&str>) -> Target {
        Target {
            kind,
            namespace: namespace.map(str::to_owned),
            name: name.into(),
            subresource: sub.map(str::to_owned),
        }
    }

    #[test]
    fn where_objects_live() {
        let deployment = || kind("apps", "v1", "deployments");
        let cases = [
            (
                target(deployment(), Some("web"), "nginx", None),
                "/apis/apps/v1/namespaces/web/deployments/nginx",
            ),
            (
                target(deployment(), Some("web"), "nginx", Some("scale")),
                "/apis/apps/v1/namespaces/web/deployments/nginx/scale",
            ),
            (target(kind("", "v1", "namespaces"), None, "web", None), "/api/v1/namespaces/web"),
        ];
        for (target, path) in cases {
            assert_eq!(object(&target).unwrap(), path);
        }
    }

    #[test]
    fn no_name_can_change_the_meaning_of_a_url() {
        let bad =
            ["nginx/exec", "../secrets/x", "nginx?x", "Nginx", "", "a b", "a%2fb", "ä", "a\n", "."];
        let long = "x".repeat(254);
        for name in bad.into_iter().chain([long.as_str()]) {
            let deployment = || kind("apps", "v1", "deployments");
            assert!(
                object(&target(deployment(), Some("web"), name, None)).is_err(),
                "name {name:?}"
            );
            assert!(
                object(&target(deployment(), Some(name), "n", None)).is_err(),
                "namespace {name:?}"
            );
            assert!(
                object(&target(deployment(), None, "n", Some(name))).is_err(),
                "subresource {name:?}"
            );
            assert!(collection(&kind("apps", name, "x"), None).is_err(), "version {name:?}");
            assert!(collection(&kind("apps", "v1", name), None).is_err(), "resource {name:?}");
        }
        assert!(collection(&kind("apps/v1/namespaces/x", "v1", "pods"), None).is_err());
    }

    #[test]
    fn f02_no_part_of_a_path_can_pass_for_a_kind_or_a_subresource() {
        for resource in ["watch", "proxy", "redirect"] {
            assert!(object(&target(kind("", "v1", resource), None, "secrets", None)).is_err());
            assert!(collection(&kind("apps", "v1", resource), Some("web")).is_err(), "{resource}");
        }
        for (subresource, expected) in [("status", true), ("finalize", true), ("secrets", false)] {
            let namespace = target(kind("", "v1", "namespaces"), None, "web", Some(subresource));
            assert_eq!(object(&namespace).is_ok(), expected, "{subresource}");
        }
    }

    #[test]
    fn f10_a_field_manager_stays_below_the_hosts_own_name() {
        let long = "x".repeat(121);
        let cases = [
            (None, Some("bowline")),
            (Some("bowline"), Some("bowline")),
            (Some("helm"), Some("bowline/helm")),
            (Some("kube-controller-manager"), Some("bowline/kube-controller-manager")),
            (Some(&long[1..]), Some("")),
            (Some(&long), None),
            (Some(""), None),
            (Some("a b"), None),
            (Some("a\n"), None),
        ];
        for (asked, expected) in cases {
            let manager = field_manager(asked).ok();
            assert_eq!(manager.is_some(), expected.is_some(), "{asked:?}");
            if let (Some(manager), Some(expected)) = (manager, expected.filter(|e| !e.is_empty())) {
                assert_eq!(manager, expected);
            }
        }
    }

    #[test]
    fn queries_are_encoded() {
        let query = Query {
            label_selector: Some("app in (a,b),x!=y".into()),
            field_selector: None,
            limit: Some(9000),
            continue_token: None,
        };
        let path = with_query("/x", &page(&query).unwrap());

        assert_eq!(path, "/x?labelSelector=app%20in%20%28a%2Cb%29%2Cx%21%3Dy&limit=500");
    }
}
