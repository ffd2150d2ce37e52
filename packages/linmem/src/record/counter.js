// Numbers the events of shared memories over all threads of the process, 0, 1, 2, with no gap, and says in a
// slot's length that a record is being written (slots.js).
//
// It is WebAssembly: a call of `Atomics` costs 30 ns in V8, which does not inline them, and a 64-bit counter
// would make a BigInt of each number. A test compares the text with the bytes. Address 0 is WORDS.NUMBER,
// 128 is WORDS.ENDED:
//
//   (module
//     (import "" "" (memory 257 257 shared))
//     (func (export "take") (param $length_at i32) (param $length i32) (result f64)
//       (i32.atomic.store (local.get $length_at) (i32.or (local.get $length) (i32.const 0x40000000)))
//       (if (i32.atomic.load (i32.const 128)) (then
//         (i32.atomic.store (local.get $length_at) (local.get $length))
//         (return (f64.const -1))))
//       (f64.convert_i64_u (i64.atomic.rmw.add (i32.const 0) (i64.const 1))))
//     (func (export "publish") (param $length_at i32) (param $length i32)
//       (i32.atomic.store (local.get $length_at) (local.get $length))))

// A program sees other ones later.
const { Instance, Module } = WebAssembly;

const BYTES = "AGFzbQEAAAABDAJgAn9/AXxgAn9/AAIJAQAAAgOBAoECAwMCAAEHEgIEdGFrZQAAB3B1Ymxpc2gAAQpDAjYAIAAgAUGAgICABHL+FwIAQYAB/hACAARAIAAgAf4XAgBEAAAAAAAA8L8PC0EAQgH+HwMAugsKACAAIAH+FwIACw==";

/** Whether a record is being written, beside a slot's length. */
export const BUSY = 0x40000000;

let module;

/**
 * The functions for the control memory, which are called for each event:
 * `take(lengthAt, length)` says BUSY, and returns the next number; or -1 if the recording has ended.
 * `publish(lengthAt, length)` sets the length, and no longer BUSY.
 */
export function counterOf({ memory }) {
  module ??= new Module(Uint8Array.from(atob(BYTES), (character) => character.charCodeAt(0)));
  return new Instance(module, { "": { "": memory } }).exports;
}
