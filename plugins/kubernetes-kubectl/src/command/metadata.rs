//! `annotate` and `label`: sets and removes entries of an object's metadata.

use super::{Command, Needs, Run, objects_and_changes};
use crate::arguments::{Call, DryRun};
use crate::change::{Change, Plan, change};
use crate::members::{nest, put};
use crate::outcome::Done;
use crate::secrets::LAST_APPLIED;
use crate::session::{Session, Target};
use bowline_sdk::kubernetes::PatchKind;
use bowline_sdk::{Failure, log, shown};
use serde_json::{Map, Value};
use std::cell::RefCell;

const FLAGS: &[&str] = &[
    "overwrite",
    "resource-version",
    "dry-run",
    "selector",
    "field-selector",
    "all",
    "allow-empty",
];

/// `annotate`.
pub const ANNOTATE: Command = Command {
    words: &["annotate"],
    flags: FLAGS,
    reads_documents: false,
    needs: Needs { fields: &["/metadata/annotations"], ..Needs::only(&["get", "patch"]) },
    run: Run::Each {
        check: |call| check(call, &ANNOTATIONS),
        one: |session, target| set(session, target, &ANNOTATIONS),
    },
};

/// `label`.
pub const LABEL: Command = Command {
    words: &["label"],
    flags: FLAGS,
    reads_documents: false,
    needs: Needs { fields: &["/metadata/labels"], ..Needs::only(&["get", "patch"]) },
    run: Run::Each {
        check: |call| check(call, &LABELS),
        one: |session, target| set(session, target, &LABELS),
    },
};

/// One of the two maps in an object's metadata.
struct Part {
    member: &'static str,
    what: &'static str,
    is_label: bool,
}

const ANNOTATIONS: Part = Part { member: "annotations", what: "annotation", is_label: false };
const LABELS: Part = Part { member: "labels", what: "label", is_label: true };

/// The longest value of a label and the longest name of a key, in characters.
const LABEL_MAX: usize = 63;

fn check(call: &Call<'_>, part: &Part) -> Result<Vec<String>, Failure> {
    let (objects, changes) = objects_and_changes(call, part.what, true)?;
    for change in changes {
        let (key, value) = pair(change);
        check_key(key, part)?;
        if part.is_label && value.is_some_and(|value| !value.is_empty() && !is_name(value)) {
            let change = shown(change);
            return Err(Failure::config(format!(
                "invalid label value: \"{change}\": a valid label must be an empty string or consist \
                 of alphanumeric characters, '-', '_' or '.', and must start and end with an \
                 alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used \
                 for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?'); at most \
                 {LABEL_MAX} characters"
            )));
        }
        if changes.iter().filter(|other| pair(other).0 == key).count() > 1 {
            let key = shown(key);
            return Err(Failure::config(format!("the {} `{key}` is given twice", part.what)));
        }
    }
    call.truth("overwrite", false)?;
    Ok(objects.to_vec())
}

/// The key, and the value when one is set.
fn pair(change: &str) -> (&str, Option<&str>) {
    match change.split_once('=') {
        Some((key, value)) => (key, Some(value)),
        None => (change.strip_suffix('-').unwrap_or(change), None),
    }
}

fn check_key(key: &str, part: &Part) -> Result<(), Failure> {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    let fits = prefix.is_none_or(|prefix| crate::namespace::check_name(prefix).is_ok());
    if fits && is_name(name) {
        return Ok(());
    }
    Err(Failure::config(format!(
        "invalid {} key: \"{}\": use NAME or PREFIX/NAME, where NAME has 1 to {LABEL_MAX} letters, \
         digits, '-', '_' and '.', and PREFIX is a DNS subdomain",
        part.what,
        shown(key)
    )))
}

fn is_name(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.len() <= LABEL_MAX
        && edge(text.chars().next())
        && edge(text.chars().next_back())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

/// What the first look showed is to be done.
#[derive(Clone, Copy, Default)]
struct Counts {
    set: bool,
    removed: bool,
}

fn set(session: &Session<'_>, target: &Target, part: &Part) -> Result<Done, Failure> {
    let call = session.call;
    let (_, changes) = objects_and_changes(call, part.what, true)?;
    let overwrite = call.truth("overwrite", false)?;
    let version = call.flag("resource-version").filter(|version| !version.is_empty());
    let first: RefCell<Option<Counts>> = RefCell::default();
    let plan = |seen: &Value| {
        let now = &seen["metadata"][part.member];
        let (mut entries, mut counts) = (Map::new(), Counts::default());
        let mut taken = Vec::new();
        for change in changes {
            let (key, value) = pair(change);
            let present = now[key].as_str();
            match value {
                Some(value) if present == Some(value) => (),
                Some(value) => {
                    // A change cause is there to be overwritten.
                    if let Some(present) = present.filter(|_| key != "kubernetes.io/change-cause") {
                        // A whole object stands there, which may be a Secret.
                        let shown = if key == LAST_APPLIED { "…" } else { present };
                        taken.push(format!("'{key}' already has a value ({shown})"));
                    }
                    counts.set = true;
                    put(&mut entries, key, value);
                }
                None if present.is_some() => {
                    counts.removed = true;
                    put(&mut entries, key, Value::Null);
                }
                None if part.is_label && first.borrow().is_none() => {
                    log::info!("label \"{key}\" not found.");
                }
                None => (),
            }
        }
        if !overwrite && !taken.is_empty() {
            let text = match part.is_label {
                true => format!("{}, and --overwrite is false", taken.join("; ")),
                false => format!(
                    "--overwrite is false but found the following declared annotation(s): {}",
                    taken.join("; ")
                ),
            };
            return Err(Failure::permanent("conflict.exists", text));
        }
        // At the first look the server compares the version that the caller wants.
        let again = first.borrow().is_some();
        first.borrow_mut().get_or_insert(counts);
        if entries.is_empty() && (again || version.is_none()) {
            return Ok(Plan::Nothing);
        }
        if again && version.is_some_and(|wanted| seen["metadata"]["resourceVersion"] != wanted) {
            let text = format!("{} has another version by now", target.label());
            return Err(Failure::permanent("conflict.version", text));
        }
        Ok(Plan::Patch(PatchKind::Merge, nest(&["metadata", part.member], entries.into())))
    };
    let mut seen = session.get(target)?;
    if let Some(version) = version {
        seen["metadata"]["resourceVersion"] = version.into();
    }
    let mut changed = false;
    if session.dry_run == DryRun::Client {
        plan(&seen)?;
    } else {
        let how = Change {
            doing: "",
            subresource: None,
            same_version: !overwrite || version.is_some(),
            once: version.is_some(),
        };
        changed = change(session, target, &how, seen, &plan)?.changed;
    }
    let counts = first.borrow().unwrap_or_default();
    let word = match (part.is_label, counts.set, counts.removed) {
        (false, ..) => "annotated",
        (true, true, true) => "modified",
        (true, true, false) => "labeled",
        (true, false, true) => "unlabeled",
        (true, false, false) => "not labeled",
    };
    let message = format!("{} {word}{}", target.label(), session.dry_run.suffix());
    Ok(Done::new(changed && session.dry_run == DryRun::None, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_are_checked() {
        let long = "a".repeat(64);
        let keys = [
            ("team", true),
            ("example.com/team", true),
            ("a_b.c", true),
            ("", false),
            ("-a", false),
            ("a b", false),
            ("A.com/x", false),
            ("a/b/c", false),
            ("/x", false),
            (&long, false),
        ];
        for (key, fits) in keys {
            assert_eq!(check_key(key, &LABELS).is_ok(), fits, "{key}");
        }
        assert_eq!(pair("a=b=c"), ("a", Some("b=c")));
        assert_eq!(pair("a="), ("a", Some("")));
        assert_eq!(pair("a-"), ("a", None));
    }
}
