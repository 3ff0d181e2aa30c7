//! Bytes as a workflow: read, check, draw, plan. And as a single value with tags: evaluate.
#![no_main]

use libfuzzer_sys::fuzz_target;
use workflow::{SourceFile, tags};

fuzz_target!(|bytes: &[u8]| {
    fuzz::look_at(bytes);
    if let Ok(source) = SourceFile::from_bytes("fuzz.yaml", bytes)
        && let Ok(tree) = tags::value_of(&source)
    {
        fuzz::evaluate_both_ways(&tree);
    }
});
