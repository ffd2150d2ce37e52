//! Any bytes through the rewriter, with checks and without: they are refused with a reason, or come out as a valid module.
#![no_main]

#[path = "../../crates/linmem-wasmtime/tests/side_by_side/binary.rs"]
mod binary;
#[path = "../../crates/linmem-wasmtime/tests/side_by_side/hints.rs"]
mod hints;

use libfuzzer_sys::fuzz_target;
use linmem::allocator::Hints;
use linmem::{ErrorKind, Mode, Prepared};
use wasmparser::{Validator, WasmFeatures};

fuzz_target!(|bytes: &[u8]| {
    let prepared = match Prepared::new(bytes, &Hints::new(), None) {
        Ok(prepared) => prepared,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    if let Ok(inspection) = prepared.inspect() {
        assert!(!inspection.to_string().is_empty());
    }
    rewrite(&prepared);
    let hints = hints::hook_everything(bytes);
    rewrite(&Prepared::new(bytes, &hints, None).expect("fitting hints"));
});

fn rewrite(prepared: &Prepared<'_>) {
    for mode in [Mode::default(), Mode::check(None), Mode::check(Some(3)).for_v8()] {
        match prepared.instrument(&mode) {
            Ok(instrumented) => {
                Validator::new_with_features(WasmFeatures::all())
                    .validate_all(&instrumented.wasm)
                    .expect("what comes out is valid");
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}"),
        }
    }
}
