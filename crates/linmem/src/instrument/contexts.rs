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
//! An indirect call may or may not close a cycle, and only the callee knows. So recursive functions
//! take their context from a global of their own, and such a call fills both.

use rustc_hash::{FxHashMap, FxHashSet};
use wasm_encoder::InstructionSink;

use super::Layout;
use crate::allocator::Allocator;
use crate::module::call_graph::{CallGraph, Recursion};
use crate::module::{Body, Module, Site, SiteKind};

/// Low bits of an anchor: one for each closing call taken, as a Bloom filter.
const FOLD_BITS: u32 = 24;

/// Odd 64-bit multiplier (2^64 / golden ratio) that moves what is below into the upper bits.
const SPREAD: i64 = 0x9e37_79b9_7f4a_7c15_u64 as i64;

/// Another, so that an anchor and a path that are hashed together do not cancel out.
const SPREAD_ANCHOR: i64 = 0xd6e8_feb8_6659_fd93_u64 as i64;

/// The low half of a recursive function's context: the path since the last fold.
const PATH: i64 = 0xffff_ffff;

/// Engines refuse functions with more locals than this.
const MAX_LOCALS: u32 = 50_000;

/// For every function, whether it can reach an allocator function or `memory.grow`.
pub(super) fn observed(module: &Module<'_>, graph: &CallGraph, allocator: &Allocator) -> Vec<bool> {
    let growers = module.functions.iter().enumerate().filter_map(|(index, function)| {
        let sites = &function.body.as_ref()?.sites;
        sites.iter().any(|s| s.kind == SiteKind::MemoryGrow(0)).then_some(index as u32)
    });
    graph.reaching(growers.chain(allocator.functions.iter().map(|f| f.function)))
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
pub(super) struct FunctionContext<'c> {
    contexts: &'c Contexts,
    function: u32,
    /// The local that holds the function's own context; the anchor follows it.
    local: u32,
    recursive: bool,
}

/// What a call site passes to its callee.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
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

impl Contexts {
    pub(super) fn new(module: &Module<'_>, graph: &CallGraph, allocator: &Allocator) -> Contexts {
        let recursion = graph.recursion();
        let indirect: Vec<_> =
            (0..module.types.len() as u32).map(|ty| graph.indirect_node(ty)).collect();
        // Many types can share a node.
        let mut of_node: FxHashMap<u32, bool> = FxHashMap::default();
        let mut enters = |node: u32| {
            let any = || graph.successors(node).iter().any(|&target| recursion.is_cyclic(target));
            *of_node.entry(node).or_insert_with(any)
        };
        let enters_recursion = indirect.iter().map(|node| node.is_some_and(&mut enters)).collect();
        Contexts {
            observed: observed(module, graph, allocator),
            recursion,
            indirect,
            enters_recursion,
            hooked: allocator.functions.iter().map(|f| f.function).collect(),
        }
    }

    /// How `function` keeps its context; `None` if it takes no part.
    pub(super) fn of_function(&self, function: u32, body: &Body) -> Option<FunctionContext<'_>> {
        let takes_part = self.observed[function as usize] && body.locals + 2 <= MAX_LOCALS;
        takes_part.then(|| FunctionContext {
            contexts: self,
            function,
            local: body.locals,
            recursive: self.recursion.is_cyclic(function),
        })
    }

    fn step(&self, caller: u32, kind: SiteKind) -> Step {
        match kind {
            SiteKind::Call(callee) | SiteKind::ReturnCall(callee) => {
                if !self.observed[callee as usize] {
                    Step::Nothing
                } else if !self.recursion.is_cyclic(callee) {
                    Step::Next
                } else if self.hooked.contains(&callee)
                    || !self.recursion.same_cycle(caller, callee)
                {
                    Step::Enter
                } else if self.recursion.closes_cycle(caller, callee) {
                    Step::Fold
                } else {
                    Step::NextInside
                }
            }
            SiteKind::CallIndirect(ty) => match self.indirect[ty as usize] {
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
            },
            SiteKind::MemoryGrow(0) => Step::Next,
            _ => Step::Nothing,
        }
    }
}

impl FunctionContext<'_> {
    /// Number of locals it needs.
    pub(super) fn extra_locals(&self) -> u32 {
        if self.recursive { 2 } else { 1 }
    }

    /// At the start of the function: takes over what the caller passed.
    pub(super) fn enter(&self, layout: &Layout, code: &mut InstructionSink<'_>) {
        let globals = &layout.globals;
        if self.recursive {
            code.global_get(globals.cyclic).local_set(self.local);
            code.global_get(globals.anchor).local_set(self.anchor());
        } else {
            code.global_get(globals.context).local_set(self.local);
        }
    }

    /// Before a call: passes the callee's context on. Leaves the operand stack as it was.
    pub(super) fn leave(&self, layout: &Layout, site: &Site, code: &mut InstructionSink<'_>) {
        let globals = &layout.globals;
        match self.contexts.step(self.function, site.kind) {
            Step::Nothing => {}
            Step::Next => {
                self.push_next(site, code);
                code.global_set(globals.context);
            }
            Step::NextInside => {
                self.push_next_inside(site, code);
                code.global_set(globals.cyclic);
                code.local_get(self.anchor()).global_set(globals.anchor);
            }
            Step::Enter => {
                self.push_next(site, code);
                code.i64_const(SPREAD).i64_mul();
                code.i64_const(-1 << FOLD_BITS).i64_and().global_set(globals.context);
                code.global_get(globals.context).global_set(globals.anchor);
                code.global_get(globals.context).global_set(globals.cyclic);
            }
            Step::Fold => self.fold(layout, site, code),
            Step::FoldOrNext => {
                self.push_next(site, code);
                code.global_set(globals.context);
                self.fold(layout, site, code);
            }
        }
    }

    /// The local that holds the function's anchor, if the function is recursive.
    fn anchor(&self) -> u32 {
        self.local + 1
    }

    /// `3 * own + site`.
    fn push_next(&self, site: &Site, code: &mut InstructionSink<'_>) {
        code.local_get(self.local).i64_const(3).i64_mul();
        code.i64_const(site_number(site.offset)).i64_add();
    }

    /// `own + 2 * path + site`: the upper half stays.
    fn push_next_inside(&self, site: &Site, code: &mut InstructionSink<'_>) {
        code.local_get(self.local);
        code.local_get(self.local).i64_const(PATH).i64_and().i64_const(1).i64_shl().i64_add();
        code.i64_const(site_number(site.offset)).i64_add();
    }

    fn fold(&self, layout: &Layout, site: &Site, code: &mut InstructionSink<'_>) {
        let globals = &layout.globals;
        code.local_get(self.anchor()).i64_const(fold_bit(site.offset)).i64_or();
        code.global_set(globals.anchor);
        code.local_get(self.local).i64_const(PATH).i64_and().i64_const(3).i64_mul();
        code.i64_const(site_number(site.offset)).i64_add().i64_const(SPREAD).i64_mul();
        code.global_get(globals.anchor).i64_const(SPREAD_ANCHOR).i64_mul();
        code.i64_xor().i64_const(!PATH).i64_and().global_set(globals.cyclic);
    }
}

/// Where the host enters: whatever a trap left behind is reset.
pub(super) fn reset(layout: &Layout, function: u32, code: &mut InstructionSink<'_>) {
    let start = (site_number(function as usize) << FOLD_BITS) ^ (SPREAD << FOLD_BITS);
    code.i32_const(0).global_set(layout.globals.depth);
    code.i64_const(start).global_set(layout.globals.context);
    code.i64_const(start).global_set(layout.globals.anchor);
    code.i64_const(start).global_set(layout.globals.cyclic);
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
