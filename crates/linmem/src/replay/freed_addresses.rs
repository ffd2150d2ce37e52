//! Addresses of freed blocks that the host passes to functions.

use std::collections::{BTreeMap, BTreeSet};

use super::heap::Concerned;
use crate::trace::ContextId;

/// Uses that are told apart.
const MAX_USES: usize = 1_000;

/// A parameter of a function that the host calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Parameter {
    /// Number of the module.
    pub module: usize,
    /// Index of the function in it.
    pub function: u32,
    /// Which of the parameters that can be addresses, from 0.
    pub parameter: u32,
}

/// What the host passed to the functions that use a memory.
#[derive(Debug, Default)]
pub struct StalePointers {
    carried: BTreeSet<Parameter>,
    uses: BTreeMap<(Parameter, ContextId), StaleUse>,
    returned: BTreeMap<Parameter, OnceReturned>,
}

/// How often a parameter had the address of a freed block that an exported function had returned before.
#[derive(Debug, Default, Clone, Copy)]
pub struct OnceReturned {
    /// How often in all.
    pub times: u64,
    /// How often it was another block than the time before.
    pub blocks: u64,
    /// Which block it was the last time.
    last: Option<u64>,
}

/// The address of a freed block was passed, in the same place, so many times.
#[derive(Debug, Clone, Copy)]
pub struct StaleUse {
    /// Where it was passed.
    pub context: ContextId,
    /// The instance whose function it was.
    pub instance: usize,
    /// The block that used to be there; the first one.
    pub block: Concerned,
    /// How often.
    pub times: u64,
}

impl StalePointers {
    /// A parameter had the address of a live block.
    pub(super) fn carried(&mut self, parameter: Parameter) {
        self.carried.insert(parameter);
    }

    /// A parameter had the address of a block that was freed, whose memory was not handed out since. `returned` is the block's
    /// serial number, if an exported function had returned it.
    pub(super) fn used(
        &mut self,
        parameter: Parameter,
        instance: usize,
        context: ContextId,
        block: Concerned,
        returned: Option<u64>,
    ) {
        let key = (parameter, context);
        if self.uses.len() < MAX_USES || self.uses.contains_key(&key) {
            let first = StaleUse { context, instance, block, times: 0 };
            self.uses.entry(key).or_insert(first).times += 1;
        }
        if returned.is_some() {
            let of_parameter = self.returned.entry(parameter).or_default();
            of_parameter.times += 1;
            of_parameter.blocks += u64::from(of_parameter.last != returned);
            of_parameter.last = returned;
        }
    }

    /// The parameters that had addresses of freed blocks which exported functions had returned before.
    pub fn once_returned(&self) -> impl Iterator<Item = (Parameter, OnceReturned)> {
        self.returned.iter().map(|(&parameter, &of_parameter)| (parameter, of_parameter))
    }

    /// All uses, with whether the parameter had the address of a live block at any time.
    pub fn iter(&self) -> impl Iterator<Item = (Parameter, bool, StaleUse)> {
        let uses = self.uses.iter();
        uses.map(|(&(parameter, _), &used)| (parameter, self.carried.contains(&parameter), used))
    }
}
