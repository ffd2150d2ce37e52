//! Calling contexts: what is put at the start of a function and before a call.

use snapbox::{assert_data_eq, str};

use super::*;

#[test]
fn a_call_that_leads_to_the_allocator_passes_its_context_on_and_others_do_not() {
    let text = instrumented(SMALL, &Mode::default());
    assert_data_eq!(
        function(&text, "$work"),
        str![[r#"
  (func $work (;14;) (type 3)
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
    let text = instrumented(SMALL, &Mode::default());
    assert_data_eq!(
        function(&text, "$leaf"),
        str![[r#"
  (func $leaf (;13;) (type 2) (result i32)
    i32.const 7
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
        &Mode::default(),
    );
    assert_data_eq!(
        function(&text, "$descend"),
        str![[r#"
  (func $descend (;11;) (type 1) (param $depth i32)
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
