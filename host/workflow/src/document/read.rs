//! Reads a document key by key.
//!
//! The rules are those of Relay's schema and decoder together: a file that either of them refuses
//! is refused here. Unknown keys are allowed, as there, but not in silence.

use super::fields::{Empty, Fields, Path, what};
use super::{Container, Document, Parameter, Source, Step, Trigger, Written};
use crate::StepKind;
use crate::diagnostic::{Code, Diagnostic, printable, quote};
use crate::extras::{EXTRAS_KEY, RunExtras, StepExtras};
use crate::source::{Span, Spanned};
use crate::tags::Values;
use crate::yaml::{Kind, Node};
use serde_json::Value;

const ROOT_KEYS: &[&str] = &[
    "apiVersion",
    "kind",
    "name",
    "summary",
    "description",
    "homepage",
    "source",
    "tags",
    "locals",
    "parameters",
    "steps",
    "triggers",
    EXTRAS_KEY,
];
const PARAMETER_KEYS: &[&str] = &["description", "default", "type"];
const STEP_KEYS: &[&str] = &[
    "name",
    "type",
    "description",
    "dependsOn",
    "when",
    "image",
    "spec",
    "env",
    "input",
    "inputFile",
    "command",
    "args",
    EXTRAS_KEY,
];
const TRIGGER_KEYS: &[&str] = &["name", "source", "binding", "when"];
const RUN_EXTRAS_HELP: &str =
    "it can hold `retry`, for all steps, and `timeoutSeconds`, for the whole run";
const STEP_EXTRAS_HELP: &str =
    "it can hold `grants`, by connection, `limits`, `retry` and `timeoutSeconds`";
const SOURCE_TYPES: &[&str] = &["schedule", "push", "webhook"];
const WEBHOOK_KEYS: &[&str] =
    &["type", "image", "spec", "env", "input", "inputFile", "command", "args"];

/// What is wrong with a file that holds nothing.
pub(super) fn empty() -> Diagnostic {
    Diagnostic::new(Code::WrongType, Span::default(), "the file is empty; a workflow is a mapping")
        .helping("write `steps:` and at least one step; `{}` is a workflow without any")
        .at(Path::ROOT.to_string())
}

/// The document under a root; nothing if that is no mapping.
pub(super) fn document(root: &Node, found: &mut Vec<Diagnostic>) -> Option<Document> {
    let mut fields = Fields::new(Values::new(found, root.tree_len()));
    if !fields.is_mapping(root, &Path::ROOT) {
        return None;
    }
    let mut document = Document::default();
    for (key, value) in root.entries() {
        let name = key.text().unwrap_or_default();
        let path = Path::ROOT.key(name);
        match name {
            "apiVersion" => document.api_version = fields.choice(&value, &path, &["v1"]),
            "kind" => drop(fields.choice(&value, &path, &["Workflow"])),
            "name" => document.name = fields.text(&value, &path, Empty::Refused),
            "description" => document.description = fields.text(&value, &path, Empty::Refused),
            "summary" => drop(fields.text(&value, &path, Empty::Refused)),
            "homepage" | "source" => uri(&mut fields, &value, &path),
            "tags" => drop(fields.texts(&value, &path, Empty::Refused)),
            "locals" => drop(fields.is_mapping(&value, &path)),
            "parameters" => {
                document.parameters = parameters(&mut fields, &value, &path);
                document.lost_parameters = !matches!(value.kind(), Kind::Mapping);
            }
            "steps" => {
                document.steps = list(&mut fields, &value, &path, step);
                document.lost_steps = document.steps.len() < value.items().len()
                    || !matches!(value.kind(), Kind::Sequence);
            }
            "triggers" => document.triggers = list(&mut fields, &value, &path, trigger),
            EXTRAS_KEY => {
                document.extras =
                    extras(&mut fields, &value, &path, RunExtras::read, RUN_EXTRAS_HELP);
            }
            _ => fields.unknown_key(&key, &Path::ROOT, ROOT_KEYS),
        }
    }
    (!fields.values.is_exhausted()).then_some(document)
}

fn list<T>(
    fields: &mut Fields<'_>,
    node: &Node,
    path: &Path<'_>,
    item: fn(&mut Fields<'_>, &Node, &Path<'_>) -> Option<T>,
) -> Vec<T> {
    if !fields.is_sequence(node, path) {
        return Vec::new();
    }
    let items = node.items().enumerate();
    items.filter_map(|(index, node)| item(fields, &node, &path.index(index))).collect()
}

fn uri(fields: &mut Fields<'_>, node: &Node, path: &Path<'_>) {
    let Some(text) = fields.text(node, path, Empty::Refused) else { return };
    if is_uri(&text.value) {
        return;
    }
    let message = format!("{} is no absolute URI", quote(&text.value));
    let diagnostic = Diagnostic::new(Code::NotAUri, text.span, message);
    let help = "write it with its scheme, for example `https://example.com/runbooks`";
    fields.report(diagnostic.helping(help).at(path.to_string()));
}

/// Whether a text has a scheme and no character that a URI can't have.
fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let mut letters = scheme.bytes();
    let scheme_fits = letters.next().is_some_and(|first| first.is_ascii_alphabetic())
        && letters.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    let host = rest.strip_prefix("//").map(|rest| rest.split(['/', '?', '#']).next());
    let host_fits = host.flatten().is_none_or(|host| !host.contains(' '));
    scheme_fits && host_fits && !rest.contains(|c: char| c.is_control() || c == '\\')
}

fn parameters(fields: &mut Fields<'_>, node: &Node, path: &Path<'_>) -> Vec<Parameter> {
    if !fields.is_mapping(node, path) {
        return Vec::new();
    }
    let entries = node.entries();
    entries.filter_map(|(key, body)| parameter(fields, &key, &body, path)).collect()
}

fn parameter(
    fields: &mut Fields<'_>,
    key: &Node,
    body: &Node,
    path: &Path<'_>,
) -> Option<Parameter> {
    let name = Spanned::new(key.text()?.to_owned(), key.span());
    let path = path.key(&name.value);
    let mut parameter =
        Parameter { name: name.clone(), description: None, kind: None, default: None };
    if !fields.is_mapping(body, &path) {
        return Some(parameter);
    }
    for (key, value) in body.entries() {
        let field = key.text().unwrap_or_default();
        let path = path.key(field);
        match field {
            "description" => {
                parameter.description =
                    fields.text(&value, &path, Empty::Refused).map(|text| text.value);
            }
            "type" => parameter.kind = fields.text(&value, &path, Empty::Allowed),
            "default" => parameter.default = Some(fields.values.data(&value)),
            _ => fields.unknown_key(&key, &path, PARAMETER_KEYS),
        }
    }
    Some(parameter)
}

fn step(fields: &mut Fields<'_>, node: &Node, path: &Path<'_>) -> Option<Step> {
    if !fields.is_mapping(node, path) {
        return None;
    }
    let mut step = Step {
        span: node.head(),
        name: None,
        kind: StepKind::Container,
        depends_on: Vec::new(),
        when: None,
        extras: StepExtras::default(),
        container: Container::default(),
    };
    let mut kind_fits = true;
    for (key, value) in node.entries() {
        let field = key.text().unwrap_or_default();
        let path_of_field = path.key(field);
        match field {
            "name" => step.name = fields.text(&value, &path_of_field, Empty::Refused),
            "type" => match fields.choice(&value, &path_of_field, &["container", "approval"]) {
                Some(kind) if kind.value == "approval" => step.kind = StepKind::Approval,
                Some(_) => (),
                None => kind_fits = false,
            },
            "description" => (),
            "dependsOn" => step.depends_on = depends_on(fields, &value, &path_of_field),
            "when" => step.when = written(fields, &value),
            EXTRAS_KEY => {
                step.extras =
                    extras(fields, &value, &path_of_field, StepExtras::read, STEP_EXTRAS_HELP);
            }
            _ if container_field(fields, &mut step.container, &key, &value, path) => (),
            _ => fields.unknown_key(&key, path, STEP_KEYS),
        }
    }
    let at = step.name.as_ref().map_or(step.span, |name| name.span);
    step.span = at;
    if node.get("name").is_none() {
        fields.missing(at, path, "name", "give the step a name that no other step has");
    }
    if step.kind == StepKind::Container && kind_fits && node.get("image").is_none() {
        let help = "say which plugin does the step, or make it `type: approval`";
        fields.missing(at, path, "image", help);
    }
    Some(step)
}

/// What only this host reads. Rules hold `${inputs.x}`, so none of it is an expression.
fn extras<T: Default>(
    fields: &mut Fields<'_>,
    node: &Node,
    path: &Path<'_>,
    read: fn(&Value) -> Result<T, String>,
    help: &str,
) -> T {
    if !fields.is_mapping(node, path) {
        return T::default();
    }
    let value = fields.values.data(node);
    read(&value).unwrap_or_else(|error| {
        let message = format!("{} can't be understood: {}", quote(EXTRAS_KEY), printable(&error));
        let diagnostic = Diagnostic::new(Code::MalformedExtras, node.head(), message);
        fields.report(diagnostic.helping(help).at(path.to_string()));
        T::default()
    })
}

fn depends_on(fields: &mut Fields<'_>, node: &Node, path: &Path<'_>) -> Vec<Spanned<String>> {
    match node.kind() {
        Kind::Sequence => fields.texts(node, path, Empty::Refused),
        _ => fields.text(node, path, Empty::Refused).into_iter().collect(),
    }
}

/// Reads a key that steps and webhooks have in common; whether it is one.
fn container_field(
    fields: &mut Fields<'_>,
    container: &mut Container,
    key: &Node,
    value: &Node,
    path: &Path<'_>,
) -> bool {
    let field = key.text().unwrap_or_default();
    let path = path.key(field);
    let at_key =
        |text: Option<Spanned<String>>| text.map(|text| Spanned::new(text.value, key.span()));
    let lines = |texts: Vec<Spanned<String>>| {
        let texts = texts.into_iter().map(|text| text.value).collect();
        Some(Spanned::new(texts, key.span()))
    };
    match field {
        "image" => container.image = fields.text(value, &path, Empty::Refused),
        "spec" => container.spec = mapping(fields, value, &path),
        "env" => container.env = mapping(fields, value, &path),
        "input" => container.input = lines(fields.texts(value, &path, Empty::Allowed)),
        "args" => container.args = lines(fields.texts(value, &path, Empty::Allowed)),
        "inputFile" => container.input_file = at_key(fields.text(value, &path, Empty::Refused)),
        "command" => container.command = at_key(fields.text(value, &path, Empty::Refused)),
        _ => return false,
    }
    true
}

/// A mapping of expressions; nothing if it is null.
fn mapping(fields: &mut Fields<'_>, node: &Node, path: &Path<'_>) -> Option<Written> {
    if is_null(node) || !fields.is_mapping_of_expressions(node, path) {
        return None;
    }
    let value = fields.values.expressions(node);
    Some(Written { value: value.into(), node: node.clone() })
}

impl Fields<'_> {
    /// Like [`Fields::is_mapping`], without a word about a tag: the values reader has that.
    fn is_mapping_of_expressions(&mut self, node: &Node, path: &Path<'_>) -> bool {
        matches!(node.kind(), Kind::Mapping) || self.is_mapping(node, path)
    }
}

/// A value with expressions; nothing if it is null.
fn written(fields: &mut Fields<'_>, node: &Node) -> Option<Written> {
    let value = fields.values.expression(node);
    (!is_null(node)).then(|| Written { value: value.into(), node: node.clone() })
}

fn is_null(node: &Node) -> bool {
    node.tag().is_none() && matches!(what(node), "null" | "empty")
}

fn trigger(fields: &mut Fields<'_>, node: &Node, path: &Path<'_>) -> Option<Trigger> {
    if !fields.is_mapping(node, path) {
        return None;
    }
    let mut trigger = Trigger {
        span: node.head(),
        name: None,
        source: None,
        parameters: Vec::new(),
        key: None,
        when: None,
    };
    for (key, value) in node.entries() {
        let field = key.text().unwrap_or_default();
        let path_of_field = path.key(field);
        match field {
            "name" => trigger.name = fields.text(&value, &path_of_field, Empty::Refused),
            "source" => trigger.source = source(fields, &value, &path_of_field),
            "binding" => binding(fields, &mut trigger, &value, &path_of_field),
            "when" => trigger.when = written(fields, &value),
            _ => fields.unknown_key(&key, path, TRIGGER_KEYS),
        }
    }
    trigger.span = trigger.name.as_ref().map_or(trigger.span, |name| name.span);
    if node.get("name").is_none() {
        fields.missing(trigger.span, path, "name", "give the trigger a name");
    }
    if node.get("source").is_none() {
        let help = "say what makes it fire, for example `source: {type: push}`";
        fields.missing(trigger.span, path, "source", help);
    }
    Some(trigger)
}

fn source(fields: &mut Fields<'_>, node: &Node, path: &Path<'_>) -> Option<Source> {
    if !fields.is_mapping(node, path) {
        return None;
    }
    let Some(kind) = node.get("type") else {
        let help = "it can be `schedule`, `push` or `webhook`";
        fields.missing(node.head(), path, "type", help);
        return None;
    };
    let kind = fields.choice(&kind, &path.key("type"), SOURCE_TYPES)?;
    match kind.value.as_str() {
        "schedule" => schedule(fields, node, path, kind.span),
        "push" => push(fields, node, path),
        _ => webhook(fields, node, path, kind.span),
    }
}

fn schedule(fields: &mut Fields<'_>, node: &Node, path: &Path<'_>, at: Span) -> Option<Source> {
    let mut schedule = None;
    for (key, value) in node.entries() {
        match key.text().unwrap_or_default() {
            "type" => (),
            "schedule" => schedule = fields.text(&value, &path.key("schedule"), Empty::Allowed),
            _ => fields.unknown_key(&key, path, &["type", "schedule"]),
        }
    }
    if node.get("schedule").is_none() {
        let help = "say when, for example `schedule: '0 6 * * MON-FRI'`";
        fields.missing(at, path, "schedule", help);
    }
    Some(Source::Schedule { schedule })
}

fn push(fields: &mut Fields<'_>, node: &Node, path: &Path<'_>) -> Option<Source> {
    let mut schema = None;
    for (key, value) in node.entries() {
        match key.text().unwrap_or_default() {
            "type" => (),
            "schema" if fields.is_mapping(&value, &path.key("schema")) => {
                schema = Some(fields.values.data(&value));
            }
            "schema" => (),
            _ => fields.unknown_key(&key, path, &["type", "schema"]),
        }
    }
    Some(Source::Push { schema })
}

fn webhook(fields: &mut Fields<'_>, node: &Node, path: &Path<'_>, at: Span) -> Option<Source> {
    let mut container = Container::default();
    for (key, value) in node.entries() {
        if key.text() != Some("type")
            && !container_field(fields, &mut container, &key, &value, path)
        {
            fields.unknown_key(&key, path, WEBHOOK_KEYS);
        }
    }
    if node.get("image").is_none() {
        fields.missing(at, path, "image", "say which program turns requests into events");
    }
    Some(Source::Webhook(Box::new(container)))
}

fn binding(fields: &mut Fields<'_>, trigger: &mut Trigger, node: &Node, path: &Path<'_>) {
    if !fields.is_mapping(node, path) {
        return;
    }
    for (key, value) in node.entries() {
        let field = key.text().unwrap_or_default();
        let path_of_field = path.key(field);
        match field {
            "key" => trigger.key = written(fields, &value),
            "parameters" if fields.is_mapping(&value, &path_of_field) => {
                for (name, value) in value.entries() {
                    let written = Written {
                        value: fields.values.expression(&value).into(),
                        node: value.clone(),
                    };
                    let name =
                        Spanned::new(name.text().unwrap_or_default().to_owned(), name.span());
                    trigger.parameters.push((name, written));
                }
            }
            "parameters" => (),
            _ => fields.unknown_key(&key, path, &["key", "parameters"]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris() {
        let cases = [
            ("https://example.com", true),
            ("https://example.com/a b", true),
            ("mailto:a@example.com", true),
            ("not a uri", false),
            ("example.com", false),
            ("//example.com", false),
            ("https://exa mple.com", false),
            ("1a:x", false),
            ("a:\\b", false),
        ];
        for (text, expected) in cases {
            assert_eq!(is_uri(text), expected, "{text}");
        }
    }
}
