//! A connection as it stands in a step's inputs: a name and no credential.

use serde::Deserialize;

/// What `!Connection` in a workflow becomes in the inputs. It opens nothing by itself: handles
/// come from `open(ctx, slot)`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Connection {
    /// Which one.
    pub connection: ConnectionName,
}

/// Type and name of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
pub struct ConnectionName {
    /// The type, for example `kubernetes`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The name that the operator gave it. Safe to log.
    pub name: String,
}
