//! A host in memory, so that a step is tested natively: no WebAssembly, no network, no waiting.
//!
//! Each slot is a function from a call to its answer. Time is virtual: `sleep` returns at once and
//! takes the time off what remains. Only tests use this; it grants every scope.
//!
//! ```
//! use bowline_sdk::{http, testing::{Answer, Host}};
//!
//! let host = Host::new().http("api", |request| {
//!     assert_eq!(request.path, "/v1/hello");
//!     Ok(Answer::new(200, r#"{"hello":"world"}"#))
//! });
//! let client = http::Client::open(&host.context(), "api").expect("open");
//! let answer = client.send(&http::Request::get("/v1/hello")).expect("an answer");
//! assert_eq!(answer.status(), 200);
//! ```

mod answers;
pub(crate) mod wire;

pub use crate::bindings::bowline::connect::http::Request as SentRequest;
pub use answers::{Answer, Call, done, lost, remote, unreachable};

use crate::{ConnectError, Context, Failure, entry};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};

type HttpAnswers = Box<dyn FnMut(&SentRequest) -> Result<Answer, ConnectError>>;
type KubernetesAnswers = Box<dyn FnMut(&Call) -> Result<Value, ConnectError>>;

thread_local! {
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// A host that plays one attempt of a step.
pub struct Host {
    state: Rc<RefCell<State>>,
}

pub(crate) struct State {
    run: String,
    step: String,
    attempt: u32,
    key: String,
    remaining: Duration,
    slept: Duration,
    cancelled: bool,
    outputs: BTreeMap<String, Value>,
    restricted: Vec<Value>,
    refuses_to_restrict: bool,
    http: BTreeMap<String, Rc<RefCell<HttpAnswers>>>,
    kubernetes: BTreeMap<String, Rc<RefCell<KubernetesAnswers>>>,
}

impl Default for Host {
    fn default() -> Self {
        Self::new()
    }
}

impl Host {
    /// The first attempt of step `step` in run `run-1`, with 60 seconds, and nothing granted.
    /// Forgets the lines that this thread has logged so far.
    #[must_use]
    pub fn new() -> Self {
        LINES.with_borrow_mut(Vec::clear);
        let state = State {
            run: "run-1".to_owned(),
            step: "step".to_owned(),
            attempt: 1,
            key: "00112233445566778899aabbccddeeff".to_owned(),
            remaining: Duration::from_secs(60),
            slept: Duration::ZERO,
            cancelled: false,
            outputs: BTreeMap::new(),
            restricted: Vec::new(),
            refuses_to_restrict: false,
            http: BTreeMap::new(),
            kubernetes: BTreeMap::new(),
        };
        Self { state: Rc::new(RefCell::new(state)) }
    }

    /// Makes it another attempt of the same step.
    #[must_use]
    pub fn attempt(self, attempt: u32) -> Self {
        self.state.borrow_mut().attempt = attempt;
        self
    }

    /// Sets the time that the attempt has left.
    #[must_use]
    pub fn remaining(self, remaining: Duration) -> Self {
        self.state.borrow_mut().remaining = remaining;
        self
    }

    /// Sets the step's name.
    #[must_use]
    pub fn step(self, name: &str) -> Self {
        self.state.borrow_mut().step = name.to_owned();
        self
    }

    /// Sets what is the same for all attempts of the step, as another step or run would have it.
    #[must_use]
    pub fn idempotency_key(self, key: &str) -> Self {
        self.state.borrow_mut().key = key.to_owned();
        self
    }

    /// Says that the run is being stopped.
    #[must_use]
    pub fn cancelled(self) -> Self {
        self.state.borrow_mut().cancelled = true;
        self
    }

    /// Answers `denied` to every `restrict`.
    #[must_use]
    pub fn refusing_to_restrict(self) -> Self {
        self.state.borrow_mut().refuses_to_restrict = true;
        self
    }

    /// Grants an HTTP slot that answers by `answers`.
    #[must_use]
    pub fn http(
        self,
        slot: &str,
        answers: impl FnMut(&SentRequest) -> Result<Answer, ConnectError> + 'static,
    ) -> Self {
        let answers: HttpAnswers = Box::new(answers);
        self.state.borrow_mut().http.insert(slot.to_owned(), Rc::new(RefCell::new(answers)));
        self
    }

    /// Grants a Kubernetes slot that answers by `answers`. Writes answer with status 200.
    #[must_use]
    pub fn kubernetes(
        self,
        slot: &str,
        answers: impl FnMut(&Call) -> Result<Value, ConnectError> + 'static,
    ) -> Self {
        let answers: KubernetesAnswers = Box::new(answers);
        self.state.borrow_mut().kubernetes.insert(slot.to_owned(), Rc::new(RefCell::new(answers)));
        self
    }

    /// A context for calling parts of a step.
    #[must_use]
    pub fn context(&self) -> Context {
        Context::new(wire::Context::new(Rc::clone(&self.state)))
    }

    /// Runs a step as the host would: JSON in, JSON out.
    ///
    /// # Errors
    ///
    /// The step's failure; `guest.invalid-input` and `guest.invalid-output` included.
    pub fn run<I, O>(
        &self,
        inputs: &Value,
        step: impl Fn(&Context, I) -> Result<O, Failure>,
    ) -> Result<Value, Failure>
    where
        I: DeserializeOwned,
        O: Serialize,
    {
        let answer = entry::answer(&self.context(), &inputs.to_string(), step)?;
        Ok(serde_json::from_str(&answer).unwrap_or(Value::Null))
    }

    /// How long the step has slept, in virtual time.
    #[must_use]
    pub fn slept(&self) -> Duration {
        self.state.borrow().slept
    }

    /// The outputs published by `set_output`.
    #[must_use]
    pub fn outputs(&self) -> BTreeMap<String, Value> {
        self.state.borrow().outputs.clone()
    }

    /// The scopes that the step restricted its handles to, in order.
    #[must_use]
    pub fn restricted(&self) -> Vec<Value> {
        self.state.borrow().restricted.clone()
    }

    /// The lines logged by this thread since the host was made, each as `level message`.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        LINES.with_borrow(Clone::clone)
    }
}
