//! Metadata that means more than it says. Who owns an object decides when it is deleted, and its
//! finalizers whether it may be: whoever may change these may delete without the verb. A rule that
//! grants an object grants neither by the way; it must name the field. An `update` replaces the
//! whole object, these fields with it, and the host can't see what was there: whoever grants the
//! verb `update`, which only a rule without `fields` does, grants them too.

use effects::scope::kubernetes::{self, Question};
use effects::{Binding, CallError, Layer, Scope};
use serde_json::{Value, json};

/// Pointers that a rule must name to grant them.
const PROTECTED: &[&str] =
    &["/metadata/finalizers", "/metadata/managedFields", "/metadata/ownerReferences"];

/// Whoever replaces one of these replaces what the object is called.
pub(crate) const IDENTITY_ROOTS: &[&str] = &["", "/metadata"];

/// What an object is called can't be changed; a patch that says otherwise means another object.
const IDENTITY: &[&str] = &[
    "/metadata/creationTimestamp",
    "/metadata/deletionTimestamp",
    "/metadata/generateName",
    "/metadata/name",
    "/metadata/namespace",
    "/metadata/uid",
];

/// Refuses pointers that no patch may touch, whatever is granted.
pub(crate) fn check_identity(touched: &[String]) -> Result<(), CallError> {
    match touched.iter().find(|pointer| IDENTITY.iter().any(|at| is_at_or_below(pointer, at))) {
        Some(pointer) if Layer::Shape.on() => Err(CallError::invalid(
            "kubernetes.invalid-patch",
            format!(
                "the patch changes `{}`, which says which object it is",
                pointer.escape_debug()
            ),
        )),
        _ => Ok(()),
    }
}

/// Those of `touched` that a rule must name.
pub(crate) fn protected(touched: &[String]) -> Vec<String> {
    let protected = |pointer: &&String| PROTECTED.iter().any(|at| is_at_or_below(pointer, at));
    touched.iter().filter(protected).cloned().collect()
}

/// Whether a rule of `scope`, which allows `question`, names each of the `protected` fields that it
/// touches. Whoever narrows a wider grant to such a field has named it, too.
pub(crate) fn check(
    scope: &Scope,
    question: &Question<'_>,
    protected: &[String],
) -> Result<(), CallError> {
    if protected.is_empty() || !Layer::Scope.on() {
        return Ok(());
    }
    let explicit = match explicit(scope)? {
        Scope::Kubernetes(rules) => rules,
        Scope::Http(_) => Vec::new(),
    };
    protected.chunks(1).try_for_each(|field| {
        let question = Question { touched: Some(field), ..*question };
        kubernetes::check(&explicit, &question).map(|_number| ())
    })
}

/// The rules, with only those of their fields that are protected ones.
fn explicit(scope: &Scope) -> Result<Scope, CallError> {
    let Value::Array(mut rules) = scope.to_json() else { return Ok(scope.clone()) };
    rules.retain_mut(|rule| {
        let fields = rule["fields"].as_array().into_iter().flatten();
        let named: Vec<Value> = fields
            .filter(|field| {
                let field = field.as_str().unwrap_or_default();
                PROTECTED.iter().any(|at| is_at_or_below(field, at))
            })
            .cloned()
            .collect();
        rule["fields"] = json!(named);
        !named.is_empty()
    });
    let scope = Scope::kubernetes(&rules, Binding::all(&json!({})));
    scope.map_err(|error| CallError::invalid("scope.invalid", error.to_string()))
}

fn is_at_or_below(pointer: &str, root: &str) -> bool {
    pointer.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::kubernetes::{Kind, Target, WriteOptions};
    use crate::kubernetes::prepared::Prepared;

    fn scope(fields: Value) -> Scope {
        let mut rule = json!({"verbs": ["patch"], "resource": "pods", "namespace": "web"});
        if !fields.is_null() {
            rule["fields"] = fields;
        }
        Scope::kubernetes(&[rule], Binding::all(&json!({}))).expect("a scope")
    }

    #[test]
    fn f06_protected_metadata_must_be_named_by_a_rule() {
        let owners = "/metadata/ownerReferences";
        let cases: [(Value, &[&str], bool); 10] = [
            (Value::Null, &["/spec/x"], true),
            (Value::Null, &["/metadata/labels/a"], true),
            (Value::Null, &[owners], false),
            (Value::Null, &["/spec/x", "/metadata/finalizers/0"], false),
            (Value::Null, &["/metadata/managedFields"], false),
            (json!(["/metadata"]), &[owners], false),
            (json!(["/metadata", owners]), &[owners], true),
            (json!([owners]), &[owners], true),
            (json!([owners, "/spec"]), &["/metadata/ownerReferences/-", "/spec/x"], true),
            (json!([owners]), &["/metadata/finalizers"], false),
        ];
        for (fields, touched, expected) in cases {
            let touched: Vec<String> = touched.iter().map(|at| (*at).to_owned()).collect();
            let question = Question {
                verb: "patch",
                group: "",
                resource: "pods",
                namespace: Some("web"),
                name: Some("n"),
                subresource: None,
                touched: Some(&touched),
            };
            let named = check(&scope(fields.clone()), &question, &protected(&touched));
            assert_eq!(named.is_ok(), expected, "{fields}: {touched:?}");
        }
    }

    #[test]
    fn f06_an_update_touches_the_whole_object_and_no_rule_with_fields_allows_it() {
        let owners = "/metadata/ownerReferences";
        let cases = [
            (json!(["update"]), Value::Null, true),
            (json!(["update"]), json!(["/spec"]), false),
            (json!(["update"]), json!(["/metadata", "/spec"]), false),
            (json!(["update"]), json!([owners, "/metadata/finalizers"]), false),
            (json!(["patch"]), Value::Null, false),
        ];
        for (verbs, fields, expected) in cases {
            let mut rule = json!({"verbs": verbs, "resource": "pods", "namespace": "web"});
            if !fields.is_null() {
                rule["fields"] = fields.clone();
            }
            let scope = Scope::kubernetes(&[rule], Binding::all(&json!({}))).expect("a scope");
            let target = Target {
                kind: Kind { group: String::new(), version: "v1".into(), resource: "pods".into() },
                namespace: Some("web".to_owned()),
                name: "n".to_owned(),
                subresource: None,
            };
            let options = WriteOptions {
                dry_run: false,
                field_manager: None,
                force: false,
                strict: false,
                if_version: None,
                if_uid: None,
            };
            let object = r#"{"metadata": {"name": "n", "finalizers": []}}"#;
            let prepared = Prepared::replace(&target, object, &options).expect("an update");
            let question = prepared.question();
            let Scope::Kubernetes(rules) = &scope else { unreachable!("asked for a cluster") };
            let allowed = kubernetes::check(rules, &question).is_ok()
                && check(&scope, &question, &prepared.protected).is_ok();
            assert_eq!(allowed, expected, "{verbs}: {fields}");
        }
    }

    #[test]
    fn f06_no_patch_may_touch_what_an_object_is_called() {
        let cases = [
            ("/metadata/name", false),
            ("/metadata/namespace", false),
            ("/metadata/uid", false),
            ("/metadata/generateName", false),
            ("/metadata/names", true),
            ("/metadata/labels/name", true),
            ("/spec/template/metadata/name", true),
        ];
        for (pointer, expected) in cases {
            assert_eq!(check_identity(&[pointer.to_owned()]).is_ok(), expected, "{pointer}");
        }
    }
}
