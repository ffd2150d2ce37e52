//! What the code of dlmalloc's functions is known by, in functions that do nothing else. Whole ones are in the guests.

use crate::Prepared;
use crate::allocator::{Allocator, Role};

/// `malloc`, `free` and `dispose_chunk`, without names: functions 0 to 2.
const ALLOCATOR: &str = r#"
    (func $m (param i32) (result i32) (local $padded i32)
      (local.set $padded (i32.and (i32.add (local.get 0) (i32.const 11)) (i32.const -8)))
      (if (i32.le_u (local.get 0) (i32.const 244)) (then
        (i32.store (i32.const 2000) (i32.load (i32.const 2004)))
        (i32.store (i32.const 2004) (i32.load (i32.const 2000)))
        (i32.store (i32.const 2008) (i32.load (i32.const 2012)))
        (i32.store (i32.const 2012) (i32.load (i32.const 2008)))))
      (if (i32.ge_u (local.get 0) (i32.const -64)) (then (return (i32.const 0))))
      (drop (memory.grow (i32.const 1)))
      (local.get $padded))
    (func $f (param i32)
      (i32.store (i32.const 2000)
        (i32.and (i32.load (i32.add (local.get 0) (i32.const -4))) (i32.const -8)))
      (i32.store (i32.const 2004) (i32.load (i32.const 2000)))
      (i32.store (i32.const 2008) (i32.load (i32.const 2012)))
      (i32.store (i32.const 2012) (i32.load (i32.const 2008))))
    (func $d (param i32 i32)
      (i32.store (i32.const 2000) (i32.add (local.get 0) (local.get 1)))
      (i32.store (i32.const 2004) (i32.load (i32.const 2000)))
      (i32.store (i32.const 2008) (i32.load (i32.const 2012)))
      (i32.store (i32.const 2012) (i32.load (i32.const 2008))))
    (func (export "work") (call $f (call $m (i32.const 8))))"#;

/// A function that gets a block, goes back to its head, adds `most` to its address and masks that, and disposes of parts
/// so many times.
fn aligned(most: i32, mask: i32, times: usize) -> String {
    let dispose = "(call $d (local.get 0) (i32.const 8))".repeat(times);
    format!(
        r#"(func (export "aligned") (param i32) (result i32)
             (local.set 0 (call $m (i32.const 276)))
             (drop (i32.and (i32.load (i32.sub (local.get 0) (i32.const 4))) (i32.const -8)))
             {dispose}
             (i32.and (i32.add (local.get 0) (i32.const {most})) (i32.const {mask})))"#
    )
}

fn allocator(rest: &str) -> Allocator {
    let wasm = wat::parse_str(format!("(module (memory 1) {ALLOCATOR} {rest})")).unwrap();
    Prepared::new(&wasm, &Vec::new(), None).unwrap().allocator().clone()
}

#[test]
fn malloc_and_free_are_known_by_their_code() {
    let found = allocator("");
    let functions: Vec<_> = found.functions.iter().map(|f| (f.function, f.role)).collect();
    assert_eq!(functions, [(0, Role::Malloc), (1, Role::Free)]);
    assert!(found.aligning.is_empty() && found.strangers.is_empty(), "{found:?}");
}

/// Emscripten's old compiler imports what moves the end of the heap.
#[test]
fn malloc_may_get_its_memory_from_an_import() {
    let roles = |import: &str| {
        let got = ALLOCATOR.replace("(memory.grow (i32.const 1))", "(call $more (i32.const 1))");
        let more = format!(r#"(import "env" "{import}" (func $more (param i32) (result i32)))"#);
        let wasm = wat::parse_str(format!("(module {more} (memory 1) {got})")).unwrap();
        let prepared = Prepared::new(&wasm, &Vec::new(), None).unwrap();
        let functions = &prepared.allocator().functions;
        functions.iter().map(|found| (found.function, found.role)).collect::<Vec<_>>()
    };
    let whole = [(1, Role::Malloc), (2, Role::Free)];
    assert_eq!((roles("sbrk"), roles("enlargeMemory")), (whole.to_vec(), whole.to_vec()));
    assert_eq!(roles("random"), []);
}

/// `memalign(16, size)` that the compiler put into another function: it may hand out any part of the block.
#[test]
fn a_function_that_aligns_blocks_to_a_constant_is_no_stranger() {
    for alignment in [16, 64, 4096] {
        let found = allocator(&aligned(alignment - 1, -alignment, 2));
        assert_eq!((&found.aligning[..], found.strangers.len()), (&[4][..], 0), "{alignment}");
        assert!(found.notes.iter().any(|note| note.contains("put memalign into it")), "{found:?}");
        assert_eq!(found.functions.len(), 2, "what it returns may not be what is freed");
    }
}

#[test]
fn what_only_looks_like_it_stays_a_stranger() {
    // What rounds sizes up, what masks something else, and what gives back more than it can have aligned.
    for (most, mask, times) in [(7, -8, 2), (15, -8, 2), (15, 16, 2), (23, -24, 2), (15, -16, 3)] {
        let found = allocator(&aligned(most, mask, times));
        assert_eq!((found.aligning.len(), &found.strangers[..]), (0, &[2][..]), "{most} {mask}");
    }
    // Others call what it calls.
    let another = r#"(func (export "other") (call $d (i32.const 8) (i32.const 8)))"#;
    let found = allocator(&format!("{} {another}", aligned(15, -16, 2)));
    assert_eq!((&found.aligning[..], &found.strangers[..]), (&[4][..], &[2][..]));
}

/// `memalign(64, size)` as a whole, which other code calls without the alignment.
#[test]
fn memalign_may_have_lost_its_alignment() {
    let memalign = |last: &str, more: &str| {
        format!(
            r#"{ALLOCATOR}
               (func $other (param i32))
               (func $memalign (param i32) (result i32) (local $chunk i32)
                 (if (i32.le_u (i32.const -128) (local.get 0)) (then (return (i32.const 0))))
                 (local.set $chunk (i32.sub
                   (call $m (i32.add (i32.and (i32.add (local.get 0) (i32.const 11)) (i32.const -8)) (i32.const 76)))
                   (i32.const 8)))
                 (drop (i32.and (i32.load offset=4 (local.get $chunk)) (i32.const -8)))
                 (local.set $chunk
                   (i32.sub (i32.and (i32.add (local.get $chunk) (i32.const 63)) (i32.const -64)) (i32.const 8)))
                 (call $d (local.get $chunk) (i32.const 8)) {more}
                 (i32.add (local.get $chunk) (i32.const {last})))
               (func (export "aligned") (result i32) (call $memalign (i32.const 100)))"#
        )
    };
    let roles = |last, more| {
        let wasm = wat::parse_str(format!("(module (memory 1) {})", memalign(last, more)));
        let prepared = Prepared::new(wasm.as_ref().unwrap(), &Vec::new(), None).unwrap();
        let functions = &prepared.allocator().functions;
        functions.iter().map(|found| (found.function, found.role)).collect::<Vec<_>>()
    };
    let whole = [(0, Role::Malloc), (5, Role::Malloc), (1, Role::Free)];
    assert_eq!(roles("8", ""), whole);
    assert_eq!(roles("24", ""), [whole[0], whole[2]], "another address in the block");
    assert_eq!(roles("8", "(call $other (local.get $chunk))"), [whole[0], whole[2]]);
}

/// `memalign(alignment, size)`, and libc++'s function that takes the two in the other order. `new` is `operator new`, and `is_over`
/// what tells libc++ whether an alignment is larger than that of all blocks; `first` is what the function begins with.
fn with_memalign(first: &str) -> Vec<Role> {
    let found = allocator(&format!(
        r#"(func $new (param i32) (result i32)
             (call $m (select (local.get 0) (i32.const 1) (local.get 0))))
           (func $is_over (param i32) (result i32) (i32.gt_u (local.get 0) (i32.const 8)))
           (func $other (param i32) (result i32) (i32.gt_u (local.get 0) (i32.const 7)))
           (func (export "new") (param i32) (result i32) (call $new (local.get 0)))
           (func (export "aligned") (param i32 i32) (result i32) (local $size i32) (local $alignment i32)
             {first}
             (if (i32.ge_u (local.get $size) (i32.sub (i32.const -64) (local.get $alignment)))
               (then (return (i32.const 0))))
             (call $m (i32.add (i32.add
               (i32.and (i32.add (local.get $size) (i32.const 11)) (i32.const -8))
               (local.get $alignment)) (i32.const 12))))"#
    ));
    let of_aligned = |f: &&crate::allocator::AllocatorFunction| f.function == 8;
    let roles = found.functions.iter().filter(of_aligned).map(|f| f.role).collect::<Vec<_>>();
    assert_eq!(found.aligning, if roles.is_empty() { vec![8] } else { vec![] });
    roles
}

#[test]
fn which_parameter_is_the_alignment_is_known_by_what_becomes_of_each() {
    for (alignment, size, role) in [(0, 1, Role::AlignedAlloc), (1, 0, Role::RustAlloc)] {
        let of = |code: &str| {
            let code = code.replace('A', &format!("(local.get {alignment})"));
            with_memalign(&code.replace('S', &format!("(local.get {size})")))
        };
        for code in [
            "(if (i32.le_u A (i32.const 8)) (then (return (i32.const 4))))",
            "(if (i32.gt_u (i32.const 17) A) (then (return (i32.const 4))))",
            "(if (call $is_over A) (then (return (i32.const 0))))",
            "(if (i32.eqz A) (then (return (call $new S))))",
            "(if (i32.eqz A) (then (return (call $m S))))",
            "(if (i32.rem_u S A) (then (return (i32.const 0))))",
            "(if (i32.and (i32.sub A (i32.const 1)) A) (then (return (i32.const 0))))",
            "(if (i32.and S (i32.add A (i32.const -1))) (then (return (i32.const 0))))",
            "(if (i32.gt_u (i32.popcnt A) (i32.const 1)) (then (return (i32.const 0))))",
            "(drop (i32.sub (i32.const -64) A))",
            "(drop (i32.and (i32.add S (i32.const 19)) (i32.const -16)))",
        ] {
            assert_eq!(of(code), [role], "{code}");
        }
        // What is in a local later may be something else.
        for code in [
            "",
            "(if (call $other A) (then (return (i32.const 0))))",
            "(drop (i32.le_u A (i32.const 4)))",
            "(drop (i32.le_u A (i32.const 8))) (drop (i32.le_u S (i32.const 8)))",
            "(drop (call $m A)) (drop (call $m S))",
        ] {
            assert_eq!(of(code), [], "{code}");
        }
        let swapped = format!(
            "(local.set 2 (local.get {size})) (local.set 3 (local.get {alignment}))
             (local.set {size} (local.get 3)) (local.set {alignment} (local.get 2))
             (drop (i32.le_u (local.get {size}) (i32.const 8)))
             (drop (call $m (local.get {alignment})))"
        );
        assert_eq!(with_memalign(&swapped), [role]);
    }
}

/// `posix_memalign(result, 64, size)`, which the compiler has left without the alignment, and `aligned_alloc(alignment, size)`.
#[test]
fn posix_memalign_may_have_lost_its_alignment() {
    let aligned = |alignment: &str, end: &str| {
        let found = allocator(&format!(
            r#"(func (export "aligned") (param i32 i32) (result i32) (local $block i32)
                 (if (i32.ge_u (local.get 1) (i32.sub (i32.const -64) {alignment}))
                   (then (return (i32.const 48))))
                 (local.set $block (call $m (i32.add (i32.add
                   (i32.and (i32.add (local.get 1) (i32.const 11)) (i32.const -8)) {alignment}) (i32.const 12))))
                 {end})"#
        ));
        found.functions.iter().map(|found| found.role).collect::<Vec<_>>()
    };
    let stored = "(i32.store (local.get 0) (local.get $block)) (i32.const 0)";
    let of_chunk =
        "(i32.store (local.get 0) (i32.add (local.get $block) (i32.const 8))) (i32.const 0)";
    assert!(aligned("(i32.const 64)", stored).contains(&Role::FixedMemalign));
    assert!(aligned("(i32.const 64)", of_chunk).contains(&Role::FixedMemalign));
    let roles = aligned(
        "(local.get 0)",
        "(i32.store offset=4 (local.get $block) (i32.const 1)) (local.get $block)",
    );
    assert!(roles.contains(&Role::AlignedAlloc), "{roles:?}");
}

/// `malloc_trim` and its like set the parameters, if nobody has done so.
#[test]
fn who_only_sets_the_parameters_is_no_stranger() {
    let strangers = |more: &str| {
        let found = allocator(&format!(
            r#"(func (export "trim") (param i32)
                 (if (i32.eqz (i32.load (i32.const 2016))) (then
                   (i32.store (i32.const 2016) (i32.xor (local.get 0) (i32.const 0x55555558)))
                   (i32.store (i32.const 2012) (i32.const -1))))
                 {more})"#
        ));
        (found.set_up, found.strangers)
    };
    assert_eq!(strangers(""), (vec![4], vec![]));
    let frees = "(i32.store (i32.const 2000) (i32.load (local.get 0)))";
    assert_eq!(strangers(frees), (vec![], vec![4]));
}

/// `posix_memalign(result, alignment, size)`, whose error its callers do not look at.
#[test]
fn posix_memalign_may_have_lost_its_error() {
    let aligned = |end: &str| {
        let found = allocator(&format!(
            r#"(func (export "aligned") (param i32 i32 i32) (local $block i32)
                 (if (i32.ge_u (local.get 2) (i32.sub (i32.const -64) (local.get 1))) (then (return)))
                 (local.set $block (call $m (i32.add (i32.add
                   (i32.and (i32.add (local.get 2) (i32.const 11)) (i32.const -8)) (local.get 1)) (i32.const 12))))
                 (drop (i32.and (i32.load (i32.sub (local.get $block) (i32.const 4))) (i32.const -8)))
                 {end})"#
        ));
        let roles = found.functions.iter().map(|found| found.role);
        (roles.collect::<Vec<_>>().contains(&Role::PosixMemalign), found.aligning)
    };
    assert_eq!(aligned("(i32.store (local.get 0) (local.get $block))"), (true, vec![]));
    // It hands out a part of a block, which one is not known.
    assert_eq!(aligned("(i32.store (i32.const 16) (local.get $block))"), (false, vec![4]));
}

/// Rust's methods, which are passed the state, without names.
#[test]
fn methods_are_known_by_their_code() {
    let fields = "(i32.store offset=416 (local.get 0) (i32.load offset=408 (local.get 0)))
         (i32.store offset=420 (local.get 0) (i32.load offset=412 (local.get 0)))
         (i32.store offset=424 (local.get 0) (i32.load offset=424 (local.get 0)))";
    let padded =
        |size: u32| format!("(i32.and (i32.add (local.get {size}) (i32.const 11)) (i32.const -8))");
    let too_large = |size: u32| {
        format!(
            "(if (i32.gt_u (local.get {size}) (i32.const -65588)) (then (return (i32.const 0))))"
        )
    };
    let module = |fields_of_free: &str, more: &str| {
        format!(
            r#"(module (memory 1)
                 (func $malloc (param i32 i32) (result i32)
                   (if (i32.lt_u (local.get 1) (i32.const 245)) (then {fields})) {}
                   (drop (memory.grow (i32.const 1))) {})
                 (func $free (param i32 i32) (local $chunk i32)
                   (local.set $chunk (i32.add (local.get 1) (i32.const -8)))
                   (drop (i32.and (i32.load (i32.add (local.get 1) (i32.const -4))) (i32.const -8)))
                   {fields_of_free})
                 (func $dispose (param i32 i32)
                   (drop (i32.and (i32.load offset=4 (local.get 1)) (i32.const -8))) {fields})
                 (func $memalign (param i32 i32 i32) (result i32)
                   (if (i32.ge_u (local.get 2) (i32.sub (i32.const -65587) (local.get 1)))
                     (then (return (i32.const 0))))
                   (call $malloc (local.get 0) (i32.add (local.get 1) {})))
                 (func $realloc (param i32 i32 i32) (result i32) {}
                   (drop {}) (call $free (local.get 0) (local.get 1))
                   (call $malloc (local.get 0) (local.get 2)))
                 {more}
                 (func (export "work") (result i32)
                   (call $dispose (i32.const 4096) (i32.const 8))
                   (drop (call $memalign (i32.const 4096) (i32.const 16) (i32.const 8)))
                   (call $realloc (i32.const 4096) (i32.const 8) (i32.const 8))))"#,
            too_large(1),
            padded(1),
            padded(2),
            too_large(2),
            padded(2),
        )
    };
    let roles = |fields_of_free: &str, more: &str| {
        let wasm = wat::parse_str(module(fields_of_free, more)).unwrap();
        let prepared = Prepared::new(&wasm, &Vec::new(), None).unwrap();
        let functions = &prepared.allocator().functions;
        functions.iter().map(|found| (found.function, found.role)).collect::<Vec<_>>()
    };
    let [memalign, malloc, free, realloc] = [
        (3, Role::GlobalAlloc),
        (0, Role::MethodMalloc),
        (1, Role::MethodFree),
        (4, Role::MethodRealloc),
    ];
    assert_eq!(roles(fields, ""), [memalign, malloc, free, realloc]);
    assert_eq!(
        roles("", ""),
        [],
        "a function that reads no fields frees nothing, and then `realloc` is not known"
    );
    let other = format!(
        r#"(func (export "other") (param i32 i32) (result i32) {}
             (call $malloc (i32.const 4096) {}))"#,
        too_large(1),
        padded(1),
    );
    assert_eq!(roles(fields, &other), [], "a function that gives out parts of blocks, perhaps");
}

/// The allocator looks at a head before it uses it, unless it was built without that: it stays in a local.
#[test]
fn free_may_look_at_the_head_first() {
    let roles = |last: &str| {
        let size = "(i32.and (i32.load (i32.add (local.get 0) (i32.const -4))) (i32.const -8))";
        let looked_at = format!(
            "(block (result i32)
               (local.set $head (i32.load (i32.add (local.get 0) (i32.const -4))))
               (if (i32.eq (i32.and (local.get $head) (i32.const 3)) (i32.const 1)) (then unreachable))
               {last} (i32.and (local.get $head) (i32.const -8)))"
        );
        let checked = ALLOCATOR.replace(size, &looked_at);
        let checked = checked.replace("$f (param i32)", "$f (param i32) (local $head i32)");
        let wasm = wat::parse_str(format!("(module (memory 1) {checked})")).unwrap();
        let prepared = Prepared::new(&wasm, &Vec::new(), None).unwrap();
        let functions = &prepared.allocator().functions;
        functions.iter().map(|found| (found.function, found.role)).collect::<Vec<_>>()
    };
    assert_eq!(roles(""), [(0, Role::Malloc), (1, Role::Free)]);
    assert_eq!(roles("(local.set $head (local.get 0))"), [(0, Role::Malloc)]);
}

/// Such an export allocates and frees with the allocator's functions, perhaps behind a header of its own.
#[test]
fn exports_above_the_allocator_are_not_hooked() {
    let header = |more: &str| {
        allocator(&format!(
            r#"(func (export "malloc") (param i32) (result i32)
                 (i32.add (call $m (i32.add (local.get 0) (i32.const 16))) (i32.const 16)))
               (func (export "free") (param i32) {more})"#
        ))
    };
    let functions = |found: &Allocator| {
        found.functions.iter().map(|found| (found.function, found.role)).collect::<Vec<_>>()
    };
    let found = header("(call $f (i32.sub (local.get 0) (i32.const 16)))");
    assert_eq!(functions(&found), [(0, Role::Malloc), (1, Role::Free)]);
    let words = "function 4 (exported as `malloc`) works with dlmalloc's functions, which are hooked instead of it";
    assert!(found.notes.iter().any(|note| note.contains(words)), "{found:?}");
    assert_eq!(found.put_before, 16);
    assert_eq!(header("(call $f (i32.sub (local.get 0) (i32.const 8)))").put_before, 0);
    let exports = [(4, Role::Malloc), (5, Role::Free)];
    let kept = "(i32.store (local.get 0) (i32.load (i32.const 3000))) (i32.store (i32.const 3000) (local.get 0))";
    for more in ["", kept, &format!("{kept} (call $f (i32.load (i32.const 3000)))")] {
        assert_eq!(functions(&header(more)), exports, "it may keep blocks in a list of its own");
    }
}

/// Rust's `malloc`, `free`, `dispose_chunk` and `realloc` (functions 2 to 5), compiled for size: function 0 rounds up, and
/// function 1 tells the size of a chunk. `head` is the size of a segment's head.
fn compiled_for_size(head: &str, granularity: i32, rest: &str) -> Allocator {
    let uses_state = "
        (i32.store (i32.const 2000) (i32.load (i32.const 2004)))
        (i32.store (i32.const 2004) (i32.load (i32.const 2000)))
        (i32.store (i32.const 2008) (i32.load (i32.const 2012)))
        (i32.store (i32.const 2012) (i32.load (i32.const 2008)))";
    let wasm = wat::parse_str(format!(
        r#"(module (memory 1)
            (func $up (param i32 i32) (result i32) (i32.and (i32.add (local.get 0) (local.get 1)) (i32.const -8)))
            (func $size (param i32) (result i32) (i32.and (i32.load offset=4 (local.get 0)) (i32.const -8)))
            (func $m (param i32) (result i32)
              (if (i32.ge_u (local.get 0) (i32.const 245)) (then
                (drop (call $up {head} (i32.const 8)))
                (drop (call $up (i32.const 20) (i32.const 8)))
                (drop (call $up (i32.const 16) (i32.const 8)))))
              {uses_state} (drop (memory.grow (i32.const {granularity}))) (local.get 0))
            (func $f (param i32) (drop (call $size (local.get 0))) {uses_state})
            (func $d (param i32 i32) (drop (call $size (local.get 0))) {uses_state})
            (func $r (param i32 i32 i32 i32) (result i32)
              (call $f (local.get 0)) (call $d (local.get 0) (local.get 1)) {uses_state} (call $m (local.get 3)))
            {rest}
            (func (export "work") (call $f (call $r (call $m (i32.const 8)) (i32.const 8) (i32.const 8) (i32.const 9)))))"#
    ));
    Prepared::new(&wasm.unwrap(), &Vec::new(), None).unwrap().allocator().clone()
}

const HEAD: &str = "(i32.const 8)";

#[test]
fn rusts_allocator_compiled_for_size_is_known_by_its_calls() {
    let functions = |found: &Allocator| -> Vec<_> {
        found.functions.iter().map(|f| (f.function, f.role)).collect()
    };
    let whole = [(2, Role::Malloc), (3, Role::Free), (5, Role::RustRealloc)];
    let found = compiled_for_size(HEAD, -65_536, "");
    assert_eq!((functions(&found), &found.strangers[..]), (whole.to_vec(), &[][..]));
    // With `memalign` in it, which may be told the size first.
    for (compared, role) in [(0, Role::AlignedAlloc), (1, Role::RustAlloc)] {
        let aligned = format!(
            r#"(func (export "aligned") (param i32 i32) (result i32)
                 (if (i32.ge_u (local.get {compared}) (i32.const 9)) (then (call $d (local.get 0) (local.get 1))))
                 (call $m (i32.add (local.get 0) (local.get 1))))"#
        );
        let found = compiled_for_size(HEAD, -65_536, &aligned);
        let expected = [&whole[..2], &[(6, role)], &whole[2..]].concat();
        let mut seen = functions(&found);
        seen.sort_unstable();
        let mut expected = expected.clone();
        expected.sort_unstable();
        assert_eq!((seen, found.strangers.len()), (expected, 0), "{role}");
    }
    // What only rounds up as it does is another allocator.
    assert_eq!(functions(&compiled_for_size(HEAD, 1, "")), []);
    // Before Rust 1.56 it asks a function where a block is in its chunk.
    let adding = |bytes: u32| {
        format!("(func $add (param i32) (result i32) (i32.add (local.get 0) (i32.const {bytes})))")
    };
    let older =
        |bytes| functions(&compiled_for_size("(call $add (i32.const 0))", -65_544, &adding(bytes)));
    assert_eq!((older(8), older(4)), (whole.to_vec(), vec![]));
}
