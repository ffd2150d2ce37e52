//! The module around the functions: sections, references, exports and offsets.

use snapbox::{assert_data_eq, str};

use super::*;

#[test]
fn everything_else_of_the_module_stays() {
    let text = instrumented(SMALL, &Mode::default());
    let outside: Vec<&str> =
        text.lines().filter(|l| l.starts_with("  (") && !l.starts_with("  (func")).collect();
    assert_data_eq!(
        outside.join("\n"),
        str![[r#"
  (type (;0;) (func (param i32)))
  (type (;1;) (func (param i32) (result i32)))
  (type (;2;) (func (result i32)))
  (type (;3;) (func))
  (type (;4;) (func (param i32 i32 i32 i32 i32 i32)))
  (type (;5;) (func (param i32 i32 i32 i32 i32 i32)))
  (type (;6;) (func (param i32 i32 i32 i32 i32 i32 i32)))
  (type (;7;) (func (param i32 i32)))
  (type (;8;) (func (param i32 i32 i32 i32 i32 i32)))
  (type (;9;) (func (param i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (type (;10;) (func (param i32 i32)))
  (type (;11;) (func (param i32 i32 i32 i32 i32)))
  (type (;12;) (func (param i32 i32 i32)))
  (type (;13;) (func (param i32 i32 i32 i32 i32)))
  (type (;14;) (func (param i32) (result i32)))
  (type (;15;) (func (result i32)))
  (import "env" "log" (func $log (;0;) (type 0)))
  (import "linmem" "allocated" (func $linmem.allocated (;1;) (type 4)))
  (import "linmem" "freed" (func $linmem.freed (;2;) (type 5)))
  (import "linmem" "reallocating" (func $linmem.reallocating (;3;) (type 6)))
  (import "linmem" "reallocated" (func $linmem.reallocated (;4;) (type 7)))
  (import "linmem" "grown" (func $linmem.grown (;5;) (type 8)))
  (import "linmem" "entered" (func $linmem.entered (;6;) (type 9)))
  (import "linmem" "resumed" (func $linmem.resumed (;7;) (type 10)))
  (import "linmem" "passed" (func $linmem.passed (;8;) (type 11)))
  (import "linmem" "returned" (func $linmem.returned (;9;) (type 12)))
  (import "linmem" "handed_out" (func $linmem.handed_out (;10;) (type 13)))
  (table (;0;) 6 6 funcref)
  (memory (;0;) 1)
  (global (;0;) (mut i32) i32.const 0)
  (global (;1;) (mut i64) i64.const 0)
  (global (;2;) (mut i64) i64.const 0)
  (global (;3;) (mut i64) i64.const 0)
  (global (;4;) (mut i32) i32.const 0)
  (global (;5;) (mut i32) i32.const 0)
  (global (;6;) (mut i32) i32.const 0)
  (global (;7;) (mut i32) i32.const 0)
  (export "memory" (memory 0))
  (export "malloc" (func $"entry: malloc"))
  (export "free" (func $"entry: free"))
  (export "work" (func $"entry: work"))
  (export "linmem.memory" (memory 0))
  (export "linmem.memory.size" (func $memory.size))
  (export "linmem.instance" (global 4))
  (export "linmem.running" (global 6))
  (export "linmem.functions" (table 0))
  (elem (;0;) (table 0) (i32.const 0) func $"malloc: malloc" $"free: free" $work $"entry: malloc" $"entry: free" $"entry: work")
"#]]
    );
}

#[test]
fn a_function_reference_in_code_stays_declared() {
    let text = instrumented(
        r#"(module
          (memory 1)
          (func $malloc (export "malloc") (param i32) (result i32) (i32.const 4096))
          (func $use (export "use") (result funcref)
            (drop (call $malloc (i32.const 8)))
            (ref.func $use)))"#,
        &Mode::default(),
    );
    let mentioned = r#"func $"malloc: malloc" $use $"entry: malloc" $"entry: use")"#;
    assert!(text.contains(&format!("(elem (;0;) (table 0) (i32.const 0) {mentioned}")), "{text}");
}

#[test]
fn a_module_without_memory_is_left_as_it_is() {
    let wasm = wat::parse_str(r#"(module (func (export "f")))"#).unwrap();
    let prepared = Prepared::new(&wasm, &Vec::new(), None).unwrap();
    let new = instrument(&prepared, &Mode::default()).unwrap();
    assert_eq!(new.wasm, wasm);
}

#[test]
fn offsets_lead_back_to_the_original() {
    let wasm = wat::parse_str(SMALL).unwrap();
    let prepared = Prepared::new(&wasm, &Vec::new(), None).unwrap();
    let module = &prepared.module;
    let new = instrument(&prepared, &Mode::default()).unwrap();
    let moved = Module::parse(&new.wasm).unwrap();
    let mut compared = 0;
    for (function, index) in moved.functions.iter().zip(0..) {
        let Origin::Function(original) = new.map.origin(index) else { continue };
        let (Some(body), Some(original)) =
            (&function.body, &module.functions[original as usize].body)
        else {
            continue;
        };
        let calls = body.sites.iter().map(|site| new.map.original_offset(site.offset).unwrap());
        let originals = original.sites.iter().map(|site| site.offset);
        compared += original.sites.len();
        assert_eq!(calls.collect::<Vec<_>>(), originals.collect::<Vec<_>>());
    }
    assert_eq!(compared, 5);
}

#[test]
fn the_host_gets_the_functions_that_it_can_enter_and_their_entries() {
    let text = instrumented(
        r#"(module
             (memory 1)
             (table 2 funcref)
             (table 1 externref)
             (elem (i32.const 0) $both $inside)
             (func $both (export "both"))
             (func $inside)
             (func $outside (export "outside")))"#,
        &Mode::default(),
    );
    let exports: Vec<&str> = text.lines().filter(|line| line.contains("(export")).collect();
    assert_data_eq!(
        exports.join("\n"),
        str![[r#"
  (export "both" (func $"entry: both"))
  (export "outside" (func $"entry: outside"))
  (export "linmem.memory" (memory 0))
  (export "linmem.memory.size" (func $memory.size))
  (export "linmem.table.0" (table 0))
  (export "linmem.instance" (global 4))
  (export "linmem.running" (global 6))
  (export "linmem.functions" (table 2))
"#]]
    );
    assert!(text.contains(r#"func $both $outside $"entry: both" $"entry: outside")"#), "{text}");
}

/// The program can enter what stands in a table only where it can see the table.
#[test]
fn functions_in_a_table_have_entries_where_the_host_can_look() {
    let wat = |table: &str| {
        format!(
            r#"(module
                 {table}
                 (memory 1)
                 (elem (i32.const 0) func $inside $outside)
                 (func $inside)
                 (func $outside (export "outside"))
                 (func $lonely))"#
        )
    };
    let entries = |table: &str| {
        let text = instrumented(&wat(table), &Mode::default());
        let elements = text.lines().find(|line| line.contains("(elem (;1;)")).unwrap();
        elements.split(" func ").nth(1).unwrap().to_owned()
    };
    let alone = r#"$outside $"entry: outside")"#;
    let both = r#"$inside $outside $"entry: inside" $"entry: outside")"#;
    assert_eq!(entries("(table 2 funcref)"), alone);
    assert_eq!(entries(r#"(table (export "callbacks") 2 funcref)"#), both);
    assert_eq!(entries(r#"(table (import "env" "callbacks") 2 funcref)"#), both);
    let beside = r#"(table 2 funcref) (global (export "g") (mut funcref) (ref.null func))"#;
    assert_eq!(entries(beside), both, "a global that holds functions shows them as well");
}

#[test]
fn what_the_module_lacks_is_added_in_its_place() {
    let text = instrumented(
        r#"(module
             (memory 1)
             (func $malloc (export "malloc") (param i32) (result i32) (i32.const 4096))
             (func $start (drop (call $malloc (i32.const 8))))
             (start $start)
             (data (i32.const 0) "a"))"#,
        &Mode::default(),
    );
    let kinds: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("  (")).collect();
    let mut kinds: Vec<&str> = kinds.iter().filter_map(|line| line.split(' ').next()).collect();
    kinds.dedup();
    let expected =
        ["type", "import", "table", "memory", "global", "export", "start", "elem", "func", "data"];
    assert_eq!(kinds, expected);
}

#[test]
fn a_module_without_code_has_a_memory_to_watch() {
    let modules = [
        r#"(memory 1)"#,
        r#"(memory (export "m") 1) (data (i32.const 8) "a")"#,
        r#"(memory i64 1) (global i32 (i32.const 1)) (data "passive")"#,
        r#"(import "env" "memory" (memory 1))"#,
        r#"(import "env" "f" (func $f (param i32) (result i32))) (import "env" "g" (func $g)) (memory 1) (export "f" (func $f)) (start $g)"#,
        r#"(import "env" "f" (func $f)) (memory 1) (table (export "t") 1 funcref) (elem (i32.const 0) $f)"#,
    ];
    for module in modules {
        for mode in [Mode::default(), Mode::check(None)] {
            let text = instrumented(&format!("(module {module})"), &mode);
            assert!(text.contains(r#"(export "linmem.memory" (memory 0))"#), "{text}");
            assert!(text.contains(r#"(export "linmem.memory.size" (func "#), "{text}");
        }
    }
}

#[test]
fn an_instrumented_module_is_refused() {
    let wasm = wat::parse_str(SMALL).unwrap();
    let once = Prepared::new(&wasm, &Vec::new(), None).unwrap().instrument(&Mode::default());
    let once = once.unwrap().wasm;
    let twice = Prepared::new(&once, &Vec::new(), None).unwrap().instrument(&Mode::default());
    let error = twice.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("the module exports `linmem.memory`"), "{error}");
}

/// A host that links several instrumented modules tells them apart by that.
#[test]
fn hooks_are_imported_from_the_module_that_the_mode_says() {
    let text = instrumented(SMALL, &Mode::default().with_hooks_of("linmem-2"));
    assert_eq!(text.matches(r#"(import "linmem-2" "#).count(), Hook::OF_RECORDS.len());
    assert!(!text.contains(r#"(import "linmem" "#));
}
