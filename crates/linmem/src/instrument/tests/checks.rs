//! Checks of accesses, the shadow, and what keeps it right.

use snapbox::{assert_data_eq, str};

use super::*;

fn checking() -> Mode {
    Mode::check(None).with_quarantine(1 << 20)
}

/// A module with an allocator, and a function with this code, which has a parameter.
fn with_code(memory: &str, address: &str, code: &str) -> String {
    format!(
        r#"(module
             (memory (export "memory") {memory})
             (func $malloc (export "malloc") (param {address}) (result {address}) ({address}.const 4096))
             (func $free (export "free") (param {address}))
             (func $work (export "work") (param {address}) {code}))"#
    )
}

#[test]
fn a_load_looks_at_its_shadow() {
    let code = "(drop (i32.load offset=4 (local.get 0)))";
    let text = instrumented(&with_code("1", "i32", code), &checking());
    assert_data_eq!(
        function(&text, "$work"),
        str![[r#"
  (func $work (;13;) (type 1) (param i32)
    (local i32)
    local.get 0
    local.tee 1
    local.get 1
    i32.load 1 offset=1028 align=1
    (@metadata.code.branch_hint "/00")
    if ;; label = @1
      global.get 8
      local.get 1
      i64.extend_i32_u
      i64.const 352187318272
      i64.or
      i64.store 2 align=1
      global.get 8
      i32.const 8
      global.get 8
      i32.const 32768
      i32.lt_u
      i32.mul
      i32.add
      global.set 8
    end
    i32.load offset=4
    drop
    global.get 8
    (@metadata.code.branch_hint "/00")
    if ;; label = @1
      call $"tell of accesses"
    end
  )
"#]]
    );
}

/// Each of these is valid with checks, which `instrumented` sees to.
#[test]
fn every_kind_of_module_can_be_checked() {
    let codes = [
        "(i64.store offset=8 (local.get 0) (i64.const 1))",
        "(v128.store (local.get 0) (v128.load (local.get 0)))",
        "(drop (v128.load32_lane 1 (local.get 0) (v128.const i64x2 0 0)))",
        "(drop (i32.atomic.rmw.cmpxchg (local.get 0) (i32.const 1) (i32.const 2)))",
        "(drop (memory.atomic.wait32 (local.get 0) (i32.const 1) (i64.const 2)))",
        "(f64.store (local.get 0) (f64.load (local.get 0)))",
        "(block (br_if 1 (i32.load8_u (local.get 0))) (return))",
        "(block (br_table 0 1 (i32.load16_s (local.get 0))))",
        "(block (br 1)) (unreachable) (drop (i32.load))",
        "(try_table (i32.store (local.get 0) (i32.const 1)))",
        "(return_call $free (i32.wrap_i64 (i64.load (local.get 0))))",
    ];
    for code in codes {
        let text = instrumented(&with_code("1", "i32", code), &checking());
        assert!(function(&text, "$work").contains("tell of accesses"), "{code}: {text}");
    }
    for code in [
        "(drop (i64.load offset=0x100000000 (local.get 0)))",
        "(i64.store (local.get 0) (local.get 0))",
    ] {
        instrumented(&with_code("i64 1", "i64", code), &checking());
    }
    let ranges = [
        ("1", "i32", "(memory.fill (local.get 0) (i32.const 0) (i32.const 9))"),
        ("1", "i32", "(memory.copy (local.get 0) (i32.const 8) (i32.const 9))"),
        ("i64 1", "i64", "(memory.copy (local.get 0) (i64.const 8) (i64.const 9))"),
        ("i64 1", "i64", "(memory.fill (local.get 0) (i32.const 8) (i64.const 9))"),
    ];
    for (memory, address, code) in ranges {
        let text = instrumented(&with_code(memory, address, code), &checking());
        assert!(function(&text, "$work").contains(r#"call $"check a range""#), "{text}");
    }
}

#[test]
fn a_module_with_an_imported_memory_or_a_start_function_can_be_checked() {
    let text = instrumented(
        r#"(module
             (import "env" "memory" (memory 1))
             (func $begin (drop (i32.load (i32.const 2000))))
             (start $begin))"#,
        &checking(),
    );
    assert!(text.contains(r#"(start $"set up the shadow")"#), "{text}");
    let set_up = function(&text, r#"$"set up the shadow""#);
    assert!(set_up.contains("call $begin"), "{set_up}");
}

#[test]
fn without_an_allocator_that_is_known_nothing_of_the_heap_is_judged() {
    let alone =
        r#"(module (memory 1) (func $work (export "work") (drop (i32.load (i32.const 2000)))))"#;
    let text = instrumented(alone, &checking());
    assert!(text.contains("check a range") && !text.contains("give a block"), "{text}");
    let wasm = wat::parse_str(alone).unwrap();
    let prepared = Prepared::new(&wasm, &Vec::new(), None).unwrap();
    assert_eq!(checking().checks(&prepared), Some(false));
    assert_eq!(Mode::default().checks(&prepared), None);
}

#[test]
fn a_module_that_is_linked_at_run_time_is_refused() {
    let wasm = wat::parse_str(
        r#"(module (import "env" "memory" (memory 1)) (import "env" "__memory_base" (global i32)) (func))"#,
    );
    let wasm = wasm.unwrap();
    let prepared = Prepared::new(&wasm, &Vec::new(), None).unwrap();
    let error = instrument(&prepared, &checking()).unwrap_err();
    assert!(error.to_string().contains("linked at run time cannot be checked"), "{error}");
    assert!(instrument(&prepared, &Mode::default()).is_ok());
}

#[test]
fn a_memory_that_threads_share_is_refused() {
    let wasm = wat::parse_str("(module (memory 1 2 shared) (func))").unwrap();
    let prepared = Prepared::new(&wasm, &Vec::new(), None).unwrap();
    let error = instrument(&prepared, &checking()).unwrap_err();
    assert!(error.to_string().contains("cannot be checked"), "{error}");
    assert!(instrument(&prepared, &Mode::default()).is_ok());
}

/// The accesses of the function that are checked.
fn checked(code: &str) -> usize {
    let text = instrumented(&with_code("1", "i32", code), &checking());
    function(&text, "$work").matches("i64.store 2").count()
}

/// The compiler puts `calloc` into its caller, which then looks whether the block's memory is new.
#[test]
fn a_word_in_front_of_a_block_is_read_for_its_flags() {
    let flags =
        "(drop (i32.and (i32.load8_u (i32.sub (local.get 0) (i32.const 4))) (i32.const 3)))";
    let size = "(drop (i32.and (i32.load (i32.add (local.get 0) (i32.const -4))) (i32.const -8)))";
    let index = "(drop (i32.load (i32.add (local.get 0) (i32.const -4))))";
    let masked = "(drop (i32.and (i32.load8_u (local.get 0)) (i32.const 3)))";
    assert_eq!([flags, size, index, masked].map(checked), [0, 0, 1, 1]);
}

/// Code that is optimised for size has a function that goes back to the chunk of a block.
#[test]
fn a_function_may_go_back_to_the_word_in_front_of_a_block() {
    let checks = |distance: i32, offset: u32, mask: i32| {
        let text = format!(
            r#"(module (memory 1)
                 (func $chunk (param i32) (result i32) (i32.add (local.get 0) (i32.const {distance})))
                 (func $work (export "work") (param i32)
                   (drop (i32.and (i32.load offset={offset} (call $chunk (local.get 0))) (i32.const {mask})))))"#
        );
        function(&instrumented(&text, &checking()), "$work").matches("i64.store 2").count()
    };
    assert_eq!([checks(-8, 4, 3), checks(-8, 4, -8)], [0, 0]);
    assert_eq!([checks(-8, 0, 3), checks(-16, 4, 3), checks(-8, 4, 255)], [1, 1, 1]);
}

/// `p ? *p : 7` may load first: that is told only where the value is taken.
#[test]
fn a_value_that_a_select_throws_away_is_not_told() {
    let conditions = |code: &str| {
        let text = instrumented(&with_code("1", "i32", code), &checking());
        let work = function(&text, "$work");
        (work.matches("i64.store 2").count(), work.matches(" if").count())
    };
    // One more is at the end, where what is wrong is told.
    assert_eq!(conditions("(drop (i32.load (local.get 0)))"), (1, 2));
    let select = "(drop (select (i32.load (local.get 0)) (i32.const 7) (local.get 0)))";
    assert_eq!(conditions(select), (1, 3));
    // It is checked where it is loaded again.
    assert_eq!(conditions(&format!("{select} (drop (i32.load (local.get 0)))")), (2, 4));
}

/// `strlen` reads whole words, which may begin in a block and end behind it.
#[test]
fn a_search_in_words_may_read_past_the_end() {
    let lenient = |code: &str| {
        let text = instrumented(&with_code("1", "i32", code), &checking());
        function(&text, "$work").contains("i32.load8_u 1 offset=1027")
    };
    let word = "(i32.load (local.get 0))";
    let [ones, newer, highest] = ["0x01010101", "0x01010100", "0x80808080"];
    let search = |ones: &str, highest: &str| {
        format!("(drop (i32.and (i32.sub {word} (i32.const {ones})) (i32.const {highest})))")
    };
    assert!(lenient(&search(ones, highest)) && lenient(&search(newer, highest)));
    assert!(!lenient(&search(ones, "0x7fff")) && !lenient(&search("3", highest)));
}

/// Rust's `memcpy` reads the whole word in which the last byte is, if what it copies is aligned otherwise than where it goes.
#[test]
fn a_copy_by_shifted_words_may_read_past_the_end() {
    let lenient = |rounded: &str, mask: &str, more: &str| {
        let code = format!(
            "(i32.store (i32.const 2000) (i32.or
               (i32.shr_u (i32.load (i32.and (local.get 0) (i32.const {rounded})))
                 (i32.and (i32.shl (local.get 0) (i32.const 3)) (i32.const {mask})))
               (local.get 0))) {more}"
        );
        let text = instrumented(&with_code("1", "i32", &code), &checking());
        function(&text, "$work").contains("i32.load8_u 1 offset=1027")
    };
    assert!(lenient("-4", "24", ""));
    assert!(!lenient("-8", "24", "") && !lenient("-4", "31", ""));
    assert!(!lenient("-4", "24", &"nop ".repeat(800)), "it does more than to copy");
}

/// What only the allocator calls reads its own words, and is right.
#[test]
fn the_allocators_own_functions_are_not_checked() {
    let text = instrumented(
        r#"(module
             (memory 1)
             (func $take (result i32) (i32.load (i32.const 2000)))
             (func $shared (result i32) (i32.load (i32.const 2000)))
             (func (export "malloc") (param i32) (result i32) (i32.add (call $take) (call $shared)))
             (func (export "free") (param i32))
             (func (export "work") (drop (call $shared))))"#,
        &checking(),
    );
    let is_checked = |name: &str| function(&text, name).contains("i32.load 1");
    assert_eq!(["$take", "$shared"].map(is_checked), [false, true]);
}

/// With the stack first and without names, nothing says where static data ends and the heap begins.
#[test]
fn where_the_heap_begins_unsaid_a_block_of_malloc_takes_the_word_in_front_of_it() {
    let owns = |global: &str, malloc: &str| {
        let text = format!(
            r#"(module
                 (memory 2)
                 {global}
                 (data (i32.const 65536) "data")
                 {malloc}
                 (func (export "work") (drop (i32.load (i32.const 65536)))))"#
        );
        let text = instrumented(&text, &checking());
        function(&text, r#"$"give a block""#).matches("memory.fill 1").count() == 3
    };
    let c = r#"(func $malloc (export "malloc") (param i32) (result i32) i32.const 4096)
               (func (export "free") (param i32))"#;
    let rust = r#"(func $__rust_alloc (param i32 i32) (result i32) i32.const 4096)
                  (func $__rust_dealloc (param i32 i32 i32))
                  (func (export "use") (call $__rust_dealloc (call $__rust_alloc (i32.const 1) (i32.const 1)) (i32.const 1) (i32.const 1)))"#;
    let first = "(global $__stack_pointer (mut i32) (i32.const 65536))";
    let said = r#"(global $__stack_pointer (mut i32) (i32.const 65536))
                  (global (export "__heap_base") i32 (i32.const 65552))"#;
    assert!(owns(first, c));
    assert!(!owns(said, c) && !owns(first, rust));
}

/// As Rust's `dealloc` does, which refuses a block that is much larger than what was asked for.
#[test]
fn where_the_caller_compares_sizes_redzones_are_small() {
    let redzone = |compare: &str| {
        let text = format!(
            r#"(module
                 (memory 2)
                 (func $malloc (export "malloc") (param i32) (result i32) (i32.const 4096))
                 (func $free (export "free") (param i32))
                 (func (export "dealloc") (param i32 i32)
                   {compare}
                   (call $free (local.get 0))))"#
        );
        let text = instrumented(&text, &checking());
        let malloc = function(&text, r#"$"malloc: malloc""#).to_owned();
        [8, 16].into_iter().find(|bytes| malloc.contains(&format!("i32.const {bytes}\n"))).unwrap()
    };
    let header = "(i32.load (i32.sub (local.get 0) (i32.const 4)))";
    let compared = |mask: i32| {
        format!(
            "(if (i32.gt_u (i32.and {header} (i32.const {mask})) (local.get 1)) (then unreachable))"
        )
    };
    assert_eq!([compared(-8), compared(3), String::new()].map(|code| redzone(&code)), [8, 16, 16]);
}

/// What the function accesses below the stack pointer is its own, whichever local the address is in; above it is its
/// caller's.
#[test]
fn the_functions_own_frame_is_not_checked() {
    let accesses = |code: &str| {
        let text = format!(
            r#"(module
                 (memory (export "memory") 2)
                 (global $__stack_pointer (mut i32) (i32.const 65536))
                 (global (export "__heap_base") i32 (i32.const 65536))
                 (func $malloc (export "malloc") (param i32) (result i32) (i32.const 70000))
                 (func $free (export "free") (param i32))
                 (func $work (export "work") (param i32) (local $frame i32) (local $other i32)
                   (local.set $frame (i32.sub (global.get $__stack_pointer) (i32.const 32)))
                   {code}))"#
        );
        function(&instrumented(&text, &checking()), "$work").matches("i64.store 2").count()
    };
    let store = |at: &str| format!("(i32.store {at} (i32.const 1))");
    assert_eq!(accesses(&store("offset=28 (local.get $frame)")), 0);
    assert_eq!(accesses(&store("offset=4 (i32.add (local.get $frame) (i32.const 24))")), 0);
    assert_eq!(accesses(&format!("(loop {})", store("(local.get $frame)"))), 0);
    // Over its end, and elsewhere.
    assert_eq!(accesses(&store("offset=29 (local.get $frame)")), 1);
    assert_eq!(accesses(&store("offset=12 (i32.add (local.get $frame) (i32.const 24))")), 1);
    assert_eq!(accesses(&store("(i32.add (local.get $frame) (local.get 0))")), 1);
    assert_eq!(accesses(&store("(i32.mul (local.get $frame) (i32.const 2))")), 1);
    // Perhaps not set.
    let perhaps = "(if (local.get 0) (then (local.set $other (local.get $frame))))";
    assert_eq!(accesses(&format!("{perhaps} {}", store("(local.get $other)"))), 1);
    let again = "(local.set $other (local.get $frame)) (local.set $other (local.get 0))";
    assert_eq!(accesses(&format!("{again} {}", store("(local.get $other)"))), 1);
}

/// The heap begins at 4096 here.
#[test]
fn static_data_at_a_constant_address_is_not_checked() {
    let accesses = |code: &str| {
        let text = with_code("1", "i32", code)
            .replace("(memory", r#"(global (export "__heap_base") i32 (i32.const 4096)) (memory"#);
        function(&instrumented(&text, &checking()), "$work").matches("i64.store 2").count()
    };
    let load = |at: &str| format!("(drop (i32.load {at}))");
    assert_eq!(accesses(&load("(i32.const 2000)")), 0);
    assert_eq!(accesses(&load("offset=2000 (i32.const 96)")), 0);
    assert_eq!(accesses(&load("offset=2000 (local.get 0)")), 1);
    // In the heap, partly too, and near NULL.
    assert_eq!(accesses(&load("(i32.const 4096)")), 1);
    assert_eq!(accesses(&load("(i32.const 4093)")), 1);
    assert_eq!(accesses(&load("(i32.const 8)")), 1);
    assert_eq!(accesses(&load("(i32.const -4)")), 1);
}

#[test]
fn what_was_checked_is_not_checked_again() {
    let load = "(drop (i32.load offset=8 (local.get 0)))";
    let byte = "(drop (i32.load8_u offset=10 (local.get 0)))";
    let store = "(i32.store offset=8 (local.get 0) (i32.const 1))";
    let count = |parts: &[&str]| checked(&parts.concat());
    assert_eq!(count(&[load, load]), 1);
    assert_eq!(count(&[load, byte]), 1);
    assert_eq!(count(&[store, load]), 1);
    // Two neighbours and what lies in both.
    let next = "(drop (i32.load offset=12 (local.get 0)))";
    assert_eq!(count(&[load, next, "(drop (i64.load offset=8 (local.get 0)))"]), 2);
    // What is written must have been checked as that.
    assert_eq!(count(&[load, store]), 2);
    assert_eq!(count(&[byte, load]), 2);
    // Other code may have run, or the local changed.
    assert_eq!(count(&[load, "(call $free (local.get 0))", load]), 2);
    assert_eq!(count(&[load, "(drop (memory.grow (i32.const 1)))", load]), 2);
    assert_eq!(count(&[load, "(local.set 0 (i32.const 5000))", load]), 2);
    assert_eq!(count(&[load, "(if (local.get 0) (then (local.set 0 (i32.const 5000))))", load]), 2);
    // Behind a branch and in one.
    assert_eq!(count(&[load, "(if (local.get 0) (then ", load, "))", load]), 1);
    assert_eq!(count(&["(if (local.get 0) (then ", load, "))", load]), 2);
    assert_eq!(count(&["(if (local.get 0) (then ", load, ") (else ", load, "))"]), 2);
    assert_eq!(count(&["(block (br_if 0 (local.get 0)) ", load, ")", load]), 2);
    // A loop may come back after a call or with another address.
    let after = "(call $free (local.get 0)) (br_if 0 (local.get 0)))";
    assert_eq!(count(&[load, "(loop ", load, after]), 2);
    let other = "(local.set 0 (i32.const 5000)) (br_if 0 (local.get 0)))";
    assert_eq!(count(&[load, "(loop ", load, other]), 2);
    assert_eq!(count(&["(loop ", load, load, after]), 1);
    // An address that is on the stack since before the local was set.
    let kept = "(local.get 0) (local.set 0 (i32.const 5000)) i32.load offset=8 drop";
    assert_eq!(count(&[load, kept, load]), 2);
}

/// A check that lets accesses through which are partly outside does not stand for one that does not.
#[test]
fn a_lenient_check_stands_for_no_other() {
    let word = "(i32.load (local.get 0))";
    let search =
        format!("(drop (i32.and (i32.sub {word} (i32.const 0x01010101)) (i32.const 0x80808080)))");
    assert_eq!(checked(&format!("{search} {search}")), 2);
    let flags =
        "(drop (i32.and (i32.load8_u (i32.sub (local.get 0) (i32.const 4))) (i32.const 3)))";
    assert_eq!(checked(&format!("{flags} {flags}")), 0);
}

/// They are checked as wholes, and only where they have the names and the types of C's.
#[test]
fn functions_that_copy_are_checked_when_they_are_called() {
    let accesses = |name: &str, params: &str| {
        let text = format!(
            r#"(module
                 (memory 2)
                 (func (export "malloc") (param i32) (result i32) (i32.const 4096))
                 (func (export "free") (param i32))
                 (func ${name} (param {params}) (result i32)
                   (i32.store8 (local.get 0) (i32.load8_u (local.get 1)))
                   (local.get 0))
                 (func (export "work") (drop (call ${name} (i32.const 1) (i32.const 2) (i32.const 3)))))"#
        );
        let text = instrumented(&text, &checking());
        let body = function(&text, &format!("${name}")).to_owned();
        let count = |what: &str| body.matches(what).count();
        [count(r#"call $"check a range""#), count("i64.store 2")]
    };
    let three = "i32 i32 i32";
    assert_eq!(accesses("memcpy", three), [2, 0]);
    assert_eq!(accesses("memmove", three), [2, 0]);
    assert_eq!(accesses("memset", three), [1, 0]);
    assert_eq!(accesses("memcpy_as_it_should_be", three), [0, 2]);
}

#[test]
fn a_memory_without_room_for_more_pages_is_refused() {
    let refusal = |memory: &str| {
        let wasm = wat::parse_str(format!("(module (memory {memory}) (func))")).unwrap();
        let prepared = Prepared::new(&wasm, &Vec::new(), None).unwrap();
        instrument(&prepared, &checking()).err().map(|error| error.to_string())
    };
    assert!(refusal("65536").is_some_and(|error| error.contains("cannot be checked")));
    assert_eq!(["65535", "i64 65536"].map(refusal), [None, None]);
}

/// V8 compares with memory and loads from it, too, where a load is all that a branch depends on.
#[test]
fn for_v8_what_is_loaded_is_shifted_before_it_is_looked_at() {
    let code = "(drop (i32.load (local.get 0))) (i64.store (local.get 0) (i64.const 1))";
    let shifts = |mode: &Mode| {
        let text = instrumented(&with_code("1", "i32", code), mode);
        function(&text, "$work").matches("shl").count()
    };
    assert_eq!([checking(), checking().for_v8()].map(|mode| shifts(&mode)), [0, 2]);
}

/// A word that begins at the shadow of the last byte is loaded at once, also where a page is a byte.
#[test]
fn there_is_more_behind_the_shadow_of_the_last_byte() {
    let shadow = |pages: &str| {
        let text = instrumented(&format!("(module (memory {pages}) (func))"), &checking());
        text.lines().filter(|line| line.contains("(memory ")).nth(1).unwrap().trim().to_owned()
    };
    assert_eq!(shadow("2"), "(memory (;1;) 3)");
    assert_eq!(shadow("100 (pagesize 1)"), "(memory (;1;) 1132 (pagesize 0x1))");
}
