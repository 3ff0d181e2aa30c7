//! The same methods as the generated bindings, answered from memory.
//!
//! Only the wrappers of this crate call them.

use super::{Answer, Call, HttpAnswers, KubernetesAnswers, LINES, SentRequest, State};
use crate::bindings::bowline::connect::kubernetes::Written;
use crate::bindings::bowline::plugin::log::Level;
use crate::kubernetes::{Change, Kind, PatchKind, Query, Target, WriteOptions};
use crate::{ConnectError, Reason, connect_error};
use serde_json::Value;
use std::{cell::RefCell, fmt, rc::Rc, time::Duration};

pub(crate) fn enabled(_level: Level) -> bool {
    true
}

pub(crate) fn write(level: Level, message: &str, fields: &[(String, String)]) {
    let level = format!("{level:?}").to_lowercase();
    let level = level.rsplit("::").next().unwrap_or_default();
    let mut line = format!("{level} {message}");
    for (name, value) in fields {
        line.push_str(&format!(" {name}={value}"));
    }
    LINES.with_borrow_mut(|lines| lines.push(line));
}

pub(crate) struct Context {
    state: Rc<RefCell<State>>,
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Context(pretended)")
    }
}

impl Context {
    pub(crate) fn new(state: Rc<RefCell<State>>) -> Self {
        Self { state }
    }

    pub(crate) fn run_id(&self) -> String {
        self.state.borrow().run.clone()
    }

    pub(crate) fn step_name(&self) -> String {
        self.state.borrow().step.clone()
    }

    pub(crate) fn attempt(&self) -> u32 {
        self.state.borrow().attempt
    }

    pub(crate) fn idempotency_key(&self) -> String {
        self.state.borrow().key.clone()
    }

    pub(crate) fn remaining_ms(&self) -> u64 {
        u64::try_from(self.state.borrow().remaining.as_millis()).unwrap_or(u64::MAX)
    }

    pub(crate) fn cancelled(&self) -> bool {
        self.state.borrow().cancelled
    }

    pub(crate) fn sleep(&self, ms: u64) -> bool {
        let mut state = self.state.borrow_mut();
        let asked = Duration::from_millis(ms);
        let slept = asked.min(state.remaining);
        state.slept += slept;
        state.remaining -= slept;
        slept == asked && !state.cancelled
    }

    pub(crate) fn progress(&self, _done: u64, _total: Option<u64>, _note: &str) {}

    pub(crate) fn set_output(&self, name: &str, json: &str) -> Result<(), String> {
        let allowed = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
        if !(1..=64).contains(&name.chars().count()) || !name.chars().all(allowed) {
            return Err("a name has 1 to 64 letters, digits, `_` and `-`".to_owned());
        }
        let value = serde_json::from_str(json).map_err(|error| error.to_string())?;
        self.state.borrow_mut().outputs.insert(name.to_owned(), value);
        Ok(())
    }
}

fn denied(code: &str, slot: &str) -> ConnectError {
    connect_error::permanent(Reason::Denied, code, format!("nothing was granted as `{slot}`"))
}

fn restrict(state: &Rc<RefCell<State>>, code: &str, scope: &str) -> Result<(), ConnectError> {
    let scope: Value = serde_json::from_str(scope).unwrap_or(Value::Null);
    let mut state = state.borrow_mut();
    state.restricted.push(scope);
    if state.refuses_to_restrict { Err(denied(code, "that")) } else { Ok(()) }
}

pub(crate) struct Client {
    state: Rc<RefCell<State>>,
    answers: Rc<RefCell<HttpAnswers>>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client(pretended)")
    }
}

impl Client {
    pub(crate) fn open(ctx: &Context, slot: &str) -> Result<Self, ConnectError> {
        let answers = ctx.state.borrow().http.get(slot).cloned();
        let answers = answers.ok_or_else(|| denied("http.denied", slot))?;
        Ok(Self { state: Rc::clone(&ctx.state), answers })
    }

    pub(crate) fn send(&self, request: &SentRequest) -> Result<Response, ConnectError> {
        let answer = (self.answers.borrow_mut())(request)?;
        Ok(Response { answer: RefCell::new(answer) })
    }

    pub(crate) fn send_all(&self, requests: &[SentRequest]) -> Vec<Result<Response, ConnectError>> {
        requests.iter().map(|request| self.send(request)).collect()
    }

    pub(crate) fn restrict(&self, scope: &str) -> Result<Self, ConnectError> {
        restrict(&self.state, "http.denied", scope)?;
        Ok(Self { state: Rc::clone(&self.state), answers: Rc::clone(&self.answers) })
    }

    pub(crate) fn scope(&self) -> String {
        "[]".to_owned()
    }
}

#[derive(Debug)]
pub(crate) struct Response {
    answer: RefCell<Answer>,
}

impl Response {
    pub(crate) fn status(&self) -> u16 {
        self.answer.borrow().status
    }

    pub(crate) fn headers(&self) -> Vec<(String, String)> {
        self.answer.borrow().headers.clone()
    }

    pub(crate) fn read(&self, max: u32) -> Result<Option<Vec<u8>>, ConnectError> {
        let mut answer = self.answer.borrow_mut();
        let size = answer.body.len().min(usize::try_from(max).unwrap_or(usize::MAX));
        let piece: Vec<u8> = answer.body.drain(..size).collect();
        Ok((!piece.is_empty()).then_some(piece))
    }
}

pub(crate) struct Cluster {
    state: Rc<RefCell<State>>,
    answers: Rc<RefCell<KubernetesAnswers>>,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cluster(pretended)")
    }
}

impl Cluster {
    pub(crate) fn open(ctx: &Context, slot: &str) -> Result<Self, ConnectError> {
        let answers = ctx.state.borrow().kubernetes.get(slot).cloned();
        let answers = answers.ok_or_else(|| denied("kubernetes.denied", slot))?;
        Ok(Self { state: Rc::clone(&ctx.state), answers })
    }

    fn ask(&self, call: &Call) -> Result<String, ConnectError> {
        (self.answers.borrow_mut())(call).map(|answer| answer.to_string())
    }

    fn write(&self, call: &Call) -> Result<Written, ConnectError> {
        Ok(Written { status: 200, object: self.ask(call)? })
    }

    pub(crate) fn get(&self, target: &Target) -> Result<String, ConnectError> {
        self.ask(&Call::Get { target: target.clone() })
    }

    pub(crate) fn list(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        query: &Query,
    ) -> Result<String, ConnectError> {
        let namespace = namespace.map(str::to_owned);
        self.ask(&Call::List { kind: kind.clone(), namespace, query: query.clone() })
    }

    pub(crate) fn table(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        name: Option<&str>,
        query: &Query,
    ) -> Result<String, ConnectError> {
        let (namespace, name) = (namespace.map(str::to_owned), name.map(str::to_owned));
        self.ask(&Call::Table { kind: kind.clone(), namespace, name, query: query.clone() })
    }

    pub(crate) fn discover(&self) -> Result<String, ConnectError> {
        self.ask(&Call::Discover)
    }

    pub(crate) fn create(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        object: &str,
        options: &WriteOptions,
    ) -> Result<Written, ConnectError> {
        self.write(&Call::Create {
            kind: kind.clone(),
            namespace: namespace.map(str::to_owned),
            object: json(object),
            options: options.clone(),
        })
    }

    pub(crate) fn replace(
        &self,
        target: &Target,
        object: &str,
        options: &WriteOptions,
    ) -> Result<Written, ConnectError> {
        let (target, options) = (target.clone(), options.clone());
        self.write(&Call::Replace { target, object: json(object), options })
    }

    pub(crate) fn patch(
        &self,
        target: &Target,
        how: PatchKind,
        patch: &str,
        options: &WriteOptions,
    ) -> Result<Written, ConnectError> {
        let (target, options) = (target.clone(), options.clone());
        self.write(&Call::Patch { target, how, patch: json(patch), options })
    }

    pub(crate) fn delete(
        &self,
        target: &Target,
        delete: Option<&str>,
        options: &WriteOptions,
    ) -> Result<Written, ConnectError> {
        let (target, options) = (target.clone(), options.clone());
        self.write(&Call::Delete { target, delete: delete.map(json), options })
    }

    pub(crate) fn watch(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        query: &Query,
        from_version: Option<&str>,
    ) -> Result<Watcher, ConnectError> {
        let (namespace, from_version) =
            (namespace.map(str::to_owned), from_version.map(str::to_owned));
        let (kind, query) = (kind.clone(), query.clone());
        let changes = self.ask(&Call::Watch { kind, namespace, query, from_version })?;
        let changes = json(&changes).as_array().cloned().unwrap_or_default();
        Ok(Watcher { state: Rc::clone(&self.state), changes: RefCell::new(changes.into_iter()) })
    }

    pub(crate) fn restrict(&self, scope: &str) -> Result<Self, ConnectError> {
        restrict(&self.state, "kubernetes.denied", scope)?;
        Ok(Self { state: Rc::clone(&self.state), answers: Rc::clone(&self.answers) })
    }

    pub(crate) fn scope(&self) -> String {
        "[]".to_owned()
    }
}

/// Plays back the array that the cluster answered to `watch`, each element as a change. Waiting
/// for more takes virtual time.
pub(crate) struct Watcher {
    state: Rc<RefCell<State>>,
    changes: RefCell<std::vec::IntoIter<Value>>,
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watcher(pretended)")
    }
}

impl Watcher {
    pub(crate) fn next(&self, timeout_ms: u32) -> Result<Option<(Change, String)>, ConnectError> {
        let Some(next) = self.changes.borrow_mut().next() else {
            let mut state = self.state.borrow_mut();
            let waited = Duration::from_millis(timeout_ms.into()).min(state.remaining);
            state.slept += waited;
            state.remaining -= waited;
            return Ok(None);
        };
        let change = match next["type"].as_str() {
            Some("ERROR") => {
                let status = next["object"]["code"].as_u64().and_then(|code| code.try_into().ok());
                return Err(super::remote("kubernetes", status.unwrap_or(500), &next["object"]));
            }
            Some("ADDED") => Change::Added,
            Some("DELETED") => Change::Deleted,
            Some("BOOKMARK") => Change::Bookmark,
            _ => Change::Modified,
        };
        let object = if next["object"].is_object() { &next["object"] } else { &next };
        Ok(Some((change, object.to_string())))
    }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
}
