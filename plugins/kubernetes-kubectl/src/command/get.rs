//! `get`: objects for people on the log, and for the workflow in the outputs.
//!
//! The values of Secrets leave this file masked, in every form.

use super::{Command, Needs, Run};
use crate::Outputs;
use crate::arguments::json_text;
use crate::kinds::Type;
use crate::members::{put, without};
use crate::outcome::say;
use crate::print::{document, jsonpath, table};
use crate::resource::{self, Wanted};
use crate::secrets;
use crate::session::{Session, Target};
use crate::wording;
use bowline_sdk::kubernetes::Query;
use bowline_sdk::{ConnectError, Failure, log, retry, shown};
use serde_json::{Map, Value};

/// This command.
pub const COMMAND: Command = Command {
    words: &["get"],
    flags: &[
        "output",
        "selector",
        "field-selector",
        "ignore-not-found",
        "no-headers",
        "all",
        "allow-empty",
    ],
    reads_documents: false,
    needs: Needs::only(&["get"]),
    run: Run::Whole(get),
};

/// Bytes of all objects in the outputs; all outputs together may have 256 KiB.
const OBJECTS_MAX: usize = 180 * 1024;

/// Bytes of the text in the outputs.
const MESSAGE_MAX: usize = 32 * 1024;

/// Lines of the text on the log; a step may write 2,000.
const LINES_MAX: usize = 1500;

/// Pages of a table; 500 rows each.
const PAGES_MAX: usize = 20;

/// The form of the text.
#[derive(Clone, Copy, PartialEq)]
enum Form<'a> {
    Table { wide: bool },
    Name,
    Json,
    Yaml,
    Path(&'a str),
}

fn form(output: Option<&str>) -> Result<Form<'_>, Failure> {
    Ok(match output {
        None | Some("") => Form::Table { wide: false },
        Some("wide") => Form::Table { wide: true },
        Some("name") => Form::Name,
        Some("json") => Form::Json,
        Some("yaml") => Form::Yaml,
        Some(other) => match other.strip_prefix("jsonpath=") {
            Some(path) => {
                let path =
                    path.strip_prefix('\'').and_then(|it| it.strip_suffix('\'')).unwrap_or(path);
                jsonpath::text(path, &Value::Null).map_err(path_refused)?;
                Form::Path(path)
            }
            None => {
                return Err(Failure::config(format!(
                    "the output format \"{}\" is not supported, allowed formats are: json, yaml, \
                     name, wide, jsonpath=…; a workflow reads the step's outputs `object` and \
                     `objects`",
                    shown(other)
                )));
            }
        },
    })
}

fn path_refused(why: String) -> Failure {
    Failure::config(format!(
        "jsonpath: {why}; for more, read the step's outputs `object` and `objects` in the workflow"
    ))
}

/// Objects of one type, as they were asked for.
struct Group {
    kind: Type,
    objects: Vec<Value>,
    tables: Vec<Value>,
}

fn get(mut session: Session<'_>) -> Result<Outputs, Failure> {
    let call = session.call;
    let form = form(call.flag("output"))?;
    if call.words.is_empty() {
        return Err(Failure::config(
            "You must specify the type of resource to get, as `get pods` or `get deployment/web`. \
             Required resource not specified.",
        ));
    }
    let single;
    let groups = match resource::read(&call.words, call.from_text)? {
        Wanted::Named(_) => {
            let targets = session.targets(&call.words)?;
            single = targets.len() == 1;
            session.narrow(&COMMAND.needs, &targets, false);
            named(&session, &targets, form)?
        }
        Wanted::Types(types) => {
            single = false;
            let mut groups = Vec::new();
            for text in types {
                groups.push(listed(&session, session.kind(&text)?, form)?);
            }
            groups
        }
    };
    outputs(&session, groups, form, single)
}

fn named(session: &Session<'_>, targets: &[Target], form: Form<'_>) -> Result<Vec<Group>, Failure> {
    let tolerant = session.call.truth("ignore-not-found", false)?;
    let mut groups = Vec::new();
    for target in targets {
        let found = match tolerant {
            true => session.peek(target)?,
            false => Some(session.get(target)?),
        };
        let Some(object) = found else { continue };
        let mut tables = Vec::new();
        if matches!(form, Form::Table { .. }) {
            let namespace = session.namespace(&target.kind);
            let query = Query { label_selector: None, field_selector: None, ..session.query() };
            tables.push(read_table(session, &target.kind, namespace, Some(&target.name), &query)?);
        }
        groups.push(Group { kind: target.kind.clone(), objects: vec![object], tables });
    }
    Ok(groups)
}

fn listed(session: &Session<'_>, kind: Type, form: Form<'_>) -> Result<Group, Failure> {
    let mut query = session.query();
    let objects = session.list(&kind, &query)?;
    let mut tables = Vec::new();
    if matches!(form, Form::Table { .. }) && !objects.is_empty() {
        for _ in 0..PAGES_MAX {
            let page = read_table(session, &kind, session.namespace(&kind), None, &query)?;
            let token = page["metadata"]["continue"].as_str().filter(|it| !it.is_empty());
            query.continue_token = token.map(str::to_owned);
            tables.push(page);
            if query.continue_token.is_none() {
                break;
            }
        }
    }
    Ok(Group { kind, objects, tables })
}

fn read_table(
    session: &Session<'_>,
    kind: &Type,
    namespace: Option<&str>,
    name: Option<&str>,
    query: &Query,
) -> Result<Value, Failure> {
    let table =
        retry::read(session.ctx, || session.cluster.table(&kind.api, namespace, name, query));
    table.map_err(|error: ConnectError| wording::first_look(error, &session.remedy))
}

fn outputs(
    session: &Session<'_>,
    mut groups: Vec<Group>,
    form: Form<'_>,
    single: bool,
) -> Result<Outputs, Failure> {
    let mut masked = false;
    for group in &mut groups {
        for object in &mut group.objects {
            name_kind(object, &group.kind);
            if group.kind.name == "Secret" && group.kind.api.group.is_empty() {
                masked |= secrets::mask(object);
            }
        }
    }
    if masked {
        log::info!("the values of Secrets are masked; a step never shows them");
    }
    let text = text(session, &groups, form, single)?;
    let lines = text.lines().count();
    if lines > LINES_MAX {
        text.lines().take(LINES_MAX).for_each(say);
        log::warn!("{} more lines are left out", lines - LINES_MAX);
    } else {
        say(&text);
    }
    let mut outputs = Map::new();
    let mut objects = Vec::new();
    let (mut bytes, mut complete) = (0, true);
    let mut all = Vec::new();
    for group in groups {
        all.extend(group.objects);
    }
    for mut object in all {
        // They say who wrote which field, and are larger than all the rest.
        object["metadata"] = without(&object["metadata"], &["managedFields"]);
        bytes += json_text(&object).len();
        if bytes > OBJECTS_MAX {
            complete = false;
            log::warn!("only {} objects fit into the outputs", objects.len());
            break;
        }
        objects.push(object);
    }
    match (single, objects.pop()) {
        (true, Some(object)) => {
            put(&mut outputs, "name", object["metadata"]["name"].clone());
            put(&mut outputs, "kind", object["kind"].clone());
            put(&mut outputs, "object", object);
        }
        (true, None) => (),
        (false, last) => {
            objects.extend(last);
            put(&mut outputs, "objects", objects);
        }
    }
    put(&mut outputs, "complete", complete);
    put(&mut outputs, "changed", false);
    put(&mut outputs, "namespace", session.call.namespace);
    let end = (0..=MESSAGE_MAX.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    put(&mut outputs, "message", &text[..end.unwrap_or_default()]);
    Ok(Outputs(outputs))
}

/// Objects of a list lack what the list itself says.
fn name_kind(object: &mut Value, kind: &Type) {
    if !object["kind"].is_null() {
        return;
    }
    let Some(members) = object.as_object_mut() else { return };
    let (group, version) = (&kind.api.group, &kind.api.version);
    let slash = if group.is_empty() { "" } else { "/" };
    put(members, "apiVersion", format!("{group}{slash}{version}"));
    put(members, "kind", kind.name.as_str());
}

fn text(
    session: &Session<'_>,
    groups: &[Group],
    form: Form<'_>,
    single: bool,
) -> Result<String, Failure> {
    let call = session.call;
    if let Form::Name = form {
        let mut lines = Vec::new();
        for group in groups {
            for object in &group.objects {
                let name = object["metadata"]["name"].as_str().unwrap_or_default();
                lines.push(format!("{}/{name}", group.kind.label()));
            }
        }
        return Ok(lines.join("\n"));
    }
    if let Form::Table { wide } = form {
        let headers = !call.truth("no-headers", false)?;
        let mut texts = Vec::new();
        let mut tables = Vec::new();
        for (place, group) in groups.iter().enumerate() {
            tables.extend_from_slice(&group.tables);
            // Objects of one type that were named one by one share a header.
            if groups.get(place + 1).is_none_or(|next| next.kind != group.kind) {
                texts.extend(table::text(&tables, wide, headers));
                tables.clear();
            }
        }
        if texts.is_empty() && !single {
            return Ok(format!("No resources found in {} namespace.", call.namespace));
        }
        return Ok(texts.join("\n\n"));
    }
    let root = match (single, groups.first().and_then(|group| group.objects.first())) {
        (true, Some(object)) => object.clone(),
        (true, None) => return Ok(String::new()),
        (false, _) => {
            let mut objects = Vec::new();
            for group in groups {
                objects.extend_from_slice(&group.objects);
            }
            let mut list = Map::new();
            put(&mut list, "apiVersion", "v1");
            put(&mut list, "kind", "List");
            put(&mut list, "items", objects);
            list.into()
        }
    };
    match form {
        Form::Json => Ok(document::json(&root)),
        Form::Path(path) => jsonpath::text(path, &root).map_err(path_refused),
        _ => Ok(document::yaml(&root)),
    }
}
