//! Damaged modules, and valid ones that are made to be expensive.

use std::time::{Duration, Instant};

use linmem::allocator::Hints;
use linmem::trace::{ContextId, Event, Frame, LiveFrames, Record, Sharing, Trace, Writer};
use linmem::{ErrorKind, Mode, Prepared, Report, Result};
use wasm_encoder::{
    CodeSection, EntityType, ExportKind, ExportSection, Function, FunctionSection, ImportSection,
    MemorySection, MemoryType, NameMap, NameSection, TypeSection, ValType,
};
use wasmparser::{Validator, WasmFeatures};

use super::assert_modest_memory;
use super::binary::Binary;
use super::files::{NO_ALLOCATOR, flipped};

/// The committed examples, which carry debug information.
const EXAMPLES: [(&str, &[u8]); 5] = [
    ("double_free", include_bytes!("../../../../examples/double_free.wasm")),
    ("leaks", include_bytes!("../../../../examples/leaks.wasm")),
    ("null_ignored", include_bytes!("../../../../examples/null_ignored.wasm")),
    ("steady_growth", include_bytes!("../../../../examples/steady_growth.wasm")),
    ("strings", include_bytes!("../../../../examples/strings.wasm")),
];

/// Does all that can be done to a module without running it, and fails if what comes out is not
/// valid.
fn put_through(wasm: &[u8]) -> Result<()> {
    let instrumented = Prepared::new(wasm, &Hints::new(), None)?.instrument(&Mode::default())?;
    Validator::new_with_features(WasmFeatures::all())
        .validate_all(&instrumented.wasm)
        .expect("what comes out is valid");
    Ok(())
}

/// The same, for a damaged file: it may be refused, with words. Returns whether it was.
fn put_damaged_through(name: &str, wasm: &[u8]) -> bool {
    match put_through(wasm) {
        Ok(()) => false,
        Err(error) => {
            let kinds = [ErrorKind::InvalidModule, ErrorKind::Unsupported];
            assert!(kinds.contains(&error.kind()), "{name}: {error}");
            assert!(!error.to_string().is_empty(), "{name}");
            true
        }
    }
}

#[test]
fn a_module_cut_off_anywhere_is_refused_or_read() {
    let small = wat::parse_str(include_str!("every_section.wat")).expect("a valid module");
    put_through(&small).expect("the whole module is read");
    let mut refused = 0;
    for end in 0..small.len() {
        refused += usize::from(put_damaged_through("every section", &small[..end]));
    }
    // What remains without its last custom sections is a module.
    assert!(refused > small.len() / 2, "{refused} of {} refused", small.len());
    for (name, wasm) in EXAMPLES {
        // Every offset of the header and of the code, and some of the debug information.
        let code_end = Binary::read(wasm).expect("an example").code_end;
        let some = (code_end..wasm.len()).step_by(101);
        for end in (0..code_end).step_by(7).chain(some) {
            put_damaged_through(name, &wasm[..end]);
        }
    }
    assert_modest_memory();
}

#[test]
fn a_module_with_flipped_bytes_is_refused_or_read() {
    let small = wat::parse_str(include_str!("every_section.wat")).expect("a valid module");
    let mut read = 0;
    for copy in flipped(&small, small.len(), 50_000) {
        read += usize::from(!put_damaged_through("every section", &copy));
    }
    assert!(read > 1_000, "only {read} damaged modules got as far as the rewriter");
    for (name, wasm) in EXAMPLES {
        for copy in flipped(wasm, wasm.len(), 1_000) {
            put_damaged_through(name, &copy);
        }
    }
    assert_modest_memory();
}

#[test]
fn damaged_debug_information_is_no_reason_to_panic() {
    for (name, wasm) in EXAMPLES {
        let debug_start = Binary::read(wasm).expect("an example").code_end;
        for copy in flipped(&wasm[debug_start..], wasm.len() - debug_start, 300) {
            let damaged = [&wasm[..debug_start], &copy].concat();
            let Ok(prepared) = Prepared::new(&damaged, &Hints::new(), None) else { continue };
            prepared.inspect().unwrap_or_else(|error| panic!("{name}: {error}"));
            let binary = Binary::read(&damaged).expect("it is valid");
            let first = binary.imported as u32;
            let bodies = (first..).zip(&binary.bodies);
            let frames = bodies.flat_map(|(function, body)| {
                body.range().step_by(997).map(move |offset| (function, Some(offset as u32)))
            });
            let report = resolve(&damaged, frames);
            let stacks = report.findings.iter().flat_map(|finding| &finding.stacks);
            assert!(stacks.clone().count() > 0 && stacks.clone().all(|s| !s.stack.is_empty()));
        }
    }
    assert_modest_memory();
}

#[test]
fn what_is_no_module_is_refused_with_a_reason() {
    let refused = [
        (&b""[..], "empty"),
        (b"\0as", "magic number"),
        (b"\x7fELF", "magic number"),
        (b"(module)", "WebAssembly text"),
        (b"\0asm\x0d\0\x01\0", "component"),
        (b"\0asm\x01\0\0\0\x01", "offset"),
    ];
    for (bytes, reason) in refused {
        let error = put_through(bytes).expect_err("no module");
        assert!(error.to_string().contains(reason), "{error}");
    }
}

/// The parts of a generated module; the types are `(i32) -> i32` and `() -> ()`.
struct Builder {
    imports: ImportSection,
    functions: FunctionSection,
    exports: ExportSection,
    code: CodeSection,
    names: NameMap,
    count: u32,
}

/// Types of a [`Builder`]'s functions.
const I32_TO_I32: u32 = 0;
const NOTHING: u32 = 1;

impl Builder {
    fn new() -> Builder {
        Builder {
            imports: ImportSection::new(),
            functions: FunctionSection::new(),
            exports: ExportSection::new(),
            code: CodeSection::new(),
            names: NameMap::new(),
            count: 0,
        }
    }

    fn import(&mut self) {
        self.imports.import("env", "f", EntityType::Function(NOTHING));
        self.count += 1;
    }

    /// Adds a function that calls each of `callees`, or grows the memory if there are none.
    fn function(&mut self, ty: u32, callees: &[u32]) -> u32 {
        self.functions.function(ty);
        let mut body = Function::new([]);
        let mut code = body.instructions();
        if callees.is_empty() {
            code.i32_const(1).memory_grow(0).drop();
        }
        for &callee in callees {
            code.call(callee);
        }
        if ty == I32_TO_I32 {
            code.i32_const(8);
        }
        code.end();
        self.code.function(&body);
        self.count += 1;
        self.count - 1
    }

    fn finish(self) -> Vec<u8> {
        let mut types = TypeSection::new();
        types.ty().function([ValType::I32], [ValType::I32]);
        types.ty().function([], []);
        let mut memories = MemorySection::new();
        memories.memory(MemoryType {
            minimum: 1,
            maximum: None,
            memory64: false,
            shared: false,
            page_size_log2: None,
        });
        let mut names = NameSection::new();
        names.functions(&self.names);
        let mut module = wasm_encoder::Module::new();
        module
            .section(&types)
            .section(&self.imports)
            .section(&self.functions)
            .section(&memories)
            .section(&self.exports)
            .section(&self.code)
            .section(&names);
        module.finish()
    }
}

/// Puts a valid module through in a time that allows for no work that grows with the square of
/// its size.
fn assert_quick(wasm: &[u8]) {
    let start = Instant::now();
    let put_through = put_through(wasm);
    let took = start.elapsed();
    put_through.expect("a valid module");
    assert!(took < Duration::from_secs(10), "{} bytes took {took:?}", wasm.len());
    assert_modest_memory();
}

#[test]
fn many_functions_called_malloc_take_their_time_once() {
    let mut module = Builder::new();
    for _ in 0..100_000 {
        let function = module.function(I32_TO_I32, &[]);
        module.names.append(function, "malloc");
        module.exports.export(&format!("f{function}"), ExportKind::Func, function);
    }
    assert_quick(&module.finish());
}

#[test]
fn many_imports_and_bodies_take_their_time_once() {
    let mut module = Builder::new();
    (0..50_000).for_each(|_| module.import());
    for _ in 0..200_000 {
        module.function(NOTHING, &[0]);
    }
    assert_quick(&module.finish());
}

#[test]
fn a_long_chain_of_exports_takes_its_time_once() {
    let mut module = Builder::new();
    let grower = module.function(NOTHING, &[]);
    let malloc = module.function(I32_TO_I32, &[grower]);
    module.exports.export("malloc", ExportKind::Func, malloc);
    let mut last = grower;
    for index in 0..50_000 {
        // Most reach the memory only through the chain, whose last link is hooked.
        last = module.function(I32_TO_I32, &[]);
        module.exports.export(&format!("f{index}"), ExportKind::Func, last);
    }
    for index in 0..50_000 {
        last = module.function(NOTHING, &[if index == 0 { grower } else { last }]);
        module.exports.export(&format!("g{index}"), ExportKind::Func, last);
    }
    assert_quick(&module.finish());
}

#[test]
fn many_types_that_are_alike_count_as_one() {
    let types = "(type (func))".repeat(20_000);
    let functions = "(func)".repeat(20_000);
    let taken: String = (0..20_000).map(|n| format!("{n} ")).collect();
    let calls: String =
        (0..20_000).map(|n| format!("(call_indirect (type {n}) (i32.const 0))")).collect();
    let text = format!(
        "(module {types} (memory 1) (table 1 funcref) (elem declare func {taken}) {functions}
            (func (drop (memory.grow (i32.const 1))) {calls}))"
    );
    assert_quick(&wat::parse_str(text).expect("a valid module"));
}

#[test]
fn names_that_unfold_without_end_stay_as_they_are() {
    for name in [cpp_name(), rust_name()] {
        let mut module = Builder::new();
        for _ in 0..5_000 {
            let function = module.function(NOTHING, &[]);
            module.names.append(function, &name);
        }
        let wasm = module.finish();
        assert_quick(&wasm);
        let report = resolve(&wasm, [(0, None)]);
        assert_eq!(report.findings[0].stacks[0].stack[0].function, name);
    }
}

/// What a report makes of stacks of one frame each, in which blocks were lost.
fn resolve(wasm: &[u8], frames: impl IntoIterator<Item = (u32, Option<u32>)>) -> Report {
    let mut writer = Writer::new(Vec::new());
    writer.record(&Record::Module {
        name: "damaged.wasm".to_owned(),
        bytes: wasm.to_vec(),
        allocator: NO_ALLOCATOR.to_owned(),
    });
    writer.record(&Record::Memory {
        initial_pages: 16,
        max_pages: None,
        page_bytes: 65_536,
        sharing: Sharing::Private,
    });
    writer.record(&Record::Instance { module: 0, memory: 0 });
    for ((function, offset), number) in frames.into_iter().zip(0..) {
        writer.record(&Record::Context { frames: vec![Frame::Wasm { function, offset }] });
        writer.record(&Record::Event(Event::Allocated {
            pointer: 65_536 + 16 * u64::from(number),
            size: 8,
            align: 0,
            context: ContextId(number),
        }));
    }
    writer.record(&Record::Snapshot { memory: 0, pages: 16 });
    writer.record(&Record::Globals { live_frames: LiveFrames::None, values: Vec::new() });
    writer.record(&Record::Exit { code: 0 });
    let trace = Trace::from_bytes(writer.finish().expect("memory takes everything"));
    linmem::analyze(&trace).expect("a sound recording")
}

/// A C++ function of types of which each is a function of two of the one before.
fn cpp_name() -> String {
    const DIGITS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let types = (0..18).map(|n| format!("PFvS{0}_S{0}_E", char::from(DIGITS[2 * n])));
    format!("_Z1fPFviiE{}", types.collect::<String>())
}

/// A Rust function of types of which each is a pair of the one before.
fn rust_name() -> String {
    const DIGITS: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let mut path = String::from("INvC1a1bTllE");
    let mut last = path.len() - "TllE".len();
    for _ in 0..18 {
        // References back are in base 62, less one; without a digit for 0.
        let back: Vec<u8> = match last - 1 {
            low @ 0..62 => vec![DIGITS[low]],
            more => vec![DIGITS[more / 62], DIGITS[more % 62]],
        };
        let back = String::from_utf8_lossy(&back).into_owned();
        last = path.len();
        path.push_str(&format!("TB{back}_B{back}_E"));
    }
    format!("_R{path}E")
}

#[test]
fn names_and_exports_that_lie_do_no_harm() {
    let mut globals = NameMap::new();
    globals.append(4_000_000_000, "__stack_pointer");
    let mut functions = NameMap::new();
    functions.append(u32::MAX, "malloc");
    let mut names = NameSection::new();
    names.functions(&functions);
    names.globals(&globals);
    let mut wasm = wat::parse_str(
        r#"(module (memory 1) (global (mut i32) (i32.const 4096))
             (func (export "grow") (drop (memory.grow (i32.const 1)))))"#,
    )
    .expect("a valid module");
    wasm_encoder::Section::append_to(&names, &mut wasm);
    let prepared = Prepared::new(&wasm, &Hints::new(), None);
    let prepared = prepared.expect("names do not make a module invalid");
    let inspection = prepared.inspect().expect("nor do they hide it");
    assert!(inspection.layout.stack.is_none_or(|stack| stack.pointer < 1));
    put_through(&wasm).expect("nor is it harder to rewrite");
}

#[test]
fn an_instrumented_module_is_not_instrumented_again() {
    let wasm = wat::parse_str(r#"(module (memory 1) (func (export "f")))"#).expect("valid");
    let prepared = Prepared::new(&wasm, &Hints::new(), None).expect("valid");
    let once = prepared.instrument(&Mode::default()).expect("instrumented");
    let error = put_through(&once.wasm).expect_err("its exports have names of ours");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("`linmem.memory`"), "{error}");
}
