//! The recorder without an engine: the cases of `testdata/hooks.json`, which the JavaScript recorder passes
//! too, and what they cannot say.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::*;
use crate::ErrorKind;
use crate::trace::{Buffer, Entry, HostRecord, Reader, UNKNOWN_SIZE};

const CASES: &str = include_str!("../../../../testdata/hooks.json");

/// The functions of the guest, all of which are exported.
const FUNCTIONS: u64 = 32;

/// A page of memory, and a stack: a frame that is the halves of the context of the hook that is called, and
/// what called there.
struct Page {
    memory: Vec<u8>,
    frame: (u32, u32),
    caller: Vec<Frame>,
    has_host_stack: bool,
    is_cut: bool,
    backtraces: usize,
}

impl Page {
    fn new() -> Page {
        Page {
            memory: vec![0; 65_536],
            frame: (0, 0),
            caller: Vec::new(),
            has_host_stack: true,
            is_cut: false,
            backtraces: 0,
        }
    }
}

impl Guest for Page {
    fn backtrace(&mut self) -> Backtrace {
        self.backtraces += 1;
        let (function, offset) = self.frame;
        let inner = vec![Frame::Wasm { function, offset: Some(offset) }];
        let caller = Some(self.caller.clone()).filter(|caller| !caller.is_empty());
        Backtrace { is_cut: self.is_cut, ..Backtrace::new(inner, caller) }
    }

    fn has_host_stack(&self) -> bool {
        self.has_host_stack
    }

    fn memory(&mut self) -> &[u8] {
        &self.memory
    }

    fn global(&mut self, _: u32) -> Option<u64> {
        None
    }
}

/// The guest of a case: a page of memory, and functions that do nothing.
fn module_of(address: &str, low_memory: u64, malloc: Option<u64>) -> Vec<u8> {
    let mut text = format!("(module (memory {address} 1)");
    if low_memory < 1024 {
        let _ = write!(text, "(data ({address}.const {low_memory}) \"x\")");
    }
    for function in 0..FUNCTIONS {
        let _ = match malloc {
            Some(malloc) if malloc == function => write!(
                text,
                "(func (export \"malloc\") (param {address}) (result {address}) local.get 0)"
            ),
            _ => write!(text, "(func (export \"f{function}\"))"),
        };
    }
    wat::parse_str(text + ")").unwrap()
}

/// A recording that has begun.
struct Recording {
    recorder: Recorder,
    guest: Page,
    buffer: Buffer,
    is_64: bool,
}

impl Recording {
    fn start(address: &str, low_memory: u64, malloc: Option<u64>) -> Recording {
        let wasm = module_of(address, low_memory, malloc);
        let prepared = Prepared::new(&wasm, &Vec::new(), None).unwrap();
        let buffer = Buffer::default();
        let mut recorder = Recorder::new(buffer.clone(), || 0);
        let module = recorder.module(&prepared, "a.wasm").unwrap();
        let memory = recorder.memory(1, None, 65_536);
        let instance = recorder.instance(module, memory);
        let mut guest = Page::new();
        recorder.completed(instance, &mut guest);
        Recording { recorder, guest, buffer, is_64: address == "i64" }
    }

    fn plain() -> Recording {
        Recording::start("i32", 1024, None)
    }

    fn step(&mut self, step: &Value) {
        let (recorder, guest) = (&mut self.recorder, &mut self.guest);
        let usual_host = json!(["main (app.mjs:1)"]);
        let is_kind = |key: &&String| !["args", "host", "returns", "frame"].contains(&key.as_str());
        let kind = step.as_object().unwrap().keys().find(is_kind).unwrap();
        match (kind.as_str(), &step[kind]) {
            ("hook", name) => {
                let host = step.get("host").unwrap_or(&usual_host);
                guest.caller = host.as_array().unwrap().iter().map(frame).collect();
                if let Some(frame) = step["frame"].as_array() {
                    guest.frame = (number(&frame[0]) as u32, number(&frame[1]) as u32);
                }
                let answer = self.hook(name.as_str().unwrap(), step["args"].as_array().unwrap());
                if let Some(expected) = step["returns"].as_i64() {
                    assert_eq!(i64::from(answer as i32), expected, "{step}");
                }
            }
            ("poke", poke) => {
                let at = number(&poke["address"]) as usize;
                for (byte, at) in poke["bytes"].as_array().unwrap().iter().zip(at..) {
                    guest.memory[at] = number(byte) as u8;
                }
            }
            ("look", _) => recorder.look(0, guest),
            ("flush", _) => recorder.flush(),
            ("snapshot", how) => recorder.snapshot(0, guest, how["frames_live"] == true),
            ("exit", code) => recorder.exited(number(code) as i32),
            (other, _) => panic!("unknown step {other}"),
        }
    }

    fn hook(&mut self, name: &str, args: &[Value]) -> u32 {
        let hook = Hook::ALL.into_iter().find(|hook| hook.name() == name).expect("a hook");
        // As an engine passes them on: 32 bits without a sign, unless the hook takes 64.
        let narrow = |value: u64| if self.is_64 { value } else { u64::from(value as u32) };
        let args: Vec<u64> = args.iter().map(|arg| narrow(number(arg))).collect();
        if let (true, [.., low, high]) = (hook.has_context(), &args[..]) {
            self.guest.frame = (*low as u32, *high as u32);
        }
        self.recorder.hook(0, hook, &args, &mut self.guest)
    }

    /// The records after those of the module, the memory and the instance, as the cases write them.
    fn records(mut self) -> Vec<Value> {
        // The recorder's own `flush` would write counts too.
        self.recorder.writer.flush();
        let bytes = self.buffer.take();
        let records = Reader::new(&bytes[..]).map(Result::unwrap);
        records.filter_map(|record| written(&record)).collect()
    }
}

/// A number, or a decimal string where JavaScript has a BigInt.
fn number(value: &Value) -> u64 {
    let signed = match value {
        Value::String(text) => text.parse::<i128>().expect("a decimal number"),
        other => i128::from(other.as_i64().expect("an integer")),
    };
    signed as u64
}

/// A frame as the cases write it.
fn frame(value: &Value) -> Frame {
    match value {
        Value::String(text) => Frame::Host(text.clone()),
        other => Frame::Wasm {
            function: number(&other[0]) as u32,
            offset: Some(number(&other[1]) as u32),
        },
    }
}

fn written_frames(frames: &[Frame]) -> Vec<Value> {
    let written = frames.iter().map(|frame| match frame {
        Frame::Wasm { function, offset } => json!([function, offset]),
        Frame::Host(text) => json!(text),
    });
    written.collect()
}

/// A number as the cases write it.
fn exact(value: u64) -> Value {
    const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;
    if value <= MAX_SAFE_INTEGER { json!(value) } else { json!(value.to_string()) }
}

fn written(record: &Record) -> Option<Value> {
    Some(match record {
        Record::Context { frames } => {
            json!({ "record": "CONTEXT", "frames": written_frames(frames) })
        }
        Record::HostStack { module, frames } => json!({
            "record": "HOST_STACK",
            "module": module,
            "frames": written_frames(frames),
        }),
        Record::Entered(Entry { function, level, caller, stack_pointer }) => json!({
            "record": "ENTERED",
            "function": function,
            "level": level,
            "caller": caller.map(|caller| caller.0),
            "stack_pointer": stack_pointer,
        }),
        Record::Resumed { level } => json!({ "record": "RESUMED", "level": level }),
        Record::NotReturned(call) => json!({
            "record": "NOT_RETURNED",
            "function": call.function,
            "caller": call.caller.map(|caller| caller.0),
            "stack_bytes": exact(call.stack_bytes),
            "passed": call.passed.map(exact),
        }),
        Record::CalledFrom { function, caller, times } => json!({
            "record": "CALLED_FROM",
            "function": function,
            "caller": caller.0,
            "times": times,
        }),
        Record::LowMemory { first, last, changed } => {
            json!({ "record": "LOW_MEMORY", "first": first, "last": last, "changed": changed })
        }
        Record::Snapshot { memory, pages } => {
            json!({ "record": "SNAPSHOT", "memory": memory, "pages": pages })
        }
        Record::Globals { live_frames, values } => json!({
            "record": "GLOBALS",
            "live_frames": *live_frames as u8,
            "globals": values,
        }),
        Record::Exit { code } => json!({ "record": "EXIT", "code": code }),
        Record::Event(event) => written_event(event),
        Record::Module { .. }
        | Record::ModuleNumber { .. }
        | Record::Memory { .. }
        | Record::Instance { .. }
        | Record::Clock { .. }
        | Record::Select { .. }
        | Record::Checked { .. }
        | Record::Unchecked { .. }
        | Record::SnapshotBytes { .. } => return None,
        other @ (Record::Host(_)
        | Record::Trap { .. }
        | Record::ModuleOfProcess { .. }
        | Record::ModuleBeside { .. }
        | Record::Thread { .. }
        | Record::Sequence { .. }) => panic!("not of a hook: {other:?}"),
    })
}

fn written_event(event: &Event) -> Value {
    match *event {
        Event::Allocated { pointer, size, align, context } => {
            let mut fields = json!({ "record": "ALLOCATED", "context": context.0 });
            fields["pointer"] = exact(pointer);
            fields["size"] = exact(size);
            if align != 0 {
                fields["record"] = json!("ALLOCATED_ALIGNED");
                fields["alignment"] = exact(align);
            }
            fields
        }
        Event::Freed { pointer, size, align, context } => {
            let mut fields = json!({ "record": "FREED", "context": context.0 });
            fields["pointer"] = exact(pointer);
            if size != UNKNOWN_SIZE {
                fields["record"] = json!("FREED_SIZED");
                fields["size"] = exact(size);
                fields["alignment"] = exact(align);
            }
            fields
        }
        Event::Reallocating { pointer, old_size, align, new_size, context } => {
            let mut fields = json!({ "record": "REALLOCATING", "context": context.0 });
            fields["pointer"] = exact(pointer);
            if old_size != UNKNOWN_SIZE {
                fields["record"] = json!("REALLOCATING_SIZED");
                fields["old_size"] = exact(old_size);
                fields["alignment"] = exact(align);
            }
            fields["new_size"] = exact(new_size);
            fields
        }
        Event::Reallocated { pointer } => {
            json!({ "record": "REALLOCATED", "pointer": exact(pointer) })
        }
        Event::Grown { delta_pages, previous_pages, in_allocator, context } => {
            let mut fields = json!({ "record": "GROW_FAILED", "context": context.0 });
            fields["in_allocator"] = json!(u8::from(in_allocator));
            fields["delta_pages"] = exact(delta_pages);
            if let Some(previous) = previous_pages {
                fields["record"] = json!("GROWN");
                fields["previous_pages"] = exact(previous);
            }
            fields
        }
        Event::BadAccess(access) => json!({
            "record": "BAD_ACCESS", "context": access.context.0, "instruction": access.instruction,
            "by": access.by as u64, "pointer": exact(access.address), "bytes": exact(access.bytes),
        }),
        Event::Called { function, times } => {
            json!({ "record": "CALLED", "function": function, "times": times })
        }
        Event::Crossed { pointer, crossing } => {
            let pointer = exact(pointer);
            match crossing {
                Crossing::Returned(function) => {
                    json!({ "record": "RETURNED", "function": function, "pointer": pointer })
                }
                Crossing::Passed { function, parameter, caller } => json!({
                    "record": "PASSED",
                    "function": function,
                    "parameter": parameter,
                    "caller": caller.map(|caller| caller.0),
                    "pointer": pointer,
                }),
                Crossing::HandedOut => json!({ "record": "HANDED_OUT", "pointer": pointer }),
            }
        }
    }
}

#[test]
fn hooks_mean_what_the_cases_say() {
    let cases: Value = serde_json::from_str(CASES).unwrap();
    let cases = cases["cases"].as_array().unwrap();
    assert!(cases.len() >= 40, "only {} cases", cases.len());
    let mut wrong = Vec::new();
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let address = case["address"].as_str().unwrap();
        let low_memory = number(&case["low_memory"]);
        let mut recording = Recording::start(address, low_memory, case["malloc"].as_u64());
        for step in case["steps"].as_array().unwrap() {
            recording.step(step);
        }
        let expected = case["records"].as_array().unwrap();
        let records = recording.records();
        if records != *expected {
            let lines: Vec<String> = records.iter().map(Value::to_string).collect();
            wrong.push(format!("{name}:\n{}", lines.join("\n")));
        }
    }
    assert!(wrong.is_empty(), "these cases give other records:\n{}", wrong.join("\n\n"));
}

/// A host's own records go the same way, and a recording has one end.
#[test]
fn a_trap_is_the_end_with_its_stack() {
    let mut recording = Recording::plain();
    recording.hook("entered", &[3, 0, 0, 0, 0, 0, 0, 0].map(|value| json!(value)));
    let frames = vec![Frame::Wasm { function: 3, offset: None }];
    recording.recorder.trapped("unreachable".to_owned(), frames.clone());
    recording.recorder.finish().unwrap();
    let bytes = recording.buffer.take();
    let records: Vec<Record> = Reader::new(&bytes[..]).map(Result::unwrap).collect();
    let called = records.iter().position(|r| matches!(r, Record::Event(Event::Called { .. })));
    let trap = Record::Trap { message: "unreachable".to_owned(), frames };
    let trapped = records.iter().position(|r| *r == trap);
    assert!(called.is_some() && called < trapped, "{records:?}");
    assert!(!records.iter().any(|r| matches!(r, Record::Host(HostRecord::Note { .. }))));
}

impl Recording {
    /// The host calls a function, when no other call seems to be under way.
    fn call(&mut self, function: u64, caller: &str) {
        self.guest.caller = vec![Frame::Host(caller.to_owned())];
        let args = [function, 0, 0, 0, 0, 0, 0, 0];
        self.recorder.hook(0, Hook::Entered, &args, &mut self.guest);
    }

    /// A block is freed, in a context of these halves.
    fn free(&mut self, low: u32, high: u32) {
        self.guest.frame = (low, high);
        let args = [4096, u64::from(u32::MAX), 0, low.into(), high.into()];
        self.recorder.hook(0, Hook::Freed, &args, &mut self.guest);
    }
}

/// How many frames each context has.
fn depths(records: &[Value]) -> Vec<usize> {
    let contexts = records.iter().filter(|record| record["record"] == "CONTEXT");
    contexts.map(|context| context["frames"].as_array().unwrap().len()).collect()
}

/// Stacks are dear, so there is a budget; contexts are cheap, and yet not without a bound. Whoever comes
/// first cannot use the budget up: each function that the host calls has a part for itself, and so has code
/// that runs without a call.
#[test]
fn contexts_after_very_many_stacks_have_no_frames() {
    const OF_ENTRY: usize = STACKS_OF_ENTRY as usize;
    let mut recording = Recording::plain();
    for offset in 0..MAX_STACKS + OF_ENTRY + 10 {
        recording.free(3, offset as u32);
    }
    recording.call(1, "main");
    for offset in 0..OF_ENTRY + 10 {
        recording.free(4, offset as u32);
    }
    recording.call(2, "main");
    recording.free(5, 0);
    let frames = depths(&recording.records());
    assert_eq!(frames.len(), MAX_STACKS + 2 * OF_ENTRY + 21);
    let (alone, called) = frames.split_at(MAX_STACKS + OF_ENTRY + 10);
    assert_eq!(alone[..MAX_STACKS + OF_ENTRY], [1; MAX_STACKS + OF_ENTRY]);
    assert_eq!(alone[MAX_STACKS + OF_ENTRY..], [0; 10], "one frame each, then none");
    assert_eq!(called[..OF_ENTRY], [1; OF_ENTRY]);
    assert_eq!(called[OF_ENTRY..], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
}

/// Contexts that are too many to tell apart share the last one, which has no frames.
#[test]
fn contexts_have_a_bound() {
    let mut recording = Recording::plain();
    for number in 0..MAX_CONTEXTS + 2 {
        recording.free(number as u32, 0);
    }
    recording.recorder.writer.flush();
    let bytes = recording.buffer.take();
    let mut last = Vec::new();
    let mut contexts = 0;
    for record in Reader::new(&bytes[..]).map(Result::unwrap) {
        match record {
            Record::Context { frames } => {
                contexts += 1;
                assert_eq!(frames.is_empty(), contexts > MAX_STACKS + STACKS_OF_ENTRY as usize);
            }
            Record::Event(Event::Freed { context, .. }) => last.push(context.0 as usize),
            _ => {}
        }
    }
    assert_eq!(contexts, MAX_CONTEXTS);
    assert_eq!(
        last[MAX_CONTEXTS - 2..],
        [MAX_CONTEXTS - 2, MAX_CONTEXTS - 1, MAX_CONTEXTS - 1, MAX_CONTEXTS - 1]
    );
}

/// By counts, so that two runs tell the same: the callers of so many entries with the same first context,
/// and then of every one whose number is a power of two.
#[test]
fn callers_are_looked_at_by_counts() {
    let mut recording = Recording::plain();
    let entries = 4 * CALLERS_OF_CONTEXT + 10;
    for number in 0..entries {
        // No two entries that follow each other have the same caller.
        recording.call(1, ["even", "odd"][number as usize % 2]);
        recording.free(7, 0);
    }
    // Another context starts anew.
    recording.call(1, "other");
    recording.free(8, 0);
    // Of the first call both when it began and at its event.
    assert_eq!(recording.guest.backtraces, CALLERS_OF_CONTEXT as usize + 4);
    let records = recording.records();
    let entered = records.iter().filter(|record| record["record"] == "ENTERED");
    let callers: Vec<Option<u64>> = entered.map(|entered| entered["caller"].as_u64()).collect();
    let first = CALLERS_OF_CONTEXT as usize;
    assert!(callers[..first].iter().all(Option::is_some));
    // Entries that follow each other and were not looked at are told once.
    assert_eq!(callers[first..], [None, Some(1), None, Some(1), None, Some(2)]);
}

/// Entries that come often and deep do not use up the callers of others: each kind has a part, and each
/// function.
#[test]
fn no_entries_use_up_the_callers_of_others() {
    let mut recording = Recording::plain();
    let deep = || {
        let mut frames = vec![Frame::Host("deep".to_owned()); 99];
        frames.push(Frame::Wasm { function: 3, offset: Some(50) });
        frames
    };
    let mut enter = |function: u64, level: u64, caller: Vec<Frame>| {
        recording.guest.caller = caller;
        let args = [function, level, level, 0, 0, 0, 0, 0];
        recording.recorder.hook(0, Hook::Entered, &args, &mut recording.guest);
        let before = recording.guest.backtraces;
        recording.free(function as u32, 0);
        recording.guest.backtraces - before
    };
    // Calls that are looked at when they begin.
    for _ in 0..CALLS_LOOKED_AT {
        enter(1, 0, vec![Frame::Host("main".to_owned())]);
    }
    let entries = 2 * (MAX_CALLER_FRAMES[1] / 104);
    let taken: usize = (0..entries).map(|_| enter(2, 1, deep())).sum();
    assert!((entries / 2..entries * 3 / 4).contains(&taken), "{taken}");
    assert_eq!(enter(4, 1, deep()), 1, "this function was not among them");
    let outermost: usize =
        (0..100).map(|_| enter(1, 0, vec![Frame::Host("main".to_owned())])).sum();
    assert_eq!(outermost, 100);
}

/// A host in Rust has no stack of its own. It knows the callers where an import led to the entry.
#[test]
fn a_host_without_a_stack_tells_of_entries_inside_of_imports() {
    let mut recording = Recording::plain();
    recording.guest.has_host_stack = false;
    let enter = |recording: &mut Recording, function: u64, level: u64, caller: Vec<Frame>| {
        recording.guest.caller = caller;
        let args = [function, level, level, 0, 0, 0, 0, 0];
        recording.recorder.hook(0, Hook::Entered, &args, &mut recording.guest)
    };
    let waiting = || vec![Frame::Wasm { function: 1, offset: Some(30) }];
    enter(&mut recording, 1, 0, Vec::new());
    recording.free(7, 0);
    assert_eq!(enter(&mut recording, 2, 1, waiting()), 1);
    recording.free(8, 0);
    // The host gives the call of the import up, and calls anew.
    enter(&mut recording, 1, 0, Vec::new());
    recording.free(7, 0);
    let records: Vec<Value> = recording.records();
    let names: Vec<&str> = records.iter().map(|r| r["record"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        ["CONTEXT", "FREED", "CONTEXT", "HOST_STACK", "ENTERED", "FREED", "RESUMED", "FREED"]
    );
    assert_eq!(records[3]["frames"], json!([[1, 30]]));
    assert_eq!((&records[4]["function"], &records[4]["level"]), (&json!(2), &json!(1)));
    assert_eq!(records[6]["level"], 0);
}

/// Whether it is inside is known of every few entries only, and what the host was given is not lost.
#[test]
fn a_host_without_a_stack_may_hold_what_entries_inside_return() {
    for (has_host_stack, crossings) in [(true, 0), (false, 2)] {
        let mut recording = Recording::plain();
        recording.guest.has_host_stack = has_host_stack;
        let Recording { recorder, guest, .. } = &mut recording;
        recorder.hook(0, Hook::Entered, &[1, 0, 0, 0, 0, 0, 0, 0], guest);
        recorder.hook(0, Hook::Allocated, &[4096, 16, 0, 7, 0], guest);
        guest.caller = vec![Frame::Wasm { function: 1, offset: None }];
        recorder.hook(0, Hook::Entered, &[2, 1, 1, 0, 4096, 0, 0, 0], guest);
        recorder.hook(0, Hook::Returned, &[2, 4100], guest);
        let records = recording.records();
        let crossed = records.iter().filter(|r| r["pointer"] == 4096 || r["pointer"] == 4100);
        assert_eq!(crossed.count(), 1 + crossings);
    }
}

/// An engine that keeps the innermost frames alone does not say that nothing called there.
#[test]
fn callers_that_an_engine_left_out_are_not_known() {
    for (is_cut, caller) in [(false, Some(HostStackId(0))), (true, None)] {
        let Recording { mut recorder, mut guest, buffer, .. } = Recording::plain();
        guest.is_cut = is_cut;
        recorder.hook(0, Hook::Entered, &[1, 0, 0, 0, 0, 0, 0, 0], &mut guest);
        recorder.hook(0, Hook::Freed, &[4096, 16, 0, 7, 0], &mut guest);
        recorder.finish().unwrap();
        let bytes = buffer.take();
        let entries = Reader::new(&bytes[..]).map(Result::unwrap).filter_map(|r| match r {
            Record::Entered(entry) => Some(entry.caller),
            _ => None,
        });
        assert_eq!(entries.collect::<Vec<_>>(), [caller]);
    }
}

/// Growths that an instance reports are its own; the rest is the host's.
#[test]
fn the_host_grew_a_memory_that_is_larger_than_its_instances_made_it() {
    let Recording { mut recorder, mut guest, buffer, .. } = Recording::plain();
    recorder.size(0, 3);
    recorder.size(0, 4);
    recorder.size(0, 4);
    recorder.hook(0, Hook::Grown, &[2, 4, 0, 7, 0], &mut guest);
    recorder.hook(0, Hook::Grown, &[9, u32::MAX.into(), 0, 7, 0], &mut guest);
    recorder.size(0, 6);
    recorder.finish().unwrap();
    let bytes = buffer.take();
    let grown = Reader::new(&bytes[..]).map(Result::unwrap).filter_map(|record| match record {
        Record::Host(HostRecord::HostGrown { delta_pages, previous_pages, .. }) => {
            Some(("host", delta_pages, previous_pages))
        }
        Record::Event(Event::Grown { delta_pages, previous_pages, .. }) => {
            Some(("module", delta_pages, previous_pages))
        }
        _ => None,
    });
    let expected =
        [("host", 2, Some(1)), ("host", 1, Some(3)), ("module", 2, Some(4)), ("module", 9, None)];
    assert_eq!(grown.collect::<Vec<_>>(), expected);
}

/// Levels come from instrumented code, and a hostile module may have its own idea of them.
#[test]
fn huge_levels_cost_nothing() {
    let mut recording = Recording::plain();
    recording.guest.caller = vec![Frame::Wasm { function: 1, offset: None }];
    for level in [u64::from(u32::MAX), 1 << 20, 5_000, 4_096] {
        let args = [1, level, level, 0, 0, 0, 0, 0];
        recording.recorder.hook(0, Hook::Entered, &args, &mut recording.guest);
        recording.free(7, 0);
        recording.recorder.hook(0, Hook::Resumed, &[level], &mut recording.guest);
    }
    assert!(recording.records().iter().any(|record| record["record"] == "ENTERED"));
}

/// The first user of a memory takes its snapshot, and each instance has globals of its own.
#[test]
fn instances_that_share_a_memory_have_one_snapshot() {
    let Recording { mut recorder, mut guest, buffer, .. } = Recording::plain();
    let second = recorder.instance(0, 0);
    recorder.completed(second, &mut guest);
    for instance in [second, 0] {
        recorder.snapshot(instance, &mut guest, false);
    }
    recorder.exited(0);
    recorder.finish().unwrap();
    let bytes = buffer.take();
    let records = Reader::new(&bytes[..]).map(Result::unwrap).skip(4);
    let globals = || Record::Globals { live_frames: LiveFrames::None, values: Vec::new() };
    let expected = [
        globals(),
        Record::Select { instance: 0 },
        Record::Snapshot { memory: 0, pages: 1 },
        globals(),
        Record::Exit { code: 0 },
        Record::Clock { micros: 0 },
    ];
    assert_eq!(records.collect::<Vec<_>>(), expected);
}

/// The same number means another stack in another module, and the same one in another instance.
#[test]
fn contexts_belong_to_modules() {
    let Recording { mut recorder, mut guest, buffer, .. } = Recording::plain();
    let wasm = module_of("i32", 1024, None);
    let prepared = Prepared::new(&wasm, &Vec::new(), None).unwrap();
    let module = recorder.module(&prepared, "b.wasm").unwrap();
    let memory = recorder.memory(1, None, 65_536);
    let of_other_module = recorder.instance(module, memory);
    let of_same_module = recorder.instance(0, memory);
    for instance in [0, of_other_module, of_same_module] {
        recorder.hook(instance, Hook::Freed, &[4096, 16, 0, 7, 0], &mut guest);
    }
    recorder.finish().unwrap();
    let bytes = buffer.take();
    let mut told = Vec::new();
    for record in Reader::new(&bytes[..]).map(Result::unwrap) {
        match record {
            Record::Select { instance } => told.push(format!("select {instance}")),
            Record::Context { .. } => told.push("context".to_owned()),
            Record::Event(Event::Freed { context, .. }) => {
                told.push(format!("freed {}", context.0))
            }
            _ => {}
        }
    }
    let expected =
        ["select 0", "context", "freed 0", "select 1", "context", "freed 1", "select 2", "freed 0"];
    assert_eq!(told, expected);
}

/// A sink that fails does not end the program that is watched.
#[test]
fn a_sink_that_fails_is_told_at_the_end() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the disk is full"))
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let wasm = wat::parse_str("(module (memory 1))").unwrap();
    let prepared = Prepared::new(&wasm, &Vec::new(), None).unwrap();
    let mut recorder = Recorder::new(Full, || 0);
    let module = recorder.module(&prepared, "a.wasm").unwrap();
    let memory = recorder.memory(1, None, 65_536);
    let instance = recorder.instance(module, memory);
    recorder.hook(instance, Hook::Passed, &[4096, 0, 0, 0], &mut Page::new());
    recorder.flush();
    let error = recorder.finish().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().contains("the disk is full"), "{error}");
}
