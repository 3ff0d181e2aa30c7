//! Kubernetes connections: typed verbs, turned into requests of the API and sent by `kube`.

pub(crate) mod answer;
pub(crate) mod client;
pub(crate) mod deletion;
mod difference;
pub(crate) mod discovery;
mod exchange;
pub(crate) mod exec;
pub(crate) mod handle;
pub(crate) mod pages;
pub(crate) mod precondition;
pub(crate) mod prepared;
pub(crate) mod protected;
pub(crate) mod request;
pub(crate) mod service;
pub(crate) mod settings;
pub(crate) mod token_file;
pub(crate) mod touched;
pub(crate) mod watch;

pub(crate) use service::KubernetesService;
