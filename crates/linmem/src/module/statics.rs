//! What the code of a function reads and writes at places that are fixed: static data, and globals.
//!
//! The place of static data is known where the address is a constant. For that the operands that are
//! constants are followed, by their height in the operand stack.

use wasmparser::{MemArg, ModuleArity, Operator};

/// The bytes of memory 0, by their addresses, and the globals that a function reads and writes, each list sorted,
/// without repetition.
#[derive(Debug, Default, Clone)]
pub struct Statics {
    /// Static bytes that are loaded.
    pub reads: Vec<u64>,
    /// Static bytes that are stored.
    pub writes: Vec<u64>,
    /// Those of them that are stored with a value that is not a constant.
    pub computed: Vec<u64>,
    /// Globals that are read.
    pub gets: Vec<u32>,
    /// Globals that are set.
    pub sets: Vec<u32>,
    /// Functions that are called with a constant as their first argument, and the constant, as a method is whose
    /// object lies at a fixed place.
    pub lends: Vec<(u32, u64)>,
    /// Passive data segments that are copied to a fixed place.
    pub copies: Vec<SegmentCopy>,
}

/// A `memory.init` of a whole data segment, from its beginning.
#[derive(Debug, Clone)]
pub struct SegmentCopy {
    /// The data segment.
    pub segment: u32,
    /// Where it lies in memory 0.
    pub address: u64,
}

/// Follows the operands of a function that are constants.
#[derive(Default)]
pub(super) struct Follower {
    statics: Statics,
    /// Height and value of each constant in the operand stack, the lowest first.
    constants: Vec<(u32, u64)>,
}

impl Follower {
    /// Takes in an operator that comes when the operand stack has this height.
    pub(super) fn operator(
        &mut self,
        operator: &Operator<'_>,
        height: u32,
        module: &impl ModuleArity,
    ) {
        match *operator {
            Operator::I32Const { value } => {
                self.constants.push((height + 1, u64::from(value as u32)));
                return;
            }
            Operator::I64Const { value } => {
                self.constants.push((height + 1, value as u64));
                return;
            }
            Operator::GlobalGet { global_index } => self.statics.gets.push(global_index),
            Operator::GlobalSet { global_index } => self.statics.sets.push(global_index),
            _ => {}
        }
        if self.constants.is_empty() {
            return;
        }
        if let Some(access) = Access::of(operator) {
            self.access(&access, height);
        }
        if let Operator::MemoryInit { data_index, mem: 0 } = *operator {
            self.copy(data_index, height);
        }
        let Some((pops, _)) = operator.operator_arity(module) else {
            self.constants.clear();
            return;
        };
        if let Operator::Call { function_index } = *operator
            && let Some(first) = height.checked_sub(pops).and_then(|left| self.constant(left + 1))
            && pops > 0
        {
            self.statics.lends.push((function_index, first));
        }
        let left = height.saturating_sub(pops);
        self.constants.truncate(self.constants.partition_point(|(at, _)| *at <= left));
    }

    /// The operand at a height, if it is a constant.
    fn constant(&self, height: u32) -> Option<u64> {
        let place = self.constants.binary_search_by_key(&height, |(at, _)| *at).ok()?;
        Some(self.constants[place].1)
    }

    fn copy(&mut self, segment: u32, height: u32) {
        let operand = |below| self.constant(height.checked_sub(below)?);
        let (Some(address), Some(0)) = (operand(2), operand(1)) else { return };
        self.statics.copies.push(SegmentCopy { segment, address });
    }

    fn access(&mut self, access: &Access, height: u32) {
        // The address lies below a value that is stored.
        let base = self.constant(height.saturating_sub(u32::from(access.stores)));
        let address = base.and_then(|base| base.checked_add(access.memarg.offset));
        let Some(address) = address else { return };
        if access.memarg.memory != 0 {
            return;
        }
        let accessed = address..=address.saturating_add(access.bytes - 1);
        if access.stores && self.constant(height).is_none() {
            self.statics.computed.extend(accessed.clone());
        }
        let bytes = if access.stores { &mut self.statics.writes } else { &mut self.statics.reads };
        bytes.extend(accessed);
    }

    /// What was found in the whole function.
    pub(super) fn finish(self) -> Statics {
        let Statics { mut reads, mut writes, mut computed, .. } = self.statics;
        let Statics { mut gets, mut sets, mut lends, copies, .. } = self.statics;
        lends.sort_unstable();
        lends.dedup();
        for bytes in [&mut reads, &mut writes, &mut computed] {
            bytes.sort_unstable();
            bytes.dedup();
        }
        for globals in [&mut gets, &mut sets] {
            globals.sort_unstable();
            globals.dedup();
        }
        Statics { reads, writes, computed, gets, sets, lends, copies }
    }
}

/// A load or a store.
struct Access {
    memarg: MemArg,
    bytes: u64,
    stores: bool,
}

impl Access {
    fn of(operator: &Operator<'_>) -> Option<Access> {
        use Operator::{
            F32Load, F32Store, F64Load, F64Store, I32Load, I32Load8S, I32Load8U, I32Load16S,
            I32Load16U, I32Store, I32Store8, I32Store16, I64Load, I64Load8S, I64Load8U, I64Load16S,
            I64Load16U, I64Load32S, I64Load32U, I64Store, I64Store8, I64Store16, I64Store32,
            V128Load, V128Store,
        };
        let (memarg, bytes, stores) = match *operator {
            I32Load8S { memarg }
            | I32Load8U { memarg }
            | I64Load8S { memarg }
            | I64Load8U { memarg } => (memarg, 1, false),
            I32Load16S { memarg }
            | I32Load16U { memarg }
            | I64Load16S { memarg }
            | I64Load16U { memarg } => (memarg, 2, false),
            I32Load { memarg }
            | F32Load { memarg }
            | I64Load32S { memarg }
            | I64Load32U { memarg } => (memarg, 4, false),
            I64Load { memarg } | F64Load { memarg } => (memarg, 8, false),
            V128Load { memarg } => (memarg, 16, false),
            I32Store8 { memarg } | I64Store8 { memarg } => (memarg, 1, true),
            I32Store16 { memarg } | I64Store16 { memarg } => (memarg, 2, true),
            I32Store { memarg } | F32Store { memarg } | I64Store32 { memarg } => (memarg, 4, true),
            I64Store { memarg } | F64Store { memarg } => (memarg, 8, true),
            V128Store { memarg } => (memarg, 16, true),
            _ => return None,
        };
        Some(Access { memarg, bytes, stores })
    }
}

#[cfg(test)]
mod tests {
    use crate::module::Module;

    /// What is read and written, in that order, by the first function of a module.
    fn bytes(code: &str) -> (Vec<u64>, Vec<u64>) {
        let text = format!(
            "(module (memory 1) (memory 1) (global $g (mut i32) (i32.const 0))
               (func $f (param i32) (result i32) i32.const 0)
               (func (param i32) {code}))"
        );
        let wasm = wat::parse_str(text).unwrap();
        let module = Module::parse(&wasm).unwrap();
        let statics = &module.functions[1].body.as_ref().unwrap().statics;
        (statics.reads.clone(), statics.writes.clone())
    }

    #[test]
    fn an_address_that_is_a_constant_is_static() {
        let load = "(drop (i32.load offset=2000 (i32.const 0)))";
        assert_eq!(bytes(load), ((2000..2004).collect(), vec![]));
        assert_eq!(bytes("(drop (i32.load8_u offset=1 (i32.const 2002)))"), (vec![2003], vec![]));
        assert_eq!(
            bytes("(i64.store offset=4 (i32.const 2000) (i64.const 7))"),
            (vec![], (2004..2012).collect())
        );
    }

    #[test]
    fn the_value_that_is_stored_may_be_anything() {
        let stored = [
            "(local.get 0)",
            "(i32.const 5)",
            "(i32.add (i32.load (i32.const 3000)) (i32.const 1))",
            "(call $f (i32.mul (local.get 0) (i32.const 3)))",
            "(if (result i32) (local.get 0) (then (i32.const 1)) (else (i32.const 2)))",
        ];
        for value in stored {
            let (_, writes) = bytes(&format!("(i32.store offset=16 (i32.const 2000) {value})"));
            assert_eq!(writes, [2016, 2017, 2018, 2019], "{value}");
        }
    }

    #[test]
    fn addresses_end() {
        let wasm = wat::parse_str(
            "(module (memory i64 1)
               (func (v128.store (i64.const -2) (v128.const i64x2 0 0))))",
        );
        let wasm = wasm.unwrap();
        let module = Module::parse(&wasm).unwrap();
        let statics = &module.functions[0].body.as_ref().unwrap().statics;
        assert_eq!(statics.writes, [u64::MAX - 1, u64::MAX]);
    }

    #[test]
    fn an_address_that_is_worked_out_is_not_known() {
        let stores = [
            "(i32.store offset=2000 (local.get 0) (i32.const 1))",
            "(i32.store (i32.add (i32.const 2000) (local.get 0)) (i32.const 1))",
            "(i32.store (i32.load (i32.const 2000)) (i32.const 1))",
            "(i32.store (global.get $g) (i32.const 2000))",
            "(i32.store 1 (i32.const 2000) (i32.const 1))",
            "(i32.store (if (result i32) (local.get 0) (then (i32.const 1)) (else (i32.const 2))) (i32.const 3))",
        ];
        for store in stores {
            assert_eq!(bytes(store).1, Vec::<u64>::new(), "{store}");
        }
    }
}
