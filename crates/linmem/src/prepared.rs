//! A module, read once: bytes in, everything out that the later stages need.

use std::collections::BTreeSet;

use crate::allocator::{self, Allocator, Hints, constructors};
use crate::error::Result;
use crate::inspect::{self, Inspection};
use crate::instrument::{self, Instrumented, Mode};
use crate::language::main_function;
use crate::module::symbolize::{SourceFrame, SourceLines};
use crate::module::{CallGraph, Memory, Module, Symbolizer};

/// What the user calls the function that a program begins with, whatever a compiler calls it.
const MAIN: &str = "main";

/// A module that is ready to be instrumented, inspected or analysed: parsed and validated, with its
/// call graph, its allocator and its debug information. Each of these is worked out once.
///
/// ```
/// use linmem::{Mode, Prepared};
/// let wasm = wat::parse_str(
///     r#"(module
///          (memory (export "memory") 1)
///          (func (export "malloc") (param i32) (result i32) i32.const 4096)
///          (func (export "free") (param i32)))"#,
/// ).unwrap();
/// let prepared = Prepared::new(&wasm, &Vec::new(), None)?;
/// assert_eq!(prepared.inspect()?.coverage.hooked.len(), 2);
/// let instrumented = prepared.instrument(&Mode::default())?;
/// assert!(instrumented.wasm.len() > wasm.len());
/// # Ok::<(), linmem::Error>(())
/// ```
pub struct Prepared<'a> {
    pub(crate) module: Module<'a>,
    pub(crate) graph: CallGraph,
    pub(crate) symbols: Symbolizer<'a>,
    allocator: Allocator,
    /// The user's `main`.
    main: Option<u32>,
}

impl<'a> Prepared<'a> {
    /// Reads a module. `hints` are the functions that the user says allocate; `debug` is the file with
    /// the module's debug information, where that is not in the module ([`debug_file_name`]).
    ///
    /// # Errors
    ///
    /// [`InvalidModule`](crate::ErrorKind::InvalidModule) when the bytes are not a valid module,
    /// [`Unsupported`](crate::ErrorKind::Unsupported) for a component or a text file, and
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) when a hint names a function that does not
    /// exist or whose type does not fit.
    ///
    /// [`debug_file_name`]: crate::debug_file_name
    pub fn new(wasm: &'a [u8], hints: &Hints, debug: Option<&'a [u8]>) -> Result<Prepared<'a>> {
        let module = Module::parse(wasm)?;
        let graph = CallGraph::new(&module);
        let symbols = Symbolizer::new(&module, debug);
        let allocator = Allocator::discover(&module, &graph, &symbols, hints)?;
        let main = main_function(&module);
        let mut prepared = Prepared { module, graph, symbols, allocator, main };
        let notes = instrument::notes(&prepared);
        prepared.allocator.notes.extend(notes);
        Ok(prepared)
    }

    /// A module of a trace, whose allocator was found when it was recorded.
    pub(crate) fn recorded(module: Module<'a>, allocator: &Allocator) -> Prepared<'a> {
        let graph = CallGraph::new(&module);
        let symbols = Symbolizer::new(&module, None);
        let main = main_function(&module);
        Prepared { module, graph, symbols, allocator: allocator.clone(), main }
    }

    /// Rewrites the module for a mode.
    ///
    /// A module without a memory comes back as it is.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](crate::ErrorKind::Unsupported) when the module cannot be rewritten.
    pub fn instrument(&self, mode: &Mode) -> Result<Instrumented> {
        instrument::instrument(self, mode)
    }

    /// Says what is in the module.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](crate::ErrorKind::Unsupported) when a function cannot be printed.
    pub fn inspect(&self) -> Result<Inspection> {
        inspect::inspect(self)
    }

    /// The file itself.
    pub(crate) fn wasm(&self) -> &'a [u8] {
        self.module.bytes
    }

    /// Which functions allocate and free, and why.
    pub(crate) fn allocator(&self) -> &Allocator {
        &self.allocator
    }

    /// How many bytes from address 0 on no correct program accesses: none where the module may have data there, as those may
    /// that are written by hand. What has a stack pointer or an allocator was laid out by a compiler, and so was static
    /// data where `wasm-ld` has it begin.
    pub(crate) fn null_bytes(&self) -> u64 {
        const GLOBAL_BASE: u64 = 1024;
        let module = &self.module;
        let is_laid_out = !self.allocator.functions.is_empty()
            || module.stack_pointer().is_some()
            || module.first_data_address() == Some(GLOBAL_BASE);
        if is_laid_out { module.low_memory_bytes() } else { 0 }
    }

    /// Whether the module may hand out memory by itself: it has an allocator, or asks for the memory's size or for more.
    pub(crate) fn gets_memory(&self) -> bool {
        !self.allocator.functions.is_empty() || allocator::asks_for_memory(&self.module)
    }

    /// For each function, whether it is hooked or called by such functions alone; what sets up the allocator before the
    /// program runs may call it, too.
    pub(crate) fn allocators_own_functions(&self) -> Vec<bool> {
        let module = &self.module;
        let hooked = self.allocator.hooked();
        let set_up = self.allocator.set_up.iter().copied();
        let before: BTreeSet<u32> = constructors(module).chain(set_up).collect();
        let roots = module.exported_functions().map(|(_, function)| function).chain(module.start);
        let roots: BTreeSet<u32> = roots.chain(module.address_taken.iter().copied()).collect();
        // Whatever can be reached without passing a hooked function is somebody else's too.
        let reached = self.graph.reachable(roots.iter().copied(), |f| hooked.contains(&f));
        let later = roots.difference(&before).copied();
        let later = self.graph.reachable(later, |f| hooked.contains(&f) || before.contains(&f));
        let inside = self.graph.reachable(hooked.iter().copied(), |_| false);
        let functions = 0..module.functions.len();
        functions.map(|f| !reached[f] || inside[f] && !later[f]).collect()
    }

    /// Memory 0, if there is one.
    pub fn memory(&self) -> Option<Memory> {
        self.module.memories.first().copied()
    }

    /// The exported functions: the name of each export, and the function's index.
    pub fn exports(&self) -> impl Iterator<Item = (&'a str, u32)> + '_ {
        self.module.exported_functions()
    }

    /// Whether debug information gives source lines for any function.
    pub(crate) fn source_lines(&self) -> SourceLines {
        self.symbols.source_lines(&self.module)
    }

    /// The frames at an instruction, innermost first. Never empty.
    pub(crate) fn frames(&self, function: u32, offset: usize) -> Vec<SourceFrame> {
        let mut frames = self.symbols.frames(&self.module, function, offset);
        if let (true, Some(outermost)) = (self.main == Some(function), frames.last_mut()) {
            outermost.function = MAIN.to_owned();
        }
        frames
    }

    /// The name of a function for people.
    pub(crate) fn function_name(&self, function: u32) -> String {
        if self.main == Some(function) {
            return MAIN.to_owned();
        }
        self.symbols.function_name(&self.module, function)
    }
}
