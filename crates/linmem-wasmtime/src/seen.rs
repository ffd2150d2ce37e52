//! What is known of the modules, memories and instances in a store, and how the recorder looks at them.

use std::collections::BTreeMap;

use linmem::instrument::{
    INSTANCE_EXPORT, MEMORY_EXPORT, RUNNING_EXPORT, global_export, is_added_export,
};
use linmem::record::{Backtrace, Guest, Recorder};
use linmem::trace::Frame;
use wasmtime::{
    AsContext, AsContextMut, Engine, Extern, ExternType, FrameInfo, Global, Memory, Module,
    SharedMemory, Val, WasmBacktrace,
};

use crate::limits::PAGE_BYTES;
use crate::watched::Watched;

/// Frames that wasmtime keeps where its configuration switches backtraces off.
const DEFAULT_MAX_FRAMES: usize = 20;

/// What was met in a store so far, each by its number.
#[derive(Default)]
pub(crate) struct Seen {
    modules: Vec<Watched>,
    memories: Vec<SeenMemory>,
    instances: Vec<SeenInstance>,
    /// Whether any of the modules imports its memory, so that instances may share one.
    may_share: bool,
    /// Pages that memories may grow to, if the embedder says so.
    pub(crate) max_pages: Option<u64>,
    /// Call stacks that fill what the engine keeps, and all that were taken.
    stacks: (u64, u64),
    /// Whether any stack led through several modules.
    are_linked: bool,
}

enum SeenMemory {
    Own(Memory),
    /// Other threads can write to it, so reading it takes unsafe code.
    Shared(SharedMemory),
    /// There is none, or it has not been met.
    Unmet,
}

struct SeenInstance {
    module: usize,
    memory: usize,
    /// The globals that may hold pointers, by the names that instrumentation gave them.
    globals: BTreeMap<String, Global>,
}

impl Seen {
    /// How many instances there are.
    #[inline]
    pub(crate) fn instances(&self) -> usize {
        self.instances.len()
    }

    /// Call stacks that fill what the engine keeps, and all that were taken.
    pub(crate) fn stacks(&self) -> (u64, u64) {
        self.stacks
    }

    /// Gives an instance a number, and sets the global by which it will be known.
    pub(crate) fn meet<C: AsContextMut<Data: 'static>>(
        &mut self,
        recorder: &mut Recorder,
        watched: &Watched,
        store: &mut C,
        export: impl Fn(&mut C, &str) -> Option<Extern>,
    ) -> usize {
        let module = self.module(recorder, watched);
        let memory = match export(store, MEMORY_EXPORT) {
            Some(Extern::Memory(memory)) => SeenMemory::Own(memory),
            Some(Extern::SharedMemory(memory)) => SeenMemory::Shared(memory),
            _ => SeenMemory::Unmet,
        };
        let memory = self.memory(recorder, memory, store);
        let number = self.add(recorder, module, memory);
        self.instances[number].globals = globals(watched, store, &export);
        if let Some(Extern::Global(global)) = export(store, INSTANCE_EXPORT) {
            // The module keeps it for us, and an i32 it is.
            let _ = global.set(store.as_context_mut(), Val::I32(number as i32 + 1));
        }
        number
    }

    /// Gives a number to an instance that cannot be looked at.
    pub(crate) fn announce(
        &mut self,
        recorder: &mut Recorder,
        watched: &Watched,
        pages: u64,
        max_pages: Option<u64>,
    ) {
        let module = self.module(recorder, watched);
        self.memories.push(SeenMemory::Unmet);
        let memory = recorder.memory(pages, max_pages, PAGE_BYTES);
        self.add(recorder, module, memory);
    }

    fn add(&mut self, recorder: &mut Recorder, module: usize, memory: usize) -> usize {
        self.instances.push(SeenInstance { module, memory, globals: BTreeMap::new() });
        recorder.instance(module, memory)
    }

    fn module(&mut self, recorder: &mut Recorder, watched: &Watched) -> usize {
        if let Some(known) = self.modules.iter().position(|known| known.is(watched)) {
            return known;
        }
        self.may_share |= watched.imports_memory();
        self.modules.push(watched.clone());
        recorder.known_module(watched.recorded())
    }

    fn memory<C: AsContextMut<Data: 'static>>(
        &mut self,
        recorder: &mut Recorder,
        memory: SeenMemory,
        store: &mut C,
    ) -> usize {
        let mut known = self.memories.iter();
        if self.may_share
            && let Some(known) = known.position(|known| known.is(&memory, store))
        {
            return known;
        }
        let (pages, max_pages, page_bytes) = memory.declared(store);
        let max_pages = max_pages.into_iter().chain(self.max_pages).min();
        self.memories.push(memory);
        recorder.memory(pages, max_pages, page_bytes)
    }

    /// The memories that can be looked at, with their pages.
    pub(crate) fn sizes(&self, store: &impl AsContext) -> Vec<(usize, u64)> {
        let sizes = self.memories.iter().map(|memory| memory.pages(store)).enumerate();
        sizes.filter_map(|(number, pages)| Some((number, pages?))).collect()
    }

    /// An instance's memory, and its pages if it can be looked at.
    pub(crate) fn size(&self, instance: usize, store: &impl AsContext) -> (usize, Option<u64>) {
        let memory = self.instances[instance].memory;
        (memory, self.memories[memory].pages(store))
    }

    /// Whether an instance's memory can be read.
    pub(crate) fn can_look_at(&self, instance: usize) -> bool {
        let memory = self.instances[instance].memory;
        matches!(self.memories[memory], SeenMemory::Own(_))
    }

    /// What a reader of the report should know.
    pub(crate) fn notes(&self) -> Option<String> {
        let is_shared = |memory: &SeenMemory| matches!(memory, SeenMemory::Shared(_));
        self.memories.iter().any(is_shared).then(|| {
            "a memory is shared between threads: nobody looked into it, and what other stores do with it \
             is not in this report"
                .to_owned()
        })
    }

    /// A backtrace in which an instance is innermost. What other modules did is told in words.
    fn backtrace(&mut self, instance: usize, backtrace: &WasmBacktrace, limit: usize) -> Backtrace {
        let module = self.instances[instance].module;
        let frames = backtrace.frames();
        let is_cut = frames.len() >= limit;
        self.stacks.0 += u64::from(is_cut);
        self.stacks.1 += 1;
        let own = &self.modules[module];
        let is_own = |frame: &FrameInfo| Module::same(frame.module(), own.module());
        self.are_linked |= !frames.iter().all(is_own);
        let mut last = None;
        let frames = frames.iter().filter_map(|frame| {
            if is_own(frame) {
                let offset = frame.module_offset().and_then(|offset| u32::try_from(offset).ok());
                return Some(Frame::Wasm { function: frame.func_index(), offset });
            }
            let text = self.in_words(frame)?;
            // A wrapper stands for the function that it wraps.
            let is_new = last.as_ref() != Some(&text);
            last = Some(text.clone());
            is_new.then_some(Frame::Host(text))
        });
        let (inner, caller, is_seen) = own.map().parts(frames);
        let mut backtrace = Backtrace::new(inner, caller);
        backtrace.is_cut = is_cut;
        backtrace.is_seen = is_seen;
        backtrace
    }

    /// A frame of another module; `None` if instrumentation put its function in.
    fn in_words(&self, frame: &FrameInfo) -> Option<String> {
        let watched = self.modules.iter().find(|w| Module::same(w.module(), frame.module()));
        let mut name = frame.func_name();
        let mut function = frame.func_index();
        if let Some(watched) = watched {
            let original = watched.map().frames([(function, frame.module_offset())]);
            let [Frame::Wasm { function: original, offset }] = original[..] else { return None };
            function = original;
            // A wrapper is named `malloc: dlmalloc`, and has no place in the original.
            if let (None, Some((_, wrapped))) =
                (offset, name.and_then(|name| name.split_once(": ")))
            {
                name = Some(wrapped);
            }
        }
        let name = name.map_or_else(|| format!("function {function}"), str::to_owned);
        let module = watched.map(Watched::name).or(frame.module().name());
        Some(format!("{name} ({})", module.unwrap_or("another module")))
    }
}

impl SeenMemory {
    /// Whether this is the same memory. Where it is empty its address may be nobody's; nothing is in it then.
    fn is(&self, other: &SeenMemory, store: &impl AsContext) -> bool {
        match (self, other) {
            (SeenMemory::Own(one), SeenMemory::Own(other)) => {
                one.data_ptr(store) == other.data_ptr(store)
            }
            (SeenMemory::Shared(one), SeenMemory::Shared(other)) => {
                one.data().as_ptr() == other.data().as_ptr()
            }
            _ => false,
        }
    }

    /// Pages at the start, at most, and the bytes in one.
    fn declared(&self, store: &impl AsContext) -> (u64, Option<u64>, u64) {
        let ty = match self {
            SeenMemory::Own(memory) => memory.ty(store),
            SeenMemory::Shared(memory) => memory.ty(),
            SeenMemory::Unmet => return (0, None, PAGE_BYTES),
        };
        (ty.minimum(), ty.maximum(), ty.page_size())
    }

    fn pages(&self, store: &impl AsContext) -> Option<u64> {
        match self {
            SeenMemory::Own(memory) => Some(memory.size(store)),
            SeenMemory::Shared(memory) => Some(memory.size()),
            SeenMemory::Unmet => None,
        }
    }
}

/// The globals of an instance that instrumentation exports.
fn globals<C: AsContextMut>(
    watched: &Watched,
    store: &mut C,
    export: &impl Fn(&mut C, &str) -> Option<Extern>,
) -> BTreeMap<String, Global> {
    let added = watched.module().exports().filter(|export| {
        is_added_export(export.name()) && matches!(export.ty(), ExternType::Global(_))
    });
    let globals = added.filter_map(|added| match export(store, added.name()) {
        Some(Extern::Global(global)) => Some((added.name().to_owned(), global)),
        _ => None,
    });
    globals.collect()
}

/// Frames that an engine keeps of a backtrace.
pub(crate) fn max_frames(engine: &Engine) -> usize {
    match engine.get_wasm_backtrace_max_frames() {
        0 => DEFAULT_MAX_FRAMES,
        frames => frames,
    }
}

/// An instance in a store, as the recorder looks at it.
pub(crate) struct Lent<'a, C> {
    pub(crate) store: &'a mut C,
    pub(crate) seen: &'a mut Seen,
    pub(crate) instance: usize,
}

impl<C> Lent<'_, C> {
    /// Whether its memory can be read.
    pub(crate) fn is_complete(&self) -> bool {
        self.seen.can_look_at(self.instance)
    }
}

impl<C: AsContextMut<Data: 'static>> Guest for Lent<'_, C> {
    #[cold]
    fn backtrace(&mut self) -> Backtrace {
        let store = self.store.as_context();
        let limit = max_frames(store.engine());
        let backtrace = WasmBacktrace::force_capture(store);
        self.seen.backtrace(self.instance, &backtrace, limit)
    }

    /// What is not the module's own here is another module's.
    fn has_host_stack(&self) -> bool {
        self.seen.are_linked
    }

    fn memory(&mut self) -> &[u8] {
        let memory = self.seen.instances[self.instance].memory;
        match &self.seen.memories[memory] {
            SeenMemory::Own(memory) => memory.data(self.store.as_context()),
            SeenMemory::Shared(_) | SeenMemory::Unmet => &[],
        }
    }

    fn is_running(&mut self) -> bool {
        let running = self.seen.instances[self.instance].globals.get(RUNNING_EXPORT);
        running.is_some_and(|running| {
            integer(&running.get(self.store.as_context_mut())).is_some_and(|entries| entries > 0)
        })
    }

    fn global(&mut self, index: u32) -> Option<u64> {
        let global = self.seen.instances[self.instance].globals.get(&global_export(index))?;
        integer(&global.get(self.store.as_context_mut()))
    }
}

/// An integer, extended with zeros.
pub(crate) fn integer(value: &Val) -> Option<u64> {
    match value {
        Val::I32(value) => Some(u64::from(*value as u32)),
        Val::I64(value) => Some(*value as u64),
        _ => None,
    }
}
