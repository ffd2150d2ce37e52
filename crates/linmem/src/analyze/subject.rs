//! What all analyses look at: a whole recording, with what is known of its modules.

use std::cell::OnceCell;

use crate::allocator::Evidence;
use crate::module::Module;
use crate::prepared::Prepared;
use crate::replay::heap::Heap;
use crate::replay::{RecordedInstance, RecordedModule, Replay};
use crate::report::{Coverage, Profile, Stack};
use crate::trace::ContextId;

use super::AnalysisOptions;
use super::leaks::{self, Leaks, Premises};
use super::sites;
use super::stacks::{Places, Stacks};

/// A recording, its modules and its instances. What several analyses need is worked out once.
pub(crate) struct Subject<'a, 'm> {
    /// The recording.
    pub replay: &'a Replay,
    /// What the caller wants.
    pub options: &'a AnalysisOptions,
    modules: Vec<ModuleFacts<'a, 'm>>,
    instances: Vec<Derived>,
    profile: OnceCell<Profile>,
}

/// What is known of a module and its allocator, whatever an instance did.
pub(crate) struct ModuleFacts<'a, 'm> {
    /// The module.
    pub prepared: &'a Prepared<'m>,
    /// Its name, and what was hooked.
    pub recorded: &'a RecordedModule,
    /// Turns contexts into stacks that people can read.
    pub stacks: Stacks<'a, 'm>,
    /// Whether debug information gives source lines.
    pub has_lines: bool,
    /// What was hooked, by names.
    pub coverage: Coverage,
    /// What judging its blocks starts from.
    pub premises: Premises,
}

/// What was derived from an instance.
#[derive(Default)]
struct Derived {
    places: Places,
    leaks: OnceCell<Leaks>,
}

impl<'a, 'm> Subject<'a, 'm> {
    /// A recording whose modules are `prepared`, in their order.
    pub fn new(
        replay: &'a Replay,
        prepared: &'a [Prepared<'m>],
        options: &'a AnalysisOptions,
    ) -> Subject<'a, 'm> {
        let modules =
            prepared.iter().zip(&replay.modules).map(|(prepared, recorded)| ModuleFacts {
                prepared,
                recorded,
                stacks: Stacks::new(replay, prepared),
                has_lines: prepared.has_lines(),
                coverage: Coverage::of(prepared.allocator(), |f| prepared.function_name(f)),
                premises: Premises::new(prepared),
            });
        Subject {
            replay,
            options,
            modules: modules.collect(),
            instances: replay.instances.iter().map(|_| Derived::default()).collect(),
            profile: OnceCell::new(),
        }
    }

    /// The instances, in the order of their creation.
    pub fn instances(&self) -> impl Iterator<Item = Instance<'_, 'm>> {
        (0..self.instances.len()).map(|number| Instance { subject: self, number })
    }

    /// The profile.
    pub fn profile(&self) -> &Profile {
        self.profile.get_or_init(|| sites::table(self))
    }

    /// The stack of a context of the host, which belongs to no instance.
    pub fn host_stack(&self, context: ContextId) -> Stack {
        self.modules.first().map(|module| module.stacks.of(context)).unwrap_or_default()
    }
}

/// One instance of a [`Subject`].
#[derive(Clone, Copy)]
pub(crate) struct Instance<'s, 'm> {
    /// The whole recording.
    pub subject: &'s Subject<'s, 'm>,
    /// The number of the instance.
    pub number: usize,
}

impl<'s, 'm> Instance<'s, 'm> {
    /// What it did.
    pub fn recorded(self) -> &'s RecordedInstance {
        &self.subject.replay.instances[self.number]
    }

    /// Its heap.
    pub fn heap(self) -> &'s Heap {
        &self.recorded().heap
    }

    /// What is known of its module.
    pub fn facts(self) -> &'s ModuleFacts<'s, 'm> {
        &self.subject.modules[self.recorded().module]
    }

    /// Its module.
    pub fn module(self) -> &'s Module<'m> {
        &self.facts().prepared.module
    }

    /// Its live blocks, judged.
    pub fn leaks(self) -> &'s Leaks {
        self.subject.instances[self.number].leaks.get_or_init(|| leaks::judge(self))
    }

    /// The stack of a context.
    pub fn stack(self, context: ContextId) -> Stack {
        self.facts().stacks.of(context)
    }

    /// A context that stands for all those of this instance whose stacks look the same to people.
    pub fn place(self, context: ContextId) -> ContextId {
        self.subject.instances[self.number].places.of(context, &self.facts().stacks)
    }

    /// What the host calls an exported function.
    pub fn export_name(self, function: u32) -> String {
        let name = self.module().export_name(function);
        name.map_or_else(|| format!("function {function}"), str::to_owned)
    }

    /// Whether blocks may be allocated, freed or resized unseen. Names tell every function of an allocator;
    /// exports alone may leave some out.
    pub fn sees_a_part(self) -> bool {
        let allocator = &self.facts().recorded.allocator;
        let named =
            |evidence: &Evidence| matches!(evidence, Evidence::NameSection(_) | Evidence::Dwarf(_));
        !allocator.resizing.is_empty()
            || !allocator.unseen.is_empty()
                && !allocator.functions.iter().any(|f| named(&f.evidence))
    }
}
