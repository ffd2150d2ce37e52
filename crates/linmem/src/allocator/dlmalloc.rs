//! dlmalloc without names: Doug Lea's allocator (2.8.6), which wasi-libc and Emscripten have, is known by
//! constants that no compiler can do without.
//!
//! - every request is padded by a header and rounded up: `(bytes + 11) & -8`, or `(bytes + 19) & -16`
//!   where blocks are aligned to 16
//! - requests up to 244 (236) bytes are small, those from -64 on too large
//! - a chunk begins 8 bytes before its block, and the lowest 2 bits of its head are flags
//! - all functions share the state `_gm_`, a static structure
//!
//! The functions around `malloc` and `free` are known by their calls of these two.
//!
//! - `methods`: Rust's, which are passed the state
//! - `outlined`: Rust's, compiled for size

mod methods;
mod outlined;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use wasmparser::{Operator, ValType};

use super::code::{self, Code, Functions};
use super::discover::calls_of_each;
use super::values::{Origin, Values};
use super::{KnownByCode, Role};
use crate::module::{Body, CallGraph, Module};

/// Static addresses that functions of one allocator must share, and how far they lie from each other at most:
/// in `_gm_`, which has some 470 bytes.
const SHARED_WORDS: usize = 4;
const STATE_BYTES: u64 = 512;

/// `malloc_params.magic` is an address, or the time, with this: it tells whether the parameters have been set.
const MAGIC: [i32; 2] = [0x5555_5555, 0x5555_5558];

/// Looks for the functions of dlmalloc in a 32-bit memory.
pub(super) fn search(
    module: &Module<'_>,
    graph: &CallGraph,
    known: &dyn Fn(Role) -> Option<u32>,
) -> Option<KnownByCode> {
    module.memories.first().filter(|memory| !memory.is_64)?;
    let functions = Functions(module);
    let reaching = graph.reaching(functions.askers());
    let shapes = Shapes { functions, reaching, calls: calls_of_each(module) };
    let methods = methods::search(&shapes);
    let Some(malloc) = known(Role::Malloc).or_else(|| shapes.malloc()) else {
        return match methods.is_empty() {
            true => outlined::search(&shapes),
            false => Some(KnownByCode::dlmalloc(methods)),
        };
    };
    // Where nothing frees, linkers leave `free` out. Where it only seems so, other code writes the state.
    let free = known(Role::Free).or_else(|| shapes.free(malloc));
    let mut functions = vec![(malloc, Role::Malloc)];
    functions.extend(free.map(|free| (free, Role::Free)));
    functions.extend(methods);
    let mut found = KnownByCode::dlmalloc(functions);
    found.set_up =
        shapes.functions.defined().filter(|&function| shapes.sets_up(function, malloc)).collect();
    let disposers = shapes.disposers(malloc);
    for function in shapes.functions.defined() {
        match shapes.around(function, malloc, free, &disposers) {
            Some(Around::Is(role)) => found.functions.push((function, role)),
            Some(Around::Resizes) => found.resizing.push(function),
            Some(Around::Aligns) => found.aligning.push(function),
            None if shapes.aligns(function, malloc, &disposers) => found.aligning.push(function),
            None => {}
        }
    }
    Some(found)
}

impl KnownByCode {
    fn dlmalloc(functions: Vec<(u32, Role)>) -> KnownByCode {
        KnownByCode {
            name: "dlmalloc",
            functions,
            resizing: Vec::new(),
            aligning: Vec::new(),
            set_up: Vec::new(),
        }
    }
}

/// What a function is that calls `malloc`.
enum Around {
    /// A function of the allocator.
    Is(Role),
    /// One that resizes blocks on the way to something else.
    Resizes,
    /// One that hands out parts of blocks on the way to something else.
    Aligns,
}

struct Shapes<'m, 'a> {
    functions: Functions<'m, 'a>,
    /// Which functions lead to `memory.grow` or `memory.size`.
    reaching: Vec<bool>,
    /// How often each function is called.
    calls: Vec<u32>,
}

impl Shapes<'_, '_> {
    /// The one that is called most, where there are several.
    fn malloc(&self) -> Option<u32> {
        let is_malloc = |&function: &u32| {
            self.reaching[function as usize] && {
                let code = self.functions.code(function);
                code.pads() && code.compares(&SMALL) && code.has(&TOO_LARGE)
            }
        };
        self.most_called(self.functions.with_role_type(Role::Malloc).filter(is_malloc))
    }

    fn most_called(&self, candidates: impl Iterator<Item = u32>) -> Option<u32> {
        candidates.max_by_key(|&function| (self.calls[function as usize], function))
    }

    /// What takes a pointer, goes back to its chunk's head, and works on `malloc`'s words.
    fn free(&self, malloc: u32) -> Option<u32> {
        let is_free = |&function: &u32| {
            self.shares_state(function, malloc)
                && self.functions.code(function).takes_size_of_head()
        };
        self.most_called(self.functions.with_role_type(Role::Free).filter(is_free))
    }

    /// Whether a function works on `malloc`'s words.
    fn shares_state(&self, function: u32, malloc: u32) -> bool {
        let words = |function| {
            let body = self.functions.body(function);
            body.into_iter().flat_map(|body| body.static_addresses.iter().copied())
        };
        let of_malloc: BTreeSet<u64> = words(malloc).collect();
        let shared: Vec<u64> = words(function).filter(|word| of_malloc.contains(word)).collect();
        let mut near = shared.windows(SHARED_WORDS);
        near.any(|some| some[SHARED_WORDS - 1] - some[0] <= STATE_BYTES)
    }

    /// Whether a function does no more to `malloc`'s words than to give them what they have at first, as `mallinfo`,
    /// `malloc_trim` and `mallopt` do where nothing was allocated before: constants, and a number that tells whether that was
    /// done.
    fn sets_up(&self, function: u32, malloc: u32) -> bool {
        let writes_one_word = |body: &Body| {
            let (first, last) = (body.statics.computed.first(), body.statics.computed.last());
            first.zip(last).is_some_and(|(first, last)| last - first < 4)
        };
        function != malloc
            && self.functions.body(function).is_some_and(writes_one_word)
            && self.functions.code(function).has(&MAGIC)
    }

    /// `dispose_chunk(chunk, size)`: those that give back a part of a chunk call it.
    fn disposers(&self, malloc: u32) -> BTreeSet<u32> {
        let with_type = self.functions.defined().filter(|&function| {
            let ty = self.functions.0.function_type(function);
            ty.is_some_and(|ty| ty.params() == [ValType::I32; 2] && ty.results().is_empty())
        });
        with_type.filter(|&function| self.shares_state(function, malloc)).collect()
    }

    /// Whether the compiler has put `memalign` into a function: it gets a block and gives back what is before and behind the
    /// aligned part.
    fn aligns(&self, function: u32, malloc: u32, disposers: &BTreeSet<u32>) -> bool {
        let callees = || self.functions.callees(function);
        let disposes = callees().filter(|callee| disposers.contains(callee)).count();
        disposes > 0 && callees().any(|callee| callee == malloc) && {
            let code = self.functions.code(function);
            code.takes_size_of_head() && disposes <= 2 * code.alignments()
        }
    }

    /// What a function is, judged by its calls of these.
    fn around(
        &self,
        function: u32,
        malloc: u32,
        free: Option<u32>,
        disposers: &BTreeSet<u32>,
    ) -> Option<Around> {
        let mallocs = self.functions.calls(function, malloc);
        let frees = free.map_or(0, |free| self.functions.calls(function, free));
        if mallocs == 0 {
            return None;
        }
        let code = self.functions.code(function);
        let has_type_of = |role| self.functions.has_type_of(role, function);
        if !(code.pads() && code.has(&TOO_LARGE)) {
            let is_calloc = frees == 0
                && has_type_of(Role::Calloc)
                && code.looks_at_flags()
                && code.multiplies();
            return is_calloc.then_some(Around::Is(Role::Calloc));
        }
        // It does `malloc`'s arithmetic once more, as those must that give out parts of a chunk.
        let stores = code.stores_where_parameter_says(0);
        let aligned = [Role::AlignedAlloc, Role::PosixMemalign, Role::FixedMemalign]
            .into_iter()
            .find(|role| {
                has_type_of(*role)
                    || (stores && self.functions.has_type_without_error(*role, function))
            });
        Some(match aligned {
            Some(role) if frees == 0 && (code.leaves_room() || code.asks_for_room(malloc)) => {
                match (role, self.order(function, malloc)) {
                    (Role::AlignedAlloc, Some(Role::RustAlloc)) => Around::Is(Role::RustAlloc),
                    (Role::AlignedAlloc, _) if stores => Around::Is(Role::FixedMemalign),
                    (Role::AlignedAlloc, None) => Around::Aligns,
                    (role, _) => Around::Is(role),
                }
            }
            // `realloc(NULL, size)` is `malloc(size)`.
            _ if frees > 0
                && has_type_of(Role::Realloc)
                && self.passes_size_on(function, malloc) =>
            {
                Around::Is(Role::Realloc)
            }
            _ if frees > 0 && has_type_of(Role::RustRealloc) && code.pads_local(3) => {
                Around::Is(Role::RustRealloc)
            }
            _ if frees == 0
                && has_type_of(Role::Malloc)
                && code.pads_local(0)
                && code.alignments() > 0
                && code.ends_with_block()
                && self.gives_back_parts(function, malloc, disposers) =>
            {
                // All calls ask for the same alignment, so the compiler has dropped it.
                Around::Is(Role::Malloc)
            }
            _ if !code.takes_size_of_head() => return None,
            // `realloc` frees the old block.
            _ if frees > 0 || self.calls_free(function, malloc) => Around::Resizes,
            _ => Around::Aligns,
        })
    }

    /// Which of two parameters is the alignment, and which the size, in a function with `memalign` in it: C++'s library has one that
    /// takes the size first. It is told by what the code does with each; `None` where it does not say so, or says both.
    fn order(&self, function: u32, malloc: u32) -> Option<Role> {
        let values = Values::of(self.functions.code(function), 2);
        let getters = self.getters(function, malloc);
        let comparers = self.comparers(function);
        let is_size = |parameter: u32| {
            let origin = Origin::Parameter(parameter);
            values.is_added_to(origin, &PADDING) || values.passes(origin, &getters)
        };
        let is_alignment = |parameter: u32| {
            let origin = Origin::Parameter(parameter);
            values.compares_either_way(origin, &ALIGNMENT)
                || values.is_subtracted_from(origin, &TOO_LARGE)
                || values.is_power_of_two(origin)
                || values.passes(origin, &comparers)
        };
        let size_first = is_size(0) || is_alignment(1);
        let alignment_first = is_alignment(0) || is_size(1);
        match (alignment_first, size_first) {
            (true, false) => Some(Role::AlignedAlloc),
            (false, true) => Some(Role::RustAlloc),
            _ => None,
        }
    }

    /// `malloc`, and what a function calls that is like it and calls it: `operator new`.
    fn getters(&self, function: u32, malloc: u32) -> BTreeSet<u32> {
        let callees = self.functions.callees(function);
        let like_it = callees.filter(|&callee| {
            self.functions.has_type_of(Role::Malloc, callee)
                && self.functions.calls(callee, malloc) > 0
        });
        like_it.chain([malloc]).collect()
    }

    /// What a function calls that only compares its parameter with the alignment of all blocks.
    fn comparers(&self, function: u32) -> BTreeSet<u32> {
        use Operator::{End, LocalGet};
        let compares = |callee: &u32| match &self.functions.code(*callee).0[..] {
            [LocalGet { local_index: 0 }, constant, comparison, End] => {
                code::compares(constant, comparison, &ALIGNMENT)
            }
            _ => false,
        };
        self.functions.callees(function).filter(compares).collect()
    }

    /// Whether a function calls one that frees, under whatever name: a user's flag may name one that only calls it.
    fn calls_free(&self, function: u32, malloc: u32) -> bool {
        self.functions.callees(function).any(|callee| {
            self.functions.has_type_of(Role::Free, callee)
                && self.shares_state(callee, malloc)
                && self.functions.code(callee).takes_size_of_head()
        })
    }

    /// Whether a function does no more than to get a block and to dispose of parts.
    fn gives_back_parts(&self, function: u32, malloc: u32, disposers: &BTreeSet<u32>) -> bool {
        let callees = || self.functions.callees(function);
        let disposes = |callee: &u32| disposers.contains(callee);
        callees().any(|callee| disposes(&callee))
            && callees().all(|callee| callee == malloc || disposes(&callee))
    }

    /// Whether the second parameter goes to `malloc` as it came, before anything else becomes of the two.
    fn passes_size_on(&self, function: u32, malloc: u32) -> bool {
        let mut last_is_size = false;
        for operator in self.functions.operators(function) {
            match operator {
                Operator::LocalSet { local_index: 0 | 1 }
                | Operator::LocalTee { local_index: 0 | 1 } => {
                    return false;
                }
                Operator::Call { function_index } if function_index == malloc => {
                    return last_is_size;
                }
                other => last_is_size = matches!(other, Operator::LocalGet { local_index: 1 }),
            }
        }
        false
    }
}

/// Up to 244 or 236 bytes, compared with `<=` or `<`.
const SMALL: [i32; 4] = [244, 245, 236, 237];

/// From -64 on, compared with `>=` or `>`. With blocks aligned to 16 too. Some versions in Rust keep room for
/// what the system allocates at once: from -65,587 on.
const TOO_LARGE: [i32; 4] = [-64, -65, -65_587, -65_588];

/// What is added to a request before it is rounded up.
const PADDING: [i32; 2] = [11, 19];

/// Up to the alignment that all blocks have, compared with `<=` or `<`.
const ALIGNMENT: [i32; 4] = [8, 9, 16, 17];

impl Code<'_> {
    /// `+ 11 & -8`, or `+ 19 & -16`; or, in Rust that was made small, `(size < 11 ? 16 : size + 4) + 7 & -8`.
    fn pads(&self) -> bool {
        use Operator::{I32Add, I32And, I32Const, Select};
        self.without_copies().windows(5).any(|five| {
            matches!(
                five,
                [I32Const { value: 11 }, I32Add, I32Const { value: -8 }, I32And, _]
                    | [I32Const { value: 19 }, I32Add, I32Const { value: -16 }, I32And, _]
                    | [Select, I32Const { value: 7 }, I32Add, I32Const { value: -8 }, I32And]
            )
        })
    }

    /// A request that is in this local.
    fn pads_local(&self, local: u32) -> bool {
        use Operator::{I32Add, I32Const, I32LtU, LocalGet};
        self.0.windows(3).any(|three| {
            matches!(three, [LocalGet { local_index }, I32Const { value: 11 | 19 }, I32Add] if *local_index == local)
        }) || self.0.windows(6).any(|six| {
            matches!(
                six,
                [
                    LocalGet { local_index },
                    I32Const { value: 4 },
                    I32Add,
                    LocalGet { local_index: compared },
                    I32Const { value: 11 },
                    I32LtU,
                ] if *local_index == local && compared == local_index
            )
        })
    }

    /// What `calloc` does with its parameters, and Rust's function of the same type does not.
    fn multiplies(&self) -> bool {
        self.0.iter().any(|operator| matches!(operator, Operator::I32Mul | Operator::I64Mul))
    }

    /// A chunk's size is its head without the flags: `load & -8`. Where the allocator was built to check its chunks, it looks at
    /// the flags first, and the head is in a local.
    fn takes_size_of_head(&self) -> bool {
        use Operator::{I32And, I32Const, I32Load, LocalGet, LocalSet, LocalTee};
        // The locals that hold what was loaded, and whether it is on top of the operand stack.
        let mut loaded = BTreeSet::new();
        let mut on_top = false;
        self.0.iter().enumerate().any(|(at, operator)| {
            if let LocalSet { local_index } | LocalTee { local_index } = operator {
                match on_top {
                    true => loaded.insert(*local_index),
                    false => loaded.remove(local_index),
                };
            }
            on_top = match operator {
                I32Load { .. } => true,
                LocalGet { local_index } => loaded.contains(local_index),
                LocalTee { .. } => on_top,
                _ => false,
            };
            on_top && matches!(self.0[at + 1..], [I32Const { value: -8 }, I32And, ..])
        })
    }

    /// Whether it loads the flags of a block's chunk: `calloc` clears no memory that is fresh.
    fn looks_at_flags(&self) -> bool {
        use Operator::{I32Add, I32And, I32Const, I32Load, I32Load8U, I32Sub};
        self.0.windows(5).any(|five| {
            let goes_back = matches!(
                five,
                [I32Const { value: -4 }, I32Add, ..] | [I32Const { value: 4 }, I32Sub, ..]
            );
            let flags = matches!(
                five,
                [_, _, I32Load { .. } | I32Load8U { .. }, I32Const { value: 3 }, I32And]
            );
            goes_back && flags
        })
    }

    /// Whether it asks for a least chunk more, in which to move the block to where it is aligned.
    fn asks_for_room(&self, malloc: u32) -> bool {
        use Operator::{Call, I32Add, I32Const};
        self.0.windows(3).any(|three| {
            matches!(three, [I32Const { value: 12 }, I32Add, Call { function_index }] if *function_index == malloc)
        })
    }

    /// How often an address is aligned to 16 or more, a constant: `+ 15 & -16`.
    fn alignments(&self) -> usize {
        use Operator::{I32Add, I32And, I32Const};
        let aligns = |four: &&[&Operator<'_>]| match four {
            [I32Const { value: most }, I32Add, I32Const { value: mask }, I32And] => {
                *mask <= -16 && mask.unsigned_abs().is_power_of_two() && *most == -1 - *mask
            }
            _ => false,
        };
        self.without_copies().windows(4).filter(aligns).count()
    }

    /// Whether it stores a local where this parameter says, or a local and 8: `memalign` does so with no parameter,
    /// `posix_memalign` with its first.
    fn stores_where_parameter_says(&self, parameter: u32) -> bool {
        use Operator::{I32Add, I32Const, I32Store, LocalGet};
        (0..self.0.len()).any(|at| match &self.0[at..] {
            [LocalGet { local_index }, LocalGet { .. }, I32Store { memarg }, ..]
            | [
                LocalGet { local_index },
                LocalGet { .. },
                I32Const { value: 8 },
                I32Add,
                I32Store { memarg },
                ..,
            ] => *local_index == parameter && memarg.offset == 0,
            _ => false,
        })
    }

    /// Whether the last thing is to turn a chunk into its block.
    fn ends_with_block(&self) -> bool {
        use Operator::{End, I32Add, I32Const, LocalGet};
        matches!(self.0[..], [.., LocalGet { .. }, I32Const { value: 8 }, I32Add, End])
    }

    /// Whether the largest request is the less, the larger the alignment: `-64 - alignment`.
    fn leaves_room(&self) -> bool {
        self.0.windows(3).any(|three| {
            matches!(three, [Operator::I32Const { value }, _, Operator::I32Sub] if TOO_LARGE.contains(value))
        })
    }
}
