//! From a verb and what a guest gives it to a request that is ready, and what the rules have to
//! know of it. What can be read in two ways is refused here. Sends nothing and decides nothing.

use super::pages::Pages;
use super::precondition::Precondition;
use super::touched::{Pointers, check_object, touched};
use super::{deletion, protected, request};
use crate::bindings::kubernetes::{Kind, PatchKind, Query, Target, WriteOptions};
use effects::scope::kubernetes::Question;
use effects::{CallError, Operation, digest};
use journal::Repeatable;
use sandbox::json;
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// Bytes of an object or patch from a guest; the budget has the last word.
const OBJECT_BYTES_MAX: usize = 4 << 20;

/// Asks for the server's printed table.
const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

/// A request that is ready, and what it is about.
pub(crate) struct Prepared<'a> {
    pub(crate) verb: &'static str,
    pub(crate) kind: &'a Kind,
    pub(crate) namespace: Option<&'a str>,
    name: Option<Cow<'a, str>>,
    pub(crate) subresource: Option<&'a str>,
    pub(crate) touched: Option<Vec<String>>,
    /// Fields among those touched that a rule must name.
    pub(crate) protected: Vec<String>,
    pub(crate) method: http::Method,
    pub(crate) path: String,
    pub(crate) accept: &'static str,
    pub(crate) content: Option<(&'static str, Vec<u8>)>,
    pub(crate) precondition: Option<String>,
    pub(crate) dry_run: bool,
    /// Why it may be asked for twice.
    repeatable: Option<Repeatable>,
    /// [`digest`] of what it would change, the precondition left out.
    content_digest: Option<String>,
    /// The path of the object that it is about, if that has a name.
    pub(crate) object: Option<String>,
}

impl<'a> Prepared<'a> {
    fn read(verb: &'static str, kind: &'a Kind, namespace: Option<&'a str>, path: String) -> Self {
        Self {
            verb,
            kind,
            namespace,
            name: None,
            subresource: None,
            touched: None,
            protected: Vec::new(),
            method: http::Method::GET,
            path,
            accept: "application/json",
            content: None,
            precondition: None,
            dry_run: false,
            repeatable: None,
            content_digest: None,
            object: None,
        }
    }

    fn on(verb: &'static str, target: &'a Target, path: String) -> Self {
        let mut prepared = Self::read(verb, &target.kind, target.namespace.as_deref(), path);
        prepared.name = Some(Cow::Borrowed(&target.name));
        prepared.subresource = target.subresource.as_deref();
        prepared.object = prepared.path.split('?').next().map(str::to_owned);
        prepared
    }

    /// One object.
    pub(crate) fn get(target: &'a Target) -> Result<Self, CallError> {
        Ok(Self::on("get", target, request::object(target)?))
    }

    /// One page. A token that goes on with another list is refused.
    pub(crate) fn list(
        kind: &'a Kind,
        namespace: Option<&'a str>,
        query: &Query,
        pages: &Pages,
    ) -> Result<Self, CallError> {
        let path = request::collection(kind, namespace)?;
        let path = request::with_query(&path, &request::page(query)?);
        pages.check(kind, namespace, query.continue_token.as_deref())?;
        Ok(Self::read("list", kind, namespace, path))
    }

    /// What the server prints of one object or of a page.
    pub(crate) fn table(
        kind: &'a Kind,
        namespace: Option<&'a str>,
        name: Option<&'a str>,
        query: &Query,
        pages: &Pages,
    ) -> Result<Self, CallError> {
        let prepared = match name {
            None => Self::list(kind, namespace, query, pages)?,
            Some(name) => {
                let target = Target {
                    kind: kind.clone(),
                    namespace: namespace.map(str::to_owned),
                    name: name.to_owned(),
                    subresource: None,
                };
                Self::read("get", kind, namespace, request::object(&target)?)
            }
        };
        Ok(Self { name: name.map(Cow::Borrowed), accept: TABLE, ..prepared })
    }

    /// A new object.
    pub(crate) fn create(
        kind: &'a Kind,
        namespace: Option<&'a str>,
        object: &str,
        options: &WriteOptions,
    ) -> Result<Self, CallError> {
        let object = parse_object(object)?;
        if !Precondition::of(options).is_none() {
            let message = "what is created has no version yet, so there is nothing to compare";
            return Err(CallError::invalid("kubernetes.invalid-precondition", message));
        }
        let name = object_name(&object).map(str::to_owned);
        let target = Target {
            kind: kind.clone(),
            namespace: namespace.map(str::to_owned),
            name: name.clone().unwrap_or_default(),
            subresource: None,
        };
        check_object(&object, &target)?;
        let path = match &name {
            // Its name must be one, although it does not stand in the path.
            Some(_) => request::object(&target).and_then(|_| request::collection(kind, namespace)),
            None => request::collection(kind, namespace),
        }?;
        let path = request::with_query(&path, &request::write(options, None)?);
        let prepared = Self::read("create", kind, namespace, path);
        Ok(Self {
            name: name.clone().map(Cow::Owned),
            method: http::Method::POST,
            content: Some(("application/json", Value::Object(object).to_string().into_bytes())),
            dry_run: options.dry_run,
            // It can be made only once; one that gets its name from the server can't be found again.
            repeatable: name.is_some().then_some(Repeatable::Conditional),
            object: name.is_some().then(|| request::object(&target).ok()).flatten(),
            ..prepared
        })
    }

    /// A whole object in the place of another.
    pub(crate) fn replace(
        target: &'a Target,
        object: &str,
        options: &WriteOptions,
    ) -> Result<Self, CallError> {
        let object = parse_object(object)?;
        check_object(&object, target)?;
        let precondition = Precondition::of(options);
        let text = precondition.text();
        let repeatable = Some(precondition.repeatable().unwrap_or(Repeatable::Idempotent));
        let parameters = request::write(options, None)?;
        let content_digest = content(target, "PUT", &parameters, &without_version(&object));
        let object = precondition.into_object(object)?;
        let path = request::with_query(&request::object(target)?, &parameters);
        // It touches the whole object, which no rule with `fields` grants.
        let prepared = Self::on("update", target, path);
        Ok(Self {
            method: http::Method::PUT,
            content: Some(("application/json", Value::Object(object).to_string().into_bytes())),
            precondition: text,
            dry_run: options.dry_run,
            repeatable,
            content_digest,
            ..prepared
        })
    }

    /// A change of some fields.
    pub(crate) fn patch(
        target: &'a Target,
        how: PatchKind,
        patch: &str,
        options: &WriteOptions,
    ) -> Result<Self, CallError> {
        let patch = parse(patch)?;
        let Pointers { touched, changed } = touched(how, &patch, target)?;
        if let (PatchKind::Apply, Value::Object(object)) = (how, &patch) {
            check_object(object, target)?;
        }
        protected::check_identity(&changed)?;
        let protected = protected::protected(&changed);
        // What an apply leaves out it takes away, if it was applied before: it may touch anything.
        let touched = (how != PatchKind::Apply).then_some(touched);
        let precondition = Precondition::of(options);
        let text = precondition.text();
        // A list of operations may add to what it has added before; the others name a state.
        let by_itself = (how != PatchKind::JsonPatch).then_some(Repeatable::Idempotent);
        let repeatable = precondition.repeatable().or(by_itself);
        let parameters = request::write(options, Some(how))?;
        let content_digest = content(target, request::media_type(how), &parameters, &patch);
        let patch = precondition.into_patch(how, patch)?;
        let path = request::with_query(&request::object(target)?, &parameters);
        let prepared = Self::on("patch", target, path);
        Ok(Self {
            touched,
            protected,
            method: http::Method::PATCH,
            content: Some((request::media_type(how), patch.to_string().into_bytes())),
            precondition: text,
            dry_run: options.dry_run,
            repeatable,
            content_digest,
            ..prepared
        })
    }

    /// One object less.
    pub(crate) fn delete(
        target: &'a Target,
        given: Option<&str>,
        options: &WriteOptions,
    ) -> Result<Self, CallError> {
        let given = given.map_or_else(|| Ok(Map::new()), parse_object)?;
        deletion::check_options(&given)?;
        let precondition = Precondition::of(options);
        let text = precondition.text();
        // An object of that name that somebody has made since would go with it.
        let repeatable = text.is_some().then_some(Repeatable::Conditional);
        let content_digest = content(target, "DELETE", &[], &Value::Object(given.clone()));
        let mut body = precondition.into_delete(given);
        body.insert("apiVersion".to_owned(), json!("v1"));
        body.insert("kind".to_owned(), json!("DeleteOptions"));
        if options.dry_run {
            // A server that finds a body does not look at the query: a dry run that stands there
            // only would delete.
            body.insert("dryRun".to_owned(), json!(["All"]));
        }
        let prepared = Self::on("delete", target, request::object(target)?);
        Ok(Self {
            method: http::Method::DELETE,
            content: Some(("application/json", Value::Object(body).to_string().into_bytes())),
            precondition: text,
            dry_run: options.dry_run,
            repeatable,
            content_digest,
            ..prepared
        })
    }

    pub(crate) fn writes(&self) -> bool {
        self.method != http::Method::GET && !self.dry_run
    }

    pub(crate) fn operation(&self) -> Operation {
        let mut text = request::text(self.verb, self.kind, self.namespace, self.name.as_deref());
        if let Some(subresource) = self.subresource {
            text = format!("{text}/{subresource}");
        }
        if self.dry_run {
            text.push_str(" (dry run)");
        }
        let body = self.content.as_ref().map_or(&[][..], |(_, body)| body);
        let whole = digest(&[self.method.as_str().as_bytes(), self.path.as_bytes(), body]);
        Operation {
            writes: self.writes(),
            precondition: self.precondition.clone(),
            content: self.content_digest.clone().filter(|_| self.writes()),
            repeatable: self.repeatable,
            request_bytes: body.len() as u64,
            ..Operation::read(text, whole)
        }
    }

    pub(crate) fn question(&self) -> Question<'_> {
        Question {
            verb: self.verb,
            group: &self.kind.group,
            resource: &self.kind.resource,
            namespace: self.namespace,
            name: self.name.as_deref(),
            subresource: self.subresource,
            touched: self.touched.as_deref(),
        }
    }
}

/// What a write would change, whatever must hold for it. `method` tells a kind of patch from others.
fn content(
    target: &Target,
    method: &str,
    parameters: &[(&'static str, String)],
    body: &Value,
) -> Option<String> {
    let path = request::with_query(&request::object(target).ok()?, parameters);
    Some(digest(&[method.as_bytes(), path.as_bytes(), body.to_string().as_bytes()]))
}

fn without_version(object: &Map<String, Value>) -> Value {
    let mut object = object.clone();
    if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
        metadata.remove("resourceVersion");
    }
    Value::Object(object)
}

fn parse(text: &str) -> Result<Value, CallError> {
    json::parse(text, OBJECT_BYTES_MAX)
        .map_err(|error| CallError::invalid("kubernetes.invalid-object", error.to_string()))
}

fn parse_object(text: &str) -> Result<Map<String, Value>, CallError> {
    json::parse_object(text, OBJECT_BYTES_MAX)
        .map_err(|error| CallError::invalid("kubernetes.invalid-object", error.to_string()))
}

fn object_name(object: &Map<String, Value>) -> Option<&str> {
    object.get("metadata")?.get("name")?.as_str()
}
