//! The features of WebAssembly that a step may use, and names for those that it may not.
//!
//! What is left out is what a step does not need and where advisories come from.

use super::ArtifactError;
use std::time::{Duration, Instant};
use wasmparser::{BinaryReaderError, Validator, WasmFeatures};

/// What is off, and what people call it.
const OFF: &[(WasmFeatures, &str)] = &[
    (WasmFeatures::THREADS, "threads (shared memory, atomics)"),
    (WasmFeatures::SHARED_EVERYTHING_THREADS, "shared-everything threads"),
    (WasmFeatures::MEMORY64, "memory64 (64-bit memories and tables)"),
    (WasmFeatures::RELAXED_SIMD, "relaxed SIMD"),
    (WasmFeatures::EXCEPTIONS, "exceptions"),
    (WasmFeatures::LEGACY_EXCEPTIONS, "legacy exceptions"),
    (WasmFeatures::GC, "garbage collection (struct, array and i31 types)"),
    (WasmFeatures::GC_TYPES, "garbage collected references (externref, anyref)"),
    (WasmFeatures::FUNCTION_REFERENCES, "typed function references"),
    (WasmFeatures::STACK_SWITCHING, "stack switching"),
    (WasmFeatures::CUSTOM_PAGE_SIZES, "custom page sizes"),
    (WasmFeatures::MEMORY_CONTROL, "memory control"),
    (WasmFeatures::WIDE_ARITHMETIC, "wide arithmetic"),
    (WasmFeatures::CUSTOM_DESCRIPTORS, "custom descriptors"),
    (WasmFeatures::COMPACT_IMPORTS, "compact imports"),
    (WasmFeatures::CM_ASYNC, "component-model async (async functions, streams, futures)"),
    (WasmFeatures::CM_ASYNC_STACKFUL, "component-model async, stackful"),
    (WasmFeatures::CM_MORE_ASYNC_BUILTINS, "component-model async, further built-ins"),
    (WasmFeatures::CM_THREADING, "component-model threads"),
    (WasmFeatures::CM_ERROR_CONTEXT, "component-model error-context"),
    (WasmFeatures::CM_VALUES, "component-model values"),
    (WasmFeatures::CM_NESTED_NAMES, "component-model nested names"),
    (WasmFeatures::CM_FIXED_LENGTH_LISTS, "component-model lists of fixed length"),
    (WasmFeatures::CM_GC, "component-model garbage collection"),
    (WasmFeatures::CM_MAP, "component-model `map`"),
    (WasmFeatures::CM64, "component-model 64-bit"),
    (WasmFeatures::CM_IMPLEMENTS, "component-model `implements`"),
    (WasmFeatures::CM_CANON_NAMES, "component-model version suffixes"),
];

/// Checks every byte of a component against the features that are on.
pub(super) fn validate(bytes: &[u8]) -> Result<(), ArtifactError> {
    let mut features = WasmFeatures::default();
    for (off, _) in OFF {
        features.remove(*off);
    }
    match Validator::new_with_features(features).validate_all(bytes) {
        Ok(_types) => Ok(()),
        Err(error) => Err(explain(&error, bytes)),
    }
}

fn explain(error: &BinaryReaderError, bytes: &[u8]) -> ArtifactError {
    match missing(error).or_else(|| guess(bytes)) {
        Some(name) => unsupported(name, error),
        None => super::malformed(error),
    }
}

/// The feature that the error itself names.
fn missing(error: &BinaryReaderError) -> Option<&'static str> {
    let missing = error.missing_wasm_feature()?;
    OFF.iter().find(|(off, _)| missing.intersects(*off)).map(|(_, name)| *name)
}

/// The reader has not always a name for what it stumbles over. A small component that is good with
/// everything on is tried again with each feature alone off.
fn guess(bytes: &[u8]) -> Option<&'static str> {
    const TRIED_BYTES_MAX: usize = 1 << 20;
    // A name for a feature is not worth the computing time that the compiler has.
    const TRIED_TIME_MAX: Duration = Duration::from_millis(300);
    let began = Instant::now();
    let good = |features| Validator::new_with_features(features).validate_all(bytes).is_ok();
    if bytes.len() > TRIED_BYTES_MAX || !good(WasmFeatures::all()) {
        return None;
    }
    OFF.iter()
        .take_while(|_| began.elapsed() < TRIED_TIME_MAX)
        .find(|(off, _)| !good(WasmFeatures::all() - *off))
        .map(|(_, name)| *name)
}

fn unsupported(name: &str, error: &BinaryReaderError) -> ArtifactError {
    let hint = if name.contains("async") {
        "; steps are synchronous, build a JavaScript one with `--backend-qjs-disable-async`"
    } else {
        "; build it without"
    };
    ArtifactError::new(
        "plugin.unsupported-feature",
        format!(
            "it uses {name}, which this host has off: {} at byte {}{hint}",
            super::one_line(error.message()),
            error.offset()
        ),
    )
}
