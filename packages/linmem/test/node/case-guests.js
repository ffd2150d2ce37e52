// Modules in the text format, which the programs in programs/cases find by their names.

// Never gives memory out twice: each block lasts for good.
const BUMP = `(global $top (mut i32) (i32.const 4096))
  (func $malloc (export "malloc") (param $size i32) (result i32)
    (global.get $top) (global.set $top (i32.add (global.get $top) (i32.add (local.get $size) (i32.const 16)))))
  (func $free (export "free") (param i32))`;

// The same, for all instances and threads that use the memory: the first word has the address.
const SHARED_BUMP = `(func $malloc (export "malloc") (param $size i32) (result i32)
    (i32.atomic.rmw.add (i32.const 0) (i32.and (i32.add (local.get $size) (i32.const 31)) (i32.const -16))))
  (func $free (export "free") (param i32))
  (func (export "lose") (drop (call $malloc (i32.const 48))))`;

// Blocks of one size, under a lock, which are given out again: the first words are the end of what was given out, the
// lock, and the first free block.
const POOL = `(func $lock
    (loop $again
      (if (i32.atomic.rmw.cmpxchg (i32.const 4) (i32.const 0) (i32.const 1))
        (then (drop (memory.atomic.wait32 (i32.const 4) (i32.const 1) (i64.const 100000))) (br $again)))))
  (func $unlock (i32.atomic.store (i32.const 4) (i32.const 0)) (drop (memory.atomic.notify (i32.const 4) (i32.const 1))))
  (func $malloc (export "malloc") (param i32) (result i32) (local $block i32)
    (call $lock)
    (local.set $block (i32.load (i32.const 8)))
    (if (local.get $block)
      (then (i32.store (i32.const 8) (i32.load (local.get $block))))
      (else (local.set $block (i32.load (i32.const 0))) (i32.store (i32.const 0) (i32.add (local.get $block) (i32.const 256)))))
    (call $unlock)
    (local.get $block))
  (func $free (export "free") (param $block i32)
    (call $lock)
    (i32.store (local.get $block) (i32.load (i32.const 8)))
    (i32.store (i32.const 8) (local.get $block))
    (call $unlock))
  (func (export "lose") (drop (call $malloc (i32.const 48))))`;

// Calls malloc at the ends of a binary tree of calls.
function tree(name, depth, size) {
  const levels = Array.from({ length: depth }, (_, level) => {
    const below = () => (level + 1 === depth ? `(call $free (call $malloc (i32.const ${size})))` : `(call $${name}_left${level + 1}) (call $${name}_right${level + 1})`);
    return ["left", "right"].map((side) => `(func $${name}_${side}${level} ${below()})`).join("\n");
  });
  return `${levels.join("\n")} (func (export "${name}") (call $${name}_left0) (call $${name}_right0))`;
}

// Where an arena keeps its end: in a global, or in a word as C does.
const END = {
  global: ["(global $end (mut i32) (i32.const 8192))", "(global.get $end)", (value) => `(global.set $end ${value})`],
  word: ["(data (i32.const 2000) \"\\00\\20\\00\\00\")", "(i32.load offset=2000 (i32.const 0))", (value) => `(i32.store offset=2000 (i32.const 0) ${value})`],
};

// Hands out one block after the other, until all are dropped together.
function arena([definition, end, setEnd], rest) {
  return `(module (memory (export "memory") 1) ${definition}
    (func $malloc (export "malloc") (param $size i32) (result i32)
      ${end} ${setEnd(`(i32.add ${end} (local.get $size))`)})
    (func $reset ${setEnd("(i32.const 8192)")})
    ${rest})`;
}

// A free list of blocks of 64 bytes.
const CELLS = `(global $top (mut i32) (i32.const 8192)) (global $first (mut i32) (i32.const 0))
  (func $get (result i32) (local $cell i32)
    (if (result i32) (global.get $first)
      (then (local.set $cell (global.get $first)) (global.set $first (i32.load (local.get $cell))) (local.get $cell))
      (else (global.get $top) (global.set $top (i32.add (global.get $top) (i32.const 64))))))
  (func $put (param i32) (i32.store (local.get 0) (global.get $first)) (global.set $first (local.get 0)))`;

// Words that could be taken for pointers to the five blocks of 256 bytes that are lost.
const NUMBERS = "\\00\\20\\00\\00\\00\\21\\00\\00\\00\\22\\00\\00\\00\\23\\00\\00\\00\\24\\00\\00";

const numbers = (rest) => `(module (memory (export "memory") 1) ${CELLS.replaceAll("64", "256")}
  (func $malloc (export "malloc") (param i32) (result i32) (call $get))
  (func $free (export "free") (param i32) (call $put (local.get 0)))
  (func (export "lose") (drop (call $malloc (i32.const 200))))
  ${rest})`;

// Blocks that are given out again, a stack pointer, and ways to leave a call.
const CALLS = `(import "env" "callback" (func $callback (param i32)))
  (memory (export "memory") 2)
  (global $__stack_pointer (mut i32) (i32.const 66560)) ${CELLS.replace("8192", "70000")}
  (func $malloc (export "malloc") (param i32) (result i32) (call $get))
  (func $free (export "free") (param i32) (call $put (local.get 0)))
  (func (export "read") (param i32) (result i32) (i32.load (local.get 0)))
  (func (export "take") (param i32 i64 i32) (result i32) (i32.load (local.get 2)))
  (func (export "call") (param i32) (call $callback (local.get 0)))
  (func (export "measure") (param i32)
    (global.set $__stack_pointer (i32.sub (global.get $__stack_pointer) (i32.const 432)))
    (call $callback (local.get 0))
    (global.set $__stack_pointer (i32.add (global.get $__stack_pointer) (i32.const 432))))`;

export const GUESTS = {
  calls: `(module ${CALLS})`,

  // Grows by what it is given, itself or through the host.
  growing: `(module (import "env" "callback" (func $callback (param i32))) (memory (export "memory") 1)
    (func (export "work") (param i32) (drop (memory.grow (local.get 0))))
    (func (export "ask") (param i32) (call $callback (local.get 0))))`,
  // Each block takes a page.
  pages: `(module (memory (export "memory") 1)
    (func $malloc (export "malloc") (param i32) (result i32) (i32.shl (memory.grow (i32.const 1)) (i32.const 16)))
    (func $free (export "free") (param i32)))`,
  // Keeps its end and its free list in words, as C does.
  restored: `(module (memory (export "memory") 2) (data (i32.const 2000) "\\00\\20\\00\\00\\00\\00\\00\\00")
    (func $malloc (export "malloc") (param i32) (result i32) (local $cell i32)
      (if (result i32) (i32.load offset=2004 (i32.const 0))
        (then (local.set $cell (i32.load offset=2004 (i32.const 0)))
          (i32.store offset=2004 (i32.const 0) (i32.load (local.get $cell))) (local.get $cell))
        (else (i32.load offset=2000 (i32.const 0))
          (i32.store offset=2000 (i32.const 0) (i32.add (i32.load offset=2000 (i32.const 0)) (i32.const 64))))))
    (func $free (export "free") (param i32)
      (i32.store (local.get 0) (i32.load offset=2004 (i32.const 0))) (i32.store offset=2004 (i32.const 0) (local.get 0)))
    (func (export "lose") (drop (call $malloc (i32.const 40)))))`,

  arena_global: arena(END.global, `(func (export "reset") (call $reset))`),
  arena_word: arena(END.word, `(func (export "reset") (call $reset))`),
  arena_in_table: arena(END.word, `(table (export "table") 1 funcref) (elem (i32.const 0) $reset)`),
  arena_that_frees: arena(END.global, `(func (export "free") (param i32)) (func (export "reset") (call $reset))`),
  // Nothing resets it.
  // Hand out the same block again and again: where nothing frees, where memory can be had unseen, and for no such reason.
  same_no_free: `(module (memory (export "memory") 1) (func (export "malloc") (param i32) (result i32) (i32.const 4096)))`,
  same_grows: `(module (memory (export "memory") 1) (func (export "malloc") (param i32) (result i32) (i32.const 4096))
    (func (export "free") (param i32)) (func (export "more") (drop (memory.grow (i32.const 1)))))`,
  same_broken: `(module (memory (export "memory") 1) (func (export "malloc") (param i32) (result i32) (i32.const 4096))
    (func (export "free") (param i32)))`,
  // Hands out all by itself, as a module does whose allocator was put into its callers.
  objects: `(module (memory (export "memory") 1) (global $top (mut i32) (i32.const 1024))
    (func $make (param $size i32) (result i32) (global.get $top) (global.set $top (i32.add (global.get $top) (local.get $size))))
    (func (export "shape_new") (result i32) (call $make (i32.const 24)))
    (func (export "shape_side") (param i32) (result i32) (i32.const 3))
    (func (export "__wbg_shape_free") (param i32 i32))
    (func (export "emscripten_bind_Mesh_Mesh_0") (result i32) (call $make (i32.const 40)))
    (func (export "emscripten_bind_Mesh___destroy___0") (param i32)))`,
  arena_alone: arena(END.word, `(func (export "lose") (drop (call $malloc (i32.const 24))))`),

  // As with `wasm-ld --wrap=malloc`.
  wrapped: `(module (memory (export "memory") 1) ${CELLS}
    (func $malloc (export "__wrap_malloc") (param i32) (result i32) (call $get))
    (func $calloc (export "__wrap_calloc") (param i32 i32) (result i32) (call $get))
    (func $realloc (export "__wrap_realloc") (param i32 i32) (result i32) (call $get))
    (func $free (export "__wrap_free") (param i32) (call $put (local.get 0)))
    (func (export "malloc") (param i32) (result i32) (call $malloc (local.get 0)))
    (func (export "free") (param i32) (call $free (local.get 0)))
    (func (export "zeroed") (result i32) (call $calloc (i32.const 2) (i32.const 8)))
    (func (export "work") (call $free (call $malloc (i32.const 8))) (call $free (call $calloc (i32.const 1) (i32.const 8)))))`,
  // Only what frees is found.
  frees: `(module (memory (export "memory") 1) ${CELLS}
    (func $node (export "make_node") (result i32) (call $get))
    (func $free (export "free") (param i32) (call $put (local.get 0))))`,

  // Three blocks were there when its state was saved, with dlmalloc's word in front; and a text.
  preinitialised: `(module (memory (export "memory") 1) (global $top (mut i32) (i32.const 8192))
    (data (i32.const 1024) "\\00\\00\\00\\00\\2b\\00\\00\\00a block that was alive then         \\2b\\00\\00\\00another one                        a constant text")
    (func $malloc (export "malloc") (param i32) (result i32) (global.get $top) (global.set $top (i32.add (global.get $top) (local.get 0))))
    (func $realloc (export "realloc") (param i32 i32) (result i32) (call $malloc (local.get 1)))
    (func $free (export "free") (param i32)))`,

  numbers: numbers(`(data (i32.const 1024) "${NUMBERS}")`),
  // A table of numbers that is put in its place by code.
  numbers_copied: numbers(`(data $numbers "${NUMBERS}") (start $begin)
    (func $begin (memory.init $numbers (i32.const 1024) (i32.const 0) (i32.const 20)) (data.drop $numbers))`),
  // Not a table of numbers any more.
  numbers_changed: numbers(`(data (i32.const 1024) "${NUMBERS}")
    (func (export "keep") (i32.store (i32.const 1028) (call $malloc (i32.const 200))))`),

  bump: `(module (memory (export "memory") 20) ${BUMP}
    (func (export "drop") (param i32) (call $free (local.get 0))))`,

  // What allocates is in a table and in globals only.
  table: `(module (memory (export "memory") 40) ${BUMP}
    (table (export "table") 3 funcref) (elem (i32.const 0) $make $size $destroy)
    (global (export "maker") funcref (ref.func $make)) (global (export "lost") funcref (ref.func $lose))
    (func $node (result i32) (call $malloc (i32.const 24)))
    (func $make (result i32) (call $node))
    (func $size (param i32) (result i32) (i32.const 24))
    (func $destroy (param i32) (call $free (local.get 0)))
    (func $lose (drop (call $malloc (i32.const 40)))))`,

  // Two that are linked at run time. Each calls the other's function through a table that they import.
  main: `(module (import "env" "memory" (memory 2)) (import "env" "table" (table 8 funcref)) (type $make (func (result i32)))
    ${BUMP} (elem (i32.const 1) $main_make)
    (func $main_make (result i32) (call $malloc (i32.const 24)))
    (func $calls_side (export "calls_side") (result i32) (call_indirect (type $make) (i32.const 2))))`,
  side: `(module (import "env" "malloc" (func $malloc (param i32) (result i32))) (import "env" "free" (func $free (param i32)))
    (import "env" "memory" (memory 2)) (import "env" "table" (table 8 funcref)) (type $make (func (result i32)))
    (elem (i32.const 2) $side_make)
    (func $side_make (result i32) (call $malloc (i32.const 48)))
    (func $calls_main (export "calls_main") (result i32) (call_indirect (type $make) (i32.const 1)))
    (func $lose (export "lose") (drop (call $malloc (i32.const 56)))))`,

  // The state of the allocator is in the memory that it imports.
  two: `(module (import "env" "memory" (memory 2))
    (func $malloc (export "malloc") (param $size i32) (result i32) (local $block i32)
      (local.set $block (i32.load (i32.const 0)))
      (i32.store (i32.const 0) (i32.add (local.get $block) (i32.and (i32.add (local.get $size) (i32.const 31)) (i32.const -16))))
      (local.get $block))
    (func $realloc (export "realloc") (param $block i32) (param $size i32) (result i32) (local $moved i32)
      (local.set $moved (call $malloc (local.get $size)))
      (memory.copy (local.get $moved) (local.get $block) (local.get $size))
      (local.get $moved))
    (func $free (export "free") (param i32))
    (func $lose (export "lose") (drop (call $malloc (i32.const 48)))))`,

  // Grows the memory that it shares with these.
  grows: `(module (import "env" "memory" (memory 2)) (func $grow (export "grow") (param i32) (drop (memory.grow (local.get 0)))))`,

  shared: `(module (import "env" "memory" (memory 4 16 shared)) ${SHARED_BUMP})`,
  pool: `(module (import "env" "memory" (memory 4 16 shared)) ${POOL})`,
  owner: `(module (memory (export "memory") 4 16 shared) ${POOL})`,

  traps_at_start: `(module (memory (export "memory") 1) (func $start unreachable) (start $start))`,

  // Has the host grow its memory when that is full.
  resizes: `(module (import "env" "resize" (func $resize (param i32) (result i32))) (memory (export "memory") 1 100)
    (global $top (mut i32) (i32.const 4096))
    (func $malloc (export "malloc") (param $size i32) (result i32) (local $block i32) (local $end i32)
      (local.set $block (global.get $top))
      (local.set $end (i32.add (local.get $block) (i32.add (local.get $size) (i32.const 16))))
      (if (i32.gt_u (local.get $end) (i32.mul (memory.size) (i32.const 65536)))
        (then (if (i32.eqz (call $resize (local.get $end))) (then (return (i32.const 0))))))
      (global.set $top (local.get $end))
      (local.get $block))
    (func $free (export "free") (param i32))
    (func $work (export "work") (param i32) (call $free (call $malloc (local.get 0)))))`,

  // Calls itself through its imports.
  trampoline: `(module
    (import "env" "invoke" (func $invoke (param i32 i32) (result i32))) (import "env" "call" (func $call (param i32) (result i32)))
    (import "env" "copy" (func $copy (param i32) (result i32))) (import "env" "raise" (func $raise))
    (memory (export "memory") 2) (table (export "table") 4 funcref) (elem (i32.const 0) $inner $throws $falls $perhaps)
    (global $threw (mut i32) (i32.const 0))
    ${BUMP}
    (func $inner (export "inner") (param i32) (result i32) (call $malloc (local.get 0)))
    (func $throws (param i32) (result i32) (drop (call $malloc (local.get 0))) (call $raise) (i32.const 0))
    (func $falls (param i32) (result i32) (call $deep (local.get 0)) (i32.const 0))
    (func $perhaps (param $size i32) (result i32)
      (if (result i32) (local.get $size) (then (call $malloc (local.get $size))) (else (i32.const 0))))
    (func $setThrew (export "setThrew") (param i32) (global.set $threw (local.get 0)))
    (func $work (export "work") (i32.store (i32.const 16) (i32.add (call $call (i32.const 64)) (i32.const 8))))
    (func $tries (export "tries") (param i32 i32) (result i32) (call $invoke (local.get 0) (local.get 1)))
    (func $deep (export "deep") (param $levels i32)
      (call $free (call $malloc (i32.const 12)))
      (if (local.get $levels) (then (drop (call $call (i32.const 4))) (drop (call $invoke (i32.const 2) (i32.sub (local.get $levels) (i32.const 1)))))
        (else (call $raise))))
    (func $gets (export "gets") (param $size i32) (param $frees i32) (local $block i32)
      (local.set $block (call $copy (local.get $size)))
      (if (local.get $frees) (then (call $free (local.get $block)))))
    (func $lose (export "lose") (drop (call $malloc (i32.const 40)))))`,

  // Start-up work that allocates in 32,768 places.
  many: `(module (memory (export "memory") 20) ${BUMP} (table (export "table") 1 funcref) (elem (i32.const 0) $taken)
    ${tree("start", 14, 4)} ${tree("wide", 8, 5)}
    (func $leak (export "leak") (result i32) (call $malloc (i32.const 40)))
    (func $inside (drop (call $malloc (i32.const 48))))
    (func $lose (export "lose") (call $inside))
    (func $taken (drop (call $malloc (i32.const 56)))))`,

  // Fails when it is told to.
  refuses: `(module (memory (export "memory") 2) (global $fails (mut i32) (i32.const 0)) (global $top (mut i32) (i32.const 4096))
    (func $take (param $size i32) (result i32)
      (if (global.get $fails) (then (return (i32.const 0))))
      (global.get $top) (global.set $top (i32.add (global.get $top) (i32.add (local.get $size) (i32.const 16)))))
    (func (export "malloc") (param i32) (result i32) (call $take (local.get 0)))
    (func (export "realloc") (param i32 i32) (result i32) (call $take (local.get 1)))
    (func (export "free") (param i32))
    (func (export "fail") (param i32) (global.set $fails (local.get 0)))
    (func (export "poke") (param i32 i32) (i32.store8 (local.get 0) (local.get 1))))`,

  // Waits for the host between two events.
  suspends: `(module (import "env" "pause" (func $pause (param i32))) (memory (export "memory") 1) ${BUMP}
    (func $work (export "work") (param $milliseconds i32) (local $block i32)
      (local.set $block (call $malloc (i32.const 24)))
      (call $pause (local.get $milliseconds))
      (call $free (call $malloc (i32.const 8)))
      (call $free (local.get $block)))
    (func $lose (export "lose") (param $milliseconds i32)
      (call $pause (local.get $milliseconds))
      (drop (call $malloc (i32.const 40)))))`,
};
