//! emmalloc in small: what it computes and stores, without its loops. `bench` and the tests of the packages have
//! real modules.

use crate::Prepared;
use crate::allocator::{Allocator, AllocatorFunction, Evidence, Role};

/// Where the small allocator keeps its bitmap, its buckets and its first region.
const STATE: &str = "(i32.const 3032)";

/// Puts the region in local `region` into its bucket; `size` and `clz` are free locals.
fn insert(region: u32, size: u32, clz: u32) -> String {
    format!(
        "(local.set {size} (i32.sub (i32.load (local.get {region})) (i32.const 8)))
         (local.set {size} {bucket})
         (i32.store offset=4 (local.get {region})
           (i32.add (i32.shl (local.get {size}) (i32.const 4)) (i32.const 2000)))
         (i64.store {STATE} (i64.or (i64.load {STATE})
           (i64.shl (i64.const 1) (i64.extend_i32_u (local.get {size})))))",
        bucket = bucket(size, clz),
    )
}

/// The bucket of the size in a local.
fn bucket(size: u32, clz: u32) -> String {
    format!(
        "(if (result i32) (i32.le_u (local.get {size}) (i32.const 127))
           (then (i32.sub (i32.shr_u (local.get {size}) (i32.const 3)) (i32.const 1)))
           (else
             (local.set {clz} (i32.clz (local.get {size})))
             (if (result i32) (i32.le_u (local.get {size}) (i32.const 4095))
               (then (i32.add (i32.sub
                 (i32.xor (i32.shr_u (local.get {size}) (i32.sub (i32.const 29) (local.get {clz}))) (i32.const 4))
                 (i32.shl (local.get {clz}) (i32.const 2))) (i32.const 110)))
               (else
                 (local.set {clz} (i32.add (i32.sub
                   (i32.xor (i32.shr_u (local.get {size}) (i32.sub (i32.const 30) (local.get {clz}))) (i32.const 2))
                   (i32.shl (local.get {clz}) (i32.const 1))) (i32.const 71)))
                 (select (local.get {clz}) (i32.const 63) (i32.lt_u (local.get {clz}) (i32.const 63)))))))"
    )
}

/// Looks for a region of the size in a local, by the bitmap.
fn take(size: u32) -> String {
    format!(
        "(if (i32.gt_u (local.get {size}) (i32.const -57)) (then (return (i32.const 0))))
         (local.set 2 (i32.and (i32.add (local.get {size}) (i32.const 3)) (i32.const -4)))
         (local.set 4 (i64.shr_u (i64.load {STATE}) (i64.extend_i32_u {bucket})))
         (i64.store {STATE} (i64.and (i64.load {STATE}) (i64.rotl (i64.const -2) (i64.ctz (local.get 4)))))
         (if (i64.eqz (i64.clz (local.get 4)))
           (then (drop (call $claim (i32.add (local.get 2) (i32.const 48))))))
         (i32.load offset=2008 (local.get 2))",
        bucket = bucket(2, 3),
    )
}

/// `malloc` as it is where the compiler has put `memalign` into it, and what belongs to it.
fn allocator() -> String {
    format!("{} {}", malloc(), others("(call $malloc (local.get 1))"))
}

fn malloc() -> String {
    format!("(func $malloc (param i32) (result i32) (local i32 i32 i32 i64) {})", take(0))
}

/// All but `malloc`, of which this is a call in `realloc`.
fn others(call_of_malloc: &str) -> String {
    format!(
        "(func $sbrk (param i32) (result i32) (i32.shl (memory.size) (i32.const 16)))
         (func $claim (param i32) (result i32) (local i32 i32 i32)
           (local.set 1 (call $sbrk (local.get 0))) {put_claimed} (i32.const 1))
         (func $set_up (export \"a\") (local i32)
           (i32.store offset=2004 (local.get 0) (i32.const 2000))
           (drop (call $claim (i32.const 48))))
         (func $free (param i32) (local i32 i32 i32 i32)
           (if (local.get 0) (then
             (local.set 1 (i32.load (i32.sub (local.get 0) (i32.const 4))))
             (local.set 2 (i32.load (i32.add (local.get 0) (i32.const -8))))
             {put_freed})))
         (func $realloc (param i32 i32) (result i32) (local i32 i32 i32)
           (if (i32.eqz (local.get 0)) (then (return {call_of_malloc})))
           (if (i32.eqz (local.get 1)) (then (call $free (local.get 0)) (return (i32.const 0))))
           (if (i32.gt_u (local.get 1) (i32.const -57)) (then (return (i32.const 0))))
           (local.set 2 (i32.sub (local.get 0) (i32.const 4)))
           {put_rest} (local.get 0))",
        put_claimed = insert(1, 2, 3),
        put_freed = insert(2, 3, 4),
        put_rest = insert(2, 3, 4),
    )
}

/// What is found in a module with this code, whose exports all have names that say nothing.
fn allocator_of(code: &str) -> Allocator {
    let text = format!("(module (memory 1) {code})");
    let wasm = wat::parse_str(text).unwrap();
    Prepared::new(&without_names(&wasm), &Vec::new(), None).unwrap().allocator().clone()
}

/// The module without its name section, which `wat` writes last.
fn without_names(wasm: &[u8]) -> Vec<u8> {
    let names = wasmparser::Parser::new(0).parse_all(wasm).map(Result::unwrap);
    let names = names.filter_map(|payload| match payload {
        wasmparser::Payload::CustomSection(section) => Some(section.range().start),
        _ => None,
    });
    // A section's number and its size stand before its range.
    let end = names
        .min()
        .map_or(wasm.len(), |start| wasm[..start].iter().rposition(|byte| *byte == 0).unwrap());
    wasm[..end].to_vec()
}

/// Roles and numbers of the functions that are taken for emmalloc's.
fn found(allocator: &Allocator) -> Vec<(Role, u32)> {
    let is_emmalloc = Evidence::Shape("emmalloc".to_owned());
    assert!(allocator.functions.iter().all(|f| f.evidence == is_emmalloc), "{allocator:?}");
    allocator.functions.iter().map(|f| (f.role, f.function)).collect()
}

#[test]
fn its_functions_are_found_without_names() {
    let allocator =
        allocator_of(&format!("{} (func (export \"b\") (call $free (i32.const 0)))", allocator()));
    assert_eq!(found(&allocator), [(Role::Malloc, 0), (Role::Realloc, 5), (Role::Free, 4)]);
    assert_eq!(allocator.notes, Vec::<String>::new());
    // It was seen whole: what sets it up does not count as other code.
    assert!(allocator.strangers.is_empty() && allocator.resizing.is_empty(), "{allocator:?}");
    assert!(allocator.state.contains(&3032) && allocator.state.contains(&3036), "{allocator:?}");
}

#[test]
fn what_exports_do_not_name_is_found() {
    let code = allocator()
        .replace("(func $malloc", "(func $malloc (export \"malloc\")")
        .replace("(func $free", "(func $free (export \"free\")")
        .replace("(func $realloc", "(func $realloc (export \"b\")");
    let allocator = allocator_of(&code);
    let found = allocator.functions.iter().map(|f| (f.role, f.function, f.evidence.to_string()));
    let found: Vec<(Role, u32, String)> = found.collect();
    assert_eq!(
        found,
        [
            (Role::Malloc, 0, "exported as `malloc`".to_owned()),
            (Role::Realloc, 5, "has the shape of emmalloc's".to_owned()),
            (Role::Free, 4, "exported as `free`".to_owned())
        ]
    );
    assert!(allocator.strangers.is_empty(), "{allocator:?}");
}

#[test]
fn memalign_is_found_with_the_malloc_that_calls_it() {
    let memalign = format!(
        "(func $memalign (param i32 i32) (result i32) (local i32 i32 i64) {})
         (func $malloc (param i32) (result i32) (call $memalign (i32.const 8) (local.get 0)))",
        take(1)
    );
    let code = format!("{memalign} {}", others("(call $memalign (i32.const 8) (local.get 1))"));
    assert_eq!(
        found(&allocator_of(&code)),
        [(Role::Malloc, 1), (Role::Realloc, 6), (Role::Free, 5), (Role::AlignedAlloc, 0)]
    );
}

#[test]
fn its_own_names_are_known() {
    let code = allocator()
        .replace("$malloc", "$emmalloc_memalign")
        .replace("$free", "$emmalloc_free")
        .replace("$realloc", "$emmalloc_realloc");
    let wasm = wat::parse_str(format!("(module (memory 1) {code})")).unwrap();
    let prepared = Prepared::new(&wasm, &Vec::new(), None).unwrap();
    let allocator = prepared.allocator();
    let named = |f: &AllocatorFunction| matches!(f.evidence, Evidence::NameSection(_));
    assert!(allocator.functions.iter().all(named), "{allocator:?}");
    let roles: Vec<(Role, u32)> =
        allocator.functions.iter().map(|f| (f.role, f.function)).collect();
    assert_eq!(roles, [(Role::Malloc, 0), (Role::Realloc, 5), (Role::Free, 4)]);
}

/// As beneath another allocator, which asks for pages.
#[test]
fn memalign_alone_is_not_the_programs_allocator() {
    let code = |alignment: &str| {
        format!(
            "(func $memalign (param i32 i32) (result i32) (local i32 i32 i64) {})
             (func (export \"b\") (param i32) (result i32) (call $memalign {alignment} (local.get 0)))
             {}",
            take(1),
            others("(call $memalign (i32.const 4096) (local.get 1))")
        )
    };
    assert!(allocator_of(&code("(i32.const 4096)")).functions.is_empty());
    assert!(allocator_of(&code("(local.get 0)")).functions.is_empty());
    let with_malloc = allocator_of(&code("(i32.const 8)"));
    assert!(found(&with_malloc).contains(&(Role::AlignedAlloc, 0)), "{with_malloc:?}");
}

#[test]
fn calloc_fills_the_product_with_zeros() {
    let calloc = |size: &str, then: &str| {
        format!(
            "{} (func $memset (param i32 i32 i32) (result i32) (local.get 0))
             (func (param i32 i32) (result i32) (local i32)
               (local.set 0 (i32.mul {size}))
               (local.set 2 (call $malloc (local.get 0))) {then} (local.get 2))",
            allocator()
        )
    };
    let is_found = |code: &str| found(&allocator_of(code)).contains(&(Role::Calloc, 7));
    let product = "(local.get 0) (local.get 1)";
    let memset = "(drop (call $memset (local.get 2) (i32.const 0) (local.get 0)))";
    assert!(is_found(&calloc(product, memset)));
    assert!(!is_found(&calloc(product, "")));
    assert!(!is_found(&calloc("(local.get 0) (i32.const 8)", memset)));
    // It would give out another block too.
    let twice = format!("{memset} (drop (call $malloc (i32.const 8)))");
    assert!(!is_found(&calloc(product, &twice)));
}

#[test]
fn a_free_that_was_put_into_its_caller_is_no_free() {
    // It frees what its parameter points to.
    let destructor = format!(
        "(func (export \"b\") (param i32) (local i32 i32 i32 i32)
           (local.set 0 (i32.load offset=12 (local.get 0)))
           (local.set 1 (i32.load (i32.sub (local.get 0) (i32.const 4))))
           (local.set 2 (i32.load (i32.add (local.get 0) (i32.const -8))))
           {})",
        insert(2, 3, 4)
    );
    let allocator = allocator_of(&format!("{} {destructor}", allocator()));
    assert_eq!(found(&allocator), [(Role::Malloc, 0), (Role::Realloc, 5), (Role::Free, 4)]);
    assert_eq!(allocator.strangers, [6]);
}

#[test]
fn a_malloc_that_was_put_into_its_caller_is_no_malloc() {
    // The caller keeps the block, and returns something else.
    let keeps = malloc().replace("$malloc", "$keeps").replacen(
        "(i32.load offset=2008 (local.get 2))",
        "(i32.store (i32.const 4000) (i32.load offset=2008 (local.get 2))) (i32.const 1)",
        1,
    );
    let code = format!("{keeps} {}", others("(call $keeps (local.get 1))"));
    assert!(allocator_of(&code).functions.is_empty());
}

#[test]
fn realloc_in_another_function_resizes_unseen() {
    let code = allocator().replacen(
        "(if (i32.eqz (local.get 0)) (then (return (call $malloc (local.get 1)))))",
        "(local.set 1 (i32.mul (local.get 1) (i32.const 2)))
         (if (i32.eqz (local.get 0)) (then (return (call $malloc (local.get 1)))))",
        1,
    );
    let code = code.replace("(func $realloc", "(func $realloc (export \"b\")");
    let allocator = allocator_of(&code);
    assert_eq!(found(&allocator), [(Role::Malloc, 0), (Role::Free, 4)]);
    assert_eq!(allocator.resizing, [5]);
    assert!(allocator.notes.iter().any(|note| note.contains("emmalloc")), "{allocator:?}");
}

#[test]
fn what_starts_the_heap_anew_is_a_stranger() {
    let reset = format!(
        "(func (export \"b\") (i64.store {STATE} (i64.const 0)) (drop (call $claim (i32.const 48))))"
    );
    assert_eq!(allocator_of(&format!("{} {reset}", allocator())).strangers, [2, 6]);
}

#[test]
fn what_only_computes_buckets_is_not_emmalloc() {
    // No bit is set of the word that it searches.
    let no_bits = allocator().replace("i64.or", "i64.xor");
    assert!(allocator_of(&no_bits).functions.is_empty());
    // Another limit.
    let other_limit = allocator().replace("(i32.const -57)", "(i32.const -65)");
    assert!(allocator_of(&other_limit).functions.is_empty());
    // Other size classes.
    let other_classes = allocator().replace("(i32.const 71)", "(i32.const 70)");
    assert!(allocator_of(&other_classes).functions.is_empty());
    // Memory comes from nowhere.
    let no_memory = allocator().replace("(memory.size)", "(i32.const 1)");
    assert!(allocator_of(&no_memory).functions.is_empty());
}

#[test]
fn a_regions_size_stands_before_its_block() {
    let header = allocator_of(&allocator()).header().unwrap();
    // The smallest region has 16 bytes, of which its block has 8.
    assert_eq!(header.block_bytes(16), 8);
    assert_eq!(header.block_bytes(20), 12);
    assert_eq!(header.block_bytes(0), 0);
}
