//! `wait`: until an object has a condition, has a value, is there, or is gone.

use super::{Command, Needs, Run, only_objects};
use crate::arguments::Call;
use crate::outcome::Done;
use crate::print::jsonpath;
use crate::session::{Session, Target};
use crate::waiting::{self, Deadline};
use bowline_sdk::{Failure, shown};
use serde_json::Value;
use std::cell::RefCell;
use std::time::Duration;

/// How long kubectl waits when nobody says.
const TIMEOUT: Duration = Duration::from_secs(30);

/// This command.
pub const COMMAND: Command = Command {
    words: &["wait"],
    flags: &["for", "timeout", "selector", "field-selector", "all", "allow-empty"],
    reads_documents: false,
    needs: Needs { watches: true, ..Needs::only(&["get"]) },
    run: Run::Each {
        check: |call| {
            read(call)?;
            only_objects(call)
        },
        one: wait,
    },
};

/// What is waited for.
enum Until<'a> {
    Gone,
    There,
    /// A condition's type and status.
    Condition(&'a str, &'a str),
    /// A path, and the value that it must lead to; any when none.
    Path(&'a str, Option<&'a str>),
}

fn read<'a>(call: &'a Call<'_>) -> Result<Until<'a>, Failure> {
    let text = call.flag("for").unwrap_or_default();
    if text.eq_ignore_ascii_case("delete") {
        return Ok(Until::Gone);
    }
    if text.eq_ignore_ascii_case("create") {
        return Ok(Until::There);
    }
    if let Some(condition) = text.strip_prefix("condition=").filter(|it| !it.is_empty()) {
        let (name, status) = condition.split_once('=').unwrap_or((condition, "true"));
        return Ok(Until::Condition(name, status));
    }
    if let Some(path) = text.strip_prefix("jsonpath=").filter(|it| !it.is_empty()) {
        let path = path.trim_matches('\'');
        let end = path.as_bytes().windows(2).position(|it| it == b"}=");
        let (path, value) = match end.and_then(|end| path.split_at_checked(end)) {
            Some((path, value)) => (path.trim_start_matches('{'), value.get(2..)),
            None => (path, None),
        };
        let wrong = |why| Failure::config(format!("`--for`: {why}"));
        jsonpath::values(path, &Value::Null).map_err(wrong)?;
        return Ok(Until::Path(path, value));
    }
    Err(Failure::config(format!(
        "unrecognized condition: \"{}\"; set `for` to `condition=Ready`, `delete`, `create` or \
         `jsonpath={{.status.phase}}=Running`",
        shown(text)
    )))
}

fn wait(session: &Session<'_>, target: &Target) -> Result<Done, Failure> {
    let call = session.call;
    let until = read(call)?;
    // 0 means a single look here, and no limit everywhere else.
    let given = call.flag("timeout").is_some();
    let timeout = call.timeout()?.unwrap_or(if given { Duration::ZERO } else { TIMEOUT });
    let deadline = Deadline::new(session.ctx, Some(timeout));
    if !matches!(until, Until::Gone | Until::There) {
        // What is not there at the beginning is a mistake, most likely.
        session.get(target)?;
    }
    let label = target.label();
    let met = format!("{label} condition met");
    let uid: RefCell<Value> = RefCell::default();
    let mut judge = |seen: Option<&Value>| {
        let Some(seen) = seen else {
            return match until {
                Until::Gone => Ok(Some(met.clone())),
                Until::There => Ok(None),
                _ => Err(Failure::permanent(
                    "not-found",
                    format!("{label}: object has been deleted"),
                )),
            };
        };
        if uid.borrow().is_null() {
            uid.replace(seen["metadata"]["uid"].clone());
        }
        let holds = match &until {
            Until::Gone => *uid.borrow() != seen["metadata"]["uid"],
            Until::There => true,
            Until::Condition(name, status) => has_condition(seen, name, status),
            Until::Path(path, value) => {
                let found = jsonpath::values(path, seen).unwrap_or_default();
                found.iter().any(|found| match value {
                    Some(value) => jsonpath::text("{@}", found).as_deref() == Ok(value),
                    None => !found.is_null(),
                })
            }
        };
        Ok(holds.then(|| met.clone()))
    };
    match waiting::until(session, target, deadline, &mut judge)? {
        Some(message) => Ok(Done::new(false, message).with("done", true)),
        None => {
            // kubectl leaves the group out here, and only here.
            let resource = &target.kind.api.resource;
            let text = format!("timed out waiting for the condition on {resource}/{}", target.name);
            Err(Failure::permanent("timeout", text))
        }
    }
}

/// A condition counts only when the controller has seen the object as it is.
fn has_condition(object: &Value, name: &str, status: &str) -> bool {
    let generation = object["metadata"]["generation"].as_i64();
    let of_now = |observed: &Value| match (observed.as_i64(), generation) {
        (Some(observed), Some(generation)) => observed >= generation,
        _ => true,
    };
    let same =
        |value: &Value, text: &str| value.as_str().is_some_and(|it| it.eq_ignore_ascii_case(text));
    of_now(&object["status"]["observedGeneration"])
        && object["status"]["conditions"].as_array().into_iter().flatten().any(|condition| {
            same(&condition["type"], name)
                && same(&condition["status"], status)
                && of_now(&condition["observedGeneration"])
        })
}
