//! Steps written as WebAssembly text, made into components with a manifest.
//!
//! A core module exports `bowline:plugin/step@1.0.0#run`; the contract in `wit/` does the rest.

use serde_json::{Value, json};
use std::path::Path;
use wasm_encoder::{Component, CustomSection, Encode as _, Section as _};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// A step that does nothing and succeeds.
pub const NO_OP: &str = r#"
(module
  (memory (export "memory") 1)
  ;; ok("{}"): discriminant 0 at 64, pointer and length of the text at 72.
  (data (i32.const 32) "{}")
  (data (i32.const 72) "\20\00\00\00\02\00\00\00")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func (export "bowline:plugin/step@1.0.0#run") (param i32 i32 i32) (result i32) (i32.const 64)))
"#;

/// A step with this body in the place of `run`: three parameters (the context, and where the
/// inputs are), one result (where the answer is). May use what `declarations` declare.
#[must_use]
pub fn module(declarations: &str, body: &str) -> String {
    format!(
        r#"(module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  {declarations}
  (func $run (export "bowline:plugin/step@1.0.0#run") (param i32 i32 i32) (result i32) {body}))"#
    )
}

/// The manifest of a step that needs nothing.
#[must_use]
pub fn manifest(name: &str) -> Value {
    json!({
        "schema": 1, "name": name, "version": "1.0.0", "summary": "a step for tests",
        "inputs": {"type": "object"}, "outputs": {"type": "object"},
    })
}

/// The component of a core module in text form, with this manifest.
///
/// # Panics
///
/// When the text is not a module that fits the contract: a mistake in a test.
#[must_use]
pub fn component(module: &str, manifest: &Value) -> Vec<u8> {
    with_manifest(bare_component(module), manifest)
}

/// The same without a manifest.
///
/// # Panics
///
/// As [`component`].
#[must_use]
pub fn bare_component(module: &str) -> Vec<u8> {
    component_for(module, "include bowline:plugin/step-base@1.0.0;", &[])
}

/// The component of a core module in text form that is meant for a world of these items, without a
/// manifest. The items may name whatever `wit/` declares, and what `packages`, texts in WIT, do.
///
/// # Panics
///
/// As [`component`].
#[must_use]
pub fn component_for(module: &str, items: &str, packages: &[&str]) -> Vec<u8> {
    let mut bytes = wat::parse_str(module).expect("parse the module's text");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
    let mut resolve = Resolve::default();
    resolve.push_dir(root.join("plugin")).expect("read wit/plugin");
    resolve.push_dir(root.join("connect")).expect("read wit/connect");
    for text in packages {
        resolve.push_str("package.wit", text).expect("read a package");
    }
    let text = format!("package bowline:tests; world guest {{ {items} }}");
    let own = resolve.push_str("guest.wit", &text).expect("read the world");
    let world = resolve.select_world(&[own], Some("guest")).expect("find the world");
    embed_component_metadata(&mut bytes, &resolve, world, StringEncoding::UTF8)
        .expect("say which world the module is for");
    ComponentEncoder::default()
        .validate(true)
        .module(&bytes)
        .and_then(|mut encoder| encoder.encode())
        .expect("make a component")
}

/// `component` with a manifest section at its end.
///
/// # Panics
///
/// Never: writing into memory.
#[must_use]
pub fn with_manifest(component: Vec<u8>, manifest: &Value) -> Vec<u8> {
    with_section(component, manifest.to_string().as_bytes())
}

/// `component` with these bytes in the place of a manifest at its end.
///
/// # Panics
///
/// Never: writing into memory.
#[must_use]
pub fn with_section(mut component: Vec<u8>, manifest: &[u8]) -> Vec<u8> {
    let section =
        CustomSection { name: sandbox::artifact::MANIFEST_SECTION.into(), data: manifest.into() };
    component.push(section.id());
    section.encode(&mut component);
    component
}

/// A component that imports `interface` and nothing else, with a manifest.
#[must_use]
pub fn importing(interface: &str, manifest: &Value) -> Vec<u8> {
    let text = format!(r#"(component (import "{interface}" (instance (export "f" (func)))))"#);
    with_manifest(wat::parse_str(text).expect("parse the component's text"), manifest)
}

/// An empty component, as a base for malformed ones.
#[must_use]
pub fn empty() -> Vec<u8> {
    Component::new().finish()
}
