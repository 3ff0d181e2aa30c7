//! The probe: the guest in `tests/probe` that does what its inputs say, given another manifest for
//! each case. What it can be told is in `tests/probe/src`.

use serde_json::{Map, Value, json};
use std::path::Path;
use std::sync::OnceLock;
use tests::guest;

/// The probe's bytes, without a manifest.
fn bare() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/probe/probe.wasm");
        std::fs::read(&path).unwrap_or_else(|error| {
            panic!("{}: {error}; `tests/probe/build` makes it", path.display())
        })
    })
}

/// The probe with this manifest.
pub(crate) fn component(manifest: &Value) -> Vec<u8> {
    guest::with_manifest(bare().to_vec(), manifest)
}

/// A manifest for the probe that asks for these connections. It can use both kinds, so it must ask
/// for both: one that is not asked for is added, as one that no workflow gives.
pub(crate) fn manifest(name: &str, connections: &Map<String, Value>) -> Value {
    let mut manifest = guest::manifest(name);
    let mut connections = connections.clone();
    for (slot, kind) in [("no-http", "http"), ("no-cluster", "kubernetes")] {
        if !connections.values().any(|need| need["type"] == kind) {
            let need = json!({
                "type": kind, "from": [format!("/{slot}")], "reason": "the probe can use it",
                "optional": true, "allow": [],
            });
            connections.insert(slot.to_owned(), need);
        }
    }
    manifest["connections"] = Value::Object(connections);
    manifest
}
