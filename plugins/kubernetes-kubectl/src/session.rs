//! One command's way to the cluster: the handle, weakened to what the command needs, and the
//! reads that all commands share.
//!
//! Decides nothing about what is written.

use crate::arguments::{Call, DryRun};
use crate::command::Needs;
use crate::kinds::{self, Type};
use crate::members::{holds, in_a_row};
use crate::resource::{self, Wanted};
use crate::wording;
use bowline_sdk::kubernetes::{self, Cluster, Query, WriteOptions, everything};
use bowline_sdk::{ConnectError, Context, Failure, log, retry};
use serde_json::Value;
use std::cell::OnceCell;

/// One object that a command acts on.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// Its type.
    pub kind: Type,
    /// Its name.
    pub name: String,
}

impl Target {
    /// `deployment.apps/nginx`, as in kubectl's lines.
    #[must_use]
    pub fn label(&self) -> String {
        format!("{}/{}", self.kind.label(), self.name)
    }

    /// `deployments.apps "nginx"`, as in kubectl's errors.
    #[must_use]
    pub fn quoted(&self) -> String {
        format!("{} \"{}\"", self.kind.plural(), self.name)
    }
}

/// A command on its way.
#[derive(Debug)]
pub struct Session<'a> {
    /// The attempt.
    pub ctx: &'a Context,
    /// What is to be done.
    pub call: &'a Call<'a>,
    /// The handle.
    pub cluster: Cluster,
    /// How far to go.
    pub dry_run: DryRun,
    /// What the connection's account needs, for messages.
    pub remedy: String,
    served: OnceCell<Value>,
}

impl<'a> Session<'a> {
    /// Opens the cluster.
    ///
    /// # Errors
    ///
    /// When nothing was granted, or the dry run is none.
    pub fn open(ctx: &'a Context, call: &'a Call<'a>) -> Result<Self, Failure> {
        let dry_run = call.dry_run()?;
        let cluster = Cluster::open(ctx, "cluster")?;
        let (remedy, served) = (String::new(), OnceCell::new());
        Ok(Self { ctx, call, cluster, dry_run, remedy, served })
    }

    /// The namespace in which objects of a type are looked for.
    #[must_use]
    pub fn namespace(&self, kind: &Type) -> Option<&'a str> {
        kind.namespaced.then_some(self.call.namespace)
    }

    /// The target as the handle takes it.
    #[must_use]
    pub fn wire(&self, target: &Target) -> kubernetes::Target {
        kubernetes::target(target.kind.api.clone(), self.namespace(&target.kind), &target.name)
    }

    /// The types that the cluster serves; asked for once.
    ///
    /// # Errors
    ///
    /// When the server does not answer.
    pub fn served(&self) -> Result<&Value, Failure> {
        if self.served.get().is_none() {
            let served = retry::read(self.ctx, || self.cluster.discover());
            let served = served.map_err(|error| wording::first_look(error, ""))?;
            self.served.set(served).ok();
        }
        Ok(self.served.get().unwrap_or(&Value::Null))
    }

    /// The type that a text means.
    ///
    /// # Errors
    ///
    /// `config` when the cluster has none of that name.
    pub fn kind(&self, text: &str) -> Result<Type, Failure> {
        match kinds::find_known(text) {
            Some(known) => Ok(known),
            None => kinds::find_served(text, self.served()?),
        }
    }

    /// The objects that `words` and the selecting flags name.
    ///
    /// # Errors
    ///
    /// `config` when nothing is named, `not-found` when a selector matches nothing.
    pub fn targets(&self, words: &[String]) -> Result<Vec<Target>, Failure> {
        let selector = self.call.flag("selector");
        let fields = self.call.flag("field-selector");
        let blank = |text: &str| text.trim_matches([' ', ',']).is_empty();
        if selector.is_some_and(blank) || fields.is_some_and(blank) {
            // To the server it means everything.
            return Err(Failure::config("a selector is empty; give one, or set `all: true`"));
        }
        let all = self.call.truth("all", false)?;
        let chosen = selector.is_some() || fields.is_some() || all;
        match resource::read(words, self.call.from_text)? {
            Wanted::Named(_) if chosen => {
                let what = if all { "--all is" } else { "a selector is" };
                Err(Failure::config(format!("name cannot be provided when {what} specified")))
            }
            Wanted::Named(named) => {
                let mut targets = Vec::new();
                for (kind, name) in named {
                    targets.push(Target { kind: self.kind(&kind)?, name });
                }
                Ok(targets)
            }
            Wanted::Types(types) if chosen => self.selected(&types),
            Wanted::Types(types) => {
                let types = types.join(",");
                Err(Failure::config(format!(
                    "resource(s) were provided, but no name was specified: `{types}` alone names \
                     no object, and kubectl would take all of that type in the namespace; name \
                     one, as `deployment/web`, or set `all: true`"
                )))
            }
        }
    }

    fn selected(&self, types: &[String]) -> Result<Vec<Target>, Failure> {
        let mut found = Vec::new();
        for text in types {
            let kind = self.kind(text)?;
            for object in self.list(&kind, &self.query())? {
                if let Some(name) = object["metadata"]["name"].as_str() {
                    found.push(Target { kind: kind.clone(), name: name.to_owned() });
                }
            }
        }
        if found.is_empty() && !self.call.truth("allow-empty", false)? {
            let text = format!(
                "no objects passed to {}: nothing in namespace `{}` matches; `allow_empty: true` \
                 makes that a success",
                in_a_row(self.call.command.words, " "),
                self.call.namespace
            );
            return Err(Failure::permanent("not-found", text));
        }
        Ok(found)
    }

    /// The selecting flags as a query.
    #[must_use]
    pub fn query(&self) -> Query {
        let text = |name: &str| self.call.flag(name).map(str::to_owned);
        let (label_selector, field_selector) = (text("selector"), text("field-selector"));
        Query { label_selector, field_selector, ..everything() }
    }

    /// All objects of a type that match.
    ///
    /// # Errors
    ///
    /// The server's refusal, in kubectl's words.
    pub fn list(&self, kind: &Type, query: &Query) -> Result<Vec<Value>, Failure> {
        let found = self.cluster.list_all(self.ctx, &kind.api, self.namespace(kind), query);
        found.map_err(|error| wording::first_look(error, &self.remedy))
    }

    /// Gives up what this command does not need for these targets. Where the grant is narrower
    /// already, it stays as it is.
    pub fn narrow(&mut self, needs: &Needs, targets: &[Target], waits: bool) {
        self.remedy = needs.remedy(self.call, targets);
        let rules = needs.rules(self.call.namespace, targets, waits);
        // The last rule is only to tell a missing namespace from a missing object.
        for count in [rules.len(), rules.len() - 1] {
            let scope = format!("[{}]", rules[..count].join(","));
            let scope: Value = serde_json::from_str(&scope).unwrap_or_default();
            match self.cluster.restrict(&scope) {
                Ok(narrowed) => {
                    self.cluster = narrowed;
                    return;
                }
                Err(error) => log::debug!("kept the handle as granted: {}", error.message),
            }
        }
    }

    /// One look at an object, which must be there. A missing namespace is told from a missing
    /// object.
    ///
    /// # Errors
    ///
    /// The server's refusal, in kubectl's words.
    pub fn get(&self, target: &Target) -> Result<Value, Failure> {
        match retry::read(self.ctx, || self.cluster.get(&self.wire(target))) {
            Ok(object) => Ok(object),
            Err(error) if error.status == Some(404) => Err(self.missing(target, error)),
            Err(error) => Err(wording::first_look(error, &self.remedy)),
        }
    }

    /// One look at an object that may be gone.
    ///
    /// # Errors
    ///
    /// Any refusal but `not found`.
    pub fn peek(&self, target: &Target) -> Result<Option<Value>, Failure> {
        match retry::read(self.ctx, || self.cluster.get(&self.wire(target))) {
            Ok(object) => Ok(Some(object)),
            Err(error) if error.status == Some(404) => Ok(None),
            Err(error) => Err(wording::first_look(error, &self.remedy)),
        }
    }

    /// What a 404 means.
    pub(crate) fn missing(&self, target: &Target, error: ConnectError) -> Failure {
        // Without details the server does not even know the path.
        if error.answer()["details"]["name"].is_null()
            && holds(&wording::said(&error), "could not find the requested resource")
        {
            let (group, version) = (&target.kind.api.group, &target.kind.api.version);
            let slash = if group.is_empty() { "" } else { "/" };
            return Failure::from(error).with_message(format!(
                "the cluster does not serve {group}{slash}{version} {}; it is too old or no \
                 Kubernetes API server",
                target.kind.api.resource
            ));
        }
        if target.kind.namespaced && self.call.namespace != "default" {
            let kind = kubernetes::kind("", "v1", "namespaces");
            let namespace = kubernetes::target(kind, None, self.call.namespace);
            match retry::read(self.ctx, || self.cluster.get(&namespace)) {
                Ok(_) => (),
                Err(gone) if gone.status == Some(404) => return wording::first_look(gone, ""),
                Err(_) => {
                    let failure = wording::first_look(error, "");
                    let text = format!("{failure}; its namespace may be missing, too");
                    return failure.with_message(text);
                }
            }
        }
        wording::first_look(error, "")
    }

    /// How this command writes: as a dry run where that is asked for, and only to the object that
    /// was looked at.
    #[must_use]
    pub fn options(&self, seen: &Value) -> WriteOptions {
        WriteOptions {
            dry_run: self.dry_run == DryRun::Server,
            if_uid: seen["metadata"]["uid"].as_str().map(str::to_owned),
            ..kubernetes::plainly()
        }
    }
}
