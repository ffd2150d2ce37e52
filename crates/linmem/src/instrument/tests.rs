//! What the pass does to a module, as text. `SNAPSHOTS=overwrite cargo test` blesses changes.

mod checks;
mod contexts;
mod inserted;
mod left_alone;
mod module;

use super::*;

/// The instrumented module as text. `malloc` and `free` are found by their exported names.
fn instrumented(wat: &str, mode: &Mode) -> String {
    instrumented_binary(&wat::parse_str(wat).unwrap(), mode)
}

fn instrumented_binary(wasm: &[u8], mode: &Mode) -> String {
    let prepared = Prepared::new(wasm, &Vec::new(), None).unwrap();
    let new = instrument(&prepared, mode).unwrap();
    wasmparser::Validator::new_with_features(wasmparser::WasmFeatures::all())
        .validate_all(&new.wasm)
        .unwrap();
    wasmprinter::print_bytes(&new.wasm).unwrap()
}

/// The text of one function.
fn function(text: &str, name: &str) -> String {
    let start = text.find(&format!("  (func {name} ")).unwrap();
    let end = text[start..].find("\n  )").map_or(text.len(), |end| start + end + 4);
    text[start..end].to_owned()
}

const SMALL: &str = r#"(module
  (import "env" "log" (func $log (param i32)))
  (memory (export "memory") 1)
  (func $malloc (export "malloc") (param $size i32) (result i32)
    (drop (memory.grow (i32.const 1)))
    (i32.const 4096))
  (func $free (export "free") (param $pointer i32))
  (func $leaf (result i32) (i32.const 7))
  (func $work (export "work")
    (call $log (call $leaf))
    (call $free (call $malloc (i32.const 100)))))"#;
