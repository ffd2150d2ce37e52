//! Recordings that tests write by hand.

use super::{Analysis, AnalysisOptions};
use crate::prepared::Prepared;
use crate::trace::{
    ContextId, Entry, Event, Frame, HostStackId, LiveFrames, Record, Sharing, UNKNOWN_SIZE, Writer,
};

/// A recording of instances of a module without code.
pub(super) struct Recording(pub(super) Writer<Vec<u8>>);

impl Recording {
    /// Contexts stand in frames of the host. Those with the same text look the same to people.
    pub(super) fn new(contexts: &[&str]) -> Recording {
        Recording::of(&[("a.wasm", "(module (memory 2))")], contexts)
    }

    /// The same of these modules, with their names; each has the allocator that linmem finds in it.
    pub(super) fn of(modules: &[(&str, &str)], contexts: &[&str]) -> Recording {
        Recording::with_allocators(modules, contexts, |allocator| allocator)
    }

    /// The same of a module whose allocator is known by its code and not by the names of its exports.
    pub(super) fn of_known_code(text: &str, code: &str, contexts: &[&str]) -> Recording {
        Recording::with_allocators(&[("a.wasm", text)], contexts, |mut allocator| {
            for hooked in allocator["functions"].as_array_mut().unwrap() {
                hooked["evidence"] = serde_json::json!({ "kind": "shape", "name": code });
            }
            allocator
        })
    }

    fn with_allocators(
        modules: &[(&str, &str)],
        contexts: &[&str],
        change: impl Fn(serde_json::Value) -> serde_json::Value,
    ) -> Recording {
        let mut writer = Writer::new(Vec::new());
        for (name, text) in modules {
            let bytes = wat::parse_str(text).unwrap();
            let prepared = Prepared::new(&bytes, &Vec::new(), None).unwrap();
            let allocator = change(serde_json::to_value(prepared.allocator()).unwrap()).to_string();
            writer.record(&Record::Module { name: (*name).to_owned(), bytes, allocator });
        }
        for text in contexts {
            let frames = text.split_terminator(" < ").map(|frame| Frame::Host(frame.to_owned()));
            writer.record(&Record::Context { frames: frames.collect() });
        }
        Recording(writer)
    }

    pub(super) fn memory(&mut self) {
        self.memory_of(Sharing::Private);
    }

    pub(super) fn memory_of(&mut self, sharing: Sharing) {
        self.memory_with(None, sharing);
    }

    pub(super) fn memory_with(&mut self, max_pages: Option<u64>, sharing: Sharing) {
        let (initial_pages, page_bytes) = (2, 65_536);
        self.0.record(&Record::Memory { initial_pages, max_pages, page_bytes, sharing });
    }

    /// The next instance, with a memory of its own of the same number.
    pub(super) fn instance(&mut self, number: u64) {
        self.memory();
        self.instance_on(number);
    }

    pub(super) fn instance_on(&mut self, memory: u64) {
        self.instance_of(0, memory);
    }

    pub(super) fn instance_of(&mut self, module: u64, memory: u64) {
        self.0.record(&Record::Instance { module, memory });
    }

    /// Stacks of the host, with their frames as in contexts.
    pub(super) fn host_stacks(&mut self, places: &[&str]) {
        for place in places {
            let frames = place.split(" < ").map(|frame| Frame::Host(frame.to_owned())).collect();
            self.0.record(&Record::HostStack { module: None, frames });
        }
    }

    pub(super) fn enter(&mut self, function: u32, caller: Option<u32>) {
        let caller = caller.map(HostStackId);
        let entry = Entry { function, level: 0, caller, stack_pointer: None };
        self.0.record(&Record::Entered(entry));
    }

    /// What the memory holds at the end, and that nothing runs.
    pub(super) fn snapshot(&mut self, memory: u64) {
        self.snapshot_with(memory, &[], &[]);
    }

    /// The same, with these values of globals and these words `(address, word)`.
    pub(super) fn snapshot_with(&mut self, memory: u64, globals: &[u64], words: &[(u64, u32)]) {
        self.0.record(&Record::Snapshot { memory, pages: 2 });
        for &(address, word) in words {
            let bytes = word.to_le_bytes().to_vec();
            self.0.record(&Record::SnapshotBytes { address, bytes });
        }
        let values = (0..).zip(globals.iter().copied()).collect();
        self.0.record(&Record::Globals { live_frames: LiveFrames::None, values });
    }

    pub(super) fn allocate(&mut self, pointer: u64, size: u64, context: u32) {
        let context = ContextId(context);
        self.0.event(&Event::Allocated { pointer, size, align: 0, context });
    }

    /// So many calls of an exported function.
    pub(super) fn call(&mut self, function: u32, times: u64) {
        self.0.event(&Event::Called { function, times });
    }

    /// So many of the calls of an exported function were looked at and came from here.
    pub(super) fn called_from(&mut self, function: u32, caller: u32, times: u64) {
        let caller = HostStackId(caller);
        self.0.record(&Record::CalledFrom { function, caller, times });
    }

    /// The memory grows by a page, from so many; `None` says that it is refused to.
    pub(super) fn grow(&mut self, previous_pages: Option<u64>, in_allocator: bool, context: u32) {
        let (delta_pages, context) = (1, ContextId(context));
        self.0.event(&Event::Grown { delta_pages, previous_pages, in_allocator, context });
    }

    /// Reallocates a block in its place.
    pub(super) fn resize(&mut self, pointer: u64, new_size: u64, context: u32) {
        let (old_size, context) = (UNKNOWN_SIZE, ContextId(context));
        self.0.event(&Event::Reallocating { pointer, old_size, align: 0, new_size, context });
        self.0.event(&Event::Reallocated { pointer });
    }

    pub(super) fn free(&mut self, pointer: u64) {
        let (size, context) = (UNKNOWN_SIZE, ContextId(0));
        self.0.event(&Event::Freed { pointer, size, align: 0, context });
    }

    pub(super) fn finish(self) -> Analysis {
        self.finish_with(AnalysisOptions::default())
    }

    /// The same, analysed with these options.
    pub(super) fn finish_with(mut self, options: AnalysisOptions) -> Analysis {
        self.0.record(&Record::Exit { code: 0 });
        self.stop_with(options)
    }

    /// Ends the recording where it is.
    pub(super) fn stop(self) -> Analysis {
        self.stop_with(AnalysisOptions::default())
    }

    fn stop_with(self, options: AnalysisOptions) -> Analysis {
        let mut analysis = Analysis::new(options);
        analysis.push(&self.0.finish().unwrap()).unwrap();
        analysis.finish()
    }
}
