//! Real guests, in C and in Rust, under linmem's recorder: what is passed comes back, and nothing
//! stays allocated. The same texts then go through the JavaScript package, which must see the same.
#![cfg(feature = "wasmtime")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use linmem::report::Severity;
use linmem_strings::wasmtime::Strings;
use linmem_strings::{OnNul, Options};
use linmem_wasmtime::{Run, Session};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde::{Deserialize, Serialize};
use wasmtime::AsContext;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: PathBuf) -> Vec<u8> {
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error} (scripts/build-guests --rust)", path.display()))
}

/// Texts without NUL, from empty ones to some longer than the guest's first pages.
fn texts(count: usize) -> Vec<String> {
    let text = prop_oneof![
        vec(prop_oneof![Just('a'), Just('é'), Just('語'), Just('🦀'), any::<char>()], 0..40),
        vec(any::<char>(), 0..3_000),
        vec(proptest::char::range(' ', '~'), 0..200_000),
    ];
    let text = text.prop_map(|characters| characters.into_iter().filter(|c| *c != '\0').collect());
    sample(text, count)
}

/// Bytes without NUL, most of them no UTF-8.
fn bytes(count: usize) -> Vec<Vec<u8>> {
    let near_utf8 = prop_oneof![
        Just(0x41u8),
        Just(0xc3),
        Just(0xa9),
        Just(0xe2),
        Just(0x82),
        Just(0xed),
        Just(0xa0),
        Just(0xf0),
        Just(0x9f),
        Just(0xf4),
        Just(0x90),
        Just(0xef),
        Just(0xbb),
        Just(0xbf),
        1..=255u8,
    ];
    sample(vec(near_utf8, 0..60), count)
}

fn sample<T>(strategy: impl Strategy<Value = T>, count: usize) -> Vec<T> {
    let mut runner = TestRunner::deterministic();
    (0..count).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

/// A guest under observation, with what it needs to have strings passed.
struct Guest<'a> {
    session: Session<'a>,
    strings: Strings,
}

impl<'a> Guest<'a> {
    fn new(wasm: &'a [u8]) -> Guest<'a> {
        let mut session = Run::new(wasm).unwrap().start().unwrap();
        let instance = session.instance().unwrap();
        let strings = Strings::new(session.store(), &instance).unwrap();
        let options = Options { on_nul: OnNul::Allow, ..Options::default() };
        Guest { session, strings: strings.options(options) }
    }

    /// Lends a text to an export that returns another one, and takes that.
    fn exchange(&mut self, export: &str, text: &str) -> String {
        let instance = self.session.instance().unwrap();
        let mut store = self.session.store();
        let function = instance.get_typed_func::<u32, u32>(&mut store, export).unwrap();
        let owned = self.strings.with(&mut store, text, |cx, text| function.call(cx, text));
        self.strings.take(&mut store, owned.unwrap()).unwrap()
    }

    /// How long the guest thinks a text is.
    fn length(&mut self, export: &str, text: &str) -> u32 {
        let instance = self.session.instance().unwrap();
        let mut store = self.session.store();
        let function = instance.get_typed_func::<u32, u32>(&mut store, export).unwrap();
        self.strings.with(&mut store, text, |cx, text| function.call(cx, text)).unwrap()
    }

    /// Every block was given back, and none in a wrong way.
    fn assert_nothing_left(mut self, allocations: u64) {
        let report = self.session.report().unwrap();
        assert!(report.findings.iter().all(|f| f.severity == Severity::Note), "{report}");
        assert_eq!(report.totals.at_end.blocks, 0, "{report}");
        assert!(report.totals.allocations >= allocations, "{report}");
    }
}

const TEXTS: usize = 300;

#[test]
fn greetings_from_c_and_rust() {
    for guest in ["greeting.wasm", "greeting.stripped.wasm", "rust_greeting.wasm"] {
        let wasm = read(root().join("target/guests").join(guest));
        let mut instance = Guest::new(&wasm);
        for text in texts(TEXTS) {
            assert_eq!(instance.exchange("greet", &text), format!("Hello, {text}!"), "{guest}");
            assert_eq!(instance.length("length", &text) as usize, text.len(), "{guest}");
        }
        instance.assert_nothing_left(3 * TEXTS as u64);
    }
}

#[test]
fn every_code_point_comes_back() {
    let wasm = read(root().join("examples/strings.wasm"));
    let mut guest = Guest::new(&wasm);
    let all: String = ('\u{1}'..=char::MAX).collect();
    assert!(guest.exchange("string_duplicate", &all) == all);
    guest.assert_nothing_left(2);
}

/// What the JavaScript package makes of the same texts and bytes.
#[derive(Deserialize, PartialEq, Eq)]
struct Seen {
    /// What `string_duplicate` returned for each text.
    texts: Vec<String>,
    /// How the bytes read.
    bytes: Vec<String>,
}

#[derive(Serialize)]
struct Given<'a> {
    texts: &'a [String],
    bytes: &'a [Vec<u8>],
}

#[test]
fn both_hosts_see_the_same() {
    let (texts, bytes) = (texts(TEXTS), bytes(2_000));
    let wasm = root().join("examples/strings.wasm");
    let module = read(wasm.clone());
    let mut guest = Guest::new(&module);
    let here = Seen {
        texts: texts.iter().map(|text| guest.exchange("string_duplicate", text)).collect(),
        bytes: bytes.iter().map(|bytes| guest.read_back(bytes)).collect(),
    };
    assert!(here.texts == texts);
    guest.assert_nothing_left(2 * TEXTS as u64);

    let there = in_javascript(&wasm, &Given { texts: &texts, bytes: &bytes });
    assert!(here.texts == there.texts);
    for ((bytes, here), there) in bytes.iter().zip(&here.bytes).zip(&there.bytes) {
        assert_eq!(here, there, "{bytes:02x?}");
    }
    assert_eq!(here.bytes.len(), there.bytes.len());
}

impl Guest<'_> {
    /// Bytes that may not be text, as the host reads them when the guest has them.
    fn read_back(&mut self, bytes: &[u8]) -> String {
        let room = " ".repeat(bytes.len());
        let block = self.strings.alloc(self.session.store(), &room).unwrap();
        let at = block.ptr() as usize;
        self.session.memory()[at..at + bytes.len()].copy_from_slice(bytes);
        let store = self.session.store();
        let text = self.strings.read(store.as_context(), block.ptr()).unwrap().into_owned();
        drop(store);
        block.free(self.session.store()).unwrap();
        text
    }
}

fn in_javascript(wasm: &Path, given: &Given<'_>) -> Seen {
    let script = root().join("packages/linmem/test/both-hosts.js");
    let mut node = Command::new("node")
        .args([&script, &wasm.to_owned()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node is installed");
    let mut stdin = node.stdin.take().unwrap();
    stdin.write_all(&serde_json::to_vec(given).unwrap()).unwrap();
    drop(stdin);
    let output = node.wait_with_output().unwrap();
    assert!(output.status.success(), "{script:?} failed");
    serde_json::from_slice(&output.stdout).unwrap()
}
