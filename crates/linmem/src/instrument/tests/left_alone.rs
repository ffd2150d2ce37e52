//! Functions that would be larger than engines allow.

use wasm_encoder::{
    CodeSection, EntityType, ExportKind, ExportSection, Function, FunctionSection, ImportSection,
    MemorySection, MemoryType, NameMap, NameSection, TypeSection, ValType,
};

use super::*;
use crate::instrument::left_alone::{MAX_BODY_BYTES, MAX_LOCALS};

/// What the large function does, besides nothing.
#[derive(Clone, Copy)]
struct Large {
    /// Bytes of its body.
    bytes: usize,
    locals: u32,
    /// Functions before it that do nothing. It calls the last of them, whose index grows with their number.
    before: u32,
}

/// A module with `malloc` and `free`, and a function `large` that calls `malloc` last.
fn module(large: Large) -> Vec<u8> {
    const MALLOC: u32 = 1;
    let mut types = TypeSection::new();
    types.ty().function([ValType::I32], [ValType::I32]);
    types.ty().function([ValType::I32], []);
    types.ty().function([], []);
    let mut imports = ImportSection::new();
    imports.import("env", "log", EntityType::Function(2));
    let mut functions = FunctionSection::new();
    functions.function(0).function(1);
    (0..=large.before).for_each(|_| {
        functions.function(2);
    });
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: 1,
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    let mut exports = ExportSection::new();
    exports.export("malloc", ExportKind::Func, MALLOC).export("free", ExportKind::Func, MALLOC + 1);
    let last = MALLOC + 2 + large.before;
    exports.export("run", ExportKind::Func, last);
    let mut code = CodeSection::new();
    let mut malloc = Function::new([]);
    malloc.instructions().i32_const(4096).end();
    let mut free = Function::new([]);
    free.instructions().end();
    code.function(&malloc).function(&free);
    for _ in 0..large.before {
        code.function(&free);
    }
    code.raw(&body(large, last - 1));
    let mut names = NameMap::new();
    names.append(last, "large");
    let mut section = NameSection::new();
    section.functions(&names);
    let mut module = wasm_encoder::Module::new();
    module.section(&types).section(&imports).section(&functions).section(&memories);
    module.section(&exports).section(&code).section(&section);
    module.finish()
}

/// Instructions that do nothing, few and long ones first, then calls of `malloc` and of `callee`.
fn body(large: Large, callee: u32) -> Vec<u8> {
    const LONG: usize = 19;
    let calls = |function: &mut Function| {
        function.instructions().i32_const(8).call(1).drop().call(callee).end();
    };
    let bytes_with = |long: usize, short: usize| {
        let mut function = Function::new([(large.locals, ValType::I64)]);
        for _ in 0..long {
            function.instructions().v128_const(0).drop();
        }
        for _ in 0..short {
            function.instructions().nop();
        }
        calls(&mut function);
        function.into_raw_body()
    };
    let filled = large.bytes.saturating_sub(bytes_with(0, 0).len());
    bytes_with(filled / LONG, filled % LONG)
}

/// The large function's body after instrumentation.
fn instrumented_body(prepared: &Prepared<'_>, wasm: &[u8]) -> Result<Vec<u8>> {
    let new = instrument(prepared, &Mode::default())?;
    wasmparser::validate(&new.wasm).unwrap();
    let bodies =
        wasmparser::Parser::new(0).parse_all(&new.wasm).filter_map(|payload| {
            match payload.unwrap() {
                wasmparser::Payload::CodeSectionEntry(body) => Some(body.range()),
                _ => None,
            }
        });
    let number = Module::parse(wasm).unwrap().functions.iter().filter(|f| f.body.is_some()).count();
    Ok(new.wasm[bodies.collect::<Vec<_>>()[number - 1].clone()].to_vec())
}

fn prepared(wasm: &[u8]) -> Prepared<'_> {
    Prepared::new(wasm, &Vec::new(), None).unwrap()
}

/// A function that gets so large is edited, and one that would get larger is not.
#[test]
fn a_function_that_would_be_too_large_is_left_alone() {
    let of_bytes = |bytes| Large { bytes, locals: 0, before: 1 };
    let small = module(of_bytes(1000));
    let added = instrumented_body(&prepared(&small), &small).unwrap().len() - 1000;
    let largest = module(of_bytes(MAX_BODY_BYTES - added));
    let fits = prepared(&largest);
    assert_eq!(instrumented_body(&fits, &largest).unwrap().len(), MAX_BODY_BYTES);
    assert_eq!(fits.allocator().notes, Vec::<String>::new());

    let larger = module(of_bytes(MAX_BODY_BYTES - added + 1));
    let left_alone = prepared(&larger);
    let body = instrumented_body(&left_alone, &larger).unwrap();
    assert_eq!(body.len(), MAX_BODY_BYTES - added + 1);
    let [note] = &left_alone.allocator().notes[..] else { panic!("one note") };
    assert!(
        note.starts_with("large is left as it is: ") && note.contains("7,654,322 bytes"),
        "{note}"
    );
    let inspection = left_alone.inspect().unwrap();
    assert_eq!(inspection.coverage.notes, left_alone.allocator().notes);

    // Its call of `malloc` goes to the wrapper, as that of a function that is edited does.
    let edited = instrumented_body(&prepared(&small), &small).unwrap();
    assert_eq!(calls(&body), calls(&edited));
    assert_ne!(calls(&body)[0], 1);
}

/// Without checks the same function is edited.
#[test]
fn a_function_that_checks_would_make_too_large_is_not_checked() {
    let no_functions = Vec::<u32>::new();
    let wasm = module(Large { bytes: 100, locals: MAX_LOCALS - 8, before: 1 });
    let prepared = prepared(&wasm);
    let mode = Mode::check(None);
    let large = 4;
    assert_eq!(prepared.instrument(&mode).unwrap().unchecked, [large]);
    assert_eq!(crate::instrument::unchecked(&prepared, &mode), [large]);
    assert_eq!(crate::instrument::unchecked(&prepared, &Mode::default()), no_functions);
    assert_eq!(prepared.allocator().notes, Vec::<String>::new());

    let small = module(Large { bytes: 100, locals: 0, before: 1 });
    assert_eq!(self::prepared(&small).instrument(&mode).unwrap().unchecked, no_functions);
}

/// The functions that a body calls, in order.
fn calls(body: &[u8]) -> Vec<u32> {
    let body = wasmparser::FunctionBody::new(wasmparser::BinaryReader::new(body, 0));
    let operators = body.get_operators_reader().unwrap().into_iter().map(Result::unwrap);
    let called = operators.filter_map(|operator| match operator {
        wasmparser::Operator::Call { function_index } => Some(function_index),
        _ => None,
    });
    called.collect()
}

/// The indices of the two functions that are called take a byte more in the new module.
#[test]
fn a_function_without_room_for_indices_is_refused() {
    let wasm = module(Large { bytes: MAX_BODY_BYTES, locals: 0, before: 123 });
    let refused = instrumented_body(&prepared(&wasm), &wasm).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsupported);
    assert!(
        refused.to_string().contains("the code of large would have 7,654,323 bytes"),
        "{refused}"
    );
}

#[test]
fn a_function_without_room_for_locals_is_left_alone() {
    let of_locals = |locals| Large { bytes: 100, locals, before: 1 };
    let wasm = module(of_locals(MAX_LOCALS - 2));
    assert_eq!(prepared(&wasm).allocator().notes, Vec::<String>::new());
    let wasm = module(of_locals(MAX_LOCALS - 1));
    let left_alone = prepared(&wasm);
    assert_eq!(instrumented_body(&left_alone, &wasm).unwrap().len(), 100);
    let [note] = &left_alone.allocator().notes[..] else { panic!("one note") };
    assert!(note.contains("more than 50,000 locals"), "{note}");
}
