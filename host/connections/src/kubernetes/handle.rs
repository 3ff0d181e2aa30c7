//! `bowline:connect/kubernetes`: the handle that a guest holds.

use super::precondition::Precondition;
use super::touched::{check_object, touched};
use super::watch::Watcher;
use super::{KubernetesService, answer, deletion, discovery, protected, request};
use crate::bindings::errors::ConnectError;
use crate::bindings::kubernetes::{
    Change, Host, HostCluster, HostWatcher, Kind, PatchKind, Query, Target, WriteOptions, Written,
};
use crate::bindings::{View, connect_error, push, rules};
use crate::breaker::Held;
use effects::scope::kubernetes::{Question, check};
use effects::{Answer, CallError, Grant, Operation, Scope, digest};
use sandbox::{Context, json};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;
use wasmtime::component::Resource;

/// Bytes of an object or patch from a guest; the budget has the last word.
const OBJECT_BYTES_MAX: usize = 4 << 20;

/// Asks for the server's printed table.
const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

/// A cluster, as a guest holds it.
#[derive(Clone)]
#[expect(unreachable_pub, reason = "the generated bindings export it again")]
pub struct Cluster {
    grant: Grant,
    held: Arc<Held<KubernetesService>>,
}

/// A request that is ready, and what it is about.
struct Prepared<'a> {
    verb: &'static str,
    kind: &'a Kind,
    namespace: Option<&'a str>,
    name: Option<&'a str>,
    subresource: Option<&'a str>,
    touched: Option<Vec<String>>,
    /// Fields among those touched that a rule must name.
    protected: Vec<String>,
    method: http::Method,
    path: String,
    accept: &'static str,
    content: Option<(&'static str, Vec<u8>)>,
    precondition: Option<String>,
    dry_run: bool,
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
        }
    }

    fn on(verb: &'static str, target: &'a Target, path: String) -> Self {
        let mut prepared = Self::read(verb, &target.kind, target.namespace.as_deref(), path);
        prepared.name = Some(&target.name);
        prepared.subresource = target.subresource.as_deref();
        prepared
    }

    fn writes(&self) -> bool {
        self.method != http::Method::GET && !self.dry_run
    }

    fn operation(&self) -> Operation {
        let mut text = request::text(self.verb, self.kind, self.namespace, self.name);
        if let Some(subresource) = self.subresource {
            text = format!("{text}/{subresource}");
        }
        if self.dry_run {
            text.push_str(" (dry run)");
        }
        let body = self.content.as_ref().map_or(&[][..], |(_, body)| body);
        Operation {
            text,
            writes: self.writes(),
            precondition: self.precondition.clone(),
            digest: digest(&[self.method.as_str().as_bytes(), self.path.as_bytes(), body]),
            request_bytes: body.len() as u64,
            timeout_ms: None,
        }
    }

    fn question(&self) -> Question<'_> {
        Question {
            verb: self.verb,
            group: &self.kind.group,
            resource: &self.kind.resource,
            namespace: self.namespace,
            name: self.name,
            subresource: self.subresource,
            touched: self.touched.as_deref(),
        }
    }
}

impl Cluster {
    /// Sends what was prepared, if it is allowed.
    async fn send(&self, mut prepared: Prepared<'_>) -> Result<Answer, CallError> {
        let operation = prepared.operation();
        let mut builder = http::Request::builder()
            .method(prepared.method.clone())
            .uri(&prepared.path)
            .header(http::header::ACCEPT, prepared.accept);
        let mut body = Vec::new();
        if let Some((media_type, content)) = prepared.content.take() {
            builder = builder.header(http::header::CONTENT_TYPE, media_type);
            body = content;
        }
        let request = builder
            .body(body)
            .map_err(|error| CallError::invalid("kubernetes.invalid-request", error.to_string()))?;
        let question = prepared.question();
        let named = protected::check(self.grant.granted(), &question, &prepared.protected);
        let in_scope = |scope: &Scope| {
            let rule = match scope {
                Scope::Kubernetes(rules) => check(rules, &question),
                Scope::Http(_) => check(&[], &question),
            }?;
            named.clone().map(|()| rule)
        };
        let Held { service, breaker } = &*self.held;
        breaker.check()?;
        self.grant
            .call(operation, in_scope, |bytes_max| async move {
                let answer = service.send(request, bytes_max).await?;
                breaker.heard(answer.status);
                Ok(answer)
            })
            .await
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

    /// The path of one page. A token that goes on with another list is refused.
    fn page(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        query: &Query,
    ) -> Result<String, CallError> {
        let path = request::collection(kind, namespace)?;
        let path = request::with_query(&path, &request::page(query)?);
        let token = query.continue_token.as_deref();
        self.held.service.pages.check(kind, namespace, token).map(|()| path)
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
        let operation = Operation {
            text: format!("discover {path}"),
            writes: false,
            precondition: None,
            digest: digest(&[b"GET", path.as_bytes()]),
            request_bytes: 0,
            timeout_ms: None,
        };
        let request =
            http::Request::get(path).header(http::header::ACCEPT, accept).body(Vec::new());
        let request = request
            .map_err(|error| CallError::invalid("kubernetes.invalid-request", error.to_string()))?;
        let Held { service, breaker } = &*self.held;
        breaker.check()?;
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

    async fn get(&self, target: &Target) -> Result<String, CallError> {
        let path = request::object(target)?;
        self.read(Prepared::on("get", target, path)).await
    }

    async fn list(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        query: &Query,
    ) -> Result<String, CallError> {
        let path = self.page(kind, namespace, query)?;
        self.read_page(Prepared::read("list", kind, namespace, path)).await
    }

    async fn table(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        name: Option<&str>,
        query: &Query,
    ) -> Result<String, CallError> {
        let (verb, path) = match name {
            Some(name) => {
                let target = Target {
                    kind: kind.clone(),
                    namespace: namespace.map(str::to_owned),
                    name: name.to_owned(),
                    subresource: None,
                };
                ("get", request::object(&target)?)
            }
            None => ("list", self.page(kind, namespace, query)?),
        };
        let prepared = Prepared::read(verb, kind, namespace, path);
        self.read_page(Prepared { name, accept: TABLE, ..prepared }).await
    }

    async fn create(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        object: &str,
        options: &WriteOptions,
    ) -> Result<Written, CallError> {
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
        let prepared = Prepared::read("create", kind, namespace, path);
        self.write(Prepared {
            name: name.as_deref(),
            method: http::Method::POST,
            content: Some(("application/json", Value::Object(object).to_string().into_bytes())),
            dry_run: options.dry_run,
            ..prepared
        })
        .await
    }

    async fn replace(
        &self,
        target: &Target,
        object: &str,
        options: &WriteOptions,
    ) -> Result<Written, CallError> {
        let object = parse_object(object)?;
        check_object(&object, target)?;
        let precondition = Precondition::of(options);
        let text = precondition.text();
        let object = precondition.into_object(object)?;
        let path = request::with_query(&request::object(target)?, &request::write(options, None)?);
        let prepared = Prepared::on("update", target, path);
        self.write(Prepared {
            method: http::Method::PUT,
            content: Some(("application/json", Value::Object(object).to_string().into_bytes())),
            precondition: text,
            dry_run: options.dry_run,
            ..prepared
        })
        .await
    }

    async fn patch(
        &self,
        target: &Target,
        how: PatchKind,
        patch: &str,
        options: &WriteOptions,
    ) -> Result<Written, CallError> {
        let patch = parse(patch)?;
        let touched = touched(how, &patch, target)?;
        if let (PatchKind::Apply, Value::Object(object)) = (how, &patch) {
            check_object(object, target)?;
        }
        protected::check_identity(&touched)?;
        let protected = protected::protected(&touched);
        // What an apply leaves out it takes away, if it was applied before: it may touch anything.
        let touched = (how != PatchKind::Apply).then_some(touched);
        let precondition = Precondition::of(options);
        let text = precondition.text();
        let patch = precondition.into_patch(how, patch)?;
        let parameters = request::write(options, Some(how))?;
        let path = request::with_query(&request::object(target)?, &parameters);
        let prepared = Prepared::on("patch", target, path);
        self.write(Prepared {
            touched,
            protected,
            method: http::Method::PATCH,
            content: Some((request::media_type(how), patch.to_string().into_bytes())),
            precondition: text,
            dry_run: options.dry_run,
            ..prepared
        })
        .await
    }

    async fn delete(
        &self,
        target: &Target,
        given: Option<&str>,
        options: &WriteOptions,
    ) -> Result<Written, CallError> {
        let given = given.map_or_else(|| Ok(Map::new()), parse_object)?;
        deletion::check_options(&given)?;
        let precondition = Precondition::of(options);
        let text = precondition.text();
        let mut body = precondition.into_delete(given);
        body.insert("apiVersion".to_owned(), json!("v1"));
        body.insert("kind".to_owned(), json!("DeleteOptions"));
        if options.dry_run {
            // A server that finds a body does not look at the query: a dry run that stands there
            // only would delete.
            body.insert("dryRun".to_owned(), json!(["All"]));
        }
        let prepared = Prepared::on("delete", target, request::object(target)?);
        self.write(Prepared {
            method: http::Method::DELETE,
            content: Some(("application/json", Value::Object(body).to_string().into_bytes())),
            precondition: text,
            dry_run: options.dry_run,
            ..prepared
        })
        .await
    }
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
