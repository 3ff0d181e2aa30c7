//! Starts the practice services, and stops them when it is dropped.
//!
//! The only file that puts certificate, keys, servers and services together. It never waits:
//! both addresses answer when [`Drill::start`] returns.

use crate::authority::{Authority, AuthorityError};
use crate::clock;
use crate::cluster::{self, Cluster};
use crate::credentials::Credentials;
use crate::datadog::Datadog;
use crate::faults::{Fault, FaultError, Faults};
use crate::front::Front;
use crate::neighbours::Neighbours;
use crate::picture::{self, Picture};
use crate::recording::{Received, Recording, Service};
use crate::server;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Where and how the practice services run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The address to listen on; `127.0.0.1` by default. Anything but loopback lets others
    /// reach the endpoints under `/_drill/`, which ask for no key.
    pub listen: IpAddr,
    /// The port of the practice cluster; 0 for any free one, the default.
    pub cluster_port: u16,
    /// The port of the practice Datadog; 0 for any free one, the default.
    pub datadog_port: u16,
    /// How long a controller of the cluster rests between two steps of a rollout; 5 ms by
    /// default, so that a rollout can be watched and is still over at once.
    pub controller_pause: Duration,
    /// Whether Datadog's search knows the facet `public_id`; when not, it is ignored and the
    /// search finds everything. True by default; nobody documents either.
    pub search_knows_public_ids: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: IpAddr::V4(Ipv4Addr::LOCALHOST),
            cluster_port: 0,
            datadog_port: 0,
            controller_pause: Duration::from_millis(5),
            search_knows_public_ids: true,
        }
    }
}

/// Why the practice services did not start.
#[derive(Debug, thiserror::Error)]
pub enum DrillError {
    /// An address could not be listened on.
    #[error("can't listen on `{address}`; choose another address or port")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The private authority could not be made.
    #[error("can't make the practice services trustworthy")]
    Authority {
        /// Which part of it failed.
        #[from]
        source: AuthorityError,
    },
    /// The system has no randomness for keys.
    #[error("can't make keys for the practice services: the system gives no random bytes")]
    Keys,
}

/// How a client reaches the practice cluster. `Debug` leaves the token out.
#[derive(Clone)]
pub struct ClusterEndpoint {
    /// `https://…`, without a trailing slash.
    pub url: String,
    /// The private authority, PEM.
    pub ca_pem: String,
    /// The bearer token.
    pub token: String,
}

impl fmt::Debug for ClusterEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterEndpoint").field("url", &self.url).finish_non_exhaustive()
    }
}

/// How a client reaches the practice Datadog. `Debug` leaves the keys out.
#[derive(Clone)]
pub struct DatadogEndpoint {
    /// `https://…`, without a trailing slash.
    pub url: String,
    /// The private authority, PEM.
    pub ca_pem: String,
    /// For the header `DD-API-KEY`.
    pub api_key: String,
    /// For the header `DD-APPLICATION-KEY`.
    pub application_key: String,
}

impl fmt::Debug for DatadogEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatadogEndpoint").field("url", &self.url).finish_non_exhaustive()
    }
}

/// How a client reaches the small practice services. `Debug` leaves the keys out.
#[derive(Clone)]
pub struct NeighbourEndpoint {
    /// `https://…/_practice`, without a trailing slash; below it `/slack`, `/pagerduty`, `/http`.
    pub url: String,
    /// The private authority, PEM.
    pub ca_pem: String,
    /// The bearer token of Slack and of the HTTP API.
    pub token: String,
    /// The key of the PagerDuty integration.
    pub routing_key: String,
}

impl fmt::Debug for NeighbourEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NeighbourEndpoint").field("url", &self.url).finish_non_exhaustive()
    }
}

/// The running practice services. Dropping it stops them and closes every connection.
#[derive(Debug)]
pub struct Drill {
    front: Arc<Front>,
    ca_pem: String,
    cluster_url: String,
    datadog_url: String,
    _tasks: JoinSet<()>,
}

impl Drill {
    /// Starts both services. Must be called inside a Tokio runtime with I/O and time.
    ///
    /// # Errors
    ///
    /// [`DrillError`] when an address is taken, or when certificates or keys can't be made.
    pub async fn start(options: Options) -> Result<Self, DrillError> {
        let provider = rustls::crypto::ring::default_provider();
        let credentials = Credentials::generate(provider.secure_random).ok_or(DrillError::Keys)?;
        let authority = Authority::new(options.listen)?;
        let (cluster_listener, cluster_url) = listen(options.listen, options.cluster_port).await?;
        let (datadog_listener, datadog_url) = listen(options.listen, options.datadog_port).await?;
        let now = clock::now();
        let cluster = Arc::new(Cluster::new(now));
        let front = Arc::new(Front {
            cluster: Arc::clone(&cluster),
            datadog: Datadog::new(now, options.search_knows_public_ids),
            neighbours: Neighbours::default(),
            credentials,
            recording: Recording::default(),
            faults: Faults::default(),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(cluster::reconcile(cluster, options.controller_pause));
        for (listener, service) in
            [(cluster_listener, Service::Kubernetes), (datadog_listener, Service::Datadog)]
        {
            tasks.spawn(server::serve(
                listener,
                Arc::clone(&authority.tls),
                Arc::clone(&front),
                service,
            ));
        }
        tracing::debug!(%cluster_url, %datadog_url, "practice services started");
        Ok(Self { front, ca_pem: authority.ca_pem, cluster_url, datadog_url, _tasks: tasks })
    }

    /// How to reach the practice cluster.
    #[must_use]
    pub fn cluster(&self) -> ClusterEndpoint {
        ClusterEndpoint {
            url: self.cluster_url.clone(),
            ca_pem: self.ca_pem.clone(),
            token: self.front.credentials.token.clone(),
        }
    }

    /// How to reach the practice Datadog.
    #[must_use]
    pub fn datadog(&self) -> DatadogEndpoint {
        DatadogEndpoint {
            url: self.datadog_url.clone(),
            ca_pem: self.ca_pem.clone(),
            api_key: self.front.credentials.api_key.clone(),
            application_key: self.front.credentials.application_key.clone(),
        }
    }

    /// How to reach the small practice services.
    #[must_use]
    pub fn neighbours(&self) -> NeighbourEndpoint {
        NeighbourEndpoint {
            url: format!("{}/_practice", self.datadog_url),
            ca_pem: self.ca_pem.clone(),
            token: self.front.credentials.token.clone(),
            routing_key: self.front.credentials.api_key.clone(),
        }
    }

    /// Everything that both services received, oldest first; the newest 20,000.
    #[must_use]
    pub fn requests(&self) -> Vec<Received> {
        self.front.recording.all()
    }

    /// A fresh start: objects, incidents, record and faults. Addresses and keys stay, and
    /// watches that are open end.
    pub fn reset(&self) {
        self.front.reset();
    }

    /// What both services hold once the cluster's controllers are done with what they know.
    #[must_use]
    pub fn picture(&self) -> Picture {
        picture::take(&self.front)
    }

    /// Asks for trouble with some of the next requests.
    ///
    /// # Errors
    ///
    /// [`FaultError`] when the fault is out of bounds, or when too many wait.
    pub fn add_fault(&self, fault: Fault) -> Result<(), FaultError> {
        self.front.faults.add(vec![fault])
    }

    /// Takes back all faults that have not struck.
    pub fn clear_faults(&self) {
        self.front.faults.clear();
    }
}

async fn listen(address: IpAddr, port: u16) -> Result<(TcpListener, String), DrillError> {
    let address = SocketAddr::new(address, port);
    let failed = |source| DrillError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let mut shown = listener.local_addr().map_err(failed)?;
    if shown.ip().is_unspecified() {
        shown.set_ip(match shown.ip() {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        });
    }
    Ok((listener, format!("https://{shown}")))
}
