//! Code outside an allocator that writes what the allocator keeps to itself.
//!
//! An allocator whose functions were all found is the only one to write its free lists and its top. Where other
//! code does, blocks may be allocated or freed there unseen: an arena that is reset, a `free` that the compiler
//! put into its callers.

use std::collections::{BTreeMap, BTreeSet};

use wasmparser::Operator;

use super::Allocator;
use crate::module::{Body, CallGraph, Module};

/// Runs once before the program, and sets up what has no constant.
const CONSTRUCTORS: &str = "__wasm_call_ctors";

/// Sets where the heap begins, if that is not set yet, in Emscripten's modules that others are linked to.
const GETS_BREAK: &str = "emscripten_get_sbrk_ptr";

/// What more functions than this write does not belong to an allocator: a shadow stack, roots of a collector.
const MOST_STRANGERS: usize = 32;

impl Allocator {
    /// The words that the allocator both reads and writes, and the functions other than the allocator itself that
    /// write a byte of them that it does, or a global of that kind. What runs only before the program does not count, nor
    /// do functions that are known to be the allocator's.
    pub(super) fn find_state(
        &self,
        module: &Module<'_>,
        graph: &CallGraph,
    ) -> (Vec<u64>, Vec<u32>) {
        let allocator = self.hooked();
        // Functions into which the compiler has put a part of the allocator may do for it what it does. The rest of them
        // is other code, so what they remember is not the allocator's state.
        let partly: BTreeSet<u32> = self.resizing.iter().chain(&self.aligning).copied().collect();
        let harmless: BTreeSet<u32> = constructors(module)
            .chain(self.set_up.iter().copied())
            .chain(of_mimalloc(module, &allocator))
            .collect();
        let entered = module.exported_functions().map(|(_, function)| function);
        let entered = entered.chain(module.address_taken.iter().copied());
        let entered = entered.filter(|function| !harmless.contains(function));
        let is_barrier = |node: u32| {
            allocator.contains(&node) || partly.contains(&node) || harmless.contains(&node)
        };
        let outside = graph.reachable(entered, is_barrier);
        let inside = graph.reachable(allocator.iter().copied(), |_| false);
        let is_own = |function: u32| {
            allocator.contains(&function)
                || inside[function as usize] && !outside[function as usize]
        };
        let is_outside = |function: &u32| {
            outside[*function as usize]
                && !allocator.contains(function)
                && !partly.contains(function)
        };
        let functions = 0..module.functions.len() as u32;
        let own = functions.clone().filter(|&function| is_own(function));
        let own: Vec<&Body> = own.filter_map(|function| body(module, function)).collect();
        let objects = objects(module, &own, &allocator);
        let state = State::of(module, own);
        let mut writers = BTreeMap::<Place, Vec<u32>>::new();
        for function in functions.filter(is_outside) {
            let written = body(module, function).into_iter().flat_map(written_by);
            for place in written.filter(|place| state.contains(place)) {
                writers.entry(place).or_default().push(function);
            }
            let lent = body(module, function).map_or(&[][..], |body| &body.statics.lends);
            for (_, address) in lent.iter().filter(|lent| objects.contains(lent)) {
                writers.entry(Place::Byte(*address)).or_default().push(function);
            }
        }
        let writers = writers.into_values().filter(|writers| writers.len() <= MOST_STRANGERS);
        let strangers = writers.flatten().collect::<BTreeSet<u32>>();
        (state.words().into_iter().take(MOST_WORDS).collect(), strangers.into_iter().collect())
    }
}

/// Words of an allocator's state that are kept.
const MOST_WORDS: usize = 256;

const WORD_BYTES: u64 = 4;

/// The methods that an allocator calls of objects at fixed places, with these places: where its state is an object, its
/// own functions hand that to each other. Functions that never return tell what went wrong, to everybody.
fn objects(module: &Module<'_>, own: &[&Body], allocator: &BTreeSet<u32>) -> BTreeSet<(u32, u64)> {
    let lent = own.iter().flat_map(|body| body.statics.lends.iter().copied());
    let is_method = |&(callee, address): &(u32, u64)| {
        address >= LOWEST_OBJECT
            && !allocator.contains(&callee)
            && body(module, callee).is_some_and(|body| returns(module, body))
    };
    lent.filter(is_method).collect()
}

/// Objects lie behind address 0 at some distance.
const LOWEST_OBJECT: u64 = 1024;

/// Whether a function does not end with `unreachable`.
fn returns(module: &Module<'_>, body: &Body) -> bool {
    let last = body.operators(module.bytes).filter(|operator| *operator != Operator::End).last();
    last != Some(Operator::Unreachable)
}

/// Something that lasts from call to call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Byte(u64),
    Global(u32),
}

/// What an allocator remembers between calls.
struct State(BTreeSet<Place>);

impl State {
    /// What some functions both read and write. What they only write is for others, as `errno` is.
    fn of(module: &Module<'_>, own: Vec<&Body>) -> State {
        let read: BTreeSet<Place> = own.iter().flat_map(|body| read_by(body)).collect();
        let mut state: BTreeSet<Place> = own.iter().flat_map(|body| written_by(body)).collect();
        state.retain(|place| read.contains(place));
        if let Some(pointer) = module.stack_pointer() {
            state.remove(&Place::Global(pointer));
        }
        State(state)
    }

    fn contains(&self, place: &Place) -> bool {
        self.0.contains(place)
    }

    /// The words that it lies in.
    fn words(&self) -> BTreeSet<u64> {
        let address = |place: &Place| match place {
            Place::Byte(address) => Some(address / WORD_BYTES * WORD_BYTES),
            Place::Global(_) => None,
        };
        self.0.iter().filter_map(address).collect()
    }
}

fn read_by(body: &Body) -> impl Iterator<Item = Place> {
    let bytes = body.statics.reads.iter().copied().map(Place::Byte);
    bytes.chain(body.statics.gets.iter().copied().map(Place::Global))
}

fn written_by(body: &Body) -> impl Iterator<Item = Place> {
    let bytes = body.statics.writes.iter().copied().map(Place::Byte);
    bytes.chain(body.statics.sets.iter().copied().map(Place::Global))
}

/// The functions that run before the program, or as if they had.
pub(crate) fn constructors<'m>(module: &'m Module<'_>) -> impl Iterator<Item = u32> + 'm {
    let named = module.names.functions.iter();
    let named = named.filter(|(_, name)| [CONSTRUCTORS, GETS_BREAK].contains(name));
    let exported = module.exported_functions();
    let exported =
        exported.filter(|(name, _)| [CONSTRUCTORS, GETS_BREAK, "_initialize"].contains(name));
    let exported = exported.map(|(_, function)| function);
    named.map(|(function, _)| *function).chain(exported).chain(module.start)
}

/// The functions of mimalloc, if that is the allocator: what it keeps of pages and for its statistics is its own.
fn of_mimalloc<'m>(
    module: &'m Module<'_>,
    allocator: &BTreeSet<u32>,
) -> impl Iterator<Item = u32> + 'm {
    let name_of = |function: &u32| module.names.functions.get(function);
    let is_used = allocator.iter().filter_map(name_of).any(|name| name.starts_with("mi_"));
    let named = module.names.functions.iter().filter(move |_| is_used);
    let own = named.filter(|(_, name)| name.starts_with("mi_") || name.starts_with("_mi_"));
    own.map(|(function, _)| *function)
}

fn body<'m>(module: &'m Module<'_>, function: u32) -> Option<&'m Body> {
    module.functions[function as usize].body.as_ref()
}

#[cfg(test)]
mod tests {
    use crate::Prepared;

    /// The functions that write to the allocator's state in a module with this code, by number.
    fn strangers(text: &str) -> Vec<u32> {
        let wasm = wat::parse_str(format!("(module (memory 1) {text})")).unwrap();
        Prepared::new(&wasm, &Vec::new(), None).unwrap().allocator().strangers.clone()
    }

    const NONE: [u32; 0] = [];

    /// A bump allocator in C: functions 0 and 1. `top` lies at 2000, `errno` at 3000.
    const BUMP: &str = r#"
        (func $malloc (export "malloc") (param i32) (result i32) (local i32)
          (if (i32.gt_u (local.get 0) (i32.const 1000)) (then (call $refuse)))
          (local.set 1 (i32.load offset=2000 (i32.const 0)))
          (i32.store offset=2000 (i32.const 0) (i32.add (local.get 1) (local.get 0)))
          (local.get 1))
        (func $free (export "free") (param i32))
        (func $refuse (i32.store (i32.const 3000) (i32.const 48)))"#;

    #[test]
    fn an_allocator_alone_writes_its_words() {
        let reader = r#"
            (func (export "used") (result i32) (i32.load (i32.const 2000)))
            (func (export "clear_error") (i32.store (i32.const 3000) (i32.const 0)))
            (func (export "other") (i32.store (i32.const 2004) (i32.const 0)))"#;
        assert_eq!(strangers(&format!("{BUMP} {reader}")), NONE);
    }

    #[test]
    fn whoever_else_writes_them_is_a_stranger() {
        let reset = r#"(func (export "reset") (i32.store (i32.const 2000) (i32.const 4096)))"#;
        assert_eq!(strangers(&format!("{BUMP} {reset}")), [3]);
        let inner = r#"
            (func $reset (i32.store (i32.const 2000) (i32.const 4096)))
            (func (export "begin") (call $reset))"#;
        assert_eq!(strangers(&format!("{BUMP} {inner}")), [3]);
        let in_table = r#"
            (table 1 funcref) (elem (i32.const 0) $reset)
            (func $reset (i64.store offset=1996 (i32.const 0) (i64.const 0)))"#;
        assert_eq!(strangers(&format!("{BUMP} {in_table}")), [3]);
    }

    #[test]
    fn globals_count_as_words_do() {
        let arena = r#"
            (global $top (mut i32) (i32.const 1024))
            (func (export "malloc") (param i32) (result i32)
              global.get $top
              (global.set $top (i32.add (global.get $top) (local.get 0))))
            (func (export "reset") (global.set $top (i32.const 1024)))"#;
        assert_eq!(strangers(arena), [1]);
    }

    #[test]
    fn what_runs_before_the_program_sets_it_up() {
        let begin = r#"
            (func $set_up (i32.store (i32.const 2000) (i32.const 4096)))
            (func $begin (export "_initialize") (call $set_up))"#;
        assert_eq!(strangers(&format!("{BUMP} {begin}")), NONE);
        let start = "(func $start (i32.store (i32.const 2000) (i32.const 4096))) (start $start)";
        assert_eq!(strangers(&format!("{BUMP} {start}")), NONE);
        let command = r#"
            (func $__wasm_call_ctors (i32.store (i32.const 2000) (i32.const 4096)))
            (func (export "_start") (call $__wasm_call_ctors))"#;
        assert_eq!(strangers(&format!("{BUMP} {command}")), NONE);
    }

    #[test]
    fn mimallocs_functions_are_its_own() {
        let module = |name: &str| {
            format!(
                r#"(func $mi_malloc (param i32) (result i32)
                     (i32.store offset=2000 (i32.const 0) (i32.load offset=2000 (i32.const 0))) (i32.const 8))
                   (func $mi_free (param i32))
                   (func ${name} (i32.store offset=2000 (i32.const 0) (i32.const 1)))
                   (func (export "work") (call ${name}) (call $mi_free (call $mi_malloc (i32.const 8))))"#
            )
        };
        assert_eq!(strangers(&module("_mi_stat_increase")), NONE);
        assert_eq!(strangers(&module("reset")), [2]);
    }

    /// An allocator whose state is an object: functions 1 and 2 are its methods, 4 frees past the hooks.
    #[test]
    fn a_method_of_the_allocators_object_that_others_call_is_seen() {
        let module = |free: &str| {
            format!(
                r#"(func $memcpy (param i32 i32) (i32.store (local.get 0) (local.get 1)))
                   (func $take (param i32 i32) (result i32)
                     (call $memcpy (local.get 0) (local.get 1)) (i32.load (local.get 0)))
                   (func $give (param i32 i32) (i32.store (local.get 0) (local.get 1)))
                   (func $malloc (export "malloc") (param i32) (result i32)
                     (call $take (i32.const 5000) (local.get 0)))
                   (func $drop (export "drop") (param i32) {free})
                   (func $free (export "free") (param i32) (call $give (i32.const 5000) (local.get 0)))
                   (func (export "other") (call $memcpy (i32.const 6000) (i32.const 1))
                     (drop (call $take (i32.const 7000) (i32.const 1))))"#
            )
        };
        assert_eq!(strangers(&module("(call $free (local.get 0))")), NONE);
        assert_eq!(strangers(&module("(call $give (i32.const 5000) (local.get 0))")), [4]);
        assert_eq!(strangers(&module("(call $give (i32.const 6000) (local.get 0))")), NONE);
    }
}
