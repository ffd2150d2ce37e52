//! emmalloc without names: Emscripten's small allocator (`-sMALLOC=emmalloc`) is known by its size classes, a
//! function that nothing else computes. Its earlier forms, that of 2018 and the one that allocates at most 2 GiB, are
//! not known.
//!
//! - lists of free regions stand in 64 buckets: that of a size from 128 on is
//!   `110 - 4 * clz + (size >> 29 - clz ^ 4)`, or `71 - 2 * clz + (size >> 30 - clz ^ 2)` from 4096 on
//! - a static 64-bit word has a bit for each bucket that may have regions
//! - a region has its size in its first and last 4 bytes; in the last the lowest bit says that it is free. So a
//!   block's size stands 4 bytes before it, that of the region before 8 bytes before it
//! - requests from `0xffffffc8` bytes on are too large
//!
//! The functions that compute a bucket and share that word are the allocator. Each is taken only if it does to
//! its own parameters what its role says, since compilers put them into their callers.

use std::collections::{BTreeMap, BTreeSet};

use wasmparser::{Operator, ValType};

use super::code::{Code, Functions};
use super::values::{Origin, Values};
use super::{KnownByCode, Role};
use crate::module::{CallGraph, Module};

/// What it is called.
pub(super) const NAME: &str = "emmalloc";

/// Looks for the functions of emmalloc in a 32-bit memory.
pub(super) fn search(
    module: &Module<'_>,
    graph: &CallGraph,
    known: &dyn Fn(Role) -> Option<u32>,
) -> Option<KnownByCode> {
    module.memories.first().filter(|memory| !memory.is_64)?;
    let functions = Functions(module);
    let mut shapes = Shapes::with_sorting(functions)?;
    shapes.find_allocating(&graph.reaching(Functions(module).askers()))?;
    let told = [Role::Malloc, Role::AlignedAlloc].into_iter().filter_map(known);
    shapes.allocating.extend(told);
    let frees = shapes.functions.with_role_type(Role::Free).filter(|&f| shapes.is_free(f));
    let frees: BTreeSet<u32> = frees.chain(known(Role::Free)).collect();
    let calling = Calling::of(&shapes, &frees);
    let roles = shapes.functions.defined().filter_map(|function| {
        let role = shapes.role(function, &frees, &calling);
        role.map(|role| (function, role))
    });
    let roles: BTreeMap<u32, Role> = roles.collect();
    let resizing = shapes.resizing(&roles, &calling);
    let set_up = shapes.functions.defined().filter(|&function| shapes.sets_up(function)).collect();
    Some(KnownByCode {
        name: NAME,
        functions: roles.into_iter().collect(),
        resizing,
        aligning: Vec::new(),
        set_up,
    })
}

struct Shapes<'m, 'a> {
    functions: Functions<'m, 'a>,
    /// The address of the word with a bit for each bucket.
    bitmap: u64,
    /// The functions that put regions into buckets.
    sorting: BTreeSet<u32>,
    /// Those that give out blocks: `malloc` and `memalign`, or one of them into which the other was put.
    allocating: BTreeSet<u32>,
}

/// Whom functions call that allocate and free: also those that only pass their parameters on.
struct Calling {
    allocating: BTreeSet<u32>,
    freeing: BTreeSet<u32>,
}

impl Calling {
    fn of(shapes: &Shapes<'_, '_>, frees: &BTreeSet<u32>) -> Calling {
        let allocating = shapes.with_forwarding(&shapes.allocating, Role::Malloc);
        Calling {
            allocating: shapes.with_forwarding(&allocating, Role::AlignedAlloc),
            freeing: shapes.with_forwarding(frees, Role::Free),
        }
    }
}

impl<'m, 'a> Shapes<'m, 'a> {
    /// Looks for the functions that put regions into buckets, and for the one bitmap in which they set bits.
    fn with_sorting(functions: Functions<'m, 'a>) -> Option<Shapes<'m, 'a>> {
        let mut sorting = BTreeMap::<u64, BTreeSet<u32>>::new();
        for function in functions.defined() {
            let bitmaps = bitmaps(&functions, function);
            if bitmaps.is_empty() {
                continue;
            }
            let code = functions.code(function);
            if code.sorts() && code.marks() {
                for bitmap in bitmaps {
                    sorting.entry(bitmap).or_default().insert(function);
                }
            }
        }
        // Other pairs of words that one of them uses look like a bitmap too.
        let (bitmap, sorting) = sorting.into_iter().max_by_key(|(_, users)| users.len())?;
        Some(Shapes { functions, bitmap, sorting, allocating: BTreeSet::new() })
    }

    /// Looks for what takes a region out of the buckets.
    fn find_allocating(&mut self, reaching: &[bool]) -> Option<()> {
        let knows_bitmap = |&function: &u32| self.uses_bitmap(function);
        let users: Vec<u32> = self.functions.defined().filter(knows_bitmap).collect();
        let mut state = BTreeMap::<u64, usize>::new();
        for word in users.iter().flat_map(|&function| self.bytes(function)) {
            *state.entry(word).or_default() += 1;
        }
        // Words that nothing else of the allocator uses are the program's: the function is one of its own, into which
        // the compiler has put `malloc`.
        let keeps_to_state = |function: u32| self.bytes(function).iter().all(|at| state[at] > 1);
        let allocates = |&function: &u32| {
            reaching[function as usize]
                && self.takes_size(function)
                && keeps_to_state(function)
                && {
                    let code = self.functions.code(function);
                    code.sorts() && code.searches()
                }
        };
        self.allocating = users.into_iter().filter(allocates).collect();
        let forwarding = self.functions.with_role_type(Role::Malloc);
        let forwarding: Vec<u32> = forwarding.filter(|&f| self.is_malloc_of_memalign(f)).collect();
        self.allocating.extend(forwarding);
        self.allocating.iter().any(|&function| self.is_for_programs(function)).then_some(())
    }

    /// Whether a function is `malloc`, or `memalign` that is called as `malloc` and `realloc` call it. Emscripten's
    /// mimalloc has emmalloc beneath it, which gives it large pieces of memory: then blocks are mimalloc's.
    fn is_for_programs(&self, function: u32) -> bool {
        let lends = |caller: u32| {
            let body = self.functions.body(caller);
            body.is_some_and(|body| body.statics.lends.contains(&(function, ALIGNMENT as u64)))
        };
        let resizes = |caller: u32| {
            let worker = forwards_to_aligned(&self.functions.code(caller).0);
            worker.is_some_and(|worker| self.functions.calls(worker, function) > 0)
        };
        self.functions.has_type_of(Role::Malloc, function)
            || self.functions.defined().any(lends)
            || self.functions.with_role_type(Role::Realloc).any(resizes)
    }

    fn uses_bitmap(&self, function: u32) -> bool {
        bitmaps(&self.functions, function).contains(&self.bitmap)
    }

    /// The static bytes that a function reads or writes.
    fn bytes(&self, function: u32) -> BTreeSet<u64> {
        let statics = self.functions.body(function).map(|body| &body.statics);
        statics.into_iter().flat_map(|s| s.reads.iter().chain(&s.writes).copied()).collect()
    }

    /// Whether the parameter of `malloc`'s or `memalign`'s type that is a size is compared with the largest one.
    fn takes_size(&self, function: u32) -> bool {
        [(Role::Malloc, 0), (Role::AlignedAlloc, 1)].into_iter().any(|(role, size)| {
            self.functions.has_type_of(role, function) && {
                let values = Values::of(self.functions.code(function), size + 1);
                values.compares(Origin::Parameter(size), &TOO_LARGE)
            }
        })
    }

    /// Whether a function is `malloc` that only calls `memalign`.
    fn is_malloc_of_memalign(&self, function: u32) -> bool {
        use Operator::{Call, End, I32Const, LocalGet};
        matches!(
            self.functions.code(function).0[..],
            [I32Const { value: ALIGNMENT }, LocalGet { local_index: 0 }, Call { function_index }, End]
                if self.allocating.contains(&function_index)
        )
    }

    /// Some functions, and those of a role's type that only pass their parameters on to one of them.
    fn with_forwarding(&self, functions: &BTreeSet<u32>, role: Role) -> BTreeSet<u32> {
        let forwards = |&function: &u32| {
            let code = self.functions.code(function).0;
            let Some((arguments, [call, Operator::End])) = code.split_last_chunk() else {
                return false;
            };
            let passed = (0..).map(|local_index| Operator::LocalGet { local_index });
            arguments.len() == role.params().len()
                && arguments.iter().zip(passed).all(|(argument, passed)| *argument == passed)
                && matches!(call, Operator::Call { function_index } if functions.contains(function_index))
        };
        let forwarding = self.functions.with_role_type(role).filter(forwards);
        functions.iter().copied().chain(forwarding).collect()
    }

    /// What a function does, judged by its own code.
    fn role(&self, function: u32, frees: &BTreeSet<u32>, calling: &Calling) -> Option<Role> {
        if self.allocating.contains(&function) {
            let roles = [Role::Malloc, Role::AlignedAlloc];
            return roles.into_iter().find(|role| self.functions.has_type_of(*role, function));
        }
        if frees.contains(&function) {
            return Some(Role::Free);
        }
        if !self.functions.has_type_of(Role::Realloc, function) {
            return None;
        }
        let code = Values::of(self.functions.code(function), 2);
        let worker = forwards_to_aligned(&code.operators)
            .filter(|&worker| self.has_type_of_aligned_realloc(worker));
        let is_realloc = match worker {
            Some(worker) => {
                let code = Values::of(self.functions.code(worker), 3);
                self.is_realloc(worker, 2, &code, calling)
            }
            None => self.is_realloc(function, 1, &code, calling),
        };
        (is_realloc.then_some(Role::Realloc))
            .or_else(|| self.is_calloc(function, &code, calling).then_some(Role::Calloc))
    }

    /// Whether a function puts the region of its parameter into a bucket, and does nothing else.
    fn is_free(&self, function: u32) -> bool {
        let statics = self.functions.body(function).map(|body| &body.statics);
        let only_marks = statics.is_some_and(|statics| {
            let bitmap = self.bitmap..self.bitmap + BITMAP_BYTES;
            statics.sets.is_empty() && statics.writes.iter().copied().eq(bitmap)
        });
        if !only_marks || self.functions.callees(function).next().is_some() {
            return false;
        }
        let code = self.functions.code(function);
        if !self.sorting.contains(&function) || code.searches() {
            return false;
        }
        let values = Values::of(code, 1);
        let pointer = Origin::Parameter(0);
        values.goes_back(pointer, 4)
            && values.goes_back(pointer, 8)
            && values.only_goes_back(pointer)
    }

    /// Whether a function resizes the region of its first parameter, and moves the block where that fails.
    fn is_realloc(&self, function: u32, size: u32, values: &Values<'_>, calling: &Calling) -> bool {
        let (pointer, size) = (Origin::Parameter(0), Origin::Parameter(size));
        self.resizes(function, calling)
            && values.compares(size, &TOO_LARGE)
            && values.goes_back(pointer, 4)
            && values.passes(size, &calling.allocating)
            && values.passes(pointer, &calling.freeing)
    }

    /// Whether a function, or one that it calls, puts regions into buckets, and it moves blocks.
    fn resizes(&self, function: u32, calling: &Calling) -> bool {
        let calls =
            |these: &BTreeSet<u32>| self.functions.callees(function).any(|f| these.contains(&f));
        let is_known = |f: &u32| calling.allocating.contains(f) || calling.freeing.contains(f);
        let mut workers = self.functions.callees(function).filter(|f| !is_known(f));
        calls(&calling.allocating)
            && calls(&calling.freeing)
            && (self.sorting.contains(&function) || workers.any(|f| self.sorting.contains(&f)))
    }

    /// Functions that resize blocks on the way to something else, or that others call than the allocator's.
    fn resizing(&self, roles: &BTreeMap<u32, Role>, calling: &Calling) -> Vec<u32> {
        let resizes = |f: &u32| !roles.contains_key(f) && self.resizes(*f, calling);
        let mut resizing: BTreeSet<u32> = self.functions.defined().filter(resizes).collect();
        let others = self.functions.defined().filter(|caller| !roles.contains_key(caller));
        let called: BTreeSet<u32> =
            others.flat_map(|caller| self.functions.callees(caller)).collect();
        let module = self.functions.0;
        let entered = module.exported_functions().map(|(_, function)| function);
        let entered: BTreeSet<u32> = entered.chain(module.address_taken.iter().copied()).collect();
        resizing.retain(|function| called.contains(function) || entered.contains(function));
        resizing.into_iter().collect()
    }

    /// Whether a function allocates the product of its parameters, and fills that with zeros.
    fn is_calloc(&self, function: u32, values: &Values<'_>, calling: &Calling) -> bool {
        let allocates = |f: &u32| calling.allocating.contains(f);
        let mut others = self.functions.callees(function).filter(|f| !allocates(f));
        let allocations = self.functions.callees(function).filter(allocates);
        let writes = self.functions.body(function).map_or(&[][..], |body| &body.statics.writes);
        allocations.count() == 1
            && writes.is_empty()
            && others.all(|other| self.has_type_of_memset(other))
            && values.passes(Origin::Product, &calling.allocating)
            && values.fills_with_zeros()
    }

    /// `aligned_realloc(pointer, alignment, size) -> pointer`
    fn has_type_of_aligned_realloc(&self, function: u32) -> bool {
        let ty = self.functions.0.function_type(function);
        ty.is_some_and(|ty| *ty.params() == [ValType::I32; 3] && *ty.results() == [ValType::I32])
    }

    fn has_type_of_memset(&self, function: u32) -> bool {
        let ty = self.functions.0.function_type(function);
        ty.is_some_and(|ty| ty.params().len() == 3)
    }

    /// Whether a function is what runs once, takes and returns nothing, and asks for the first small region.
    fn sets_up(&self, function: u32) -> bool {
        const FIRST_REGION: u64 = 48;
        let Some(body) = self.functions.body(function) else { return false };
        let ty = self.functions.0.function_type(function);
        ty.is_some_and(|ty| ty.params().is_empty() && ty.results().is_empty())
            && !body.statics.writes.contains(&self.bitmap)
            && body
                .statics
                .lends
                .iter()
                .any(|(callee, bytes)| *bytes == FIRST_REGION && self.sorting.contains(callee))
    }
}

/// Bytes of the bitmap of buckets.
const BITMAP_BYTES: u64 = 8;

/// Addresses of 64-bit words that a function both reads and writes.
fn bitmaps(functions: &Functions<'_, '_>, function: u32) -> Vec<u64> {
    let Some(body) = functions.body(function) else { return Vec::new() };
    let is_read = |address: &u64| body.statics.reads.binary_search(address).is_ok();
    let both: Vec<u64> = body.statics.writes.iter().copied().filter(is_read).collect();
    let whole = both.windows(BITMAP_BYTES as usize).filter(|bytes| {
        bytes[0].is_multiple_of(BITMAP_BYTES)
            && bytes[bytes.len() - 1] - bytes[0] == BITMAP_BYTES - 1
    });
    whole.map(|bytes| bytes[0]).collect()
}

/// The function to which this code passes on its parameters as `realloc` does, with an alignment between them.
fn forwards_to_aligned(code: &[Operator<'_>]) -> Option<u32> {
    use Operator::{Call, End, I32Const, LocalGet};
    match *code {
        [
            LocalGet { local_index: 0 },
            I32Const { value: ALIGNMENT },
            LocalGet { local_index: 1 },
            Call { function_index },
            End,
        ] => Some(function_index),
        _ => None,
    }
}

/// What `malloc` and `realloc` ask `memalign` for.
const ALIGNMENT: i32 = 8;

/// The largest request is `0xffffffc7` bytes.
const TOO_LARGE: [i32; 2] = [-57, -56];

impl Code<'_> {
    /// Whether it computes the bucket of a size.
    fn sorts(&self) -> bool {
        let constants = [110, 71, 29, 30, 63];
        self.any(|operator| matches!(operator, Operator::I32Clz))
            && constants.iter().all(|value| self.has(&[*value]))
    }

    /// Whether it looks for the first bucket and for the last.
    fn searches(&self) -> bool {
        self.any(|operator| matches!(operator, Operator::I64Ctz))
            && self.any(|operator| matches!(operator, Operator::I64Clz))
    }

    /// Whether it sets a bit of a 64-bit word.
    fn marks(&self) -> bool {
        use Operator::{I64Const, I64Or, I64Shl, I64Store};
        self.any(|operator| matches!(operator, I64Const { value: 1 }))
            && self.any(|operator| matches!(operator, I64Shl))
            && self.any(|operator| matches!(operator, I64Or))
            && self.any(|operator| matches!(operator, I64Store { .. }))
    }

    fn any(&self, is: fn(&Operator<'_>) -> bool) -> bool {
        self.0.iter().any(is)
    }
}

#[cfg(test)]
mod tests;
