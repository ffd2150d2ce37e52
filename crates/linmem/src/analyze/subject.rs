//! What all analyses look at: a whole recording, with what is known of its modules.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use crate::allocator::Evidence;
use crate::language;
use crate::module::Module;
use crate::module::initial_memory::InitialMemory;
use crate::prepared::Prepared;
use crate::replay::contexts::CallerStack;
use crate::replay::heap::{Heap, Objects};
use crate::replay::{RecordedInstance, RecordedMemory, RecordedModule, Replay};
use crate::report::{Coverage, Profile, SourceLines, Stack};
use crate::trace::{ContextId, Frame};

use super::AnalysisOptions;
use super::leaks::{self, Leaks, Premises};
use super::lines::user_line;
use super::sites;
use super::stacks::{Places, Stacks};
use super::unseen_events;

/// A recording, its modules, memories and instances. What several analyses need is worked out once.
pub(crate) struct Subject<'a, 'm> {
    /// The recording.
    pub replay: &'a Replay,
    /// What the caller wants.
    pub options: &'a AnalysisOptions,
    modules: Vec<ModuleFacts<'a, 'm>>,
    stacks: Stacks<'a, 'm>,
    places: Places,
    /// What was derived from each memory.
    leaks: Vec<OnceCell<Leaks>>,
    profile: OnceCell<Profile>,
}

/// What is known of a module and its allocator, whatever an instance did.
pub(crate) struct ModuleFacts<'a, 'm> {
    /// The module.
    pub prepared: &'a Prepared<'m>,
    /// Its name, and what was hooked.
    pub recorded: &'a RecordedModule,
    /// Whether debug information gives source lines.
    pub source_lines: SourceLines,
    /// What was hooked, by names.
    pub coverage: Coverage,
    /// What judging its blocks starts from.
    pub premises: Premises,
    /// What its data segments put into memory.
    pub initial: InitialMemory<'m>,
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
                source_lines: prepared.source_lines(),
                coverage: Coverage::of(prepared.allocator(), |f| prepared.function_name(f)),
                premises: Premises::new(prepared),
                initial: InitialMemory::of(&prepared.module),
            });
        Subject {
            replay,
            options,
            modules: modules.collect(),
            stacks: Stacks::new(replay, prepared),
            places: Places::default(),
            leaks: replay.memories.iter().map(|_| OnceCell::new()).collect(),
            profile: OnceCell::new(),
        }
    }

    /// The memories that instances use, in the order of their numbers.
    pub fn memories(&self) -> impl Iterator<Item = Memory<'_, 'm>> {
        let all = (0..self.leaks.len()).map(|number| Memory { subject: self, number });
        all.filter(|memory| !memory.recorded().users.is_empty())
    }

    /// The instances, in the order of their creation.
    pub fn instances(&self) -> impl Iterator<Item = Instance<'_, 'm>> {
        (0..self.replay.instances.len()).map(|number| self.instance(number))
    }

    /// An instance.
    pub fn instance(&self, number: usize) -> Instance<'_, 'm> {
        Instance { subject: self, number }
    }

    /// The profile.
    pub fn profile(&self) -> &Profile {
        self.profile.get_or_init(|| sites::table(self))
    }

    /// What is known of a module.
    pub fn module(&self, number: usize) -> &ModuleFacts<'a, 'm> {
        &self.modules[number]
    }

    /// The stack of a context.
    pub fn stack(&self, context: ContextId) -> Stack {
        self.stacks.of(context)
    }

    /// The part of a context's stack outside all modules.
    pub fn outside(&self, context: ContextId) -> Stack {
        self.stacks.outside(context)
    }

    /// Recorded frames of a module, as people can read them.
    pub fn resolve(&self, module: usize, frames: &[Frame]) -> Stack {
        self.stacks.resolve(Some(module), frames)
    }

    /// A context that stands for all those whose stacks look the same to people.
    pub fn place(&self, context: ContextId) -> ContextId {
        self.places.of(context, &self.stacks)
    }
}

/// One memory of a [`Subject`], with what was done in it.
#[derive(Clone, Copy)]
pub(crate) struct Memory<'s, 'm> {
    /// The whole recording.
    pub subject: &'s Subject<'s, 'm>,
    /// The number of the memory.
    pub number: usize,
}

impl<'s, 'm> Memory<'s, 'm> {
    /// What the recording tells of it.
    pub fn recorded(self) -> &'s RecordedMemory {
        &self.subject.replay.memories[self.number]
    }

    /// Its heap.
    pub fn heap(self) -> &'s Heap {
        &self.recorded().heap
    }

    /// The instances that use it.
    pub fn users(self) -> impl Iterator<Item = Instance<'s, 'm>> + Clone {
        self.recorded().users.iter().map(move |&number| self.subject.instance(number))
    }

    /// Whether all that used it was garbage-collected before the end.
    pub fn is_gone(self) -> bool {
        self.users().all(|user| user.recorded().collected)
    }

    /// The instance that used it first.
    pub fn first_user(self) -> usize {
        self.recorded().users.first().copied().unwrap_or_default()
    }

    /// What is known of its users' modules, each once, that of the first user first.
    pub fn modules(self) -> Vec<&'s ModuleFacts<'s, 'm>> {
        let numbers = self.module_numbers().into_iter();
        numbers.map(|number| self.subject.module(number)).collect()
    }

    /// The numbers of its users' modules, in the same order.
    pub fn module_numbers(self) -> Vec<usize> {
        let mut numbers: Vec<usize> = Vec::new();
        for user in self.users() {
            let module = user.recorded().module;
            if !numbers.contains(&module) {
                numbers.push(module);
            }
        }
        numbers
    }

    /// Whether it has 64-bit addresses.
    pub fn is_64(self) -> bool {
        let module = self.subject.instance(self.first_user()).module();
        module.memories.first().is_some_and(|memory| memory.is_64)
    }

    /// Its live blocks, judged.
    pub fn leaks(self) -> &'s Leaks {
        self.subject.leaks[self.number].get_or_init(|| leaks::judge(self))
    }

    /// The stack of a context.
    pub fn stack(self, context: ContextId) -> Stack {
        self.subject.stack(context)
    }

    /// A context that stands for all those whose stacks look the same to people.
    pub fn place(self, context: ContextId) -> ContextId {
        self.subject.place(context)
    }

    /// Whether the callers of a context were looked at, or are not recorded at all.
    pub fn is_looked_at(self, context: ContextId) -> bool {
        let contexts = &self.subject.replay.contexts;
        contexts.caller_stack(context) != CallerStack::NotTaken
    }

    /// For a context whose callers were not looked at: the only place with callers that was seen there, if
    /// there is one.
    pub fn only_seen(self, context: ContextId) -> Option<ContextId> {
        self.subject.places.only_seen(context, &self.subject.stacks)
    }

    /// The place of a context; where its callers were not looked at, the only one with callers that was seen there, if
    /// there is one.
    pub fn likely_place(self, context: ContextId) -> ContextId {
        let place = self.place(context);
        self.only_seen(place).unwrap_or(place)
    }

    /// What the host calls a function of a user.
    pub fn export_name(self, function: u32) -> String {
        self.subject.instance(self.first_user()).export_name(function)
    }

    /// How many objects the program left to finalizers, by its own line, and a context with that line. Once garbage was collected,
    /// those count whose finalizers have not run.
    pub fn left_to_finalizers(self) -> BTreeMap<Option<String>, (u64, ContextId)> {
        let mut left: BTreeMap<Option<String>, (u64, ContextId)> = BTreeMap::new();
        let objects = self.objects_at_finalizers().map(Objects::left);
        let blocks = match self.subject.options.collected {
            true => self.heap().kept_from_finalizers(),
            false => self.heap().left_to_finalizers().collect(),
        };
        let all = blocks.into_iter().chain(objects.into_iter().flatten());
        for (context, objects) in all {
            let line = user_line(&self.stack(context)).map(str::to_owned);
            left.entry(line).or_insert((0, context)).0 += objects;
        }
        left
    }

    /// The objects that the host leaves to finalizers, where blocks tell nothing of them.
    pub fn objects_at_finalizers(self) -> Option<&'s Objects> {
        let objects = self.heap().objects();
        let makes_objects =
            || self.modules().iter().any(|facts| language::makes_objects(&facts.prepared.module));
        (!objects.is_empty() && !self.blocks_tell_of_objects() && makes_objects())
            .then_some(objects)
    }

    /// Whether objects that the host makes are blocks that linmem sees, each of them.
    pub fn blocks_tell_of_objects(self) -> bool {
        let totals = self.heap().totals();
        totals.allocations > 0 && !self.sees_a_part() && unseen_events::reason(self).is_none()
    }

    /// Whether blocks may be allocated, freed or resized unseen.
    pub fn sees_a_part(self) -> bool {
        self.modules().iter().any(|facts| facts.sees_a_part())
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

    /// What is known of its module.
    pub fn facts(self) -> &'s ModuleFacts<'s, 'm> {
        self.subject.module(self.recorded().module)
    }

    /// Its module.
    pub fn module(self) -> &'s Module<'m> {
        &self.facts().prepared.module
    }

    /// What the host calls a function.
    pub fn export_name(self, function: u32) -> String {
        let name = self.module().export_name(function);
        name.map_or_else(|| self.facts().prepared.function_name(function), str::to_owned)
    }
}

impl ModuleFacts<'_, '_> {
    /// Whether blocks may be allocated, freed or resized unseen. Names tell every function of an allocator;
    /// exports alone may leave some out.
    fn sees_a_part(&self) -> bool {
        let allocator = &self.recorded.allocator;
        let named =
            |evidence: &Evidence| matches!(evidence, Evidence::NameSection(_) | Evidence::Dwarf(_));
        !allocator.resizing.is_empty()
            || !allocator.unseen.is_empty()
                && !allocator.functions.iter().any(|f| named(&f.evidence))
    }
}
