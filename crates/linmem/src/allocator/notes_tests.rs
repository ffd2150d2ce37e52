//! What the search for an allocator notes, and of which modules it would be false (`docs/counter-examples.md`).

use super::Allocator;
use crate::Prepared;

fn allocator(module: &str) -> Allocator {
    let wasm = wat::parse_str(module).unwrap();
    Prepared::new(&wasm, &Vec::new(), None).unwrap().allocator().clone()
}

/// That one module has one note, with these words, and the other none.
#[track_caller]
fn notes(said_of: &str, words: &str, not_said_of: &str) {
    let found = allocator(said_of);
    assert!(matches!(&found.notes[..], [only] if only.contains(words)), "{found:?}");
    assert_eq!(allocator(not_said_of).notes, Vec::<String>::new());
}

#[test]
fn a_function_of_another_type_is_said_to_be_left_out() {
    notes(
        "(module (memory 1) (func $malloc))",
        "function 0 is named `malloc` but has type () -> (), which is not that of malloc: not hooked",
        "(module (memory 1) (func $malloc (param i32) (result i32) (local.get 0)) (func $mallocator))",
    );
}

#[test]
fn what_frees_is_left_out_only_where_nothing_allocates() {
    let free = r#"(func (export "free") (param i32))"#;
    let malloc = r#"(func (export "malloc") (param i32) (result i32) (local.get 0))"#;
    notes(
        &format!("(module (memory 1) {free})"),
        "function 0 frees (exported as `free`), but no function was found that allocates what it is given",
        &format!("(module (memory 1) {free} {malloc})"),
    );
}

#[test]
fn a_runtimes_allocator_is_unknown_only_where_it_has_no_names() {
    let exports = r#"(func (export "__collect")) (func (export "__pin") (param i64))"#;
    let named = r#"(func $"~lib/rt/tlsf/__alloc" (param i32) (result i32) (local.get 0))"#;
    notes(
        &format!("(module (memory 1) {exports})"),
        "AssemblyScript's runtime collects garbage; without names its allocator is not known",
        &format!("(module (memory 1) {exports} {named})"),
    );
}
