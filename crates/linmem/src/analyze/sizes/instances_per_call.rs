//! What it costs to make a new instance for each call.

use std::collections::BTreeMap;

use crate::module::PAGE_BYTES;
use crate::report::{Code, Finding};
use crate::units::{bytes, count, pages, ranges, times};

use super::super::made::Made;
use super::Subject;

/// Instances of one module from which on each call seems to have one of its own.
const MANY_INSTANCES: usize = 5;

/// Places that are shown where instances were made.
const MOST_PLACES: usize = 3;

/// One finding for each module with many instances.
pub(super) fn findings(subject: &Subject<'_, '_>) -> Vec<Finding> {
    let mut of_module: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (number, instance) in subject.replay.instances.iter().enumerate() {
        // Instances that share a memory are not made for one call each.
        if subject.replay.memories[instance.memory].users.first() == Some(&number) {
            of_module.entry(instance.module).or_default().push(number);
        }
    }
    let many = of_module.into_iter().filter(|(_, numbers)| numbers.len() >= MANY_INSTANCES);
    many.map(|(module, numbers)| finding(subject, module, &numbers)).collect()
}

fn finding(subject: &Subject<'_, '_>, module: usize, numbers: &[usize]) -> Finding {
    let made = Made::of(subject, numbers);
    let line = made.most().map(|most| format!(", {most}")).unwrap_or_default();
    let collected = match made.collected {
        collected if collected > 0 && subject.options.collected => {
            let were = if collected == 1 { "was" } else { "were" };
            format!("; {} of them {were} collected as garbage", count(collected))
        }
        _ => String::new(),
    };
    let live = made.live_bytes.filter(|live| *live > 0);
    let live = live.map(|live| format!(", {} of them live", bytes(live)));
    let message = format!(
        "{} instances of {} were made ({}){line}, with a memory each: {} ({}) in all{}{collected}",
        count(made.instances),
        subject.replay.modules[module].name,
        ranges(numbers),
        pages(made.pages),
        bytes(made.pages.saturating_mul(PAGE_BYTES)),
        live.unwrap_or_default(),
    );
    let finding = Finding::new(Code::InstancePerCall)
        .about(numbers[0])
        .message(message)
        .number("instances", made.instances)
        .number("pages", made.pages)
        .advice("Make one instance and call it again, unless each call is to start afresh.");
    let finding = match made.live_bytes {
        Some(live) => finding.number("live_bytes", live),
        None => finding,
    };
    let finding = match subject.options.collected {
        true => finding.number("collected", made.collected),
        false => finding,
    };
    made.places.into_iter().take(MOST_PLACES).fold(finding, |finding, (stack, made)| {
        finding.stack(format!("made {}", times(made)), stack)
    })
}
