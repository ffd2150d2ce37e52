//! Objects that the host makes through exported functions and does not give back, where blocks tell nothing of it.

use crate::language::{self, Class};
use crate::report::{Code, Finding};
use crate::units::{count, number_of};

use super::exports::Callers;
use super::subject::{Memory, Subject};

/// Fewer objects that are left say nothing: a library may well keep some.
const FEWEST: u64 = 8;

/// One note for each class of a memory whose blocks were not seen.
pub(crate) fn findings(subject: &Subject<'_, '_>) -> Vec<Finding> {
    subject
        .memories()
        .filter(|memory| !memory.blocks_tell_of_objects())
        // Of each object it is known then whether it was given back, also to a function that takes it over.
        .filter(|memory| memory.objects_at_finalizers().is_none())
        .flat_map(of_memory)
        .collect()
}

fn of_memory(memory: Memory<'_, '_>) -> Vec<Finding> {
    let modules = memory.module_numbers().into_iter();
    let classes = modules.flat_map(|module| {
        let classes = language::classes(&memory.subject.module(module).prepared.module);
        classes.into_iter().map(move |class| (module, class))
    });
    classes.filter_map(|(module, class)| finding(memory, module, &class)).collect()
}

fn finding(memory: Memory<'_, '_>, module: usize, class: &Class) -> Option<Finding> {
    let users = || memory.users().filter(|user| user.recorded().module == module);
    let times = |function: u32| {
        let times = users().filter_map(|user| user.recorded().times(function));
        times.fold(0, u64::saturating_add)
    };
    let made = class.constructors.iter().fold(0, |sum: u64, &new| sum.saturating_add(times(new)));
    let freed = times(class.destructor);
    let left = made.checked_sub(freed).filter(|left| *left >= FEWEST)?;
    let constructor = class.constructors.iter().max_by_key(|&&new| times(new))?;
    let from = Callers::of(memory, module, &class.constructors);
    let first = users().next()?;
    let message = format!(
        "{} of `{}` were made by `{}`{}, and `{}` freed {}",
        number_of(made, "object"),
        class.name,
        first.export_name(*constructor),
        from.first_line().map_or_else(String::new, |(line, calls)| place(line, calls, made)),
        first.export_name(class.destructor),
        if freed == 0 { "none".to_owned() } else { count(freed) },
    );
    let finding = Finding::new(Code::ObjectsLeft)
        .about(first.number)
        .message(message)
        .number("made", made)
        .number("freed", freed)
        .number("left", left)
        .advice(
            "Free each when you are done with it, unless a function that takes the object does so.",
        );
    Some(match from.most() {
        Some(context) => finding.stack("made", memory.stack(context)),
        None => finding,
    })
}

/// The line in parentheses, with how many of the objects it made if there are others.
fn place(line: &str, calls: u64, made: u64) -> String {
    match calls == made {
        true => format!(" ({line})"),
        false => format!(" ({} of them {line})", count(calls)),
    }
}
