//! Calling contexts: a 64-bit number that stands for the call stack.
//!
//! Probabilistic calling context (Bond & McKinley, OOPSLA 2007): a function keeps its own value
//! in a local and, at each call site, passes `3 * own + site` to its callee in a global. Nothing
//! is restored after a call, so traps, exceptions and tail calls need no care. Only functions
//! that can reach an allocator function or `memory.grow` take part.
//!
//! Recursion would make the number of contexts unbounded, so it is *folded*: a function on a
//! cycle of the call graph also knows its anchor, which stands for where the recursion was entered
//! and, one bit for each, for the cycle-closing calls taken since. Its context has two halves:
//!
//! ```text
//!   63                    32 31                     0
//!   hash(anchor, last path)  path since the last fold
//! ```
//!
//! A call that closes a cycle folds: the anchor gets the call's bit, the path becomes the last
//! one, and the one before that is forgotten.
//!
//! Only the callee of an indirect call knows whether the call closes a cycle. So recursive functions
//! take their context from a global of their own, and such a call fills both.

use rustc_hash::{FxHashMap, FxHashSet};
use wasm_encoder::{InstructionSink, ValType};

use super::edits::{Edits, Producer};
use super::index_space::{AddedGlobal, IndexSpace};
use super::left_alone::has_room;
use crate::module::call_graph::Recursion;
use crate::module::{Body, SiteKind};
use crate::prepared::Prepared;

/// Low bits of an anchor: one for each closing call taken, as a Bloom filter.
const FOLD_BITS: u32 = 24;

/// Odd 64-bit multiplier (2^64 / golden ratio) that moves what is below into the upper bits.
const SPREAD: i64 = 0x9e37_79b9_7f4a_7c15_u64 as i64;

/// Another, so that an anchor and a path that are hashed together do not cancel out.
const SPREAD_ANCHOR: i64 = 0xd6e8_feb8_6659_fd93_u64 as i64;

/// The low half of a recursive function's context: the path since the last fold.
const PATH: i64 = 0xffff_ffff;

/// Locals that a function needs for its context, at most.
pub(super) const LOCALS: u32 = 2;

/// For every node of the call graph, and so for every function, whether it can reach an allocator
/// function or `memory.grow`.
pub(super) fn observed(prepared: &Prepared<'_>) -> Vec<bool> {
    let functions = prepared.module.functions.iter().enumerate();
    let growers = functions.filter_map(|(index, function)| {
        let sites = &function.body.as_ref()?.sites;
        sites.iter().any(|s| s.kind == SiteKind::MemoryGrow(0)).then_some(index as u32)
    });
    let hooked = prepared.allocator().functions.iter().map(|hooked| hooked.function);
    prepared.graph.reaching(growers.chain(hooked))
}

/// What each call site does to the context.
pub(super) struct Contexts {
    /// By node of the call graph.
    observed: Vec<bool>,
    recursion: Recursion,
    /// Nodes of indirect calls, by type index.
    indirect: Vec<Option<u32>>,
    /// Nodes through which an indirect call can enter a recursion.
    enters_recursion: Vec<bool>,
    /// The allocator functions. Their wrappers take what functions that are not recursive take.
    hooked: FxHashSet<u32>,
}

/// How a function keeps its context.
struct FunctionContext {
    /// The local that holds the function's own context.
    own: u32,
    /// The local that holds its anchor, if the function is recursive.
    anchor: u32,
    globals: ContextGlobals,
}

/// Indices of the globals in which contexts are passed.
struct ContextGlobals {
    context: u32,
    cyclic: u32,
    anchor: u32,
}

impl ContextGlobals {
    fn of(space: &IndexSpace) -> ContextGlobals {
        ContextGlobals {
            context: space.global(AddedGlobal::Context),
            cyclic: space.global(AddedGlobal::Cyclic),
            anchor: space.global(AddedGlobal::Anchor),
        }
    }
}

/// What a call site passes to its callee.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The callee cannot reach anything of interest.
    Nothing,
    /// The next context, to a callee that is not recursive.
    Next,
    /// The next context, inside the same recursion.
    NextInside,
    /// The next context is the anchor of a new recursion, if the callee is recursive.
    Enter,
    /// The call closes a cycle.
    Fold,
    /// The call closes a cycle if its callee, which is not known here, is recursive.
    FoldOrNext,
}

impl Step {
    /// Its letter in a recorder's map.
    pub(super) fn letter(self) -> char {
        match self {
            Step::Nothing => '-',
            Step::Next => 'n',
            Step::NextInside => 'i',
            Step::Enter => 'e',
            Step::Fold => 'f',
            Step::FoldOrNext => 'o',
        }
    }
}

impl Contexts {
    /// Looks at the call graph of a module, given its nodes that are observed.
    pub(super) fn new(prepared: &Prepared<'_>, observed: Vec<bool>) -> Contexts {
        let graph = &prepared.graph;
        let recursion = graph.recursion();
        let types = 0..prepared.module.types.len() as u32;
        let indirect: Vec<_> = types.map(|ty| graph.indirect_node(ty)).collect();
        // Many types can share a node.
        let mut of_node: FxHashMap<u32, bool> = FxHashMap::default();
        let mut enters = |node: u32| {
            let any = || graph.successors(node).iter().any(|&target| recursion.is_cyclic(target));
            *of_node.entry(node).or_insert_with(any)
        };
        let enters_recursion = indirect.iter().map(|node| node.is_some_and(&mut enters)).collect();
        let hooked = prepared.allocator().functions.iter().map(|hooked| hooked.function).collect();
        Contexts { observed, recursion, indirect, enters_recursion, hooked }
    }

    /// Of the first so many functions, whether each is recursive.
    pub(super) fn recursive(&self, functions: usize) -> Vec<bool> {
        (0..functions as u32).map(|function| self.recursion.is_cyclic(function)).collect()
    }

    fn step(&self, caller: u32, kind: SiteKind) -> Step {
        match kind {
            SiteKind::Call(callee) | SiteKind::ReturnCall(callee) => self.step_to(caller, callee),
            SiteKind::CallIndirect(ty) => self.step_through(caller, ty),
            SiteKind::MemoryGrow(0) => Step::Next,
            SiteKind::RefFunc(_) | SiteKind::MemoryGrow(_) | SiteKind::MemorySize(_) => {
                Step::Nothing
            }
        }
    }

    fn step_to(&self, caller: u32, callee: u32) -> Step {
        if !self.observed[callee as usize] {
            Step::Nothing
        } else if !self.recursion.is_cyclic(callee) {
            Step::Next
        } else if self.hooked.contains(&callee) || !self.recursion.same_cycle(caller, callee) {
            Step::Enter
        } else if self.recursion.closes_cycle(caller, callee) {
            Step::Fold
        } else {
            Step::NextInside
        }
    }

    /// An indirect call of a function of this type.
    fn step_through(&self, caller: u32, ty: u32) -> Step {
        match self.indirect[ty as usize] {
            Some(node) if self.observed[node as usize] => {
                if self.recursion.same_cycle(caller, node) {
                    Step::FoldOrNext
                } else if self.enters_recursion[ty as usize] {
                    Step::Enter
                } else {
                    Step::Next
                }
            }
            _ => Step::Nothing,
        }
    }
}

impl Producer for Contexts {
    fn edit(&self, space: &IndexSpace, function: u32, body: &Body, edits: &mut Edits) {
        if !self.observed[function as usize] || !has_room(body, false) {
            return;
        }
        let recursive = self.recursion.is_cyclic(function);
        let own = edits.add_locals(body, if recursive { LOCALS } else { 1 }, ValType::I64);
        let globals = ContextGlobals::of(space);
        let context = FunctionContext { own, anchor: own + 1, globals };
        edits.at_start(|code| context.enter(recursive, code));
        for site in &body.sites {
            match self.step(function, site.kind) {
                Step::Nothing => {}
                step => {
                    edits.insert_step_before(site.offset, step, |code| {
                        context.leave(step, site.offset, code);
                    });
                }
            }
        }
    }
}

impl FunctionContext {
    /// At the start of the function: takes over what the caller passed.
    fn enter(&self, recursive: bool, code: &mut InstructionSink<'_>) {
        if recursive {
            code.global_get(self.globals.cyclic).local_set(self.own);
            code.global_get(self.globals.anchor).local_set(self.anchor);
        } else {
            code.global_get(self.globals.context).local_set(self.own);
        }
    }

    /// Before a call: passes the callee's context on. Leaves the operand stack as it was.
    fn leave(&self, step: Step, site: usize, code: &mut InstructionSink<'_>) {
        let globals = &self.globals;
        match step {
            Step::Nothing => {}
            Step::Next => {
                self.push_next(site, code);
                code.global_set(globals.context);
            }
            Step::NextInside => {
                self.push_next_inside(site, code);
                code.global_set(globals.cyclic);
                code.local_get(self.anchor).global_set(globals.anchor);
            }
            Step::Enter => {
                self.push_next(site, code);
                code.i64_const(SPREAD).i64_mul();
                code.i64_const(-1 << FOLD_BITS).i64_and().global_set(globals.context);
                code.global_get(globals.context).global_set(globals.anchor);
                code.global_get(globals.context).global_set(globals.cyclic);
            }
            Step::Fold => self.fold(site, code),
            Step::FoldOrNext => {
                self.push_next(site, code);
                code.global_set(globals.context);
                self.fold(site, code);
            }
        }
    }

    /// `3 * own + site`.
    fn push_next(&self, site: usize, code: &mut InstructionSink<'_>) {
        code.local_get(self.own).i64_const(3).i64_mul();
        code.i64_const(site_number(site)).i64_add();
    }

    /// `own + 2 * path + site`: the upper half stays.
    fn push_next_inside(&self, site: usize, code: &mut InstructionSink<'_>) {
        code.local_get(self.own);
        code.local_get(self.own).i64_const(PATH).i64_and().i64_const(1).i64_shl().i64_add();
        code.i64_const(site_number(site)).i64_add();
    }

    fn fold(&self, site: usize, code: &mut InstructionSink<'_>) {
        let globals = &self.globals;
        code.local_get(self.anchor).i64_const(fold_bit(site)).i64_or();
        code.global_set(globals.anchor);
        code.local_get(self.own).i64_const(PATH).i64_and().i64_const(3).i64_mul();
        code.i64_const(site_number(site)).i64_add().i64_const(SPREAD).i64_mul();
        code.global_get(globals.anchor).i64_const(SPREAD_ANCHOR).i64_mul();
        code.i64_xor().i64_const(!PATH).i64_and().global_set(globals.cyclic);
    }
}

/// Where the host enters: whatever a trap left behind is reset.
pub(super) fn reset(space: &IndexSpace, function: u32, code: &mut InstructionSink<'_>) {
    let start = (site_number(function as usize) << FOLD_BITS) ^ (SPREAD << FOLD_BITS);
    let globals = ContextGlobals::of(space);
    code.i32_const(0).global_set(space.global(AddedGlobal::Depth));
    code.i64_const(start).global_set(globals.context);
    code.i64_const(start).global_set(globals.anchor);
    code.i64_const(start).global_set(globals.cyclic);
}

/// Pushes the two halves of the context in `local`, low half first.
pub(super) fn push_context(local: u32, code: &mut InstructionSink<'_>) {
    code.local_get(local).i32_wrap_i64();
    code.local_get(local).i64_const(32).i64_shr_u().i32_wrap_i64();
}

/// A call site's number: 31 bits that look random, because neighbouring offsets would make
/// different paths add up to the same context.
fn site_number(offset: usize) -> i64 {
    i64::from(mix(offset as u32) & 0x7fff_ffff)
}

/// The bit that says a closing call was taken.
fn fold_bit(offset: usize) -> i64 {
    1 << (mix(!(offset as u32)) % FOLD_BITS)
}

/// The finalizer of MurmurHash3 (public domain, Austin Appleby): a bijection of 32-bit words.
fn mix(mut word: u32) -> u32 {
    word ^= word >> 16;
    word = word.wrapping_mul(0x85eb_ca6b);
    word ^= word >> 13;
    word = word.wrapping_mul(0xc2b2_ae35);
    word ^ (word >> 16)
}
