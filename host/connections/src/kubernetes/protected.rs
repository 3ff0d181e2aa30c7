//! Metadata that means more than it says. Who owns an object decides when it is deleted, and its
//! finalizers whether it may be: whoever may change these may delete without the verb. A rule that
//! grants an object grants neither by the way; it must name the field.

use effects::scope::kubernetes::{Question, Rule, check};
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

/// Whether `rules` allow `question`, and name each of the `protected` fields that it touches.
pub(crate) fn allowed(
    rules: &[Rule],
    question: &Question<'_>,
    protected: &[String],
) -> Result<(), CallError> {
    check(rules, question)?;
    if protected.is_empty() || !Layer::Scope.on() {
        return Ok(());
    }
    let explicit = explicit(rules)?;
    let mut each = protected.chunks(1);
    each.try_for_each(|field| check(&explicit, &Question { touched: Some(field), ..*question }))
}

/// The rules, with only those of their fields that are protected ones.
fn explicit(rules: &[Rule]) -> Result<Vec<Rule>, CallError> {
    let Value::Array(mut rules) = Scope::Kubernetes(rules.to_vec()).to_json() else {
        return Ok(Vec::new());
    };
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
    let scope = Scope::kubernetes(&rules, Binding(&json!({})));
    match scope.map_err(|error| CallError::invalid("scope.invalid", error.to_string()))? {
        Scope::Kubernetes(rules) => Ok(rules),
        Scope::Http(_) => Ok(Vec::new()),
    }
}

fn is_at_or_below(pointer: &str, root: &str) -> bool {
    pointer.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(fields: Value) -> Vec<Rule> {
        let mut rule = json!({"verbs": ["patch"], "resource": "pods", "namespace": "web"});
        if !fields.is_null() {
            rule["fields"] = fields;
        }
        match Scope::kubernetes(&[rule], Binding(&json!({}))).expect("a scope") {
            Scope::Kubernetes(rules) => rules,
            Scope::Http(_) => unreachable!("asked for kubernetes"),
        }
    }

    #[test]
    fn f06_protected_metadata_must_be_named_by_a_rule() {
        let owners = "/metadata/ownerReferences";
        let cases: [(Value, &[&str], bool); 9] = [
            (Value::Null, &["/spec/x"], true),
            (Value::Null, &["/metadata/labels/a"], true),
            (Value::Null, &[owners], false),
            (Value::Null, &["/spec/x", "/metadata/finalizers/0"], false),
            (Value::Null, &["/metadata/managedFields"], false),
            (json!(["/metadata"]), &[owners], false),
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
            let allowed = allowed(&rules(fields.clone()), &question, &protected(&touched));
            assert_eq!(allowed.is_ok(), expected, "{fields}: {touched:?}");
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
