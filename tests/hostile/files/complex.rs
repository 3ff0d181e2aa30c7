//! A11, A14, A15, A16: components that would keep the compiler busy, want too much from the
//! start, or use what this host has off. Each is refused before it is compiled.

use super::refused;
use crate::stage::Stage;
use crate::table::Case;
use effects::Layer;
use tests::guest;
use wasm_encoder::{
    BlockType, CodeSection, Component, Encode as _, Function, FunctionSection, Instruction, Module,
    ModuleSection, TypeSection, ValType,
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("A11", "small files that compile for ever", &[Layer::Complexity], slow),
        Case::new(
            "A14",
            "nesting, instances and aliases beyond measure",
            &[Layer::Complexity],
            many,
        ),
        Case::new("A15", "data, memory and tables of gigabytes", &[Layer::Complexity], huge),
        Case::new("A16", "features that this host has off", &[], features),
    ]
}

/// With a manifest, so that nothing else is wrong with it.
fn packed(component: Vec<u8>) -> Vec<u8> {
    guest::with_manifest(component, &guest::manifest("x"))
}

fn text(source: &str) -> Vec<u8> {
    packed(wat::parse_str(source).expect("parse a component's text"))
}

fn functions(bodies: &[Function], types: usize) -> Vec<u8> {
    let (mut section, mut declared, mut code) =
        (TypeSection::new(), FunctionSection::new(), CodeSection::new());
    for _ in 0..types {
        section.ty().function([], []);
    }
    for body in bodies {
        declared.function(0);
        code.function(body);
    }
    let mut module = Module::new();
    module.section(&section).section(&declared).section(&code);
    let mut component = Component::new();
    component.section(&ModuleSection(&module));
    packed(component.finish())
}

fn body(locals: u32, instructions: &[Instruction<'_>]) -> Function {
    let mut function = Function::new([(locals, ValType::I32)]);
    for instruction in instructions {
        function.instruction(instruction);
    }
    function.instruction(&Instruction::End);
    function
}

fn slow(stage: &mut Stage) -> String {
    use Instruction::{Block, BrTable, End, I32Const};
    let targets =
        [Block(BlockType::Empty), I32Const(0), BrTable(vec![0; 1_000_000].into(), 0), End];
    let blocks = [vec![Block(BlockType::Empty); 100_000], vec![End; 100_000]].concat();
    let stack = [
        vec![I32Const(0); 9_000],
        (0..9_000).flat_map(|_| [Block(BlockType::Empty), End]).collect(),
        vec![Instruction::Drop; 9_000],
    ]
    .concat();
    let name = format!("(component (core module (func (export \"{}\"))))", "n".repeat(90_000));
    let cases = [
        ("locals", functions(&vec![body(7_000, &[]); 50_000], 1), "locals in all functions"),
        ("targets", functions(&[body(0, &targets)], 1), "1000000 targets of branch tables"),
        ("stack", functions(&[body(0, &stack)], 1), "locals or values on the stack"),
        ("types", functions(&[], 100_000), "100000 types"),
        ("blocks", functions(&[body(0, &blocks)], 1), "blocks inside each other"),
        ("name", text(&name), "90000 bytes in one name"),
        ("doubling", doubling(24), "instances, counted through all levels"),
    ];
    for (name, bytes, words) in &cases {
        refused(stage, name, bytes, "plugin.too-complex", words);
    }
    format!("{} files refused uncompiled", cases.len())
}

/// Each level starts the one below twice.
fn doubling(levels: usize) -> Vec<u8> {
    let mut inner = "(component $c (core module $m) (core instance (instantiate $m)))".to_owned();
    for _ in 0..levels {
        inner = format!(
            "(component $c {inner} (instance (instantiate $c)) (instance (instantiate $c)))"
        );
    }
    text(&inner.replacen("(component $c", "(component", 1))
}

fn many(stage: &mut Stage) -> String {
    let mut deep = Component::new().finish();
    for _ in 0..1_000 {
        let mut around = Component::new().finish();
        around.push(4);
        deep.len().encode(&mut around);
        around.extend_from_slice(&deep);
        deep = around;
    }
    let module = "(core module $m (func (export \"f\")))";
    let instances =
        format!("(component {module} {})", "(core instance (instantiate $m))".repeat(10_000));
    let aliases = format!(
        "(component {module} (core instance $i (instantiate $m)) {})",
        "(alias core export $i \"f\" (core func))".repeat(10_000)
    );
    let cases = [
        ("deep", packed(deep), "levels of nesting"),
        ("instances", text(&instances), "instances"),
        ("aliases", text(&aliases), "10000 aliases"),
    ];
    for (name, bytes, words) in &cases {
        refused(stage, name, bytes, "plugin.too-complex", words);
    }
    // Reading them would use up the stack of whoever does, with and without a manifest.
    for (name, bytes) in [("types", packed(deep_types(20_000))), ("bare", deep_types(20_000))] {
        refused(stage, name, &bytes, "plugin.too-complex", "levels of nesting in a type");
    }
    // Comparing them takes minutes, which is the child's time and not the host's.
    let error = stage.install(&type_trees(17, 900)).expect_err("type trees");
    assert_eq!(error.code, "plugin.compile-limit", "{error}");
    format!("{} files refused uncompiled", cases.len() + 3)
}

/// Types inside each other, three bytes for a level.
fn deep_types(levels: usize) -> Vec<u8> {
    let body = [&[1], [0x42, 1, 1].repeat(levels).as_slice(), &[0x42, 0]].concat();
    let mut component = Component::new().finish();
    component.push(7);
    body.len().encode(&mut component);
    component.extend_from_slice(&body);
    component
}

/// A component that takes a value of a type with `2^levels` parts, started so often with it.
fn type_trees(levels: usize, times: usize) -> Vec<u8> {
    let pairs = |prefix: &str| {
        let mut text = format!("(type ${prefix}0 (tuple u8 u8))");
        for level in 1..=levels {
            let below = level - 1;
            text += &format!("(type ${prefix}{level} (tuple ${prefix}{below} ${prefix}{below}))");
        }
        text
    };
    let (outer, inner) = (pairs("a"), pairs("b"));
    let source = format!(
        "(component {outer} (import \"f\" (func $f (param \"x\" $a{levels}))) \
         (component $c {inner} (import \"f\" (func (param \"x\" $b{levels})))) {})",
        "(instance (instantiate $c (with \"f\" (func $f))))".repeat(times)
    );
    wat::parse_str(&source).expect("parse a test's component")
}

fn huge(stage: &mut Stage) -> String {
    let cases = [
        ("memory", "(memory 65536)", "plugin.too-complex", "4294967296 bytes of memory"),
        ("table", "(table 4000000000 funcref)", "plugin.too-complex", "4000000000 entries"),
        (
            "data",
            "(memory 1) (data (i32.const -2) \"beyond\")",
            "plugin.malformed",
            "a memory that starts with 65536",
        ),
    ];
    for (name, module, code, words) in cases {
        let bytes = text(&format!("(component (core module {module}))"));
        refused(stage, name, &bytes, code, words);
    }
    format!("{} files refused uncompiled", cases.len())
}

fn features(stage: &mut Stage) -> String {
    let core = |module: &str| format!("(component (core module {module}))");
    let cases = [
        (core("(memory i64 1)"), "memory64"),
        (core("(memory 1 1 shared)"), "threads"),
        (core("(type (struct (field i32)))"), "garbage collection"),
        (core("(tag (param i32))"), "exceptions"),
        (core("(type $f (func)) (type (cont $f))"), "stack switching"),
        ("(component (type (func async)))".to_owned(), "async"),
        ("(component (type (map string u32)))".to_owned(), "`map`"),
        ("(component (type (stream u8)))".to_owned(), "async"),
    ];
    for (source, name) in &cases {
        refused(stage, source, &text(source), "plugin.unsupported-feature", name);
    }
    // Told even of a component without a manifest.
    let bare = wat::parse_str(&cases[0].0).expect("parse");
    refused(stage, "bare", &bare, "plugin.unsupported-feature", "memory64");
    let implements = text("(component (import \"a\" (implements \"b:c/d\") (instance)))");
    stage.install(&implements).expect_err("`implements` is off");
    format!("{} features named", cases.len() + 1)
}
