//! What a load or a store reads or writes.

use wasmparser::{MemArg, Operator, ValType};

/// An instruction that reads or writes memory at the address on the stack, plus an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// Bytes that it reads or writes.
    pub bytes: u8,
    /// Whether it writes; one that does both writes.
    pub is_write: bool,
    /// The memory and the offset.
    pub memarg: MemArg,
    /// What stands on the stack above the address, the lowest first.
    pub operands: &'static [ValType],
}

const NONE: &[ValType] = &[];
const I32: &[ValType] = &[ValType::I32];
const I64: &[ValType] = &[ValType::I64];
const F32: &[ValType] = &[ValType::F32];
const F64: &[ValType] = &[ValType::F64];
const V128: &[ValType] = &[ValType::V128];
const I32_I32: &[ValType] = &[ValType::I32, ValType::I32];
const I64_I64: &[ValType] = &[ValType::I64, ValType::I64];
const I32_I64: &[ValType] = &[ValType::I32, ValType::I64];
const I64_I64_TIMEOUT: &[ValType] = &[ValType::I64, ValType::I64];

impl Access {
    /// The access of an instruction that has one.
    pub fn of(operator: &Operator<'_>) -> Option<Access> {
        plain(operator).or_else(|| simd(operator)).or_else(|| atomic(operator))
    }

    /// The access of the instruction at an offset in a module's file, if there is one.
    pub fn at(file: &[u8], offset: u32) -> Option<Access> {
        let code = file.get(offset as usize..)?;
        let reader = wasmparser::BinaryReader::new(code, offset as usize);
        Access::of(&wasmparser::OperatorsReader::new(reader).read().ok()?)
    }

    fn read(bytes: u8, memarg: MemArg) -> Option<Access> {
        Some(Access { bytes, is_write: false, memarg, operands: NONE })
    }

    fn write(bytes: u8, memarg: MemArg, operands: &'static [ValType]) -> Option<Access> {
        Some(Access { bytes, is_write: true, memarg, operands })
    }
}

fn plain(operator: &Operator<'_>) -> Option<Access> {
    use Operator::{
        F32Load, F32Store, F64Load, F64Store, I32Load, I32Load8S, I32Load8U, I32Load16S,
        I32Load16U, I32Store, I32Store8, I32Store16, I64Load, I64Load8S, I64Load8U, I64Load16S,
        I64Load16U, I64Load32S, I64Load32U, I64Store, I64Store8, I64Store16, I64Store32,
    };
    match *operator {
        I32Load8S { memarg }
        | I32Load8U { memarg }
        | I64Load8S { memarg }
        | I64Load8U { memarg } => Access::read(1, memarg),
        I32Load16S { memarg }
        | I32Load16U { memarg }
        | I64Load16S { memarg }
        | I64Load16U { memarg } => Access::read(2, memarg),
        I32Load { memarg } | F32Load { memarg } | I64Load32S { memarg } | I64Load32U { memarg } => {
            Access::read(4, memarg)
        }
        I64Load { memarg } | F64Load { memarg } => Access::read(8, memarg),
        I32Store8 { memarg } => Access::write(1, memarg, I32),
        I64Store8 { memarg } => Access::write(1, memarg, I64),
        I32Store16 { memarg } => Access::write(2, memarg, I32),
        I64Store16 { memarg } => Access::write(2, memarg, I64),
        I32Store { memarg } => Access::write(4, memarg, I32),
        I64Store32 { memarg } => Access::write(4, memarg, I64),
        F32Store { memarg } => Access::write(4, memarg, F32),
        I64Store { memarg } => Access::write(8, memarg, I64),
        F64Store { memarg } => Access::write(8, memarg, F64),
        _ => None,
    }
}

fn simd(operator: &Operator<'_>) -> Option<Access> {
    use Operator::{
        V128Load, V128Load8Lane, V128Load8Splat, V128Load8x8S, V128Load8x8U, V128Load16Lane,
        V128Load16Splat, V128Load16x4S, V128Load16x4U, V128Load32Lane, V128Load32Splat,
        V128Load32Zero, V128Load32x2S, V128Load32x2U, V128Load64Lane, V128Load64Splat,
        V128Load64Zero, V128Store, V128Store8Lane, V128Store16Lane, V128Store32Lane,
        V128Store64Lane,
    };
    let lane = |bytes, memarg| Some(Access { bytes, is_write: false, memarg, operands: V128 });
    match *operator {
        V128Load { memarg } => Access::read(16, memarg),
        V128Load8x8S { memarg }
        | V128Load8x8U { memarg }
        | V128Load16x4S { memarg }
        | V128Load16x4U { memarg }
        | V128Load32x2S { memarg }
        | V128Load32x2U { memarg }
        | V128Load64Splat { memarg }
        | V128Load64Zero { memarg } => Access::read(8, memarg),
        V128Load8Splat { memarg } => Access::read(1, memarg),
        V128Load16Splat { memarg } => Access::read(2, memarg),
        V128Load32Splat { memarg } | V128Load32Zero { memarg } => Access::read(4, memarg),
        V128Load8Lane { memarg, .. } => lane(1, memarg),
        V128Load16Lane { memarg, .. } => lane(2, memarg),
        V128Load32Lane { memarg, .. } => lane(4, memarg),
        V128Load64Lane { memarg, .. } => lane(8, memarg),
        V128Store { memarg } => Access::write(16, memarg, V128),
        V128Store8Lane { memarg, .. } => Access::write(1, memarg, V128),
        V128Store16Lane { memarg, .. } => Access::write(2, memarg, V128),
        V128Store32Lane { memarg, .. } => Access::write(4, memarg, V128),
        V128Store64Lane { memarg, .. } => Access::write(8, memarg, V128),
        _ => None,
    }
}

/// Atomic instructions of each kind: what reads, what writes or does both with one operand, and with two.
macro_rules! atomic {
    ($operator:expr;
     $($reads:ident: $read_bytes:literal,)* ;
     $($writes:ident: $bytes:literal $operands:ident,)*) => {
        match *$operator {
            $(Operator::$reads { memarg } => Access::read($read_bytes, memarg),)*
            $(Operator::$writes { memarg } => Access::write($bytes, memarg, $operands),)*
            Operator::MemoryAtomicNotify { memarg } => {
                Some(Access { bytes: 4, is_write: false, memarg, operands: I32 })
            }
            Operator::MemoryAtomicWait32 { memarg } => {
                Some(Access { bytes: 4, is_write: false, memarg, operands: I32_I64 })
            }
            Operator::MemoryAtomicWait64 { memarg } => {
                Some(Access { bytes: 8, is_write: false, memarg, operands: I64_I64_TIMEOUT })
            }
            _ => None,
        }
    };
}

fn atomic(operator: &Operator<'_>) -> Option<Access> {
    atomic! { operator;
        I32AtomicLoad8U: 1, I64AtomicLoad8U: 1, I32AtomicLoad16U: 2, I64AtomicLoad16U: 2,
        I32AtomicLoad: 4, I64AtomicLoad32U: 4, I64AtomicLoad: 8, ;
        I32AtomicStore8: 1 I32, I64AtomicStore8: 1 I64, I32AtomicStore16: 2 I32,
        I64AtomicStore16: 2 I64, I32AtomicStore: 4 I32, I64AtomicStore32: 4 I64,
        I64AtomicStore: 8 I64,
        I32AtomicRmw8AddU: 1 I32, I64AtomicRmw8AddU: 1 I64, I32AtomicRmw16AddU: 2 I32,
        I64AtomicRmw16AddU: 2 I64, I32AtomicRmwAdd: 4 I32, I64AtomicRmw32AddU: 4 I64,
        I64AtomicRmwAdd: 8 I64,
        I32AtomicRmw8SubU: 1 I32, I64AtomicRmw8SubU: 1 I64, I32AtomicRmw16SubU: 2 I32,
        I64AtomicRmw16SubU: 2 I64, I32AtomicRmwSub: 4 I32, I64AtomicRmw32SubU: 4 I64,
        I64AtomicRmwSub: 8 I64,
        I32AtomicRmw8AndU: 1 I32, I64AtomicRmw8AndU: 1 I64, I32AtomicRmw16AndU: 2 I32,
        I64AtomicRmw16AndU: 2 I64, I32AtomicRmwAnd: 4 I32, I64AtomicRmw32AndU: 4 I64,
        I64AtomicRmwAnd: 8 I64,
        I32AtomicRmw8OrU: 1 I32, I64AtomicRmw8OrU: 1 I64, I32AtomicRmw16OrU: 2 I32,
        I64AtomicRmw16OrU: 2 I64, I32AtomicRmwOr: 4 I32, I64AtomicRmw32OrU: 4 I64,
        I64AtomicRmwOr: 8 I64,
        I32AtomicRmw8XorU: 1 I32, I64AtomicRmw8XorU: 1 I64, I32AtomicRmw16XorU: 2 I32,
        I64AtomicRmw16XorU: 2 I64, I32AtomicRmwXor: 4 I32, I64AtomicRmw32XorU: 4 I64,
        I64AtomicRmwXor: 8 I64,
        I32AtomicRmw8XchgU: 1 I32, I64AtomicRmw8XchgU: 1 I64, I32AtomicRmw16XchgU: 2 I32,
        I64AtomicRmw16XchgU: 2 I64, I32AtomicRmwXchg: 4 I32, I64AtomicRmw32XchgU: 4 I64,
        I64AtomicRmwXchg: 8 I64,
        I32AtomicRmw8CmpxchgU: 1 I32_I32, I64AtomicRmw8CmpxchgU: 1 I64_I64,
        I32AtomicRmw16CmpxchgU: 2 I32_I32, I64AtomicRmw16CmpxchgU: 2 I64_I64,
        I32AtomicRmwCmpxchg: 4 I32_I32, I64AtomicRmw32CmpxchgU: 4 I64_I64,
        I64AtomicRmwCmpxchg: 8 I64_I64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::module::Module;

    /// The accesses of a function with these instructions.
    fn accesses(code: &str) -> Vec<(u8, bool, usize)> {
        let text = format!("(module (memory 1) (func {code}))");
        let bytes = wat::parse_str(text).unwrap();
        let module = Module::parse(&bytes).unwrap();
        let body = module.functions[0].body.as_ref().unwrap();
        let accesses = body.operators(&bytes).filter_map(|operator| Access::of(&operator));
        accesses.map(|access| (access.bytes, access.is_write, access.operands.len())).collect()
    }

    #[test]
    fn accesses_have_a_width_and_a_direction() {
        let of = |code| accesses(code);
        assert_eq!(of("(drop (i64.load16_s (i32.const 8)))"), [(2, false, 0)]);
        assert_eq!(of("(f64.store offset=4 (i32.const 8) (f64.const 1))"), [(8, true, 1)]);
        let lane = "(drop (v128.load32_lane 1 (i32.const 8) (v128.const i32x4 0 0 0 0)))";
        assert_eq!(of(lane), [(4, false, 1)]);
        let exchange =
            "(drop (i64.atomic.rmw16.cmpxchg_u (i32.const 8) (i64.const 0) (i64.const 1)))";
        assert_eq!(of(exchange), [(2, true, 2)]);
        assert_eq!(of("(memory.copy (i32.const 1) (i32.const 2) (i32.const 3))"), []);
    }

    /// Every instruction with a memory operand is one, and the operands are as many as the validator takes.
    #[test]
    fn no_access_is_forgotten() {
        let mut forgotten = Vec::new();
        macro_rules! visit {
            ($( @$proposal:ident $op:ident $({ $($arg:ident: $ty:ty),* })? => $visit:ident ($($ann:tt)*) )*) => {
                $( visit!(@one $op $({ $($arg),* })?); )*
            };
            (@one $op:ident { memarg }) => {
                let memarg = MemArg { align: 0, max_align: 0, offset: 0, memory: 0 };
                if Access::of(&Operator::$op { memarg }).is_none() {
                    forgotten.push(stringify!($op));
                }
            };
            (@one $op:ident { memarg, lane }) => {
                let memarg = MemArg { align: 0, max_align: 0, offset: 0, memory: 0 };
                if Access::of(&Operator::$op { memarg, lane: 0 }).is_none() {
                    forgotten.push(stringify!($op));
                }
            };
            (@one $($other:tt)*) => {};
        }
        wasmparser::for_each_operator!(visit);
        assert_eq!(forgotten, [""; 0]);
    }
}
