//! A practice cluster and a practice Datadog, on loopback, inside the program.
//!
//! Small ones beside them stand for a Slack, a PagerDuty and any HTTP API.
//! Both answer over real HTTPS with a private authority and fresh credentials at every start, and
//! are as strict as the services that they stand for: a client that is wrong there is wrong here.
//! This room knows nothing about runs, plugins or workflows: it sees requests and nothing else.

mod authority;
mod clock;
mod cluster;
mod control;
mod credentials;
mod datadog;
mod drill;
mod exchange;
mod faults;
mod front;
mod identity;
mod neighbours;
mod picture;
mod query;
mod recording;
mod server;

pub use authority::AuthorityError;
pub use drill::{ClusterEndpoint, DatadogEndpoint, Drill, DrillError, NeighbourEndpoint, Options};
pub use faults::{Fault, FaultError, Moment, Outcome};
pub use picture::{IncidentPicture, Picture, WorkloadPicture};
pub use recording::{Received, Service};
