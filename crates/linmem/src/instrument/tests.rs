//! What the pass does to a module, as text. `SNAPSHOTS=overwrite cargo test` blesses changes.

use snapbox::{assert_data_eq, str};

use super::*;
use crate::module::symbolize::Symbolizer;

/// The instrumented module as text. `malloc` and `free` are found by their exported names.
fn instrumented(wat: &str, options: &Options) -> String {
    let wasm = wat::parse_str(wat).unwrap();
    let module = Module::parse(&wasm).unwrap();
    let graph = CallGraph::new(&module);
    let symbols = Symbolizer::new(&module, None);
    let allocator = Allocator::discover(&module, &graph, &symbols, &Vec::new()).unwrap();
    let new = instrument(&module, &graph, &allocator, options).unwrap();
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

#[test]
fn a_call_that_leads_to_the_allocator_passes_its_context_on_and_others_do_not() {
    let text = instrumented(SMALL, &Options::default());
    assert_data_eq!(
        function(&text, "$work"),
        str![[r#"
  (func $work (;13;) (type 3)
    (local i64)
    global.get 1
    local.set 0
    call $leaf
    call $"import: log"
    i32.const 100
    local.get 0
    i64.const 3
    i64.mul
    i64.const 881591492
    i64.add
    global.set 1
    call $"malloc: malloc"
    local.get 0
    i64.const 3
    i64.mul
    i64.const 163803048
    i64.add
    global.set 1
    call $"free: free"
  )
"#]]
    );
}

#[test]
fn a_function_that_cannot_reach_the_allocator_is_copied() {
    let text = instrumented(SMALL, &Options::default());
    assert_data_eq!(
        function(&text, "$leaf"),
        str![[r#"
  (func $leaf (;12;) (type 2) (result i32)
    i32.const 7
  )
"#]]
    );
}

#[test]
fn an_allocator_function_gets_a_wrapper_that_counts_the_outermost_call() {
    let text = instrumented(SMALL, &Options::default());
    assert_data_eq!(
        function(&text, r#"$"malloc: malloc""#),
        str![[r#"
  (func $"malloc: malloc" (;16;) (type 1) (param i32) (result i32)
    (local i64 i32)
    global.get 0
    if ;; label = @1
      local.get 0
      call $malloc
      return
    end
    global.get 1
    local.set 1
    i32.const 1
    global.set 0
    local.get 0
    call $malloc
    local.set 2
    i32.const 0
    global.set 0
    local.get 2
    local.get 0
    i32.const 0
    local.get 1
    i32.wrap_i64
    local.get 1
    i64.const 32
    i64.shr_u
    i32.wrap_i64
    call $linmem.allocated
    local.get 2
  )
"#]]
    );
}

#[test]
fn a_deallocation_is_reported_before_it_happens() {
    let text = instrumented(SMALL, &Options::default());
    assert_data_eq!(
        function(&text, r#"$"free: free""#),
        str![[r#"
  (func $"free: free" (;17;) (type 0) (param i32)
    (local i64 i32)
    global.get 0
    if ;; label = @1
      local.get 0
      call $free
      return
    end
    global.get 1
    local.set 1
    local.get 0
    i32.const -1
    i32.const 0
    local.get 1
    i32.wrap_i64
    local.get 1
    i64.const 32
    i64.shr_u
    i32.wrap_i64
    call $linmem.freed
    i32.const 1
    global.set 0
    local.get 0
    call $free
    i32.const 0
    global.set 0
  )
"#]]
    );
}

#[test]
fn the_chosen_allocation_fails() {
    let text = instrumented(SMALL, &Options { fail_alloc: Some(3) });
    assert_data_eq!(
        function(&text, r#"$"malloc: malloc""#),
        str![[r#"
  (func $"malloc: malloc" (;16;) (type 1) (param i32) (result i32)
    (local i64 i32)
    global.get 0
    if ;; label = @1
      local.get 0
      call $malloc
      return
    end
    global.get 1
    local.set 1
    i32.const 1
    global.set 0
    global.get 4
    i64.const 1
    i64.sub
    global.set 4
    global.get 4
    i64.eqz
    if (result i32) ;; label = @1
      i32.const 0
    else
      local.get 0
      call $malloc
    end
    local.set 2
    i32.const 0
    global.set 0
    local.get 2
    local.get 0
    i32.const 0
    local.get 1
    i32.wrap_i64
    local.get 1
    i64.const 32
    i64.shr_u
    i32.wrap_i64
    call $linmem.allocated
    local.get 2
  )
"#]]
    );
}

#[test]
fn memory_grow_is_replaced() {
    let text = instrumented(SMALL, &Options::default());
    assert_data_eq!(
        function(&text, "$malloc"),
        str![[r#"
  (func $malloc (;10;) (type 1) (param $size i32) (result i32)
    (local i64)
    global.get 1
    local.set 1
    i32.const 1
    local.get 1
    i64.const 3
    i64.mul
    i64.const 1446253884
    i64.add
    global.set 1
    call $memory.grow
    drop
    i32.const 4096
  )
"#]]
    );
    assert_data_eq!(
        function(&text, "$memory.grow"),
        str![[r#"
  (func $memory.grow (;14;) (type 13) (param i32) (result i32)
    (local i32 i64)
    global.get 1
    local.set 2
    local.get 0
    memory.grow
    local.set 1
    local.get 0
    local.get 1
    global.get 0
    local.get 2
    i32.wrap_i64
    local.get 2
    i64.const 32
    i64.shr_u
    i32.wrap_i64
    call $linmem.grown
    local.get 1
  )
"#]]
    );
}

#[test]
fn the_host_enters_through_a_function_that_resets_what_a_trap_left_behind() {
    let text = instrumented(SMALL, &Options::default());
    assert_data_eq!(
        function(&text, r#"$"entry: work""#),
        str![[r#"
  (func $"entry: work" (;20;) (type 3)
    i32.const 0
    global.set 0
    i64.const -5090238771144687616
    global.set 1
    i64.const -5090238771144687616
    global.set 3
    i64.const -5090238771144687616
    global.set 2
    i32.const 4
    i32.const 0
    i32.const 0
    i32.const 0
    i32.const 0
    call $linmem.entered
    call $work
  )
"#]]
    );
}

#[test]
fn a_call_that_closes_a_cycle_folds_the_recursion() {
    let text = instrumented(
        r#"(module
          (memory 1)
          (func $malloc (export "malloc") (param i32) (result i32) (i32.const 4096))
          (func $descend (export "descend") (param $depth i32)
            (drop (call $malloc (i32.const 8)))
            (if (local.get $depth)
              (then (call $descend (i32.sub (local.get $depth) (i32.const 1)))))))"#,
        &Options::default(),
    );
    assert_data_eq!(
        function(&text, "$descend"),
        str![[r#"
  (func $descend (;10;) (type 1) (param $depth i32)
    (local i64 i64)
    global.get 2
    local.set 1
    global.get 3
    local.set 2
    i32.const 8
    local.get 1
    i64.const 3
    i64.mul
    i64.const 1914112431
    i64.add
    global.set 1
    call $"malloc: malloc"
    drop
    local.get $depth
    if ;; label = @1
      local.get $depth
      i32.const 1
      i32.sub
      local.get 2
      i64.const 131072
      i64.or
      global.set 3
      local.get 1
      i64.const 4294967295
      i64.and
      i64.const 3
      i64.mul
      i64.const 801921020
      i64.add
      i64.const -7046029254386353131
      i64.mul
      global.get 3
      i64.const -2960836687051489901
      i64.mul
      i64.xor
      i64.const -4294967296
      i64.and
      global.set 2
      call $descend
    end
  )
"#]]
    );
}

#[test]
fn everything_else_of_the_module_stays() {
    let text = instrumented(SMALL, &Options::default());
    let outside: Vec<&str> =
        text.lines().filter(|l| l.starts_with("  (") && !l.starts_with("  (func")).collect();
    assert_data_eq!(
        outside.join("\n"),
        str![[r#"
  (type (;0;) (func (param i32)))
  (type (;1;) (func (param i32) (result i32)))
  (type (;2;) (func (result i32)))
  (type (;3;) (func))
  (type (;4;) (func (param i32 i32 i32 i32 i32)))
  (type (;5;) (func (param i32 i32 i32 i32 i32)))
  (type (;6;) (func (param i32 i32 i32 i32 i32 i32)))
  (type (;7;) (func (param i32)))
  (type (;8;) (func (param i32 i32 i32 i32 i32)))
  (type (;9;) (func (param i32 i32 i32 i32 i32)))
  (type (;10;) (func (param i32 i32 i32 i32)))
  (type (;11;) (func (param i32 i32)))
  (type (;12;) (func (param i32 i32 i32 i32)))
  (type (;13;) (func (param i32) (result i32)))
  (type (;14;) (func (result i32)))
  (import "env" "log" (func $log (;0;) (type 0)))
  (import "linmem" "allocated" (func $linmem.allocated (;1;) (type 4)))
  (import "linmem" "freed" (func $linmem.freed (;2;) (type 5)))
  (import "linmem" "reallocating" (func $linmem.reallocating (;3;) (type 6)))
  (import "linmem" "reallocated" (func $linmem.reallocated (;4;) (type 7)))
  (import "linmem" "grown" (func $linmem.grown (;5;) (type 8)))
  (import "linmem" "entered" (func $linmem.entered (;6;) (type 9)))
  (import "linmem" "passed" (func $linmem.passed (;7;) (type 10)))
  (import "linmem" "returned" (func $linmem.returned (;8;) (type 11)))
  (import "linmem" "handed_out" (func $linmem.handed_out (;9;) (type 12)))
  (memory (;0;) 1)
  (global (;0;) (mut i32) i32.const 0)
  (global (;1;) (mut i64) i64.const 0)
  (global (;2;) (mut i64) i64.const 0)
  (global (;3;) (mut i64) i64.const 0)
  (export "memory" (memory 0))
  (export "malloc" (func $"entry: malloc"))
  (export "free" (func $"entry: free"))
  (export "work" (func $"entry: work"))
  (export "linmem.memory" (memory 0))
  (export "linmem.memory.size" (func $memory.size))
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
        &Options::default(),
    );
    assert!(text.contains("(elem (;0;) declare func $use)"), "{text}");
}

#[test]
fn a_module_without_memory_is_left_as_it_is() {
    let wasm = wat::parse_str(r#"(module (func (export "f")))"#).unwrap();
    let module = Module::parse(&wasm).unwrap();
    let graph = CallGraph::new(&module);
    let new = instrument(&module, &graph, &Allocator::default(), &Options::default()).unwrap();
    assert_eq!(new.wasm, wasm);
}

#[test]
fn offsets_lead_back_to_the_original() {
    let wasm = wat::parse_str(SMALL).unwrap();
    let module = Module::parse(&wasm).unwrap();
    let graph = CallGraph::new(&module);
    let symbols = Symbolizer::new(&module, None);
    let allocator = Allocator::discover(&module, &graph, &symbols, &Vec::new()).unwrap();
    let new = instrument(&module, &graph, &allocator, &Options::default()).unwrap();
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
fn an_exported_function_reports_addresses_that_go_in_and_come_out() {
    let text = instrumented(SMALL, &Options::default());
    assert_data_eq!(
        function(&text, r#"$"entry: malloc""#),
        str![[r#"
  (func $"entry: malloc" (;18;) (type 1) (param i32) (result i32)
    (local i32)
    i32.const 0
    global.set 0
    i64.const -5103136566222520320
    global.set 1
    i64.const -5103136566222520320
    global.set 3
    i64.const -5103136566222520320
    global.set 2
    i32.const 1
    local.get 0
    i32.const 0
    i32.const 0
    i32.const 0
    call $linmem.entered
    local.get 0
    call $"malloc: malloc"
    local.set 1
    i32.const 1
    local.get 1
    call $linmem.returned
    local.get 1
  )
"#]]
    );
}

#[test]
fn arguments_beyond_four_are_reported_and_results_keep_their_order() {
    let text = instrumented(
        r#"(module
             (memory 1)
             (func $many (export "many") (param i32 i32 f64 i32 i32 i32) (result i32 f32 i32)
               (local.get 0) (f32.const 1) (local.get 5)))"#,
        &Options::default(),
    );
    assert_data_eq!(
        function(&text, r#"$"entry: many""#),
        str![[r#"
  (func $"entry: many" (;12;) (type 0) (param i32 i32 f64 i32 i32 i32) (result i32 f32 i32)
    (local i32 f32 i32)
    i32.const 0
    local.get 0
    local.get 1
    local.get 3
    local.get 4
    call $linmem.entered
    local.get 5
    i32.const 0
    i32.const 0
    i32.const 0
    call $linmem.passed
    local.get 0
    local.get 1
    local.get 2
    local.get 3
    local.get 4
    local.get 5
    call $many
    local.set 8
    local.set 7
    local.set 6
    i32.const 0
    local.get 6
    call $linmem.returned
    i32.const 0
    local.get 8
    call $linmem.returned
    local.get 6
    local.get 7
    local.get 8
  )
"#]]
    );
}

#[test]
fn an_imported_function_reports_the_addresses_that_it_is_given_but_for_wasi() {
    let text = instrumented(
        r#"(module
             (import "env" "keep" (func $keep (param i32 f32)))
             (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
             (memory 1)
             (func (export "run") (param i32)
               (call $keep (local.get 0) (f32.const 0))
               (drop (call $close (local.get 0)))))"#,
        &Options::default(),
    );
    assert_data_eq!(
        function(&text, r#"$"import: keep""#),
        str![[r#"
  (func $"import: keep" (;15;) (type 0) (param i32 f32)
    local.get 0
    i32.const 0
    i32.const 0
    i32.const 0
    call $linmem.handed_out
    local.get 0
    local.get 1
    call $keep
  )
"#]]
    );
    assert!(text.contains("call $close\n"), "{text}");
}

#[test]
fn the_host_can_tell_that_a_function_in_a_table_is_one_that_it_knows() {
    let text = instrumented(
        r#"(module
             (memory 1)
             (table 2 funcref)
             (table 1 externref)
             (elem (i32.const 0) $both $inside)
             (func $both (export "both"))
             (func $inside)
             (func $outside (export "outside")))"#,
        &Options::default(),
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
  (export "linmem.function.0" (func $both))
"#]]
    );
}
