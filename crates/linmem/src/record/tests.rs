//! The recorder without an engine: the cases of `testdata/hooks.json`, which the JavaScript recorder passes
//! too, and what they cannot say.

use serde_json::{Value, json};

use super::*;
use crate::trace::{Buffer, HostRecord, Reader};

const CASES: &str = include_str!("../../../../testdata/hooks.json");

/// A page of memory, and a stack of one frame: the halves of the context of the hook that is called.
struct Page {
    memory: Vec<u8>,
    frame: (u32, u32),
}

impl Page {
    fn new() -> Page {
        Page { memory: vec![0; 65_536], frame: (0, 0) }
    }
}

impl Guest for Page {
    fn backtrace(&mut self) -> Vec<Frame> {
        let (function, offset) = self.frame;
        vec![Frame::Wasm { function, offset: Some(offset) }]
    }

    fn memory(&mut self) -> &[u8] {
        &self.memory
    }

    fn global(&mut self, _: u32) -> Option<u64> {
        None
    }
}

/// A recording that has begun.
struct Recording {
    recorder: Recorder,
    guest: Page,
    buffer: Buffer,
    is_64: bool,
}

impl Recording {
    fn start(address: &str, low_memory: u64) -> Recording {
        let is_64 = address == "i64";
        let data = match low_memory {
            1024 => String::new(),
            first => format!("(data ({address}.const {first}) \"x\")"),
        };
        let wasm = wat::parse_str(format!("(module (memory {address} 1) {data})")).unwrap();
        let prepared = Prepared::new(&wasm, &Vec::new(), None).unwrap();
        let buffer = Buffer::default();
        let mut recorder = Recorder::new(&prepared, "a.wasm", buffer.clone(), || 0).unwrap();
        let mut guest = Page::new();
        recorder.instance(1, None);
        recorder.completed(&mut guest);
        Recording { recorder, guest, buffer, is_64 }
    }

    fn step(&mut self, step: &Value) {
        let (recorder, guest) = (&mut self.recorder, &mut self.guest);
        let (kind, what) = step.as_object().unwrap().iter().next_back().unwrap();
        match (kind.as_str(), what) {
            ("hook", name) => self.hook(name.as_str().unwrap(), step["args"].as_array().unwrap()),
            ("poke", poke) => {
                let at = number(&poke["address"]) as usize;
                for (byte, at) in poke["bytes"].as_array().unwrap().iter().zip(at..) {
                    guest.memory[at] = number(byte) as u8;
                }
            }
            ("look", _) => recorder.look(guest),
            ("flush", _) => recorder.flush(),
            ("snapshot", how) => recorder.snapshot(guest, how["frames_live"] == true),
            ("exit", code) => recorder.exited(number(code) as i32),
            (other, _) => panic!("unknown step {other}"),
        }
    }

    fn hook(&mut self, name: &str, args: &[Value]) {
        let hook = Hook::ALL.into_iter().find(|hook| hook.name() == name).expect("a hook");
        // As an engine passes them on: 32 bits without a sign, unless the hook takes 64.
        let narrow = |value: u64| if self.is_64 { value } else { u64::from(value as u32) };
        let args: Vec<u64> = args.iter().map(|arg| narrow(number(arg))).collect();
        if let (true, [.., low, high]) = (hook.has_context(), &args[..]) {
            self.guest.frame = (*low as u32, *high as u32);
        }
        self.recorder.hook(hook, &args, &mut self.guest);
    }

    /// The records after those of the module and the instance, as the cases write them.
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

/// A number as the cases write it.
fn exact(value: u64) -> Value {
    const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;
    if value <= MAX_SAFE_INTEGER { json!(value) } else { json!(value.to_string()) }
}

fn written(record: &Record) -> Option<Value> {
    Some(match record {
        Record::Context { frames } => {
            let frames: Vec<Value> = frames
                .iter()
                .map(|frame| match frame {
                    Frame::Wasm { function, offset } => json!([function, offset.unwrap()]),
                    Frame::Host(text) => json!(text),
                })
                .collect();
            json!({ "record": "CONTEXT", "frames": frames })
        }
        Record::LowMemory { first, last, changed } => {
            json!({ "record": "LOW_MEMORY", "first": first, "last": last, "changed": changed })
        }
        Record::Snapshot { pages, frames_live, globals } => json!({
            "record": "SNAPSHOT",
            "pages": pages,
            "frames_live": u8::from(*frames_live),
            "globals": globals,
        }),
        Record::Exit { code } => json!({ "record": "EXIT", "code": code }),
        Record::Event(event) => written_event(event),
        Record::Module { .. }
        | Record::Instance { .. }
        | Record::Clock { .. }
        | Record::Select { .. }
        | Record::SnapshotBytes { .. } => return None,
        other @ (Record::Host(_) | Record::Trap { .. }) => panic!("not of a hook: {other:?}"),
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
        Event::Called { function, times } => {
            json!({ "record": "CALLED", "function": function, "times": times })
        }
        Event::Crossed { pointer, crossing } => {
            let pointer = exact(pointer);
            match crossing {
                Crossing::Returned(function) => {
                    json!({ "record": "RETURNED", "function": function, "pointer": pointer })
                }
                Crossing::Passed => json!({ "record": "PASSED", "pointer": pointer }),
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
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let address = case["address"].as_str().unwrap();
        let mut recording = Recording::start(address, number(&case["low_memory"]));
        for step in case["steps"].as_array().unwrap() {
            recording.step(step);
        }
        let expected = case["records"].as_array().unwrap();
        assert_eq!(&recording.records(), expected, "{name}");
    }
}

/// A host's own records go the same way, and a recording has one end.
#[test]
fn a_trap_is_the_end_with_its_stack() {
    let mut recording = Recording::start("i32", 1024);
    recording.hook("entered", &[json!(3), json!(0), json!(0), json!(0), json!(0)]);
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

/// Stacks are dear, so there is a budget; contexts are cheap, and yet not without a bound.
#[test]
fn contexts_after_very_many_stacks_have_no_frames() {
    let mut recording = Recording::start("i32", 1024);
    for offset in 0..MAX_STACKS as u64 + 10 {
        recording.guest.frame = (3, offset as u32);
        let args = [4096, u64::from(u32::MAX), 0, 3, offset];
        recording.recorder.hook(Hook::Freed, &args, &mut recording.guest);
    }
    let records = recording.records();
    let contexts = records.iter().filter(|record| record["record"] == "CONTEXT");
    let frames: Vec<usize> = contexts.map(|c| c["frames"].as_array().unwrap().len()).collect();
    assert_eq!(frames.len(), MAX_STACKS + 10);
    assert_eq!(frames.iter().sum::<usize>(), MAX_STACKS, "one frame each, then none");
    assert_eq!(frames[MAX_STACKS..], [0; 10]);
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
    let mut recorder = Recorder::new(&prepared, "a.wasm", Full, || 0).unwrap();
    recorder.instance(1, None);
    recorder.hook(Hook::Passed, &[4096, 0, 0, 0], &mut Page::new());
    recorder.flush();
    let error = recorder.finish().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().contains("the disk is full"), "{error}");
}
