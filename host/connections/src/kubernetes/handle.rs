//! `bowline:connect/kubernetes`: the handle that a guest holds.

use super::exchange::Exchange;
use super::prepared::Prepared;
use super::watch::Watcher;
use super::{KubernetesService, answer, discovery, protected, request};
use crate::bindings::errors::ConnectError;
use crate::bindings::kubernetes::{
    Change, Host, HostCluster, HostWatcher, Kind, PatchKind, Query, Target, WriteOptions, Written,
};
use crate::bindings::{View, connect_error, push, rules};
use crate::breaker::Held;
use effects::scope::kubernetes::check;
use effects::{Answer, CallError, Grant, Operation, Scope, digest};
use sandbox::Context;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::component::Resource;

/// A cluster, as a guest holds it.
#[derive(Clone)]
#[expect(unreachable_pub, reason = "the generated bindings export it again")]
pub struct Cluster {
    grant: Grant,
    held: Arc<Held<KubernetesService>>,
}

impl Cluster {
    /// Sends what was prepared, if it is allowed.
    async fn send(&self, mut prepared: Prepared<'_>) -> Result<Answer, CallError> {
        let secret = prepared.kind.group.is_empty() && prepared.kind.resource == "secrets";
        let operation = Operation { unkept: secret, ..prepared.operation() };
        let Held { service, breaker, .. } = &*self.held;
        let wire = Exchange {
            service,
            breaker,
            method: prepared.method.clone(),
            path: prepared.path.clone(),
            accept: prepared.accept,
            content: prepared.content.take(),
            object: prepared.object.clone(),
            secret,
        };
        wire.check()?;
        let question = prepared.question();
        let named = protected::check(self.grant.granted(), &question, &prepared.protected);
        let in_scope = |scope: &Scope| {
            let rule = match scope {
                Scope::Kubernetes(rules) => check(rules, &question),
                Scope::Http(_) => check(&[], &question),
            }?;
            named.clone().map(|()| rule)
        };
        self.held.admit(&self.grant, &operation.text).await?;
        self.grant.carry(operation, &in_scope, &wire).await
    }

    /// The words of the contract for an answer that says no.
    fn in_time(&self, error: CallError) -> CallError {
        answer::clamp_retry(error, self.grant.attempt().remaining())
    }

    async fn read(&self, prepared: Prepared<'_>) -> Result<String, CallError> {
        answer::object(self.send(prepared).await?, false).map_err(|error| self.in_time(error))
    }

    /// One page of a list, whose end is remembered as the beginning of the next.
    async fn read_page(&self, prepared: Prepared<'_>) -> Result<String, CallError> {
        let (kind, namespace) = (prepared.kind, prepared.namespace);
        let text = self.read(prepared).await?;
        if text.contains("\"continue\"")
            && let Ok(list) = serde_json::from_str(&text)
        {
            self.held.service.pages.remember(kind, namespace, &list);
        }
        Ok(text)
    }

    async fn write(&self, prepared: Prepared<'_>) -> Result<Written, CallError> {
        let (writes, conditional) = (prepared.writes(), prepared.precondition.is_some());
        let answer = self.send(prepared).await?;
        let status = answer.status;
        match answer::object(answer, writes) {
            Ok(object) => Ok(Written { status, object }),
            Err(error) if conditional => Err(self.in_time(answer::name_conflict(error))),
            Err(error) => Err(self.in_time(error)),
        }
    }

    /// Asks what the cluster serves: no object, so no rule is needed.
    pub(crate) async fn discovery(
        &self,
        path: &str,
        accept: &'static str,
    ) -> Result<Value, CallError> {
        let asked = format!("discover {path}");
        let operation = Operation::read(asked, digest(&[b"GET", path.as_bytes()]));
        let request =
            http::Request::get(path).header(http::header::ACCEPT, accept).body(Vec::new());
        let request = request
            .map_err(|error| CallError::invalid("kubernetes.invalid-request", error.to_string()))?;
        self.held.admit(&self.grant, &operation.text).await?;
        let Held { service, breaker, .. } = &*self.held;
        let answer = self
            .grant
            .call(
                operation,
                |_| Ok(0),
                |bytes_max| async move {
                    let answer = service.send(request, bytes_max).await?;
                    breaker.heard(answer.status);
                    Ok(answer)
                },
            )
            .await?;
        let text = answer::object(answer, false).map_err(|error| self.in_time(error))?;
        serde_json::from_str(&text)
            .map_err(|error| CallError::invalid("kubernetes.unreadable", error.to_string()))
    }

    /// What was asked for, if it can be said in one way; a refusal is put on record.
    async fn ready<'a>(
        &self,
        asked: impl FnOnce() -> String,
        prepared: Result<Prepared<'a>, CallError>,
    ) -> Result<Prepared<'a>, CallError> {
        match prepared {
            Ok(prepared) => Ok(prepared),
            Err(why) => Err(self.grant.refused(&asked(), why).await),
        }
    }

    async fn get(&self, target: &Target) -> Result<String, CallError> {
        let prepared = self.ready(|| on("get", target), Prepared::get(target)).await?;
        self.read(prepared).await
    }

    async fn list(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        query: &Query,
    ) -> Result<String, CallError> {
        let prepared = Prepared::list(kind, namespace, query, &self.held.service.pages);
        let asked = || request::text("list", kind, namespace, None);
        self.read_page(self.ready(asked, prepared).await?).await
    }

    async fn table(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        name: Option<&str>,
        query: &Query,
    ) -> Result<String, CallError> {
        let pages = &self.held.service.pages;
        let prepared = Prepared::table(kind, namespace, name, query, pages);
        let verb = if name.is_some() { "get" } else { "list" };
        let asked = || request::text(verb, kind, namespace, name);
        self.read_page(self.ready(asked, prepared).await?).await
    }

    async fn create(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        object: &str,
        options: &WriteOptions,
    ) -> Result<Written, CallError> {
        let prepared = Prepared::create(kind, namespace, object, options);
        let asked = || request::text("create", kind, namespace, None);
        self.write(self.ready(asked, prepared).await?).await
    }

    async fn replace(
        &self,
        target: &Target,
        object: &str,
        options: &WriteOptions,
    ) -> Result<Written, CallError> {
        let prepared = Prepared::replace(target, object, options);
        self.write(self.ready(|| on("update", target), prepared).await?).await
    }

    async fn patch(
        &self,
        target: &Target,
        how: PatchKind,
        patch: &str,
        options: &WriteOptions,
    ) -> Result<Written, CallError> {
        let prepared = Prepared::patch(target, how, patch, options);
        self.write(self.ready(|| on("patch", target), prepared).await?).await
    }

    async fn delete(
        &self,
        target: &Target,
        given: Option<&str>,
        options: &WriteOptions,
    ) -> Result<Written, CallError> {
        let prepared = Prepared::delete(target, given, options);
        self.write(self.ready(|| on("delete", target), prepared).await?).await
    }
}

/// `get pods web/nginx-1`, for people.
fn on(verb: &str, target: &Target) -> String {
    request::text(verb, &target.kind, target.namespace.as_deref(), Some(&target.name))
}

impl Host for View<'_> {}

type Answered<T> = wasmtime::Result<Result<T, ConnectError>>;

impl HostCluster for View<'_> {
    async fn open(
        &mut self,
        _context: Resource<Context>,
        slot: String,
    ) -> Answered<Resource<Cluster>> {
        match self.grants.open::<Held<KubernetesService>>(&slot) {
            Ok((grant, held)) => push(self.table, Cluster { grant, held }),
            Err(error) => Ok(Err(connect_error(error))),
        }
    }

    async fn get(&mut self, cluster: Resource<Cluster>, target: Target) -> Answered<String> {
        let cluster = self.table.get(&cluster)?.clone();
        Ok(cluster.get(&target).await.map_err(connect_error))
    }

    async fn list(
        &mut self,
        cluster: Resource<Cluster>,
        kind: Kind,
        namespace: Option<String>,
        query: Query,
    ) -> Answered<String> {
        let cluster = self.table.get(&cluster)?.clone();
        Ok(cluster.list(&kind, namespace.as_deref(), &query).await.map_err(connect_error))
    }

    async fn table(
        &mut self,
        cluster: Resource<Cluster>,
        kind: Kind,
        namespace: Option<String>,
        name: Option<String>,
        query: Query,
    ) -> Answered<String> {
        let cluster = self.table.get(&cluster)?.clone();
        let table = cluster.table(&kind, namespace.as_deref(), name.as_deref(), &query).await;
        Ok(table.map_err(connect_error))
    }

    async fn discover(&mut self, cluster: Resource<Cluster>) -> Answered<String> {
        let cluster = self.table.get(&cluster)?.clone();
        let found = discovery::discover(&cluster).await;
        Ok(found.map(|kinds| kinds.to_string()).map_err(connect_error))
    }

    async fn create(
        &mut self,
        cluster: Resource<Cluster>,
        kind: Kind,
        namespace: Option<String>,
        object: String,
        options: WriteOptions,
    ) -> Answered<Written> {
        let cluster = self.table.get(&cluster)?.clone();
        let written = cluster.create(&kind, namespace.as_deref(), &object, &options).await;
        Ok(written.map_err(connect_error))
    }

    async fn replace(
        &mut self,
        cluster: Resource<Cluster>,
        target: Target,
        object: String,
        options: WriteOptions,
    ) -> Answered<Written> {
        let cluster = self.table.get(&cluster)?.clone();
        Ok(cluster.replace(&target, &object, &options).await.map_err(connect_error))
    }

    async fn patch(
        &mut self,
        cluster: Resource<Cluster>,
        target: Target,
        how: PatchKind,
        patch: String,
        options: WriteOptions,
    ) -> Answered<Written> {
        let cluster = self.table.get(&cluster)?.clone();
        Ok(cluster.patch(&target, how, &patch, &options).await.map_err(connect_error))
    }

    async fn delete(
        &mut self,
        cluster: Resource<Cluster>,
        target: Target,
        given: Option<String>,
        options: WriteOptions,
    ) -> Answered<Written> {
        let cluster = self.table.get(&cluster)?.clone();
        Ok(cluster.delete(&target, given.as_deref(), &options).await.map_err(connect_error))
    }

    async fn watch(
        &mut self,
        cluster: Resource<Cluster>,
        kind: Kind,
        namespace: Option<String>,
        query: Query,
        from_version: Option<String>,
    ) -> Answered<Resource<Watcher>> {
        let Cluster { grant, held } = self.table.get(&cluster)?.clone();
        match Watcher::open(grant, held, (kind, namespace, query), from_version).await {
            Ok(watcher) => push(self.table, watcher),
            Err(error) => Ok(Err(connect_error(error))),
        }
    }

    async fn restrict(
        &mut self,
        cluster: Resource<Cluster>,
        scope: String,
    ) -> Answered<Resource<Cluster>> {
        let Cluster { grant, held } = self.table.get(&cluster)?.clone();
        match rules(&scope).and_then(|rules| grant.restrict(&rules)) {
            Ok(grant) => push(self.table, Cluster { grant, held }),
            Err(error) => Ok(Err(connect_error(error))),
        }
    }

    async fn scope(&mut self, cluster: Resource<Cluster>) -> wasmtime::Result<String> {
        Ok(self.table.get(&cluster)?.grant.scope().to_json().to_string())
    }

    async fn drop(&mut self, cluster: Resource<Cluster>) -> wasmtime::Result<()> {
        self.table.delete(cluster)?;
        Ok(())
    }
}

impl HostWatcher for View<'_> {
    async fn next(
        &mut self,
        watcher: Resource<Watcher>,
        timeout_ms: u32,
    ) -> Answered<Option<(Change, String)>> {
        let timeout = Duration::from_millis(u64::from(timeout_ms));
        let watcher = self.table.get_mut(&watcher)?;
        Ok(watcher.next(timeout).await.map_err(connect_error))
    }

    async fn drop(&mut self, watcher: Resource<Watcher>) -> wasmtime::Result<()> {
        self.table.delete(watcher)?;
        Ok(())
    }
}
