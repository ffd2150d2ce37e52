//! Where everything stands in the instrumented module's index spaces: the original's own things, which
//! added imports move, and the new ones behind them.

use std::collections::BTreeMap;

use wasm_encoder::{InstructionSink, ValType};

use super::edits::{Edits, Producer};
use super::features::Features;
use super::hooks::Hook;
use super::inserted::{Reached, Signature};
use super::mode::Plan;
use super::offset_map::Origin;
use crate::module::{Body, Module, SiteKind};

/// A global that the pass adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AddedGlobal {
    /// 1 while an allocator function runs.
    Depth,
    /// The calling context of a callee that is not recursive.
    Context,
    /// The calling context of a callee that is.
    Cyclic,
    /// The anchor of its recursion.
    Anchor,
    /// Allocations left until one fails.
    UntilFailure,
    /// What the host calls this instance.
    Instance,
    /// Entries that wait for the host.
    Level,
    /// Entries that have not returned.
    Running,
    /// The level of the last entry, until the one below it goes on.
    Deepest,
    /// The function under way whose entry the host does not know, and 1; 0 if it knows.
    Untold,
    /// The deepest level that the host has confirmed.
    Confirmed,
    /// Entries since the module last called an import.
    Since,
    /// First entries of calls of imports.
    Firsts,
    /// Accesses in the log.
    Logged,
    /// Number of the oldest block in the quarantine; they are numbered on and on.
    Oldest,
    /// Number of the block that comes into the quarantine next.
    Newest,
    /// Bytes of the blocks in the quarantine.
    Quarantined,
}

/// A memory that the pass adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AddedMemory {
    /// What the bytes of memory 0 are.
    Shadow,
    /// The log of accesses, and the quarantine.
    Log,
}

/// A function that inserted code calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Helper {
    /// Enters a function whose entries may go untold.
    Enter,
    /// Makes the shadow as large as the memory.
    Resize,
    /// Tells the host of what is in the log.
    Tell,
    /// Checks a range of addresses.
    CheckRange,
    /// Says whether all of a range may be accessed.
    IsAccessible,
    /// Checks a vector of ranges.
    CheckVector,
    /// Says that a block is the program's.
    Give,
    /// Says how large a block is.
    Measure,
    /// Says that a block is the program's no longer.
    Forget,
    /// Says whether an address lies in a redzone.
    IsRedzone,
    /// Looks at the canary at the end of a block.
    LookBehind,
    /// Looks at the canary of a block.
    LookAtBlock,
    /// Says that the host has a block.
    Lend,
    /// Looks at the canaries of the blocks that the host has.
    LookAtLent,
    /// Takes a block into the quarantine that this function frees.
    Retire(u32),
    /// Makes a block larger in another place, as this function does that reallocates.
    Move(u32),
    /// Gives the oldest block of the quarantine back.
    ReleaseOldest,
    /// Gives all of them back.
    ReleaseAll,
}

impl AddedGlobal {
    /// Its type.
    pub(super) fn ty(self) -> ValType {
        match self {
            AddedGlobal::Depth
            | AddedGlobal::Instance
            | AddedGlobal::Level
            | AddedGlobal::Running
            | AddedGlobal::Deepest
            | AddedGlobal::Untold
            | AddedGlobal::Confirmed
            | AddedGlobal::Since
            | AddedGlobal::Firsts
            | AddedGlobal::Logged
            | AddedGlobal::Oldest
            | AddedGlobal::Newest => ValType::I32,
            AddedGlobal::Context
            | AddedGlobal::Cyclic
            | AddedGlobal::Anchor
            | AddedGlobal::UntilFailure
            | AddedGlobal::Quarantined => ValType::I64,
        }
    }
}

/// Where everything stands in the instrumented module's index spaces.
pub(super) struct IndexSpace {
    /// Imported functions of the original. The hooks follow them.
    imported: u32,
    /// The hooks, in the order of their imports.
    hooks: &'static [Hook],
    /// By function of the original: the index of what a reference or the host gets.
    targets: Vec<u32>,
    /// By function of the original: the index of what a direct call goes to.
    callees: Vec<u32>,
    /// The same for a tail call.
    tail_callees: Vec<u32>,
    /// What the host calls in place of a function, by the function.
    entries: BTreeMap<u32, u32>,
    /// The functions that stand in for instructions.
    instructions: Vec<(SiteKind, u32)>,
    /// Functions that are exported under a name of ours.
    exports: Vec<(&'static str, u32)>,
    /// The functions that inserted code calls.
    helpers: Vec<(Helper, u32)>,
    /// The function that the engine calls first, if it is not the module's own.
    start: Option<u32>,
    /// Index of the first added memory.
    first_memory: u32,
    /// The added memories, in order.
    memories: Vec<AddedMemory>,
    /// Index of the first added global.
    first_global: u32,
    /// The added globals, in order.
    globals: Vec<AddedGlobal>,
    /// The added types, in order: parameters and results.
    types: Vec<(Vec<ValType>, Vec<ValType>)>,
    /// The type index of each hook and of each inserted function.
    type_indices: Vec<u32>,
}

impl IndexSpace {
    /// Finds a place for everything in `plan`.
    pub(super) fn new(module: &Module<'_>, features: &Features, plan: &Plan<'_>) -> IndexSpace {
        let mut space = IndexSpace {
            imported: module.imported_functions(),
            hooks: plan.hooks,
            targets: Vec::new(),
            callees: Vec::new(),
            tail_callees: Vec::new(),
            entries: BTreeMap::new(),
            instructions: Vec::new(),
            exports: Vec::new(),
            helpers: Vec::new(),
            start: None,
            first_memory: module.memories.len() as u32,
            memories: plan.memories.iter().map(|added| added.memory).collect(),
            first_global: module.globals.len() as u32,
            globals: plan.globals.iter().map(|&(global, _)| global).collect(),
            types: Vec::new(),
            type_indices: Vec::new(),
        };
        space.targets = (0..module.functions.len() as u32).map(|f| space.moved(f)).collect();
        space.add_types(module, features, plan);
        space.add_functions(plan);
        space
    }

    fn add_types(&mut self, module: &Module<'_>, features: &Features, plan: &Plan<'_>) {
        let of_hooks = plan.hooks.iter().map(|hook| {
            let (params, results) = hook.ty(features);
            Signature::New(params, results)
        });
        let of_inserted = plan.inserted.iter().map(|inserted| inserted.ty(features));
        for signature in of_hooks.chain(of_inserted) {
            self.type_indices.push(match signature {
                Signature::Of(function) => module.functions[function as usize].type_index,
                Signature::New(params, results) => {
                    self.types.push((params, results));
                    (module.types.len() + self.types.len() - 1) as u32
                }
            });
        }
    }

    fn add_functions(&mut self, plan: &Plan<'_>) {
        let first = self.first_inserted();
        let reached = || plan.inserted.iter().map(|inserted| inserted.reached()).zip(first..);
        for (reached, index) in reached() {
            match reached {
                Reached::Instead(function) => self.targets[function as usize] = index,
                Reached::ByHost(function) => {
                    self.entries.insert(function, index);
                }
                Reached::AtInstructions(kind) => self.instructions.push((kind, index)),
                Reached::ByExport(name) => self.exports.push((name, index)),
                Reached::ByCode(helper) => self.helpers.push((helper, index)),
                Reached::AtStart => self.start = Some(index),
                Reached::AtCalls(_) | Reached::AtTailCalls(_) => {}
            }
        }
        self.callees.clone_from(&self.targets);
        self.tail_callees.clone_from(&self.targets);
        for (reached, index) in reached() {
            match reached {
                Reached::AtCalls(function) => self.callees[function as usize] = index,
                Reached::AtTailCalls(function) => self.tail_callees[function as usize] = index,
                _ => {}
            }
        }
    }

    /// The original function's own new index.
    pub(super) fn moved(&self, function: u32) -> u32 {
        if function < self.imported { function } else { function + self.hooks.len() as u32 }
    }

    /// What a reference to the original function goes to, or a call from outside.
    pub(super) fn target(&self, function: u32) -> u32 {
        self.targets[function as usize]
    }

    /// What the host calls in place of the original function.
    pub(super) fn entry(&self, function: u32) -> Option<u32> {
        self.entries.get(&function).copied()
    }

    /// The functions that the host can call, and what it calls in their place.
    pub(super) fn entries(&self) -> &BTreeMap<u32, u32> {
        &self.entries
    }

    /// The function that stands in for an instruction.
    fn stand_in(&self, kind: SiteKind) -> Option<u32> {
        let found = self.instructions.iter().find(|(replaced, _)| *replaced == kind);
        found.map(|&(_, function)| function)
    }

    /// Index of the first inserted function; the others follow it.
    pub(super) fn first_inserted(&self) -> u32 {
        (self.targets.len() + self.hooks.len()) as u32
    }

    /// Index of a function that inserted code calls.
    ///
    /// # Panics
    ///
    /// When the mode does not insert it.
    pub(super) fn helper(&self, helper: Helper) -> u32 {
        let found = self.helpers.iter().find(|(inserted, _)| *inserted == helper);
        found.expect("a mode inserts the functions that it calls").1
    }

    /// The function that the engine calls first, if it is not the module's own.
    pub(super) fn start(&self) -> Option<u32> {
        self.start
    }

    /// Index of an added memory.
    ///
    /// # Panics
    ///
    /// When the mode does not add it.
    pub(super) fn memory(&self, memory: AddedMemory) -> u32 {
        let position = self.memories.iter().position(|added| *added == memory);
        self.first_memory + position.expect("a mode adds the memories that it uses") as u32
    }

    /// Functions that are exported under a name of ours.
    pub(super) fn exports(&self) -> &[(&'static str, u32)] {
        &self.exports
    }

    /// Index of a hook.
    ///
    /// # Panics
    ///
    /// When the mode does not import it.
    pub(super) fn hook(&self, hook: Hook) -> u32 {
        let position = self.hooks.iter().position(|imported| *imported == hook);
        self.imported + position.expect("a mode imports the hooks that it calls") as u32
    }

    /// Calls a hook, whose arguments are on the stack except the last one, the instance.
    pub(super) fn call_hook(&self, hook: Hook, code: &mut InstructionSink<'_>) {
        code.global_get(self.global(AddedGlobal::Instance)).call(self.hook(hook));
    }

    /// Index of an added global.
    ///
    /// # Panics
    ///
    /// When the mode does not add it.
    pub(super) fn global(&self, global: AddedGlobal) -> u32 {
        let position = self.globals.iter().position(|added| *added == global);
        self.first_global + position.expect("a mode adds the globals that it uses") as u32
    }

    /// The added types, in order: parameters and results.
    pub(super) fn types(&self) -> &[(Vec<ValType>, Vec<ValType>)] {
        &self.types
    }

    /// The hooks in the order of their imports, with the index of each type.
    pub(super) fn hooks(&self) -> impl Iterator<Item = (Hook, u32)> + '_ {
        self.hooks.iter().copied().zip(self.type_indices.iter().copied())
    }

    /// The type index of each inserted function.
    pub(super) fn inserted_types(&self) -> &[u32] {
        &self.type_indices[self.hooks.len()..]
    }

    /// For every function of the new module, where it comes from.
    pub(super) fn origins(&self, plan: &Plan<'_>) -> Vec<Origin> {
        let imports = (0..self.imported).map(Origin::Function);
        let hooks = self.hooks.iter().map(|_| Origin::Added);
        let defined = (self.imported..self.targets.len() as u32).map(Origin::Function);
        let inserted = plan.inserted.iter().map(|inserted| inserted.origin());
        imports.chain(hooks).chain(defined).chain(inserted).collect()
    }
}

/// Instructions that name a function get its new index or that of its stand-in, and instructions that
/// a function stands in for become calls of it.
impl Producer for IndexSpace {
    fn edit(&self, _: &IndexSpace, _: u32, body: &Body, edits: &mut Edits) {
        for site in &body.sites {
            match site.kind {
                SiteKind::Call(callee) => edits.replace(site, |code| {
                    code.call(self.callees[callee as usize]);
                }),
                SiteKind::ReturnCall(callee) => edits.replace(site, |code| {
                    code.return_call(self.tail_callees[callee as usize]);
                }),
                SiteKind::RefFunc(function) => edits.replace(site, |code| {
                    code.ref_func(self.target(function));
                }),
                SiteKind::CallIndirect(_) => {}
                kind @ (SiteKind::MemoryGrow(_) | SiteKind::MemorySize(_)) => {
                    if let Some(stand_in) = self.stand_in(kind) {
                        edits.replace(site, |code| {
                            code.call(stand_in);
                        });
                    }
                }
            }
        }
    }
}
