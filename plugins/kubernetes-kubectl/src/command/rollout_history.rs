//! `rollout history`: the revisions of an object, or one of them in full.

use super::rollout_undo::list;
use super::{Command, Needs, Run, only_objects, rollout_status};
use crate::members::{nest, put};
use crate::outcome::Done;
use crate::print::{document, table};
use crate::session::{Session, Target};
use crate::undo::{history, revisions, sort, template as pod_template};
use bowline_sdk::Failure;
use serde_json::{Map, Value};

/// This command.
pub const COMMAND: Command = Command {
    words: &["rollout", "history"],
    flags: &["revision", "selector", "all", "allow-empty"],
    reads_documents: false,
    needs: Needs { history: true, ..Needs::only(&["get"]) },
    run: Run::Each {
        check: |call| {
            rollout_status::revision(call)?;
            only_objects(call)
        },
        one: history,
    },
};

fn history(session: &Session<'_>, target: &Target) -> Result<Done, Failure> {
    let wanted = rollout_status::revision(session.call)?;
    if !target.kind.rolls_out() {
        let kind = &target.kind.name;
        let text = format!("no history viewer has been implemented for \"{kind}\"");
        return Err(Failure::config(text));
    }
    let object = session.get(target)?;
    let all = list(session, target, &object)?;
    let is_deployment = target.kind.name == "Deployment";
    let number = |it: &Value| match is_deployment {
        true => history::revision(it),
        false => Some(revisions::number(it)),
    };
    let owned = history::owned(&object, &all);
    let mut known: Vec<(i64, &Value)> = Vec::new();
    for it in owned {
        if let Some(number) = number(it) {
            known.push((number, it));
        }
    }
    sort(&mut known, |one, other| one.0 < other.0);
    let template_of = |it: &Value| match is_deployment {
        true => it["spec"]["template"].clone(),
        false => revisions::template(it),
    };
    if wanted > 0 {
        let found = known.iter().find(|(number, _)| *number == wanted);
        let (_, found) = found.ok_or_else(|| {
            Failure::permanent("not-found.revision", "unable to find the specified revision")
        })?;
        let template = template_of(found);
        let label = target.label();
        // The template itself: kubectl's description of it leaves out most of what may differ.
        let yaml = document::yaml(&nest(&["template"], template.clone()));
        let text = format!("{label} with revision #{wanted}\n{yaml}");
        return Ok(Done::new(false, text).with("object", template));
    }
    let mut rows = vec![vec!["REVISION".to_owned(), "CHANGE-CAUSE".to_owned()]];
    let mut listed = Vec::new();
    for (number, it) in &known {
        let cause = it["metadata"]["annotations"]["kubernetes.io/change-cause"].as_str();
        let cause = cause.unwrap_or("<none>");
        rows.push(vec![number.to_string(), cause.to_owned()]);
        let mut entry = Map::new();
        put(&mut entry, "revision", *number);
        put(&mut entry, "cause", cause);
        put(&mut entry, "images", pod_template::images(&template_of(it)));
        listed.push(Value::Object(entry));
    }
    let text = match listed.is_empty() {
        true => "No rollout history found.".to_owned(),
        // kubectl leaves two blanks between these columns.
        false => table::align(&rows, 2),
    };
    Ok(Done::new(false, format!("{} \n{text}", target.label())).with("objects", listed))
}
