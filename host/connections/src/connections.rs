//! All connections of one process: what the operator set, made ready when it is first used.

use crate::bindings::{self, view};
use crate::breaker::Held;
use crate::granting::Granted;
use crate::http::target::Target;
use crate::http::{HttpService, Recovery, StepNames, request};
use crate::kubernetes::KubernetesService;
use crate::policy::{Accepted, ConnectionRules};
use crate::profile::{self, Profile};
use crate::settings::{Settings, SettingsError};
use crate::transport::chain;
use async_trait::async_trait;
use effects::{Binding, SendError};
use journal::Failure;
use sandbox::{Asking, Connector, Opened, Reference, StepState};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use wasmtime::component::Linker;
use workflow::{ConnectionNeed, PluginPin, StepLimits};

/// The type that is not a profile.
pub(crate) const KUBERNETES: &str = "kubernetes";

/// How long `connection check` waits for an answer.
const CHECK_TIMEOUT: Duration = Duration::from_secs(15);

/// Knows every type of connection and what the operator set.
pub struct Connections {
    pub(crate) settings: Settings,
    pub(crate) profiles: BTreeMap<String, Arc<Profile>>,
    pub(crate) accepted: Accepted,
    /// Whether every plugin counts as accepted: on practice services there is nothing to lose.
    pub(crate) accepts_all: bool,
    /// A client is made once: its pool of open sockets serves all steps.
    ready: Mutex<BTreeMap<Reference, Service>>,
}

#[derive(Clone)]
enum Service {
    Http(Arc<HttpService>),
    Kubernetes(Arc<KubernetesService>),
}

/// A connection can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The operator has set none of that name.
    #[error("no connection `{kind}/{name}` is set{hint}")]
    Unknown {
        /// `!Connection`'s type.
        kind: String,
        /// `!Connection`'s name.
        name: String,
        /// What to do.
        hint: String,
    },
    /// What is set can't work.
    #[error("the connection `{id}` can't be used: {reason}")]
    Unusable {
        /// `type/name`.
        id: String,
        /// Why.
        reason: String,
    },
}

/// What a check of a connection found.
#[derive(Clone, Debug)]
pub struct ConnectionReport {
    /// Where it leads.
    pub address: String,
    /// What was asked, and what the answer shows.
    pub result: Result<String, String>,
}

impl Connections {
    /// Those of `settings`.
    ///
    /// # Errors
    ///
    /// A profile of the operator can't be read.
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        let mut added = Vec::new();
        for path in settings.profile_paths() {
            let read = std::fs::read_to_string(&path);
            added.push(read.map_err(|source| SettingsError::Read { path, source })?);
        }
        let profiles = profile::all(&added).map_err(|message| SettingsError::Malformed {
            path: settings.path.clone().unwrap_or_default(),
            message: format!("a profile can't be read: {message}"),
        })?;
        let profiles =
            profiles.into_iter().map(|(kind, profile)| (kind, Arc::new(profile))).collect();
        let (accepted, ready) = (Accepted::none(), Mutex::default());
        let connections = Self { settings, profiles, accepted, accepts_all: false, ready };
        connections.check_rules().map_err(|message| SettingsError::Malformed {
            path: connections.settings.path.clone().unwrap_or_default(),
            message,
        })?;
        Ok(connections)
    }

    /// The same, with the plugins that were accepted.
    #[must_use]
    pub fn accepting(self, accepted: Accepted) -> Self {
        Self { accepted, ..self }
    }

    /// The same, for practice services: every plugin counts as accepted. What rules say still
    /// holds.
    #[must_use]
    pub fn accepting_all(self) -> Self {
        Self { accepts_all: true, ..self }
    }

    /// What was accepted.
    #[must_use]
    pub fn accepted(&self) -> &Accepted {
        &self.accepted
    }

    /// The operator's settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// All connections that are set, as type and name.
    #[must_use]
    pub fn list(&self) -> Vec<Reference> {
        let named = self.settings.connections.iter().flat_map(|(kind, named)| {
            named.keys().map(|name| Reference { kind: kind.clone(), name: name.clone() })
        });
        named.collect()
    }

    /// The types of connections, each with one line about it.
    #[must_use]
    pub fn types(&self) -> Vec<(String, String)> {
        let profiles = self.profiles.values();
        let mut types: Vec<_> =
            profiles.map(|profile| (profile.kind.clone(), profile.summary.clone())).collect();
        types.push((KUBERNETES.to_owned(), "a Kubernetes cluster".to_owned()));
        types.sort();
        types
    }

    /// Whether a connection is set and its credentials can be read. Sends nothing.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub async fn try_open(&self, reference: &Reference) -> Result<(), OpenError> {
        self.service(reference).await.map(|_service| ())
    }

    /// Whether a connection works: one cheap request.
    ///
    /// # Errors
    ///
    /// [`OpenError`] when it can't even be tried.
    pub async fn check(&self, reference: &Reference) -> Result<ConnectionReport, OpenError> {
        let service = self.service(reference).await?;
        let address = service.address().to_owned();
        let result = match tokio::time::timeout(CHECK_TIMEOUT, service.probe()).await {
            Ok(result) => result,
            Err(_) => Err(format!("no answer within {} s", CHECK_TIMEOUT.as_secs())),
        };
        Ok(ConnectionReport { address, result })
    }

    async fn service(&self, reference: &Reference) -> Result<Service, OpenError> {
        let mut ready = self.ready.lock().await;
        if let Some(service) = ready.get(reference) {
            return Ok(service.clone());
        }
        let Some(settings) = self.settings.connection(&reference.kind, &reference.name) else {
            return Err(self.unknown(reference));
        };
        let folder = &self.settings.folder;
        let unusable = |reason| OpenError::Unusable { id: reference.id(), reason };
        let (_rules, settings) = ConnectionRules::split(settings).map_err(unusable)?;
        let settings = &settings;
        let service = match self.profiles.get(&reference.kind) {
            Some(profile) => HttpService::new(profile, settings, folder)
                .map(|service| Service::Http(Arc::new(service))),
            None if reference.kind == KUBERNETES => KubernetesService::new(settings, folder)
                .await
                .map(|service| Service::Kubernetes(Arc::new(service))),
            None => Err(format!("no type is called `{}`", reference.kind)),
        };
        let service = service.map_err(unusable)?;
        ready.insert(reference.clone(), service.clone());
        Ok(service)
    }

    fn unknown(&self, reference: &Reference) -> OpenError {
        let Reference { kind, name } = reference;
        let place = match &self.settings.path {
            Some(path) => format!("in `{}`", path.display()),
            None => "in a `bowline.yaml` (there is none)".to_owned(),
        };
        let others: Vec<&str> = self
            .settings
            .connections
            .get(kind)
            .map(|named| named.keys().map(String::as_str).collect())
            .unwrap_or_default();
        let others = if others.is_empty() {
            String::new()
        } else {
            format!("; of this type there are {}", others.join(", "))
        };
        let hint = format!(
            "{others}; set it under `connections.{kind}.{name}` {place}, or rehearse with --drill"
        );
        OpenError::Unknown { kind: kind.clone(), name: name.clone(), hint }
    }
}

impl Service {
    fn address(&self) -> &str {
        match self {
            Self::Http(service) => service.address(),
            Self::Kubernetes(service) => service.address(),
        }
    }

    /// One cheap request that shows whether address, certificates and credentials are good.
    async fn probe(&self) -> Result<String, String> {
        let failed = |error: SendError| format!("{} ({})", error.message, error.code);
        let (path, proves, answer) = match self {
            Self::Kubernetes(service) => {
                // Open to every authenticated user, and not to strangers.
                let path = "/apis/apps/v1";
                let request = ::http::Request::get(path).body(Vec::new());
                let request = request.map_err(|error| chain(&error))?;
                let answer = service.send(request, 8 << 20).await.map_err(failed)?;
                (path, "address, certificates and credentials".to_owned(), answer)
            }
            Self::Http(service) => {
                let Some(check) = &service.profile.check else {
                    return Ok(
                        "credentials can be read; this type has no request to try".to_owned()
                    );
                };
                let target = Target::parse(&check.path).map_err(|error| error.message)?;
                let url = service.url(target).map_err(|error| error.message)?;
                let method = request::method("GET").map_err(|error| error.message)?;
                let headers = reqwest::header::HeaderMap::new();
                let answer = service.send(method, url, headers, None, 1 << 20).await;
                (check.path.as_str(), check.proves.clone(), answer.map_err(failed)?)
            }
        };
        match answer.status {
            200..=299 => Ok(format!("GET {path} answered {}: good for {proves}", answer.status)),
            401 | 403 => Err(format!(
                "GET {path} answered {}: the credentials are refused (expired, revoked, of \
                 another site, or not allowed)",
                answer.status
            )),
            status => Err(format!("GET {path} answered {status}")),
        }
    }
}

#[async_trait]
impl Connector for Connections {
    fn link(&self, linker: &mut Linker<StepState>) -> wasmtime::Result<()> {
        bindings::errors::add_to_linker::<_, bindings::HasView>(linker, view)?;
        bindings::http::add_to_linker::<_, bindings::HasView>(linker, view)?;
        bindings::kubernetes::add_to_linker::<_, bindings::HasView>(linker, view)
    }

    fn interface(&self, kind: &str) -> Option<&'static str> {
        if kind == KUBERNETES {
            return Some("bowline:connect/kubernetes");
        }
        self.profiles.contains_key(kind).then_some("bowline:connect/http")
    }

    async fn open(
        &self,
        reference: &Reference,
        need: &ConnectionNeed,
        inputs: &Value,
        asking: &Asking<'_>,
    ) -> Result<Opened, Failure> {
        if reference.kind != need.kind {
            return Err(Failure::permanent(
                "connection.wrong-type",
                format!(
                    "the step needs a connection of type `{}`, and `{}` is none",
                    need.kind,
                    reference.id()
                ),
            ));
        }
        // Whether it may is asked before any credential is read.
        let granted = self.granted(reference, need, Binding::all(inputs), asking);
        let Granted { scope, calls_max } =
            granted.map_err(|refused| Failure::permanent(refused.code(), refused.to_string()))?;
        let service = self.service(reference).await;
        let service = service.map_err(|error| {
            let code = match &error {
                OpenError::Unknown { .. } => "connection.unknown",
                OpenError::Unusable { .. } => "connection.unusable",
            };
            Failure::permanent(code, error.to_string())
        })?;
        Ok(match service {
            Service::Http(service) => {
                let needles = Arc::clone(&service.needles);
                let address = Some(service.address().to_owned());
                let names = StepNames { run: asking.run, step: asking.step, key: asking.key };
                let recovery = Recovery::bind(&need.verify, Binding::all(inputs), names);
                let recovery = recovery.map_err(|reason| {
                    let message = format!("the manifest's `verify` does not fit: {reason}");
                    Failure::permanent("connection.scope", message)
                })?;
                // An API may say either for a key that it does not take.
                let service = Held::new(service, &[401, 403], recovery);
                Opened { service, scope, calls_max, needles, address }
            }
            Service::Kubernetes(service) => {
                let needles = Arc::clone(&service.needles);
                let address = Some(service.address().to_owned());
                // 403 is about one object here, and says that the credentials are good.
                let service = Held::new(service, &[401], Recovery::default());
                Opened { service, scope, calls_max, needles, address }
            }
        })
    }

    fn limits(&self, plugin: &PluginPin) -> StepLimits {
        self.settings.policy.limits(plugin).or(self.settings.limits)
    }
}
