//! `get`: objects for people on the log, and for the workflow in the outputs.
//!
//! The values of Secrets leave this file masked, in every form.

use super::{Command, Needs, Run};
use crate::Outputs;
use crate::arguments::json_text;
use crate::kinds::Type;
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
    flags: &["output", "selector", "field-selector", "ignore-not-found", "no-headers", "all", "allow-empty"],
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
                let path = path.strip_prefix('\'').and_then(|it| it.strip_suffix('\'')).unwrap_or(path);
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
    let table = retry::read(session.ctx, || session.cluster.table(&kind.api, namespace, name, query));
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
        let short: Vec<&str> = text.lines().take(LINES_MAX).collect();
        say(&short.join("\n"));
        log::warn!("{} more lines are left out", lines - LINES_MAX);
    } else {
        say(&text);
    }
    let mut outputs = Map::new();
    let count: usize = groups.iter().map(|group| group.objects.len()).sum();
    let mut objects = Vec::new();
    let (mut bytes, mut complete) = (0, true);
    for mut object in groups.into_iter().flat_map(|group| group.objects) {
        // They say who wrote which field, and are larger than all the rest.
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.remove("managedFields");
        }
        bytes += json_text(&object).len();
        if bytes > OBJECTS_MAX {
            complete = false;
            log::warn!("only {} of {count} objects fit into the outputs", objects.len());
            break;
        }
        objects.push(object);
    }
    match (single, objects.pop()) {
        (true, Some(object)) => {
            for (output, member) in [("name", &object["metadata"]["name"]), ("kind", &object["kind"])] {
                outputs.insert(output.to_owned(), member.clone());
            }
            outputs.insert("object".to_owned(), object);
        }
        (true, None) => (),
        (false, last) => {
            objects.extend(last);
            outputs.insert("objects".to_owned(), objects.into());
        }
    }
    outputs.insert("complete".to_owned(), complete.into());
    outputs.insert("changed".to_owned(), false.into());
    outputs.insert("namespace".to_owned(), session.call.namespace.into());
    let end = (0..=MESSAGE_MAX.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    outputs.insert("message".to_owned(), text[..end.unwrap_or_default()].into());
    Ok(Outputs(outputs))
}

/// Objects of a list lack what the list itself says.
fn name_kind(object: &mut Value, kind: &Type) {
    let Some(members) = object.as_object_mut() else { return };
    let (group, version) = (&kind.api.group, &kind.api.version);
    let api = if group.is_empty() { version.clone() } else { format!("{group}/{version}") };
    members.entry("apiVersion").or_insert_with(|| api.into());
    members.entry("kind").or_insert_with(|| kind.name.as_str().into());
}

fn text(
    session: &Session<'_>,
    groups: &[Group],
    form: Form<'_>,
    single: bool,
) -> Result<String, Failure> {
    let call = session.call;
    let all = || groups.iter().flat_map(|group| group.objects.iter().map(move |it| (group, it)));
    if let Form::Name = form {
        let label = |(group, it): (&Group, &Value)| {
            format!("{}/{}", group.kind.label(), it["metadata"]["name"].as_str().unwrap_or_default())
        };
        return Ok(all().map(label).collect::<Vec<_>>().join("\n"));
    }
    if let Form::Table { wide } = form {
        let headers = !call.truth("no-headers", false)?;
        let texts: Vec<String> = if groups.iter().all(|group| group.kind == groups[0].kind) {
            let tables: Vec<Value> = groups.iter().flat_map(|it| it.tables.clone()).collect();
            table::text(&tables, wide, headers).into_iter().collect()
        } else {
            groups.iter().filter_map(|group| table::text(&group.tables, wide, headers)).collect()
        };
        if texts.is_empty() && !single {
            return Ok(format!("No resources found in {} namespace.", call.namespace));
        }
        return Ok(texts.join("\n\n"));
    }
    let root = match (single, all().next()) {
        (true, Some((_, object))) => object.clone(),
        (true, None) => return Ok(String::new()),
        (false, _) => {
            let mut list = Map::new();
            list.insert("apiVersion".to_owned(), "v1".into());
            list.insert("kind".to_owned(), "List".into());
            list.insert("items".to_owned(), all().map(|(_, it)| it.clone()).collect());
            list.into()
        }
    };
    match form {
        Form::Json => Ok(document::json(&root)),
        Form::Path(path) => jsonpath::text(path, &root).map_err(path_refused),
        _ => Ok(document::yaml(&root)),
    }
}
