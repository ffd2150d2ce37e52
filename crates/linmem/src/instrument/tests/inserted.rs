//! The inserted functions, and the instructions that lead to them.

use snapbox::{assert_data_eq, str};

use super::*;

#[test]
fn an_allocator_function_gets_a_wrapper_that_counts_the_outermost_call() {
    let text = instrumented(SMALL, &Mode::default());
    assert_data_eq!(
        function(&text, r#"$"malloc: malloc""#),
        str![[r#"
  (func $"malloc: malloc" (;17;) (type 1) (param i32) (result i32)
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
    global.get 4
    call $linmem.allocated
    local.get 2
  )
"#]]
    );
}

#[test]
fn a_deallocation_is_reported_before_it_happens() {
    let text = instrumented(SMALL, &Mode::default());
    assert_data_eq!(
        function(&text, r#"$"free: free""#),
        str![[r#"
  (func $"free: free" (;18;) (type 0) (param i32)
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
    global.get 4
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
    let text = instrumented(SMALL, &Mode::record(Some(3)));
    assert_data_eq!(
        function(&text, r#"$"malloc: malloc""#),
        str![[r#"
  (func $"malloc: malloc" (;17;) (type 1) (param i32) (result i32)
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
    global.get 8
    i64.const 1
    i64.sub
    global.set 8
    global.get 8
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
    global.get 4
    call $linmem.allocated
    local.get 2
  )
"#]]
    );
}

#[test]
fn memory_grow_is_replaced() {
    let text = instrumented(SMALL, &Mode::default());
    assert_data_eq!(
        function(&text, "$malloc"),
        str![[r#"
  (func $malloc (;11;) (type 1) (param $size i32) (result i32)
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
  (func $memory.grow (;15;) (type 14) (param i32) (result i32)
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
    global.get 4
    call $linmem.grown
    local.get 1
  )
"#]]
    );
}

#[test]
fn the_host_enters_through_a_function_that_resets_what_a_trap_left_behind() {
    let text = instrumented(SMALL, &Mode::default());
    assert_data_eq!(
        function(&text, r#"$"entry: work""#),
        str![[r#"
  (func $"entry: work" (;21;) (type 3)
    (local i32 i32)
    i32.const 4
    global.get 5
    global.get 6
    i32.const 0
    i32.const 0
    i32.const 0
    i32.const 0
    i32.const 0
    global.get 4
    call $linmem.entered
    local.tee 1
    local.get 1
    i32.const 31
    i32.shr_s
    i32.xor
    local.tee 0
    global.set 5
    local.get 0
    global.set 7
    local.get 0
    i32.const 1
    i32.add
    global.set 6
    i32.const 0
    global.set 0
    i64.const -5090238771144687616
    global.set 1
    i64.const -5090238771144687616
    global.set 3
    i64.const -5090238771144687616
    global.set 2
    call $work
    local.get 0
    global.set 6
  )
"#]]
    );
}

#[test]
fn an_exported_function_reports_addresses_that_go_in_and_come_out() {
    let text = instrumented(SMALL, &Mode::default());
    assert_data_eq!(
        function(&text, r#"$"entry: malloc""#),
        str![[r#"
  (func $"entry: malloc" (;19;) (type 1) (param i32) (result i32)
    (local i32 i32 i32)
    i32.const 1
    global.get 5
    global.get 6
    i32.const 0
    local.get 0
    i32.const 0
    i32.const 0
    i32.const 0
    global.get 4
    call $linmem.entered
    local.tee 2
    local.get 2
    i32.const 31
    i32.shr_s
    i32.xor
    local.tee 1
    global.set 5
    local.get 1
    global.set 7
    local.get 1
    i32.const 1
    i32.add
    global.set 6
    i32.const 0
    global.set 0
    i64.const -5103136566222520320
    global.set 1
    i64.const -5103136566222520320
    global.set 3
    i64.const -5103136566222520320
    global.set 2
    local.get 0
    call $"malloc: malloc"
    local.get 1
    global.set 6
    local.set 3
    local.get 2
    i32.const 0
    i32.ge_s
    if ;; label = @1
      i32.const 1
      local.get 3
      global.get 4
      call $linmem.returned
    end
    local.get 3
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
        &Mode::default(),
    );
    assert_data_eq!(
        function(&text, r#"$"entry: many""#),
        str![[r#"
  (func $"entry: many" (;13;) (type 0) (param i32 i32 f64 i32 i32 i32) (result i32 f32 i32)
    (local i32 i32 i32 f32 i32)
    i32.const 0
    global.get 5
    global.get 6
    i32.const 0
    local.get 0
    local.get 1
    local.get 3
    local.get 4
    global.get 4
    call $linmem.entered
    local.tee 7
    local.get 7
    i32.const 31
    i32.shr_s
    i32.xor
    local.tee 6
    global.set 5
    local.get 6
    global.set 7
    local.get 6
    i32.const 1
    i32.add
    global.set 6
    local.get 7
    i32.const 0
    i32.ge_s
    if ;; label = @1
      local.get 5
      i32.const 0
      i32.const 0
      i32.const 0
      global.get 4
      call $linmem.passed
    end
    local.get 0
    local.get 1
    local.get 2
    local.get 3
    local.get 4
    local.get 5
    call $many
    local.get 6
    global.set 6
    local.set 10
    local.set 9
    local.set 8
    local.get 7
    i32.const 0
    i32.ge_s
    if ;; label = @1
      i32.const 0
      local.get 8
      global.get 4
      call $linmem.returned
      i32.const 0
      local.get 10
      global.get 4
      call $linmem.returned
    end
    local.get 8
    local.get 9
    local.get 10
  )
"#]]
    );
}

#[test]
fn an_imported_function_except_those_of_wasi_reports_the_addresses_that_it_is_given() {
    let text = instrumented(
        r#"(module
             (import "env" "keep" (func $keep (param i32 f32)))
             (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
             (memory 1)
             (func (export "run") (param i32)
               (call $keep (local.get 0) (f32.const 0))
               (drop (call $close (local.get 0)))))"#,
        &Mode::default(),
    );
    assert_data_eq!(
        function(&text, r#"$"import: keep""#),
        str![[r#"
  (func $"import: keep" (;16;) (type 0) (param i32 f32)
    (local i32 i32)
    global.get 5
    local.tee 2
    i32.const 1
    i32.add
    global.set 5
    global.get 0
    local.set 3
    local.get 0
    i32.const 0
    i32.const 0
    i32.const 0
    global.get 4
    call $linmem.handed_out
    local.get 0
    local.get 1
    call $keep
    local.get 2
    global.set 5
    local.get 3
    global.set 0
    global.get 7
    local.get 2
    i32.gt_s
    if ;; label = @1
      local.get 2
      global.set 7
      local.get 2
      global.get 4
      call $linmem.resumed
    end
  )
"#]]
    );
    assert!(text.contains("call $close\n"), "{text}");
}

#[test]
fn the_host_can_ask_for_the_size_that_the_module_sees() {
    let text = instrumented(SMALL, &Mode::default());
    assert_data_eq!(
        function(&text, "$memory.size"),
        str![[r#"
  (func $memory.size (;16;) (type 15) (result i32)
    memory.size
  )
"#]]
    );
}

#[test]
fn a_chain_of_tail_calls_stays_one_in_a_wrapper_and_a_stub() {
    let text = instrumented(
        r#"(module
             (import "env" "keep" (func $keep (param i32)))
             (memory 1)
             (func (export "malloc") (param i32) (result i32) (i32.const 0))
             (func $free (export "free") (param i32) (return_call $keep (i32.const 0))))"#,
        &Mode::default(),
    );
    let stub = r#"$"tail-called import: keep""#;
    assert!(function(&text, "$free").contains(&format!("return_call {stub}")), "{text}");
    assert!(function(&text, stub).contains("return_call $keep"), "{text}");
    assert!(function(&text, r#"$"free: free""#).contains("return_call $free"), "{text}");
    // The host is on the stack below an entry, so no chain goes on there.
    assert!(function(&text, r#"$"entry: free""#).contains("    call $\"free: free\""), "{text}");
}

/// An import is counted as a wait for the host, whatever it takes and gives.
#[test]
fn an_import_without_addresses_waits_for_the_host_too() {
    let text = instrumented(
        r#"(module
             (import "env" "ask" (func $ask (param f32) (result i32)))
             (memory 1)
             (func (export "run") (drop (call $ask (f32.const 0)))))"#,
        &Mode::default(),
    );
    assert_data_eq!(
        function(&text, r#"$"import: ask""#),
        str![[r#"
  (func $"import: ask" (;15;) (type 0) (param f32) (result i32)
    (local i32 i32)
    global.get 5
    local.tee 1
    i32.const 1
    i32.add
    global.set 5
    global.get 0
    local.set 2
    local.get 0
    call $ask
    local.get 1
    global.set 5
    local.get 2
    global.set 0
    global.get 7
    local.get 1
    i32.gt_s
    if ;; label = @1
      local.get 1
      global.set 7
      local.get 1
      global.get 4
      call $linmem.resumed
    end
  )
"#]]
    );
}

#[test]
fn an_entry_tells_the_stack_pointer() {
    let text = instrumented(
        r#"(module
             (memory 1)
             (global $__stack_pointer (mut i32) (i32.const 65536))
             (func $run (export "run")))"#,
        &Mode::default(),
    );
    let entry = function(&text, r#"$"entry: run""#);
    let arguments = entry.split("    call $linmem.entered").next().unwrap();
    let pushed: Vec<&str> = arguments.lines().skip(2).map(str::trim).collect();
    let stack_pointer = "global.get $__stack_pointer";
    let none = "i32.const 0";
    let expected = [
        "i32.const 0",
        "global.get 6",
        "global.get 7",
        stack_pointer,
        none,
        none,
        none,
        none,
        "global.get 5",
    ];
    assert_eq!(pushed, expected, "function, level, running, stack pointer, no values, instance");
}

/// JavaScript saves and restores the pointer around each call that may throw.
#[test]
fn an_entry_of_a_function_that_only_moves_the_stack_pointer_tells_nothing() {
    let text = instrumented(
        r#"(module
             (memory 1)
             (global $__stack_pointer (mut i32) (i32.const 65536))
             (global $held (mut i32) (i32.const 0))
             (func $save (export "save") (result i32) global.get $__stack_pointer)
             (func $restore (export "restore") (param i32) local.get 0 global.set $__stack_pointer)
             (func $take (export "take") (result i32) global.get $held)
             (func $reserve (export "reserve") (param i32) (result i32)
               (global.set $__stack_pointer (i32.sub (global.get $__stack_pointer) (local.get 0)))
               global.get $__stack_pointer))"#,
        &Mode::default(),
    );
    let tells = |name| function(&text, &format!(r#"$"entry: {name}""#)).contains("$linmem.entered");
    assert_eq!(["save", "restore", "take", "reserve"].map(tells), [false, false, true, true]);
}

/// Linkers leave an index as wide as it can be.
#[test]
fn the_stack_pointer_is_known_by_a_wide_index_too() {
    let wasm = wat::parse_str(
        r#"(module
             (memory 1)
             (global $__stack_pointer (mut i32) (i32.const 65536))
             (func $save (export "save") (result i32) global.get $__stack_pointer))"#,
    );
    let mut wasm = wasm.unwrap();
    let narrow = [0x0a, 6, 1, 4, 0, 0x23, 0, 0x0b];
    let wide = [0x0a, 10, 1, 8, 0, 0x23, 0x80, 0x80, 0x80, 0x80, 0, 0x0b];
    let at = wasm.windows(narrow.len()).position(|bytes| bytes == narrow).unwrap();
    wasm.splice(at..at + narrow.len(), wide);
    let text = instrumented_binary(&wasm, &Mode::default());
    assert!(!function(&text, r#"$"entry: save""#).contains("$linmem.entered"), "{text}");
}

/// After a tail call nothing can be done any more. Where the module calls the same import otherwise, it waits.
#[test]
fn an_import_that_is_called_in_both_ways_has_two_stubs() {
    let text = instrumented(
        r#"(module
             (import "env" "keep" (func $keep (param i32)))
             (memory 1)
             (func $run (export "run")
               (call $keep (i32.const 1))
               (return_call $keep (i32.const 0))))"#,
        &Mode::default(),
    );
    let run = function(&text, "$run");
    assert!(run.contains("    call $\"import: keep\"\n"), "{text}");
    assert!(run.contains("return_call $\"tail-called import: keep\"\n"), "{text}");
    assert!(function(&text, r#"$"import: keep""#).contains("call $linmem.resumed"), "{text}");
    assert_data_eq!(
        function(&text, r#"$"tail-called import: keep""#),
        str![[r#"
  (func $"tail-called import: keep" (;16;) (type 0) (param i32)
    local.get 0
    i32.const 0
    i32.const 0
    i32.const 0
    global.get 4
    call $linmem.handed_out
    local.get 0
    return_call $keep
  )
"#]]
    );
}

/// A function that no export names may go untold inside another entry, and what a stub waits for keeps what is not told.
#[test]
fn entries_of_functions_in_tables_may_go_untold() {
    let text = instrumented(
        r#"(module
             (import "env" "invoke" (func $invoke (param i32)))
             (memory 1) (table (export "table") 1 funcref) (elem (i32.const 0) $inner)
             (func $inner)
             (func $work (export "work") (call $invoke (i32.const 0))))"#,
        &Mode::default(),
    );
    let entry = |name| function(&text, &format!(r#"$"entry: {name}""#));
    assert!(entry("inner").contains("call $enter"), "{text}");
    assert!(!entry("inner").contains("$linmem.entered"), "{text}");
    assert!(entry("work").contains("call $linmem.entered"), "{text}");
    let enter = function(&text, "$enter");
    assert!(enter.contains("call $linmem.entered") && enter.contains("return"), "{text}");
    let stub = function(&text, r#"$"import: invoke""#);
    // The level twice, the depth, the deepest level; what counts entries begins anew, and two are put back.
    assert_eq!(stub.matches("global.set").count(), 7, "{stub}");
    for export in ["linmem.untold", "linmem.see", "linmem.confirm"] {
        assert!(text.contains(&format!(r#"(export "{export}""#)), "{export}");
    }
    assert!(!instrumented(SMALL, &Mode::default()).contains("linmem.untold"));
}
