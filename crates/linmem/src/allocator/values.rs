//! Where the values come from that a function works on: its parameters, followed through copies in locals.

use std::collections::BTreeSet;

use wasmparser::Operator;

use super::code::{Code, compares};

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// This parameter, as it came.
    Parameter(u32),
    /// The first two parameters, multiplied.
    Product,
}

/// The instructions of a function, each with the origin of what it leaves on top of the operand stack.
pub(super) struct Values<'a> {
    pub operators: Vec<Operator<'a>>,
    origins: Vec<Option<Origin>>,
}

/// Locals that are followed at a time: compilers keep few copies of a value.
const MOST_COPIES: usize = 16;

/// Which locals hold what.
type Locals = Vec<(u32, Origin)>;

/// A block of code that branches can leave.
struct Label {
    /// What locals hold wherever a branch, or the end of an arm, leads behind the block.
    behind: Option<Locals>,
    /// What they held before an `if` whose `else` has not come yet.
    before_if: Option<Locals>,
    /// Branches lead back to its beginning.
    is_loop: bool,
}

/// Goes through a function once, in the order of the code.
struct Follower {
    /// What locals hold here, if code gets here.
    locals: Option<Locals>,
    labels: Vec<Label>,
}

impl Follower {
    fn new(parameters: u32) -> Follower {
        let locals = (0..parameters).map(|index| (index, Origin::Parameter(index))).collect();
        let mut follower = Follower { locals: Some(locals), labels: Vec::new() };
        follower.enter(false, false);
        follower
    }

    fn enter(&mut self, is_loop: bool, is_if: bool) {
        let before_if = self.locals.clone().filter(|_| is_if);
        self.labels.push(Label { behind: None, before_if, is_loop });
    }

    /// A branch to a label, counted from the innermost.
    fn branch(&mut self, depth: u32) {
        let index = self.labels.len().checked_sub(depth as usize + 1);
        let Some(label) = index.and_then(|index| self.labels.get_mut(index)) else { return };
        if !label.is_loop {
            label.behind = merged(label.behind.take(), self.locals.clone());
        }
    }

    /// What locals hold changes with an operator. `last` is what the one before has left on the operand stack.
    fn operator(&mut self, operator: &Operator<'_>, last: Option<Origin>) {
        match *operator {
            Operator::LocalSet { local_index } | Operator::LocalTee { local_index } => {
                if let Some(locals) = &mut self.locals {
                    locals.retain(|(local, _)| *local != local_index);
                    let has_room = locals.len() < MOST_COPIES;
                    locals.extend(last.filter(|_| has_room).map(|origin| (local_index, origin)));
                }
            }
            Operator::Block { .. } | Operator::TryTable { .. } => self.enter(false, false),
            Operator::Loop { .. } => self.enter(true, false),
            Operator::If { .. } => self.enter(false, true),
            Operator::Else => {
                if let Some(label) = self.labels.last_mut() {
                    label.behind = merged(label.behind.take(), self.locals.take());
                    self.locals = label.before_if.take();
                }
            }
            Operator::End => {
                if let Some(label) = self.labels.pop() {
                    let arms = merged(label.behind, label.before_if);
                    self.locals = merged(arms, self.locals.take());
                }
            }
            Operator::BrIf { relative_depth } => self.branch(relative_depth),
            Operator::Br { relative_depth } => {
                self.branch(relative_depth);
                self.locals = None;
            }
            Operator::BrTable { ref targets } => {
                let others = targets.targets().map_while(Result::ok);
                others.chain([targets.default()]).for_each(|depth| self.branch(depth));
                self.locals = None;
            }
            Operator::Return | Operator::Unreachable => self.locals = None,
            _ => {}
        }
    }

    fn origin_of(&self, local: u32) -> Option<Origin> {
        let mut locals = self.locals.iter().flatten();
        locals.find(|(held, _)| *held == local).map(|(_, origin)| *origin)
    }
}

/// What locals hold on both of two ways, one of which code may not take.
fn merged(one: Option<Locals>, other: Option<Locals>) -> Option<Locals> {
    match (one, other) {
        (Some(mut one), Some(other)) => {
            one.retain(|held| other.contains(held));
            Some(one)
        }
        (one, other) => one.or(other),
    }
}

impl<'a> Values<'a> {
    /// Follows parameters through a function. In a loop, what counts is its first round.
    pub fn of(code: Code<'a>, parameters: u32) -> Values<'a> {
        let operators = code.0;
        let mut follower = Follower::new(parameters);
        let mut origins: Vec<Option<Origin>> = Vec::with_capacity(operators.len());
        for operator in &operators {
            let last = origins.last().copied().flatten();
            follower.operator(operator, last);
            origins.push(match *operator {
                Operator::LocalGet { local_index } => follower.origin_of(local_index),
                Operator::LocalTee { .. } => last,
                Operator::I32Mul => {
                    let factors = origins.len().checked_sub(2).map(|first| &origins[first..]);
                    product_of(factors.unwrap_or_default())
                }
                _ => None,
            });
        }
        Values { operators, origins }
    }

    /// What follows each use of a value.
    fn uses(&self, origin: Origin) -> impl Iterator<Item = &[Operator<'a>]> {
        let at = self.origins.iter().enumerate().filter(move |(_, from)| **from == Some(origin));
        at.map(|(index, _)| &self.operators[index + 1..])
    }

    /// Whether a value is compared with one of these constants.
    pub fn compares(&self, origin: Origin, constants: &[i32]) -> bool {
        self.uses(origin).any(|next| {
            matches!(next, [constant, comparison, ..] if compares(constant, comparison, constants))
        })
    }

    /// Whether one of these constants is compared with a value, or the value with it.
    pub fn compares_either_way(&self, origin: Origin, constants: &[i32]) -> bool {
        self.compares(origin, constants)
            || self.between(origin, |before, after| compares(before, after, constants))
    }

    /// Whether a value is subtracted from one of these constants.
    pub fn is_subtracted_from(&self, origin: Origin, constants: &[i32]) -> bool {
        use Operator::{I32Const, I32Sub};
        self.between(origin, |before, after| {
            matches!((before, after), (I32Const { value }, I32Sub) if constants.contains(value))
        })
    }

    /// Whether this is so of what stands before a use of a value, and what follows it.
    fn between(&self, origin: Origin, is: impl Fn(&Operator<'a>, &Operator<'a>) -> bool) -> bool {
        let around = self.operators.windows(3).zip(&self.origins[1..]);
        around.into_iter().any(|(three, from)| *from == Some(origin) && is(&three[0], &three[2]))
    }

    /// Whether a value is treated as a power of two: `x & (value - 1)`, `x % value`, or its bits are counted.
    pub fn is_power_of_two(&self, origin: Origin) -> bool {
        use Operator::{I32And, I32Popcnt, I32RemU, LocalGet, LocalTee};
        self.uses(origin).any(|next| {
            let masks = match next {
                [_, _, LocalTee { .. }, rest @ ..] | [_, _, rest @ ..] => {
                    matches!(rest, [I32And, ..] | [LocalGet { .. }, I32And, ..])
                }
                _ => false,
            };
            matches!(next, [I32Popcnt | I32RemU, ..]) || masks && distance_back(next) == Some(1)
        })
    }

    /// Whether one of these constants is added to a value.
    pub fn is_added_to(&self, origin: Origin, constants: &[i32]) -> bool {
        use Operator::{I32Add, I32Const};
        self.uses(origin).any(
            |next| matches!(next, [I32Const { value }, I32Add, ..] if constants.contains(value)),
        )
    }

    /// Whether so many bytes are subtracted from a value.
    pub fn goes_back(&self, origin: Origin, bytes: i32) -> bool {
        self.uses(origin).any(|next| distance_back(next) == Some(bytes))
    }

    /// Whether a value is only tested, copied, and used to find its region and the one before.
    pub fn only_goes_back(&self, origin: Origin) -> bool {
        use Operator::{BrIf, I32Eqz, If, LocalSet, LocalTee};
        self.uses(origin).all(|next| {
            let goes_back = matches!(distance_back(next), Some(4 | 8));
            let first = next.first();
            goes_back
                || matches!(
                    first,
                    Some(If { .. } | BrIf { .. } | I32Eqz | LocalSet { .. } | LocalTee { .. })
                )
        })
    }

    /// Whether a value is the last argument of a call of one of these.
    pub fn passes(&self, origin: Origin, callees: &BTreeSet<u32>) -> bool {
        self.uses(origin).any(|next| {
            matches!(next, [Operator::Call { function_index }, ..] if callees.contains(function_index))
        })
    }

    /// Whether it stores a zero somewhere, or lets another function do so.
    pub fn fills_with_zeros(&self) -> bool {
        use Operator::{Call, I32Const, I32Store8, LocalGet, MemoryFill};
        self.operators.windows(3).any(|three| {
            matches!(
                three,
                [I32Const { value: 0 }, I32Store8 { .. }, _]
                    | [I32Const { value: 0 }, LocalGet { .. }, Call { .. } | MemoryFill { .. }]
            )
        })
    }
}

/// What comes of two factors.
fn product_of(factors: &[Option<Origin>]) -> Option<Origin> {
    let (first, second) = (Some(Origin::Parameter(0)), Some(Origin::Parameter(1)));
    (*factors == [first, second] || *factors == [second, first]).then_some(Origin::Product)
}

/// How many bytes these instructions subtract from what is on top of the operand stack.
fn distance_back(next: &[Operator<'_>]) -> Option<i32> {
    match *next {
        [Operator::I32Const { value }, Operator::I32Sub, ..] => Some(value),
        [Operator::I32Const { value }, Operator::I32Add, ..] => value.checked_neg(),
        _ => None,
    }
}
