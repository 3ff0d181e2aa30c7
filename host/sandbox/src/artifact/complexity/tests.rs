//! Components that ask for more than honest ones do: each is refused by the quantity that it has
//! too much of, fast, and just below the bound it is not.

use super::*;
use std::time::{Duration, Instant};
use wasm_encoder::{
    CodeSection, Component, CustomSection, DataSection, Encode, Function, FunctionSection,
    Instruction, MemorySection, MemoryType, Module as Encoder, ModuleSection,
    NestedComponentSection, Section as _, TypeSection, ValType,
};

/// A component with this module inside.
fn around(module: &Encoder) -> Vec<u8> {
    let mut component = Component::new();
    component.section(&ModuleSection(module));
    component.finish()
}

/// A module with one type, which all of these functions have.
fn functions(params: &[ValType], results: &[ValType], bodies: &[Function]) -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function(params.iter().copied(), results.iter().copied());
    let mut declared = FunctionSection::new();
    let mut code = CodeSection::new();
    for body in bodies {
        declared.function(0);
        code.function(body);
    }
    let mut module = Encoder::new();
    module.section(&types).section(&declared).section(&code);
    around(&module)
}

fn function(locals: u32, instructions: impl IntoIterator<Item = Instruction<'static>>) -> Function {
    let mut function = Function::new([(locals, ValType::I32)]);
    for instruction in instructions {
        function.instruction(&instruction);
    }
    function.instruction(&Instruction::End);
    function
}

/// A module with globals that are each a long sum.
fn constants(globals: usize, terms: usize) -> Vec<u8> {
    let sum = format!("{}{}", "i32.const 1 ".repeat(terms), "i32.add ".repeat(terms - 1));
    text(&format!("(component (core module {}))", format!("(global i32 {sum})").repeat(globals)))
}

fn wide_types(count: usize, params: usize) -> Vec<u8> {
    let mut types = TypeSection::new();
    for _ in 0..count {
        types.ty().function(vec![ValType::I32; params], []);
    }
    around(Encoder::new().section(&types))
}

fn text(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("parse a test's component")
}

/// A component that is `depth` components inside each other.
fn deep(depth: usize) -> Vec<u8> {
    let mut component = Component::new();
    for _ in 1..depth {
        let mut around = Component::new();
        around.section(&NestedComponentSection(&component));
        component = around;
    }
    component.finish()
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

fn refusal(bytes: &[u8]) -> String {
    let started = Instant::now();
    let error = weigh(bytes).expect_err("it is too much");
    assert!(started.elapsed() < Duration::from_secs(2), "took {:?}", started.elapsed());
    assert_eq!(error.code, "plugin.too-complex", "{error}");
    error.message
}

#[test]
fn each_kind_of_too_much_is_refused_by_name_value_and_bound() {
    use Instruction::{Block, Br, BrTable, Call, Drop, End, I32Const, LocalGet};
    let empty = wasm_encoder::BlockType::Empty;
    let blocks = |count: usize| {
        std::iter::repeat_n(Block(empty), count).chain(std::iter::repeat_n(End, count))
    };
    let table = |targets: usize| {
        function(0, [Block(empty), I32Const(0), BrTable(vec![0; targets].into(), 0), End])
    };
    let many_types = {
        let mut types = TypeSection::new();
        for _ in 0..100_000 {
            types.ty().function([], []);
        }
        around(Encoder::new().section(&types))
    };
    let wide: Vec<ValType> = vec![ValType::I32; 400];
    // Each call takes two bytes and moves 800 values.
    let calls = function(0, (0..400).map(LocalGet).chain(std::iter::repeat_n(Call(0), 2_000)));
    let aliases = format!(
        "(component (core module $m (func (export \"f\"))) (core instance $i (instantiate $m)) {})",
        "(alias core export $i \"f\" (core func)) ".repeat(10_000)
    );
    let instances = format!(
        "(component (core module $m) {})",
        "(core instance (instantiate $m)) ".repeat(10_000)
    );
    let long_name = format!("(component (core module (func (export \"{}\"))))", "n".repeat(50_000));
    let memory = |pages| text(&format!("(component (core module (memory {pages})))"));
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        (
            "50,000 functions with 7,000 locals",
            functions(&[], &[], &vec![function(7_000, []); 50_000]),
            "locals in all functions, and 4000000",
        ),
        ("locals", functions(&[], &[], &[function(40_000, [])]), "40000 locals in one function"),
        ("targets", functions(&[], &[], &[table(1_000_000)]), "1000000 targets"),
        (
            "many tables of targets",
            functions(
                &[],
                &[],
                &[function(
                    0,
                    std::iter::once(Block(empty))
                        .chain(
                            (0..300).flat_map(|_| [I32Const(0), BrTable(vec![0; 500].into(), 0)]),
                        )
                        .chain([End]),
                )],
            ),
            "targets of branch tables",
        ),
        ("types", many_types, "100000 types, and 50000"),
        ("blocks", functions(&[], &[], &[function(0, blocks(50_000))]), "blocks inside each other"),
        (
            "branches times locals",
            functions(
                &[],
                &[],
                &[function(
                    9_000,
                    blocks(9_000).chain((0..9_000).flat_map(|local| [LocalGet(local), Drop])),
                )],
            ),
            "81000000 branches times locals or values",
        ),
        (
            "branches times values on the stack",
            functions(
                &[],
                &[],
                &[function(
                    0,
                    std::iter::repeat_n(I32Const(0), 9_000)
                        .chain((0..9_000).flat_map(|_| [Block(empty), End]))
                        .chain(std::iter::repeat_n(Drop, 9_000)),
                )],
            ),
            "81000000 branches times locals or values on the stack",
        ),
        ("long constants", constants(80, 20_000), "bytes of expressions for constants"),
        ("wide types", wide_types(600, 900), "parameters and results of all types, and 500000"),
        (
            "calls with many arguments",
            functions(&wide, &wide, &[calls]),
            "operations in one function, arguments counted",
        ),
        (
            "one long function",
            functions(&[], &[], &[function(0, (0..600_000).flat_map(|_| [I32Const(0), Drop]))]),
            "bytes in one function",
        ),
        (
            "branches that carry much",
            functions(
                &wide,
                &wide,
                &[function(0, (0..400).map(LocalGet).chain(std::iter::repeat_n(Br(0), 5_000)))],
            ),
            "arguments counted",
        ),
        ("a long name", text(&long_name), "50000 bytes in one name"),
        ("aliases", text(&aliases), "10000 aliases, and 8000"),
        ("instances", text(&instances), "instances, counted through all levels, and 2000"),
        ("doubling", doubling(20), "instances, counted through all levels"),
        ("nesting", deep(1_000), "levels of nesting, and 32"),
        ("a memory of 4 GiB", memory(65_536), "4294967296 bytes of memory from the start"),
        (
            "a table of 4,000,000,000",
            text("(component (core module (table 4000000000 funcref)))"),
            "4000000000 entries of tables from the start",
        ),
    ];
    for (name, bytes, part) in cases {
        let message = refusal(&bytes);
        assert!(message.contains(part), "{name}: {message}");
    }
}

#[test]
fn what_honest_components_have_is_not_too_much() {
    use Instruction::{Block, BrTable, End, I32Const};
    let empty = wasm_encoder::BlockType::Empty;
    // The main loop of an interpreter: a case for each of 2,000 instructions.
    let interpreter = std::iter::repeat_n(Block(empty), 2_000)
        .chain([I32Const(0), BrTable((0..2_000).collect(), 0)])
        .chain(std::iter::repeat_n(End, 2_000));
    let cases = [
        functions(&[], &[], &vec![function(300, []); 10_000]),
        functions(&[], &[], &[function(1_000, interpreter)]),
        deep(20),
        doubling(6),
        text("(component (core module (memory 1024) (table 20000 funcref)))"),
    ];
    for bytes in cases {
        weigh(&bytes).expect("it is not too much");
        super::super::features::validate(&bytes).expect("it is sound");
    }
}

#[test]
fn the_code_is_weighed() {
    let bytes = functions(&[], &[], &vec![function(0, []); 1_000]);
    let weight = weigh(&bytes).unwrap();
    assert_eq!(
        weight.code_bytes, 4_000,
        "four bytes each: one group of locals, of none, and the end"
    );
}

#[test]
fn data_that_lies_outside_of_its_memory_is_found_before_it_is_compiled() {
    let module = |offset: i32, pages: u64| {
        let mut memories = MemorySection::new();
        memories.memory(MemoryType {
            minimum: pages,
            maximum: None,
            memory64: false,
            shared: false,
            page_size_log2: None,
        });
        let mut data = DataSection::new();
        data.active(0, &wasm_encoder::ConstExpr::i32_const(offset), b"four".iter().copied());
        around(Encoder::new().section(&memories).section(&data))
    };
    assert!(weigh(&module(65_532, 1)).is_ok());
    for offset in [65_533, -1, i32::MIN] {
        let error = weigh(&module(offset, 1)).unwrap_err();
        assert_eq!(error.code, "plugin.malformed");
        assert!(error.message.contains("a memory that starts with 65536"), "{error}");
    }
}

#[test]
fn counts_that_lie_are_not_believed() {
    // A type section that says it has four billion types, in seven bytes.
    let mut module = Encoder::new().finish();
    module.extend_from_slice(&[1, 5, 0xff, 0xff, 0xff, 0xff, 0x0f]);
    let mut component = Component::new().finish();
    component.push(1);
    module.len().encode(&mut component);
    component.extend_from_slice(&module);
    assert!(refusal(&component).contains("4294967295 types"));
}

#[test]
fn sixty_four_mebibytes_of_sections_are_gone_through_in_bounded_time() {
    let mut bytes = Component::new().finish();
    let mut piece = Vec::new();
    let custom = CustomSection { name: "x".into(), data: [0; 5][..].into() };
    piece.push(custom.id());
    custom.encode(&mut piece);
    while bytes.len() < 64 << 20 {
        bytes.extend_from_slice(&piece);
    }
    assert!(refusal(&bytes).contains("sections"));
}

#[test]
fn features_that_are_off_are_named() {
    let cases = [
        ("(component (core module (memory i64 1)))", "memory64"),
        ("(component (core module (memory 1 1 shared)))", "threads"),
        ("(component (core module (type (struct (field i32)))))", "garbage collection"),
        ("(component (core module (func (param externref))))", "garbage collected references"),
        ("(component (core module (tag (param i32))))", "exceptions"),
        ("(component (core module (type $f (func)) (type (cont $f))))", "stack switching"),
        ("(component (type (func async)))", "async"),
        ("(component (type (stream u8)))", "async"),
        ("(component (type (map string u32)))", "`map`"),
        ("(component (import \"a\" (implements \"b:c/d\") (instance)))", "`implements`"),
        (
            "(component (core module (func (param v128) (drop (i8x16.relaxed_swizzle \
             (local.get 0) (local.get 0))))))",
            "relaxed SIMD",
        ),
        ("(component (core module (memory 1 (pagesize 1))))", "custom page sizes"),
    ];
    for (source, name) in cases {
        let bytes = text(source);
        weigh(&bytes).unwrap_or_else(|error| panic!("{source}: {error}"));
        let error = super::super::features::validate(&bytes).expect_err(source);
        assert_eq!(error.code, "plugin.unsupported-feature", "{source}: {error}");
        assert!(error.message.contains(name), "{source}: {error}");
    }
}

/// A component with one type: `levels` of types inside each other.
fn deep_types(levels: usize, is_component: bool) -> Vec<u8> {
    let kind = if is_component { 0x41 } else { 0x42 };
    let mut body = vec![1];
    body.extend([kind, 1, 1].repeat(levels - 1));
    body.extend([kind, 0]);
    let mut component = Component::new().finish();
    component.push(7);
    body.len().encode(&mut component);
    component.extend_from_slice(&body);
    component
}

#[test]
fn types_inside_types_are_followed_without_the_stack() {
    for is_component in [false, true] {
        for levels in [101, 100_000, 1_000_000] {
            let bytes = deep_types(levels, is_component);
            assert!(refusal(&bytes).contains("101 levels of nesting in a type, and 100"));
        }
        weigh(&deep_types(100, is_component)).expect("it is not too much");
    }
    let cut_off = deep_types(90, false);
    let cut_off = [&cut_off[..cut_off.len() - 1], &[0x05][..]].concat();
    assert_eq!(weigh(&cut_off).unwrap_err().code, "plugin.malformed");
    weigh(&text(
        "(component (type (component (type $t (instance (type (record (field \"a\" u8))) \
         (export \"e\" (func)))) (import \"i\" (instance (type $t))) (export \"o\" (func)))) \
         (type (func (param \"x\" u8))))",
    ))
    .expect("all kinds of declarations are gone through");
}
