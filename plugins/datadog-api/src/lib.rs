//! What the steps for Datadog share, so that each says the same thing in the same words.
//!
//! Sends nothing by itself and knows no step. A new endpoint belongs to the step that calls it.

mod field;
mod id;
mod incident;
mod mark;
mod mention;
mod refusal;
mod timeline;

pub use field::field;
pub use id::incident_id;
pub use incident::Incident;
pub use mark::Mark;
pub use mention::quiet;
pub use refusal::refused;
pub use timeline::{cells, texts};
