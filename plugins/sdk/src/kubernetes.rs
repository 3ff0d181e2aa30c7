//! A Kubernetes cluster through typed verbs. Objects are JSON and keep every member.
//!
//! The host knows the server and the credential; a step names objects. A failure of the server is
//! a [`ConnectError`] whose `answer()` is the server's `Status`.

pub use crate::bindings::bowline::connect::kubernetes::{
    Change, Kind, PatchKind, Query, Target, WriteOptions,
};
use crate::{ConnectError, Context, Reason, connect_error, json_text, log, retry, wire};
use serde_json::Value;

/// The most pages that [`Cluster::list_all`] follows: 100 pages of 500 objects.
const PAGES_MAX: usize = 100;

/// A handle to one cluster.
#[derive(Debug)]
pub struct Cluster {
    wire: wire::Cluster,
}

/// What a write answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// 200, 201 (created) or 202 (accepted).
    pub status: u16,
    /// The object as it is now, or the server's `Status`. Null when it could not be read, which
    /// does not undo the write.
    pub object: Value,
}

/// Names a kind of object as in the API's URLs, for example `kind("apps", "v1", "deployments")`.
/// The core group is the empty text.
#[must_use]
pub fn kind(group: &str, version: &str, resource: &str) -> Kind {
    Kind { group: group.to_owned(), version: version.to_owned(), resource: resource.to_owned() }
}

/// Names one object; no namespace for cluster-scoped kinds.
#[must_use]
pub fn target(kind: Kind, namespace: Option<&str>, name: &str) -> Target {
    let namespace = namespace.map(str::to_owned);
    Target { kind, namespace, name: name.to_owned(), subresource: None }
}

/// A query for everything in pages of the host's size.
#[must_use]
pub fn everything() -> Query {
    Query { label_selector: None, field_selector: None, limit: None, continue_token: None }
}

/// A write without conditions.
#[must_use]
pub fn plainly() -> WriteOptions {
    WriteOptions {
        dry_run: false,
        field_manager: None,
        force: false,
        strict: false,
        if_version: None,
        if_uid: None,
    }
}

impl Cluster {
    /// Opens the cluster bound to `slot`, a name under `connections` in `plugin.toml`.
    ///
    /// # Errors
    ///
    /// Reason `denied` when nothing of that name was granted to this step.
    pub fn open(ctx: &Context, slot: &str) -> Result<Self, ConnectError> {
        Ok(Self { wire: wire::Cluster::open(ctx.wire(), slot)? })
    }

    /// One object.
    ///
    /// # Errors
    ///
    /// Code `kubernetes.not-found`, `kubernetes.forbidden` and so on, as the server answered.
    pub fn get(&self, target: &Target) -> Result<Value, ConnectError> {
        parse(&self.wire.get(target)?)
    }

    /// One page of objects: the server's list object.
    ///
    /// # Errors
    ///
    /// As the server answered; `kubernetes.expired` when the continue token is too old.
    pub fn list(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        query: &Query,
    ) -> Result<Value, ConnectError> {
        parse(&self.wire.list(kind, namespace, query)?)
    }

    /// All objects that match, page after page, each page with patience. An expired token starts
    /// the list over, once.
    ///
    /// # Errors
    ///
    /// As [`Cluster::list`]; reason `exhausted` after 100 pages.
    pub fn list_all(
        &self,
        ctx: &Context,
        kind: &Kind,
        namespace: Option<&str>,
        query: &Query,
    ) -> Result<Vec<Value>, ConnectError> {
        match self.pages(ctx, kind, namespace, query) {
            Err(error) if error.status == Some(410) => {
                log::debug!("the list changed while it was read; reading it again");
                self.pages(ctx, kind, namespace, query)
            }
            outcome => outcome,
        }
    }

    fn pages(
        &self,
        ctx: &Context,
        kind: &Kind,
        namespace: Option<&str>,
        query: &Query,
    ) -> Result<Vec<Value>, ConnectError> {
        let mut query = query.clone();
        let mut found = Vec::new();
        for _ in 0..PAGES_MAX {
            let mut page = retry::read(ctx, || self.list(kind, namespace, &query))?;
            if let Some(items) = page.get_mut("items").and_then(Value::as_array_mut) {
                found.append(items);
            }
            match page["metadata"]["continue"].as_str() {
                Some(token) if !token.is_empty() => query.continue_token = Some(token.to_owned()),
                _ => return Ok(found),
            }
        }
        let message = format!("the list of {} has more than {PAGES_MAX} pages", kind.resource);
        Err(connect_error::permanent(Reason::Exhausted, "kubernetes.too-many-pages", message))
    }

    /// The server's printed table of one object or a page of them.
    ///
    /// # Errors
    ///
    /// As [`Cluster::list`].
    pub fn table(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        name: Option<&str>,
        query: &Query,
    ) -> Result<Value, ConnectError> {
        parse(&self.wire.table(kind, namespace, name, query)?)
    }

    /// What the server serves, as the contract describes it.
    ///
    /// # Errors
    ///
    /// When the server does not answer.
    pub fn discover(&self) -> Result<Value, ConnectError> {
        parse(&self.wire.discover()?)
    }

    /// Creates an object.
    ///
    /// # Errors
    ///
    /// As the server answered; `in_doubt` when no answer proves whether it took effect.
    pub fn create(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        object: &Value,
        options: &WriteOptions,
    ) -> Result<Written, ConnectError> {
        self.wire.create(kind, namespace, &json_text(object), options).map(written)
    }

    /// Replaces a whole object.
    ///
    /// # Errors
    ///
    /// As [`Cluster::create`], and `kubernetes.conflict` when a condition does not hold.
    pub fn replace(
        &self,
        target: &Target,
        object: &Value,
        options: &WriteOptions,
    ) -> Result<Written, ConnectError> {
        self.wire.replace(target, &json_text(object), options).map(written)
    }

    /// Changes a part of an object. For [`PatchKind::JsonPatch`] `patch` is an array.
    ///
    /// # Errors
    ///
    /// As [`Cluster::replace`].
    pub fn patch(
        &self,
        target: &Target,
        how: PatchKind,
        patch: &Value,
        options: &WriteOptions,
    ) -> Result<Written, ConnectError> {
        self.wire.patch(target, how, &json_text(patch), options).map(written)
    }

    /// Deletes an object. `delete`: `propagationPolicy` and `gracePeriodSeconds`, if any.
    ///
    /// # Errors
    ///
    /// As [`Cluster::replace`].
    pub fn delete(
        &self,
        target: &Target,
        delete: Option<&Value>,
        options: &WriteOptions,
    ) -> Result<Written, ConnectError> {
        let delete = delete.map(json_text);
        self.wire.delete(target, delete.as_deref(), options).map(written)
    }

    /// Changes as they happen, from `from_version` on or from now.
    ///
    /// # Errors
    ///
    /// As the server answered.
    pub fn watch(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        query: &Query,
        from_version: Option<&str>,
    ) -> Result<Watcher, ConnectError> {
        Ok(Watcher { wire: self.wire.watch(kind, namespace, query, from_version)? })
    }

    /// A weaker handle that obeys `scope`, a list of rules in the manifest's form.
    ///
    /// # Errors
    ///
    /// `invalid` when it is malformed, `denied` when it allows what this handle does not.
    pub fn restrict(&self, scope: &Value) -> Result<Self, ConnectError> {
        Ok(Self { wire: self.wire.restrict(&json_text(scope))? })
    }

    /// The rules that this handle obeys, as a list. Null when the host's answer is no JSON.
    #[must_use]
    pub fn scope(&self) -> Value {
        serde_json::from_str(&self.wire.scope()).unwrap_or(Value::Null)
    }
}

/// Changes of objects, as they happen. Ends with the step.
#[derive(Debug)]
pub struct Watcher {
    wire: wire::Watcher,
}

impl Watcher {
    /// Waits up to `timeout_ms` milliseconds for the next change.
    ///
    /// # Errors
    ///
    /// `kubernetes.expired` means that the list must be read again.
    pub fn next(&self, timeout_ms: u32) -> Result<Option<(Change, Value)>, ConnectError> {
        match self.wire.next(timeout_ms)? {
            Some((change, object)) => Ok(Some((change, parse(&object)?))),
            None => Ok(None),
        }
    }
}

fn written(answer: crate::bindings::bowline::connect::kubernetes::Written) -> Written {
    let object = parse(&answer.object).unwrap_or_else(|error| {
        log::warn!("the write took effect, but its answer can't be read: {}", error.message);
        Value::Null
    });
    Written { status: answer.status, object }
}

fn parse(text: &str) -> Result<Value, ConnectError> {
    serde_json::from_str(text).map_err(|error| {
        let message = format!("the cluster's answer is no JSON: {error}");
        connect_error::permanent(Reason::Other, "kubernetes.invalid-answer", message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Call, Host, remote};
    use serde_json::json;

    #[test]
    fn k24_a_list_follows_its_pages_and_starts_over_once_when_they_expire() {
        let mut calls = 0;
        let host = Host::new().kubernetes("cluster", move |call| {
            calls += 1;
            let Call::List { query, .. } = call else { panic!("unexpected {call:?}") };
            match (calls, query.continue_token.as_deref()) {
                (1, None) => Ok(json!({"metadata": {"continue": "old"}, "items": [1]})),
                (2, Some("old")) => Err(remote("kubernetes", 410, &json!({"reason": "Expired"}))),
                (3, None) => Ok(json!({"metadata": {"continue": "new"}, "items": [1]})),
                (4, Some("new")) => Ok(json!({"metadata": {}, "items": [2]})),
                other => panic!("unexpected {other:?}"),
            }
        });
        let ctx = host.context();
        let cluster = Cluster::open(&ctx, "cluster").expect("open");

        let found = cluster.list_all(&ctx, &kind("", "v1", "pods"), Some("web"), &everything());

        assert_eq!(found.expect("the list"), [json!(1), json!(2)]);
    }
}
