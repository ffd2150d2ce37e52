//! Checks that cannot fail, and so are left out.
//!
//! One walk over a function follows what is on the stack and in locals, as far as that is an address of which something is
//! known. It forgets more than it must: at calls, at the beginning of loops, and wherever code joins.

use std::ops::Range;

use wasmparser::Operator;

use super::Operators;
use crate::module::Access;
use crate::module::memory_map::MemoryMap;
use crate::prepared::Prepared;

/// Ranges that are remembered at a time. Later ones are not.
const MAX_CHECKED: usize = 64;

/// A kind of check that is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Elision {
    /// Of the function's own frame on the stack: at a distance from the stack pointer that is a constant.
    Frame,
    /// Of static data: at an address that is a constant.
    Static,
    /// Of bytes that were checked before: at the same local, which has not changed since, with no call between.
    Repeated,
    /// In `memcpy`, `memmove` and `memset`: their ranges are checked as a whole when they are called.
    Ranges,
}

impl Elision {
    /// All kinds.
    pub const ALL: [Elision; 4] =
        [Elision::Frame, Elision::Static, Elision::Repeated, Elision::Ranges];
}

/// What decides which checks are left out.
pub(super) struct Elisions {
    kinds: Vec<Elision>,
    /// The global that is the stack pointer.
    stack_pointer: Option<u32>,
    /// Where static data may be.
    statics: Range<u64>,
}

/// What is known of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Value {
    #[default]
    Unknown,
    Constant(u64),
    /// So many bytes below what the stack pointer was: on the stack.
    Frame(u64),
    /// What a local has had since it was set for the last time: which local, and how often any was set before.
    Local(u32, u32),
}

/// What is known of a local.
#[derive(Debug, Clone, Copy, Default)]
struct Local {
    /// How often any local had been set when this one got its value.
    version: u32,
    value: Value,
    /// Where it is set once, outside all blocks, to an address of the frame: so many bytes below what the stack pointer was.
    frame: Option<u64>,
    /// How often the function sets it.
    times_set: u32,
}

/// Bytes that have been checked, from the value of a local on.
#[derive(Debug, Clone, Copy)]
struct CheckedRange {
    local: u32,
    version: u32,
    start: u64,
    end: u64,
    /// Whether as what is written.
    is_write: bool,
    /// Calls before it.
    calls: u32,
}

impl Elisions {
    pub(super) fn of(prepared: &Prepared<'_>, kinds: &[Elision]) -> Elisions {
        let module = &prepared.module;
        let end = MemoryMap::of(module).heap_base.or_else(|| module.data_end()).unwrap_or(0);
        let low = prepared.null_bytes();
        Elisions {
            kinds: kinds.to_vec(),
            stack_pointer: module.stack_pointer(),
            statics: low..end.max(low),
        }
    }

    /// Whether checks of this kind are left out.
    pub(super) fn include(&self, kind: Elision) -> bool {
        self.kinds.contains(&kind)
    }

    /// Of each instruction of a function, whether it accesses memory in a way that need not be checked. `is_strict` says
    /// whether an access that is checked is an error if any of its bytes is wrong.
    pub(super) fn in_function(
        &self,
        file: &[u8],
        operators: &Operators<'_>,
        is_strict: impl Fn(usize, &Access) -> bool,
    ) -> Vec<bool> {
        let mut walk = Walk::new(self, operators);
        let steps = operators.iter().enumerate();
        let step = |(nth, (operator, place)): (usize, &(Operator<'_>, Range<usize>))| {
            walk.step(operator, file[place.start], |access| is_strict(nth, access))
        };
        steps.map(step).collect()
    }
}

/// A walk over a function.
struct Walk<'e> {
    elisions: &'e Elisions,
    stack: Vec<Value>,
    /// How often locals were set.
    version: u32,
    locals: Vec<Local>,
    checked: Vec<CheckedRange>,
    /// What was checked before each open block.
    outside: Vec<Vec<CheckedRange>>,
    calls: u32,
}

impl<'e> Walk<'e> {
    fn new(elisions: &'e Elisions, operators: &Operators<'_>) -> Walk<'e> {
        let mut locals: Vec<Local> = Vec::new();
        for (operator, _) in operators {
            if let Operator::LocalSet { local_index } | Operator::LocalTee { local_index } =
                operator
            {
                let index = *local_index as usize;
                locals.resize(locals.len().max(index + 1), Local::default());
                locals[index].times_set += 1;
            }
        }
        Walk {
            elisions,
            stack: Vec::new(),
            version: 0,
            locals,
            checked: Vec::new(),
            outside: Vec::new(),
            calls: 0,
        }
    }

    /// Takes in an instruction; whether it is an access that need not be checked.
    fn step(
        &mut self,
        operator: &Operator<'_>,
        opcode: u8,
        is_strict: impl Fn(&Access) -> bool,
    ) -> bool {
        let access = Access::of(operator).filter(|access| access.memarg.memory == 0);
        let is_elided = access.is_some_and(|access| self.access(&access, is_strict(&access)));
        self.control(operator);
        match *operator {
            Operator::LocalGet { local_index } => {
                let value = self.local(local_index);
                self.stack.push(value);
            }
            Operator::LocalSet { local_index } => {
                let value = self.pop();
                self.set(local_index, value);
            }
            Operator::LocalTee { local_index } => {
                let value = self.pop();
                self.set(local_index, value);
                let value = self.local(local_index);
                self.stack.push(value);
            }
            Operator::GlobalGet { global_index } => {
                let is_pointer = Some(global_index) == self.elisions.stack_pointer;
                self.stack.push(if is_pointer { Value::Frame(0) } else { Value::Unknown });
            }
            Operator::I32Const { value } => self.stack.push(Value::Constant(value as u32 as u64)),
            Operator::I64Const { value } => self.stack.push(Value::Constant(value as u64)),
            Operator::I32Add | Operator::I64Add => {
                let (right, left) = (self.pop(), self.pop());
                self.stack.push(sum(left, right));
            }
            Operator::I32Sub | Operator::I64Sub => {
                let (right, left) = (self.pop(), self.pop());
                self.stack.push(match (left, right) {
                    (Value::Frame(below), Value::Constant(bytes)) if bytes < MAX_FRAME => {
                        Value::Frame(below + bytes)
                    }
                    _ => Value::Unknown,
                });
            }
            _ => match arity(opcode) {
                Some((pops, pushes)) => {
                    self.stack.truncate(self.stack.len().saturating_sub(pops));
                    self.stack.extend(std::iter::repeat_n(Value::Unknown, pushes));
                }
                None => self.stack.clear(),
            },
        }
        is_elided
    }

    fn pop(&mut self) -> Value {
        self.stack.pop().unwrap_or(Value::Unknown)
    }

    fn local(&self, local: u32) -> Value {
        match self.locals.get(local as usize) {
            Some(Local { frame: Some(below), .. }) => Value::Frame(*below),
            Some(Local { value: known @ (Value::Constant(_) | Value::Frame(_)), .. }) => *known,
            Some(Local { version, .. }) => Value::Local(local, *version),
            // It is never set.
            None => Value::Local(local, 0),
        }
    }

    fn set(&mut self, local: u32, value: Value) {
        self.version += 1;
        let local = &mut self.locals[local as usize];
        (local.version, local.value) = (self.version, value);
        if let (Value::Frame(below), 1, true) = (value, local.times_set, self.outside.is_empty()) {
            local.frame = Some(below);
        }
    }

    /// What instructions that are not in line do to what is known.
    fn control(&mut self, operator: &Operator<'_>) {
        use Operator::{Block, Delegate, Else, End, If, Loop, Try, TryTable};
        match operator {
            Block { .. } | If { .. } | Try { .. } | TryTable { .. } => {
                self.outside.push(self.checked.clone());
                self.forget_values();
            }
            Loop { .. } => {
                self.outside.push(std::mem::take(&mut self.checked));
                self.forget_values();
            }
            Else | Operator::Catch { .. } | Operator::CatchAll => {
                self.checked = self.outside.last().cloned().unwrap_or_default();
                self.forget_values();
            }
            End | Delegate { .. } => {
                self.checked = self.outside.pop().unwrap_or_default();
                self.forget_values();
            }
            _ if calls(operator) => {
                self.calls += 1;
                self.checked.clear();
            }
            _ => {}
        }
    }

    /// A local may have another value here than in the line above. What it was compared by stays: a version is never used
    /// again.
    fn forget_values(&mut self) {
        self.version += 1;
        for local in &mut self.locals {
            // What was set in a block that has ended may not have been set.
            if local.value != Value::Unknown {
                (local.version, local.value) = (self.version, Value::Unknown);
            }
        }
    }

    fn access(&mut self, access: &Access, is_strict: bool) -> bool {
        let kinds = &self.elisions.kinds;
        let address = self.stack.len().checked_sub(access.operands.len() + 1);
        let address = address.map_or(Value::Unknown, |place| self.stack[place]);
        let start = access.memarg.offset;
        let Some(end) = start.checked_add(access.bytes.into()) else { return false };
        match address {
            Value::Frame(below) => kinds.contains(&Elision::Frame) && end <= below,
            Value::Constant(address) => {
                let statics = &self.elisions.statics;
                let is_within = |at: u64| at.checked_add(address);
                kinds.contains(&Elision::Static)
                    && is_within(start).is_some_and(|start| start >= statics.start)
                    && is_within(end).is_some_and(|end| end <= statics.end)
            }
            Value::Local(local, version) if kinds.contains(&Elision::Repeated) => {
                let is_write = access.is_write;
                let range =
                    CheckedRange { local, version, start, end, is_write, calls: self.calls };
                self.repeats(range, is_strict)
            }
            _ => false,
        }
    }

    /// Whether these bytes have been checked; from now on they have. What is written must have been checked as such, for
    /// all that checked code writes must be known.
    fn repeats(&mut self, range: CheckedRange, is_strict: bool) -> bool {
        self.checked.retain(|checked| checked.calls == range.calls);
        let is_same = |c: &CheckedRange| (c.local, c.version) == (range.local, range.version);
        let covers = |c: &CheckedRange| c.start <= range.start && range.end <= c.end;
        let mut same = self.checked.iter().filter(|c| is_same(c));
        if same.any(|c| covers(c) && (c.is_write || !range.is_write)) {
            return true;
        }
        let has_room = self.checked.len() < MAX_CHECKED;
        let touches = |c: &CheckedRange| c.start <= range.end && range.start <= c.end;
        let mut alike = self.checked.iter_mut();
        let near = alike.find(|c| is_same(c) && c.is_write == range.is_write && touches(c));
        match near {
            _ if !is_strict => {}
            Some(near) => {
                (near.start, near.end) = (near.start.min(range.start), near.end.max(range.end));
            }
            None if has_room => self.checked.push(range),
            None => {}
        }
        false
    }
}

/// No frame is larger than this.
const MAX_FRAME: u64 = 1 << 31;

/// An address in the frame, some bytes further up, or a constant.
fn sum(left: Value, right: Value) -> Value {
    match (left, right) {
        (Value::Frame(below), Value::Constant(bytes))
        | (Value::Constant(bytes), Value::Frame(below))
            if bytes <= below =>
        {
            Value::Frame(below - bytes)
        }
        _ => Value::Unknown,
    }
}

/// Whether other code may run at an instruction, which can change what may be accessed.
fn calls(operator: &Operator<'_>) -> bool {
    use Operator::{Call, CallIndirect, CallRef, MemoryGrow};
    matches!(operator, Call { .. } | CallIndirect { .. } | CallRef { .. } | MemoryGrow { .. })
}

/// How many values an instruction takes and how many it puts on the stack, given its first byte; `None` where that depends on
/// more. These are the instructions that values of addresses and of what is stored are computed by.
fn arity(opcode: u8) -> Option<(usize, usize)> {
    Some(match opcode {
        // `nop`, `drop`, `select`, `memory.size`.
        0x01 => (0, 0),
        0x1a => (1, 0),
        0x1b => (3, 1),
        0x3f => (0, 1),
        // `global.set`, loads, stores, constants of floating point.
        0x24 => (1, 0),
        0x28..=0x35 => (1, 1),
        0x36..=0x3e => (2, 0),
        0x43 | 0x44 => (0, 1),
        // Numbers: tests, comparisons, operators of one operand and of two, conversions.
        0x45 | 0x50 => (1, 1),
        0x46..=0x4f | 0x51..=0x66 => (2, 1),
        0x67..=0x69 | 0x79..=0x7b | 0x8b..=0x91 | 0x99..=0x9f | 0xa7..=0xc4 => (1, 1),
        0x6a..=0x78 | 0x7c..=0x8a | 0x92..=0x98 | 0xa0..=0xa6 => (2, 1),
        _ => return None,
    })
}
