//! Any bytes through the rewriter: they are refused with a reason, or come out as a valid module.
#![no_main]

#[path = "../../crates/linmem/tests/side_by_side/hints.rs"]
mod hints;

use libfuzzer_sys::fuzz_target;
use linmem::allocator::{Allocator, Hints};
use linmem::call_graph::CallGraph;
use linmem::symbolize::Symbolizer;
use linmem::{ErrorKind, Module, inspect, instrument};
use wasmparser::{Validator, WasmFeatures};

fuzz_target!(|bytes: &[u8]| {
    let module = match Module::parse(bytes) {
        Ok(module) => module,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    if let Ok(inspection) = inspect::inspect(&module, None, &Hints::new()) {
        assert!(!inspection.to_string().is_empty());
    }
    for hints in [Hints::new(), hints::hook_everything(&module)] {
        rewrite(&module, &hints);
    }
});

fn rewrite(module: &Module<'_>, hints: &Hints) {
    let graph = CallGraph::new(module);
    let symbols = Symbolizer::new(module, None);
    let allocator = Allocator::discover(module, &graph, &symbols, hints).expect("fitting hints");
    match instrument::instrument(module, &graph, &allocator, &instrument::Options::default()) {
        Ok(instrumented) => {
            Validator::new_with_features(WasmFeatures::all())
                .validate_all(&instrumented.wasm)
                .expect("what comes out is valid");
        }
        Err(error) => assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}"),
    }
}
