//! Generated modules, run as they are and instrumented. The comparison is that of the test of the
//! same name; here the fuzzer chooses the bytes.
#![no_main]

#[path = "../../crates/linmem-wasmtime/tests/differential.rs"]
mod differential;

use std::sync::LazyLock;

use libfuzzer_sys::{Corpus, fuzz_target};
use wasmtime::Engine;

static ENGINE: LazyLock<Engine> = LazyLock::new(differential::side_by_side::engine);

fuzz_target!(|bytes: &[u8]| -> Corpus {
    match differential::compare(&ENGINE, bytes, &mut Default::default()) {
        Ok(()) => Corpus::Keep,
        // The bytes make no module.
        Err(_) => Corpus::Reject,
    }
});
