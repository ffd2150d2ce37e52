//! The vectors of `testdata`, which the JavaScript package passes too.
#![cfg(feature = "wasmtime")]

mod support;

use linmem_strings::wasmtime::Strings;
use linmem_strings::{ErrorKind, Invalid, OnNul, Options, text};
use serde::Deserialize;
use serde_json::Value;
use wasmtime::Engine;

use support::{Allocator, Guest, MALLOC_FREE};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vectors {
    version: u32,
    encode: Vec<Encode>,
    decode: Vec<Decode>,
    allocate: Vec<Allocate>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Encode {
    name: String,
    text: Text,
    #[serde(default)]
    options: VectorOptions,
    bytes: Option<Bytes>,
    error: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Decode {
    name: String,
    memory: MemoryImage,
    pointer: u32,
    #[serde(rename = "byteLength")]
    byte_length: Option<u32>,
    #[serde(default)]
    options: VectorOptions,
    text: Option<Text>,
    error: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Allocate {
    name: String,
    allocator: Allocator,
    text: Text,
    bytes: Option<Bytes>,
    pointer: Option<u32>,
    #[serde(default, rename = "minimumPagesAfter")]
    minimum_pages_after: u64,
    error: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MemoryImage {
    pages: u64,
    fill: Option<Bytes>,
    data: Vec<Data>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Data {
    at: usize,
    bytes: Bytes,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct VectorOptions {
    #[serde(rename = "onNul")]
    on_nul: Option<String>,
    /// Rust's texts hold no halves of surrogate pairs.
    #[serde(rename = "onLoneSurrogate")]
    _on_lone_surrogate: Option<String>,
    invalid: Option<String>,
    #[serde(rename = "scanLimit")]
    scan_limit: Option<u64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Text {
    Plain(String),
    Utf16 { utf16: String },
    Repeat { repeat: Box<Text>, times: usize },
    Parts(Vec<Text>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Bytes {
    Hex(String),
    Repeat { repeat: Box<Bytes>, times: usize },
    Parts(Vec<Bytes>),
}

impl VectorOptions {
    fn parse(&self) -> Options {
        let default = Options::default();
        Options {
            on_nul: match self.on_nul.as_deref() {
                None | Some("error") => OnNul::Error,
                Some("truncate") => OnNul::Truncate,
                Some("allow") => OnNul::Allow,
                Some(other) => panic!("onNul: {other}"),
            },
            invalid: match self.invalid.as_deref() {
                None | Some("replace") => Invalid::Replace,
                Some("fatal") => Invalid::Fatal,
                Some(other) => panic!("invalid: {other}"),
            },
            scan_limit: self.scan_limit.unwrap_or(default.scan_limit),
        }
    }
}

impl Text {
    /// Code units, as JavaScript has them.
    fn units(&self) -> Vec<u16> {
        match self {
            Text::Plain(text) => text.encode_utf16().collect(),
            Text::Utf16 { utf16 } => {
                utf16.split(' ').map(|unit| u16::from_str_radix(unit, 16).unwrap()).collect()
            }
            Text::Repeat { repeat, times } => repeat.units().repeat(*times),
            Text::Parts(parts) => parts.iter().flat_map(Text::units).collect(),
        }
    }

    /// `None` where the text has half of a surrogate pair.
    fn text(&self) -> Option<String> {
        String::from_utf16(&self.units()).ok()
    }
}

impl Bytes {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Bytes::Hex(hex) => {
                let digits = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
                (0..hex.len()).step_by(2).map(digits).collect()
            }
            Bytes::Repeat { repeat, times } => repeat.bytes().repeat(*times),
            Bytes::Parts(parts) => parts.iter().flat_map(Bytes::bytes).collect(),
        }
    }
}

fn vectors() -> Vectors {
    let vectors: Vectors =
        serde_json::from_str(include_str!("../../../testdata/strings.json")).unwrap();
    assert_eq!(vectors.version, 1);
    vectors
}

/// Whether an error is the one that a vector wants, with all properties that it has.
fn assert_error(name: &str, kind: ErrorKind, expected: &Value) {
    assert_eq!(kind.code(), expected["code"], "{name}: {kind:?}");
    let properties: &[(&str, u64)] = match kind {
        ErrorKind::AllocationFailed { size } => &[("size", size)],
        ErrorKind::EmbeddedNul { byte_index } => &[("byteIndex", byte_index as u64)],
        ErrorKind::InvalidUtf8 { address, offset } => {
            &[("address", address), ("offset", offset as u64)]
        }
        ErrorKind::Unterminated { address, scanned } => {
            &[("address", address), ("scanned", scanned)]
        }
        _ => &[],
    };
    for (property, value) in properties {
        let wanted = &expected[property];
        assert!(wanted.is_null() || *wanted == *value, "{name}: {kind:?}, not {expected}");
    }
}

/// What the guest is to find, or why it gets nothing.
struct Passed<'v> {
    name: &'v str,
    text: &'v str,
    bytes: Option<Vec<u8>>,
    error: Option<&'v Value>,
}

impl Passed<'_> {
    /// Passes the text in every way there is.
    fn check(&self, guest: &mut Guest, options: Options) {
        let strings = Strings::new(&mut guest.store, &guest.instance).unwrap().options(options);
        let store = &mut guest.store;
        let seen = strings.with(&mut *store, self.text, |cx, at| {
            Ok(strings.read_sized(&cx, at, self.length())?.into_owned())
        });
        self.check_seen(seen.map_err(|error| kind_of(&error)));
        let seen = strings.with_all(&mut *store, [Some(self.text), None], |cx, [at, none]| {
            assert_eq!(none, 0, "{}", self.name);
            Ok(strings.read_sized(&cx, at, self.length())?.into_owned())
        });
        self.check_seen(seen.map_err(|error| kind_of(&error)));
        let kept = strings.alloc(&mut *store, self.text).map(|kept| {
            let read = strings.read_sized(&*store, kept.ptr(), self.length()).unwrap().into_owned();
            assert_eq!(kept.byte_length() + 1, u64::from(self.length()), "{}", self.name);
            kept.free(&mut *store).unwrap();
            read
        });
        self.check_seen(kept.map_err(|error| error.kind()));
        // What lies outside the memory is not a block, and is not given back.
        if self.error.is_none_or(|error| error["code"] != "out-of-range") {
            assert_eq!(guest.live(), 0, "{}: blocks left", self.name);
        }
    }

    /// With the NUL.
    fn length(&self) -> u32 {
        self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u32 + 1)
    }

    fn check_seen(&self, seen: Result<String, ErrorKind>) {
        match (seen, self.error) {
            (Err(kind), Some(error)) => assert_error(self.name, kind, error),
            (Ok(seen), None) => {
                let mut bytes = self.bytes.clone().unwrap();
                bytes.push(0);
                assert!(seen.as_bytes() == bytes, "{}", self.name);
            }
            (Ok(_), Some(expected)) => panic!("{}: no error, but {expected}", self.name),
            (Err(kind), None) => panic!("{}: {kind:?}", self.name),
        }
    }
}

fn kind_of(error: &wasmtime::Error) -> ErrorKind {
    let error = error.downcast_ref::<linmem_strings::Error>();
    error.expect("an error of linmem-strings").kind()
}

#[test]
fn encode() {
    let engine = Engine::default();
    let wat = Allocator { pages: 16, ..Allocator::default() }.module("i32", MALLOC_FREE);
    let mut checked = 0;
    for vector in vectors().encode {
        let Some(text) = vector.text.text() else { continue };
        let passed = Passed {
            name: &vector.name,
            text: &text,
            bytes: vector.bytes.as_ref().map(Bytes::bytes),
            error: vector.error.as_ref(),
        };
        passed.check(&mut Guest::new(&engine, &wat), vector.options.parse());
        checked += 1;
    }
    assert!(checked > 40, "only {checked} vectors have a text that Rust can hold");
}

#[test]
fn allocate() {
    let engine = Engine::default();
    for vector in vectors().allocate {
        let text = vector.text.text().unwrap();
        let mut guest = Guest::new(&engine, &vector.allocator.module("i32", MALLOC_FREE));
        let passed = Passed {
            name: &vector.name,
            text: &text,
            bytes: vector.bytes.as_ref().map(Bytes::bytes),
            error: vector.error.as_ref(),
        };
        match vector.pointer {
            None => passed.check(&mut guest, Options::default()),
            // The allocator's next block would have another address, or find no room.
            Some(pointer) => {
                let strings = Strings::new(&mut guest.store, &guest.instance).unwrap();
                let seen = strings.with(&mut guest.store, &text, |cx, at| {
                    assert_eq!(at, pointer, "{}", vector.name);
                    Ok(strings.read_sized(&cx, at, passed.length())?.into_owned())
                });
                passed.check_seen(seen.map_err(|error| kind_of(&error)));
                assert_eq!(guest.live(), 0, "{}: blocks left", vector.name);
            }
        }
        let pages = guest.memory().len() as u64 / 65_536;
        assert!(pages >= vector.minimum_pages_after, "{}: {pages} pages", vector.name);
    }
}

#[test]
fn decode() {
    let engine = Engine::default();
    for vector in vectors().decode {
        let image = &vector.memory;
        let allocator = Allocator { pages: image.pages, ..Allocator::default() };
        let mut guest = Guest::new(&engine, &allocator.module("i32", MALLOC_FREE));
        if let Some(fill) = &image.fill {
            guest.memory().fill(fill.bytes()[0]);
        }
        for data in &image.data {
            let bytes = data.bytes.bytes();
            guest.memory()[data.at..data.at + bytes.len()].copy_from_slice(&bytes);
        }
        let options = vector.options.parse();
        let strings = Strings::new(&mut guest.store, &guest.instance).unwrap().options(options);
        let read = match vector.byte_length {
            None => strings.read(&guest.store, vector.pointer),
            Some(length) => strings.read_sized(&guest.store, vector.pointer, length),
        };
        match (read, &vector.error) {
            (Ok(text), None) => {
                assert!(
                    Some(text.as_ref()) == vector.text.unwrap().text().as_deref(),
                    "{}",
                    vector.name
                );
            }
            (Err(error), Some(expected)) => assert_error(&vector.name, error.kind(), expected),
            (read, expected) => panic!("{}: {read:?}, not {expected:?}", vector.name),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Utf8Tests {
    version: u32,
    cases: Vec<Utf8Test>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Utf8Test {
    id: String,
    bytes: Bytes,
    text: Bytes,
    #[serde(rename = "invalidAt")]
    invalid_at: Option<usize>,
}

#[test]
fn utf8tests() {
    let tests: Utf8Tests =
        serde_json::from_str(include_str!("../../../testdata/utf8tests.json")).unwrap();
    assert_eq!(tests.version, 1);
    for test in tests.cases {
        let bytes = test.bytes.bytes();
        let replaced = text::decode(&bytes, 16, Invalid::Replace).unwrap();
        assert_eq!(replaced.as_bytes(), test.text.bytes(), "{}", test.id);
        match (text::decode(&bytes, 16, Invalid::Fatal), test.invalid_at) {
            (Ok(text), None) => assert_eq!(text.as_bytes(), test.text.bytes(), "{}", test.id),
            (Err(error), Some(offset)) => {
                assert_eq!(
                    error.kind(),
                    ErrorKind::InvalidUtf8 { address: 16, offset },
                    "{}",
                    test.id
                );
            }
            (text, expected) => panic!("{}: {text:?}, not {expected:?}", test.id),
        }
    }
}
