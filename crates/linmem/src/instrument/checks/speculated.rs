//! Loads that compilers make before they know whether they want the value: `p ? *p : 0` becomes a load and a `select`, as no
//! address in a memory traps.

use wasm_encoder::InstructionSink;
use wasmparser::Operator;

use super::Operators;
use crate::module::Access;

/// From a load to its `select`, at most.
const MOST_OPERATORS: usize = 12;

/// In which case a `select` takes the value that a load has got.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// The condition: locals, numbers, and comparisons of these.
    condition: &'a Operators<'a>,
    /// Whether it has to be zero.
    if_zero: bool,
}

impl<'a> Wanted<'a> {
    /// When the value is wanted that the instruction at `nth` loads, if it goes into a `select` with such a condition, and
    /// nowhere else.
    pub(super) fn of_load(operators: &'a Operators<'a>, nth: usize) -> Option<Wanted<'a>> {
        Access::of(&operators[nth].0).filter(|access| !access.is_write)?;
        let following = operators.get(nth + 1..)?;
        // How many values lie on that of the load.
        let mut above = 0;
        for (at, (operator, _)) in following.iter().take(MOST_OPERATORS).enumerate() {
            match (Kind::of(operator), above) {
                (Kind::Pushes, _) => above += 1,
                (Kind::Unary, _) | (Kind::Binary, 0) => {}
                (Kind::Binary, _) => above -= 1,
                (Kind::Select, 1 | 2) => {
                    let condition = condition_at_the_end(&following[..at])?;
                    return Some(Wanted { condition, if_zero: above == 1 });
                }
                _ => return None,
            }
        }
        None
    }

    /// Leaves on the stack whether the value is wanted.
    pub(super) fn push(&self, code: &mut InstructionSink<'_>) {
        for (operator, _) in self.condition {
            push(operator, code);
        }
        if self.if_zero {
            code.i32_eqz();
        }
    }
}

/// The last value that these instructions push, if it is made of what can be pushed again.
fn condition_at_the_end<'a>(operators: &'a Operators<'a>) -> Option<&'a Operators<'a>> {
    let mut wanted = 1;
    for (at, (operator, _)) in operators.iter().enumerate().rev() {
        if !push(operator, &mut InstructionSink::new(&mut Vec::new())) {
            return None;
        }
        wanted = match Kind::of(operator) {
            Kind::Pushes => wanted - 1,
            Kind::Binary => wanted + 1,
            _ => wanted,
        };
        if wanted == 0 {
            return operators.get(at..);
        }
    }
    None
}

/// Pushes what an instruction of a condition does; whether it can be part of one.
fn push(operator: &Operator<'_>, code: &mut InstructionSink<'_>) -> bool {
    match *operator {
        Operator::LocalGet { local_index } => code.local_get(local_index),
        Operator::I32Const { value } => code.i32_const(value),
        Operator::I32Eqz => code.i32_eqz(),
        Operator::I32And => code.i32_and(),
        Operator::I32Eq => code.i32_eq(),
        Operator::I32Ne => code.i32_ne(),
        Operator::I32LtS => code.i32_lt_s(),
        Operator::I32LtU => code.i32_lt_u(),
        Operator::I32GtS => code.i32_gt_s(),
        Operator::I32GtU => code.i32_gt_u(),
        Operator::I32LeS => code.i32_le_s(),
        Operator::I32LeU => code.i32_le_u(),
        Operator::I32GeS => code.i32_ge_s(),
        Operator::I32GeU => code.i32_ge_u(),
        _ => return false,
    };
    true
}

#[derive(PartialEq)]
enum Kind {
    Pushes,
    Unary,
    Binary,
    Select,
    Other,
}

impl Kind {
    fn of(operator: &Operator<'_>) -> Kind {
        use Operator::*;
        match operator {
            LocalGet { .. } | GlobalGet { .. } | I32Const { .. } | I64Const { .. } => Kind::Pushes,
            F32Const { .. } | F64Const { .. } => Kind::Pushes,
            I32Eqz | I64Eqz | I32WrapI64 | I64ExtendI32S | I64ExtendI32U => Kind::Unary,
            I32Extend8S | I32Extend16S | I64Extend8S | I64Extend16S | I64Extend32S => Kind::Unary,
            F32ReinterpretI32 | F64ReinterpretI64 | I32ReinterpretF32 | I64ReinterpretF64 => {
                Kind::Unary
            }
            F64PromoteF32 | F32DemoteF64 | F32Neg | F64Neg | F32Abs | F64Abs => Kind::Unary,
            I32Add | I32Sub | I32Mul | I32And | I32Or | I32Xor | I32Shl | I32ShrS | I32ShrU => {
                Kind::Binary
            }
            I64Add | I64Sub | I64Mul | I64And | I64Or | I64Xor | I64Shl | I64ShrS | I64ShrU => {
                Kind::Binary
            }
            I32Eq | I32Ne | I32LtS | I32LtU | I32GtS | I32GtU | I32LeS | I32LeU | I32GeS
            | I32GeU => Kind::Binary,
            I64Eq | I64Ne | I64LtS | I64LtU | I64GtS | I64GtU | I64LeS | I64LeU | I64GeS
            | I64GeU => Kind::Binary,
            F32Add | F32Sub | F32Mul | F64Add | F64Sub | F64Mul => Kind::Binary,
            Select | TypedSelect { .. } => Kind::Select,
            _ => Kind::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::module::Module;

    /// The condition under which the value of the first load of a function of two parameters is wanted: its instructions, and
    /// whether it has to be zero.
    fn wanted(code: &str) -> Option<(usize, bool)> {
        let text = format!("(module (memory 1) (func (param i32 i32) (result i32) {code}))");
        let bytes = wat::parse_str(text).unwrap();
        let module = Module::parse(&bytes).unwrap();
        let body = module.functions[0].body.as_ref().unwrap();
        let operators: Vec<_> = body.operators_with_offsets(&bytes).collect();
        let load =
            operators.iter().position(|(o, _)| matches!(o, Operator::I32Load { .. })).unwrap();
        let wanted = Wanted::of_load(&operators, load)?;
        Some((wanted.condition.len(), wanted.if_zero))
    }

    #[test]
    fn a_select_may_throw_away_what_was_loaded() {
        let if_zero = |if_zero| Some((1, if_zero));
        let select = "(select (i32.load (local.get 0)) (i32.const 7) (local.get 1))";
        assert_eq!(wanted(select), if_zero(false));
        assert_eq!(
            wanted("(select (i32.const 7) (i32.load (local.get 0)) (local.get 1))"),
            if_zero(true)
        );
        let masked = "(select (i32.and (i32.load (local.get 0)) (i32.const 8191)) (i32.const 7) (local.get 1))";
        assert_eq!(wanted(masked), if_zero(false));
        let (more, other) = ("(i32.add (local.get 0) (i32.const 4))", "(i32.const 7)");
        assert_eq!(
            wanted(&format!("(select (i32.load (local.get 0)) {more} (local.get 1))")),
            if_zero(false)
        );
        assert_eq!(
            wanted(&format!(
                "(i32.add (i32.load (local.get 0)) (select {other} {more} (local.get 1)))"
            )),
            None
        );
    }

    #[test]
    fn what_is_used_is_wanted() {
        for code in [
            "(i32.load (local.get 0))",
            "(select (i32.const 1) (i32.const 7) (i32.load (local.get 0)))",
            "(select (local.tee 1 (i32.load (local.get 0))) (i32.const 7) (local.get 1))",
            "(select (i32.load (i32.load (local.get 0))) (i32.const 7) (local.get 1))",
            "(select (i32.load (local.get 0)) (i32.const 7) (i32.add (local.get 1) (i32.const 1)))",
            "(i32.load (local.get 0)) (drop (select (i32.const 1) (i32.const 7) (local.get 1)))",
        ] {
            assert_eq!(wanted(code), None, "{code}");
        }
    }
}
