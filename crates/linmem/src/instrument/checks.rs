//! Checks of the module's own accesses: before each load and store, the shadow of what it accesses.
//!
//! For `i32.load offset=4`:
//!
//! ```wat
//! local.tee $address
//! (i32.load $shadow offset=4 (local.get $address))
//! if
//!   ;; append to the log
//! end
//! i32.load offset=4
//! ```
//!
//! The log goes to the host before the function is left, while its frame is there to be seen, and before
//! anything that could end the program or change what the bytes are.

mod elisions;
mod headers;
mod speculated;

use std::ops::Range;

use wasm_encoder::{BlockType, InstructionSink, MemArg, ValType};
use wasmparser::Operator;

pub use elisions::Elision;
pub(super) use headers::Headers;

use self::elisions::Elisions;
use self::speculated::Wanted;
use super::boundary::number_type;
use super::edits::{Edits, Producer};
use super::features::Features;
use super::index_space::{AddedMemory, Helper, IndexSpace};
use super::shadow::{self, log};
use crate::language;
use crate::module::{Access, Body, SiteKind};
use crate::prepared::Prepared;
use crate::trace::AccessedBy;

/// For V8, states are shifted by so many bits, so that none of theirs is lost, before they are looked at. Otherwise it loads
/// them twice: for the load, which may trap, and for a comparison with memory. Measured in Node 24: a fifth of the time of
/// a loop of loads and stores. Cranelift needs a tenth less without that.
const SHIFTED: i32 = 5;

/// Locals that checks need at most: an address, two operands of an access of each type, and those of bulk instructions.
pub(super) const MOST_LOCALS: u32 = 16;

/// Whether every block of the heap is seen: what no block owns may not be accessed then.
pub(super) fn knows_heap(prepared: &Prepared<'_>) -> bool {
    let allocator = prepared.allocator();
    let is_imported = |function: u32| function < prepared.module.imported_functions();
    !allocator.functions.is_empty()
        && !allocator.functions.iter().any(|hooked| is_imported(hooked.function))
        && allocator.sees_all()
        && language::collector(&prepared.module).is_none()
}

/// What sets up an allocator before the program runs, where that has a name.
const SET_UP: [&str; 1] = ["initialize_emmalloc_heap"];

/// The functions that set up the allocator.
fn set_up(prepared: &Prepared<'_>) -> impl Iterator<Item = u32> {
    let named = (0..prepared.module.functions.len() as u32)
        .filter(|function| SET_UP.contains(&prepared.function_name(*function).as_str()));
    prepared.allocator().set_up.iter().copied().chain(named)
}

/// How many bytes of redzone a module takes, at most.
///
/// The caller of an allocator function may compare a block's size with what was asked for: Rust's `dealloc`, inlined around
/// dlmalloc's `free`, takes at most 39 bytes more for right, of which dlmalloc itself may use 27.
pub(super) fn most_redzone(prepared: &Prepared<'_>) -> u32 {
    const WHERE_SIZES_ARE_COMPARED: u32 = 8;
    let module = &prepared.module;
    let is_own = prepared.allocators_own_functions();
    let hooked = prepared.allocator().hooked();
    let headers = Headers::of(module);
    let compares = (0u32..).zip(&module.functions).any(|(index, function)| {
        let Some(body) = &function.body else { return false };
        let calls_hooked = || {
            body.sites.iter().any(|site| match site.kind {
                SiteKind::Call(callee) | SiteKind::ReturnCall(callee) => hooked.contains(&callee),
                _ => false,
            })
        };
        if is_own[index as usize] || hooked.contains(&index) || !calls_hooked() {
            return false;
        }
        let operators: Vec<_> = body.operators_with_offsets(module.bytes).collect();
        (0..operators.len())
            .any(|nth| headers.mask_at(&operators, nth).is_some_and(|mask| mask < 0))
    });
    if compares { WHERE_SIZES_ARE_COMPARED } else { u32::MAX }
}

/// In what form accesses are checked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form<'a> {
    /// The checks that are left out.
    pub(super) elisions: &'a [Elision],
    /// Whether it is for V8.
    pub(super) for_v8: bool,
}

/// The checks of a module.
pub(super) struct Checks<'m> {
    /// The original module.
    file: &'m [u8],
    imported_functions: u32,
    features: Features,
    /// By function: whether it is the allocator's own.
    is_allocators: Vec<bool>,
    headers: Headers,
    elisions: Elisions,
    for_v8: bool,
    /// The functions that copy and fill, and how their parameters access memory.
    ranges: Vec<(u32, Bulk)>,
}

impl<'m> Checks<'m> {
    /// Those of this module.
    pub(super) fn new(prepared: &'m Prepared<'_>, form: Form<'_>) -> Checks<'m> {
        let module = &prepared.module;
        let mut is_allocators = prepared.allocators_own_functions();
        for set_up in set_up(prepared) {
            is_allocators[set_up as usize] = true;
        }
        Checks {
            file: module.bytes,
            imported_functions: module.imported_functions(),
            features: Features::of(module),
            is_allocators,
            headers: Headers::of(module),
            elisions: Elisions::of(prepared, form.elisions),
            for_v8: form.for_v8,
            ranges: named_ranges(prepared),
        }
    }
}

impl Producer for Checks<'_> {
    fn edit(&self, space: &IndexSpace, function: u32, body: &Body, edits: &mut Edits) {
        let ranges = self.ranges.iter().find(|(named, _)| *named == function);
        let ranges = ranges.filter(|_| self.elisions.include(Elision::Ranges));
        if let (Some((_, ranges)), false) = (ranges, self.is_allocators[function as usize]) {
            let start = body.code_start;
            edits.insert_before(start, |code| {
                ranges.unless_short_and_right(&self.features, [0, 1, 2], space, code);
                ranges.check([0, 1, 2], start, false, space, code);
                code.end();
            });
            return;
        }
        let is_checked = !self.is_allocators[function as usize];
        let operators: Vec<_> = body.operators_with_offsets(self.file).collect();
        let idiom = Idiom::of(&operators);
        let is_own_header = |nth| {
            self.headers.is_of_head(function) || self.headers.mask_at(&operators, nth).is_some()
        };
        let wanted: Vec<Option<Wanted<'_>>> =
            (0..operators.len()).map(|nth| Wanted::of_load(&operators, nth)).collect();
        let is_elided = self.elisions.in_function(self.file, &operators, |nth, access| {
            !idiom.allows(access) && !is_own_header(nth) && wanted[nth].is_none()
        });
        let mut checked = Checked {
            features: &self.features,
            for_v8: self.for_v8,
            space,
            body,
            idiom,
            wanted: None,
            locals: Vec::new(),
            depth: 0,
            imported: self.imported_functions,
            has_checks: false,
        };
        if is_checked {
            checked.has_checks =
                operators.iter().zip(&is_elided).any(|((operator, _), is_elided)| {
                    let access = Access::of(operator).filter(|_| !is_elided);
                    access.is_some_and(|access| access.memarg.memory == 0)
                        || bulk_of(operator).is_some()
                });
        }
        for (nth, (operator, place)) in operators.iter().enumerate() {
            if !is_elided[nth] && !is_own_header(nth) {
                checked.wanted = wanted[nth];
                checked.visit(operator, place.start, edits);
            }
        }
    }
}

/// What a function does that reads past the ends of blocks and is right: it looks for a byte in whole words, which
/// lie in the same page as the byte that it finds; or it copies bytes that are aligned otherwise than where they go, as Rust's
/// `memcpy` and `memmove` do, by shifting parts of two words together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Idiom {
    in_words: bool,
    in_shifted_words: bool,
    in_vectors: bool,
}

impl Idiom {
    /// Goes by the constants with which the bytes of a word are compared at once (`0x01010101`, or what compilers make of it,
    /// and `0x80808080`), and by comparisons of all bytes of a vector. Words are shifted by bytes (`8 * n & 24`) from an address
    /// that has been rounded down (`& -4`).
    fn of(operators: &Operators<'_>) -> Idiom {
        const ONES: u64 = 0x0101_0101_0101_0101;
        const HIGHEST: u64 = 0x8080_8080_8080_8080;
        // Rust's `memmove` has about half as many.
        const LONGEST_COPY: usize = 800;
        let (mut ones, mut highest, mut compares, mut collects) = (false, false, false, false);
        let (mut rounds, mut by_bytes, mut left, mut right) = (false, false, false, false);
        let is_anded = |nth: usize| matches!(operators.get(nth + 1), Some((Operator::I32And, _)));
        for (nth, (operator, _)) in operators.iter().enumerate() {
            match *operator {
                Operator::I32Const { value: -4 } => rounds |= is_anded(nth),
                Operator::I32Const { value: 24 } if is_anded(nth) => by_bytes = true,
                Operator::I32Shl => left = true,
                Operator::I32ShrU => right = true,
                Operator::I32Const { value } => {
                    let value = value as u32;
                    ones |= [ONES as u32, (ONES as u32).wrapping_neg(), ONES as u32 - 1]
                        .contains(&value);
                    highest |= value == HIGHEST as u32 || value == !(HIGHEST as u32);
                }
                Operator::I64Const { value } => {
                    let value = value as u64;
                    ones |= [ONES, ONES.wrapping_neg(), ONES - 1].contains(&value);
                    highest |= value == HIGHEST || value == !HIGHEST;
                }
                Operator::I8x16Eq => compares = true,
                Operator::I8x16AllTrue => (compares, collects) = (true, true),
                Operator::I8x16Bitmask | Operator::V128AnyTrue => collects = true,
                _ => {}
            }
        }
        let copies = operators.len() <= LONGEST_COPY;
        Idiom {
            in_words: ones && highest,
            in_shifted_words: copies && rounds && by_bytes && left && right,
            in_vectors: compares && collects,
        }
    }

    /// Whether this access may lie partly outside.
    fn allows(self, access: &Access) -> bool {
        match access.bytes {
            _ if access.is_write => false,
            4 => self.in_words || self.in_shifted_words,
            8 => self.in_words,
            16 => self.in_vectors,
            _ => false,
        }
    }
}

/// The instructions of a function, with where each stands in the file.
pub(super) type Operators<'m> = [(Operator<'m>, Range<usize>)];

/// The ranges that an instruction accesses as a whole in memory 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bulk {
    /// The types of its operands: the address that is written, something, and how many bytes.
    operands: [Operand; 3],
    writes: bool,
    reads: bool,
}

/// What an operand of a bulk instruction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operand {
    /// An address of memory 0, or a size.
    Address,
    /// A number of 32 bits.
    I32,
}

impl Bulk {
    /// Begins what is done unless the ranges have one to eight bytes, which may all be accessed: a word of the shadow tells that
    /// at once. Behind the shadow of the last byte there is more of it.
    fn unless_short_and_right(
        self,
        features: &Features,
        [to, from, bytes]: [u32; 3],
        space: &IndexSpace,
        code: &mut InstructionSink<'_>,
    ) {
        let shadow = MemArg {
            offset: shadow::SHIFT,
            align: 0,
            memory_index: space.memory(AddedMemory::Shadow),
        };
        code.local_get(bytes);
        features.extend(code);
        code.i64_const(1).i64_sub().i64_const(8).i64_lt_u();
        code.if_(BlockType::Result(ValType::I32));
        code.local_get(to).i64_load(shadow);
        if self.reads {
            code.local_get(from).i64_load(shadow).i64_or();
        }
        code.i64_const(64).local_get(bytes);
        features.extend(code);
        code.i64_const(3).i64_shl().i64_sub().i64_shl().i64_const(0).i64_ne();
        code.else_().i32_const(1).end();
        code.if_(BlockType::Empty);
    }

    /// Checks the ranges, given the locals that hold the operands. The size may be narrower than addresses are.
    fn check(
        self,
        [to, from, bytes]: [u32; 3],
        instruction: usize,
        is_narrow: bool,
        space: &IndexSpace,
        code: &mut InstructionSink<'_>,
    ) {
        let ranges = [
            (self.writes, to, AccessedBy::WrittenRange),
            (self.reads, from, AccessedBy::ReadRange),
        ];
        for (_, address, by) in ranges.into_iter().filter(|(is_used, ..)| *is_used) {
            code.i32_const(instruction as i32).local_get(address).local_get(bytes);
            if is_narrow {
                code.i64_extend_i32_u();
            }
            code.i32_const(by as i32);
            code.call(space.helper(Helper::CheckRange));
        }
    }
}

/// The functions of C that copy and fill memory, as the instructions that do the same.
fn named_ranges(prepared: &Prepared<'_>) -> Vec<(u32, Bulk)> {
    use Operand::{Address, I32};
    let module = &prepared.module;
    let address = match module.memories[0].is_64 {
        true => wasmparser::ValType::I64,
        false => wasmparser::ValType::I32,
    };
    let of_name = |name: &str| match name {
        "memcpy" | "memmove" => {
            Some(Bulk { operands: [Address, Address, Address], writes: true, reads: true })
        }
        "memset" => Some(Bulk { operands: [Address, I32, Address], writes: true, reads: false }),
        _ => None,
    };
    let defined = module.imported_functions()..module.functions.len() as u32;
    let named = defined.filter_map(|function| {
        let bulk = of_name(&prepared.function_name(function))?;
        let params = bulk.operands.map(|operand| match operand {
            Address => address,
            I32 => wasmparser::ValType::I32,
        });
        let ty = module.function_type(function)?;
        (ty.params() == params && ty.results() == [address]).then_some((function, bulk))
    });
    named.collect()
}

fn bulk_of(operator: &Operator<'_>) -> Option<Bulk> {
    use Operand::{Address, I32};
    match *operator {
        Operator::MemoryFill { mem: 0 } => {
            Some(Bulk { operands: [Address, I32, Address], writes: true, reads: false })
        }
        Operator::MemoryInit { mem: 0, .. } => {
            Some(Bulk { operands: [Address, I32, I32], writes: true, reads: false })
        }
        Operator::MemoryCopy { dst_mem: 0, src_mem: 0 } => {
            Some(Bulk { operands: [Address, Address, Address], writes: true, reads: true })
        }
        _ => None,
    }
}

/// The function whose instructions are gone through.
struct Checked<'a> {
    features: &'a Features,
    for_v8: bool,
    space: &'a IndexSpace,
    body: &'a Body,
    idiom: Idiom,
    /// In which case the value is wanted that the instruction loads, where it is not always.
    wanted: Option<Wanted<'a>>,
    /// The locals that were added: `(index, type)`.
    locals: Vec<(u32, ValType)>,
    /// Blocks that are open.
    depth: u32,
    /// Functions that are imported.
    imported: u32,
    has_checks: bool,
}

impl Checked<'_> {
    fn visit(&mut self, operator: &Operator<'_>, offset: usize, edits: &mut Edits) {
        use Operator::{Block, Call, End, If, Loop, Return, ReturnCall, TryTable};
        match *operator {
            Block { .. } | Loop { .. } | If { .. } | TryTable { .. } | Operator::Try { .. } => {
                self.depth += 1;
            }
            End | Operator::Delegate { .. } if self.depth > 0 => self.depth -= 1,
            Call { function_index } | ReturnCall { function_index }
                if function_index < self.imported =>
            {
                self.drain(offset, edits);
            }
            Return
            | End
            | ReturnCall { .. }
            | Operator::ReturnCallIndirect { .. }
            | Operator::ReturnCallRef { .. }
            | Operator::Throw { .. }
            | Operator::ThrowRef
            | Operator::Rethrow { .. }
                if self.has_checks =>
            {
                self.drain(offset, edits);
            }
            _ if self.has_checks && self.leaves(operator) => self.drain(offset, edits),
            _ if self.has_checks => {
                if let Some(access) = Access::of(operator).filter(|a| a.memarg.memory == 0) {
                    self.access(&access, offset, edits);
                } else if let Some(bulk) = bulk_of(operator) {
                    self.bulk(bulk, offset, edits);
                }
            }
            _ => {}
        }
    }

    /// Whether it is a branch out of the function.
    fn leaves(&self, operator: &Operator<'_>) -> bool {
        match operator {
            Operator::Br { relative_depth }
            | Operator::BrIf { relative_depth }
            | Operator::BrOnNull { relative_depth }
            | Operator::BrOnNonNull { relative_depth } => *relative_depth == self.depth,
            Operator::BrTable { targets } => {
                let mut others = targets.targets().map_while(Result::ok);
                targets.default() == self.depth || others.any(|target| target == self.depth)
            }
            _ => false,
        }
    }

    fn drain(&self, offset: usize, edits: &mut Edits) {
        let space = self.space;
        edits.insert_check_before(
            offset,
            |code| shadow::push_logged(space, code),
            |code| shadow::tell(space, code),
            |_| {},
        );
    }

    /// The `nth` local of a type, which is added if it is not there.
    fn local(&mut self, ty: ValType, nth: usize, edits: &mut Edits) -> u32 {
        loop {
            let mut of_type = self.locals.iter().filter(|(_, other)| *other == ty);
            if let Some((local, _)) = of_type.nth(nth) {
                return *local;
            }
            self.locals.push((edits.add_locals(self.body, 1, ty), ty));
        }
    }

    fn access(&mut self, access: &Access, offset: usize, edits: &mut Edits) {
        let address = self.local(self.features.address, 0, edits);
        let mut operands = Vec::new();
        for (nth, ty) in access.operands.iter().enumerate() {
            let Some(ty) = number_type(*ty) else { return };
            // The address has the first local of its type.
            let nth = nth + usize::from(ty == self.features.address);
            operands.push(self.local(ty, nth, edits));
        }
        let (features, space, for_v8) = (self.features, self.space, self.for_v8);
        let shadow = |offset| MemArg {
            offset: shadow::SHIFT + offset,
            align: 0,
            memory_index: space.memory(AddedMemory::Shadow),
        };
        let start = access.memarg.offset;
        let last = start.saturating_add(u64::from(access.bytes) - 1);
        let most = if features.is_64() { u64::MAX } else { u32::MAX.into() };
        if last > most - shadow::SHIFT {
            // It traps.
            return;
        }
        let may_be_partly_outside = self.idiom.allows(access);
        let wanted = self.wanted.take().filter(|_| !access.is_write);
        let check = |code: &mut InstructionSink<'_>| {
            for local in operands.iter().rev() {
                code.local_set(*local);
            }
            code.local_tee(address).local_get(address);
            match access.bytes {
                1 => code.i32_load8_u(shadow(start)),
                2 => code.i32_load16_u(shadow(start)),
                4 => code.i32_load(shadow(start)),
                8 => code.i64_load(shadow(start)),
                _ => code.v128_load(shadow(start)).v128_any_true(),
            };
            match access.bytes {
                1 | 2 | 4 if for_v8 => code.i32_const(SHIFTED).i32_shl(),
                8 if for_v8 => {
                    code.i64_const(SHIFTED.into()).i64_shl();
                    code.i64_const(0).i64_ne()
                }
                8 => code.i64_const(0).i64_ne(),
                _ => code,
            };
        };
        let log_access = |code: &mut InstructionSink<'_>| {
            if may_be_partly_outside {
                code.local_get(address).i32_load8_u(shadow(start)).i32_eqz();
                code.local_get(address).i32_load8_u(shadow(last)).i32_eqz();
                code.i32_or().i32_eqz().if_(BlockType::Empty);
            }
            if let Some(wanted) = &wanted {
                wanted.push(code);
                code.if_(BlockType::Empty);
            }
            log(features, space, offset, address, code);
            if wanted.is_some() {
                code.end();
            }
            if may_be_partly_outside {
                code.end();
            }
        };
        edits.insert_check_before(offset, check, log_access, |code| {
            for local in &operands {
                code.local_get(*local);
            }
        });
    }

    fn bulk(&mut self, bulk: Bulk, offset: usize, edits: &mut Edits) {
        let mut used: Vec<u32> = Vec::new();
        for operand in bulk.operands {
            let ty = match operand {
                Operand::Address => self.features.address,
                Operand::I32 => ValType::I32,
            };
            let nth = (0..).find(|nth| !used.contains(&self.local(ty, *nth, edits))).unwrap_or(0);
            used.push(self.local(ty, nth, edits));
        }
        let [to, from, bytes] = used[..] else { return };
        let (features, space) = (self.features, self.space);
        let is_narrow = features.is_64() && bulk.operands[2] == Operand::I32;
        edits.insert_before(offset, |code| {
            code.local_set(bytes).local_set(from).local_set(to);
            bulk.check([to, from, bytes], offset, is_narrow, space, code);
            code.local_get(to).local_get(from).local_get(bytes);
        });
    }
}
