//! Functions that are left as they are, because engines would refuse them with what is added.

use std::cell::LazyCell;
use std::collections::BTreeMap;

use super::checks;
use super::contexts;
use super::edits::Edits;
use super::features::Features;
use super::index_space::IndexSpace;
use super::mode::{Mode, Plan};
use crate::error::{Error, ErrorKind, Result};
use crate::module::Body;
use crate::prepared::Prepared;
use crate::units;

/// Engines refuse functions whose body, declarations of locals included, is larger than this: the WebAssembly JavaScript
/// Interface says so under "Implementation-defined Limits", and wasmtime does as browsers do.
pub(super) const MAX_BODY_BYTES: usize = 7_654_321;

/// They also refuse functions with more locals than this, parameters included.
pub(super) const MAX_LOCALS: u32 = 50_000;

/// No instruction grows by more than this, and neither does what a function does first.
const MOST_BYTES_OF_EDITS: usize = 128;

/// Why a function is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TooLarge {
    /// Its body would have so many bytes.
    Bytes(usize),
    /// It has no room for more locals.
    Locals,
}

/// The functions that are only edited as far as the new module needs it: their calls and references get the new
/// indices.
///
/// # Errors
///
/// [`ErrorKind::Unsupported`] when a function is too large even so.
pub(super) fn functions(
    prepared: &Prepared<'_>,
    plan: &Plan<'_>,
    space: &IndexSpace,
) -> Result<BTreeMap<u32, TooLarge>> {
    let mut left_alone = BTreeMap::new();
    let mut edits = Edits::default();
    let observed = LazyCell::new(|| contexts::observed(prepared));
    let has_checks = plan.checked.is_some();
    for (function, body) in large_functions(prepared, has_checks) {
        edits.gather(plan, space, function, body);
        let bytes = edits.bytes_of_edited(prepared.module.bytes, body);
        if bytes > MAX_BODY_BYTES {
            edits.gather_needed(space, function, body);
            let needed = edits.bytes_of_edited(prepared.module.bytes, body);
            if needed > MAX_BODY_BYTES {
                return Err(refusal(&prepared.function_name(function), needed));
            }
            left_alone.insert(function, TooLarge::Bytes(bytes));
        } else if !has_room(body, has_checks) && (has_checks || observed[function as usize]) {
            left_alone.insert(function, TooLarge::Locals);
        }
    }
    Ok(left_alone)
}

/// What a report says about the functions of a module that are left alone.
pub(crate) fn notes(prepared: &Prepared<'_>) -> Vec<String> {
    let left_alone = in_mode(prepared, &Mode::default());
    left_alone.into_iter().map(|(f, why)| note(&prepared.function_name(f), why)).collect()
}

/// The functions of the program that a mode leaves alone.
pub(super) fn unchecked(prepared: &Prepared<'_>, mode: &Mode) -> Vec<u32> {
    of_the_program(prepared, &in_mode(prepared, mode))
}

/// The functions that a mode leaves alone. Where one is too large anyhow, the pass says so.
fn in_mode(prepared: &Prepared<'_>, mode: &Mode) -> BTreeMap<u32, TooLarge> {
    if large_functions(prepared, mode.checks(prepared).is_some()).next().is_none() {
        return BTreeMap::new();
    }
    let plan = mode.plan(prepared);
    let space = IndexSpace::new(&prepared.module, &Features::of(&prepared.module), &plan);
    functions(prepared, &plan, &space).unwrap_or_default()
}

/// Those that are not the allocator's own, which are not checked anyhow.
pub(super) fn of_the_program(
    prepared: &Prepared<'_>,
    left_alone: &BTreeMap<u32, TooLarge>,
) -> Vec<u32> {
    let is_own = prepared.allocators_own_functions();
    left_alone.keys().copied().filter(|function| !is_own[*function as usize]).collect()
}

fn note(name: &str, why: TooLarge) -> String {
    let with = match why {
        TooLarge::Bytes(bytes) => format!(
            "with what linmem adds its code would have {} bytes, and engines take {}",
            units::count(bytes as u64),
            units::count(MAX_BODY_BYTES as u64)
        ),
        TooLarge::Locals => format!(
            "with what linmem adds it would have more than {} locals, which engines refuse",
            units::count(MAX_LOCALS.into())
        ),
    };
    format!(
        "{name} is left as it is: {with}; what it allocates and frees is recorded, but may be shown with stacks of other calls"
    )
}

fn refusal(name: &str, bytes: usize) -> Error {
    let message = format!(
        "cannot instrument: with the indices that functions have in the new module alone, the code of {name} would have \
         {} bytes, and engines take {}",
        units::count(bytes as u64),
        units::count(MAX_BODY_BYTES as u64)
    );
    Error::new(ErrorKind::Unsupported, message)
}

/// Whether a function can have the locals that contexts need, and checks.
pub(super) fn has_room(body: &Body, has_checks: bool) -> bool {
    let added = contexts::LOCALS + if has_checks { checks::MOST_LOCALS } else { 0 };
    body.locals.saturating_add(added) <= MAX_LOCALS
}

/// The functions that may become too large. An access has at least three bytes, and a check of it some sixty.
fn large_functions<'p>(
    prepared: &'p Prepared<'_>,
    has_checks: bool,
) -> impl Iterator<Item = (u32, &'p Body)> {
    let growth = if has_checks { 32 } else { 1 };
    let bodies = prepared.module.functions.iter().map(|function| function.body.as_ref());
    let bodies = (0..).zip(bodies).filter_map(|(function, body)| Some((function, body?)));
    bodies.filter(move |(_, body)| {
        let added = MOST_BYTES_OF_EDITS * (body.sites.len() + 1);
        body.range.len() * growth + added > MAX_BODY_BYTES || !has_room(body, has_checks)
    })
}
