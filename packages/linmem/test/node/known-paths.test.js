// Stacks of which only the innermost frames are looked at are those that the engine has.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { stacks } from "../../src/node/stacks.js";
import { instrumentBy } from "../../src/node/program.js";
import { Instance } from "../../src/record/instance.js";
import { Recorder } from "../../src/record/recorder.js";
import { bytesOfText } from "../support.js";
import { readRecords } from "./read-trace.js";
import { PROGRAM, removeDirectory, skip } from "./support.js";

after(removeDirectory);

const LINKS = 14;
const links = Array.from({ length: LINKS }, (_, at) => at);

// `run` goes down a chain of functions; through two recursions, one of direct and one of indirect calls, each of which closes a
// cycle in two places; and down another chain, which begins with an indirect call. What it allocates at its end has as many
// bytes as the call has a number.
const GUEST = bytesOfText(`(module (memory (export "memory") 1) (global $next (mut i32) (i32.const 4096))
  (type $one (func (param i32))) (table funcref (elem $even $odd $last0))
  (func $malloc (export "malloc") (param $size i32) (result i32)
    (global.get $next) (global.set $next (i32.add (global.get $next) (local.get $size))))
  (func $free (export "free") (param i32))
  (func $run (export "run") (param i32)
    (call $first0 (local.get 0)) (call $first0 (i32.add (local.get 0) (i32.const 1))))
  ${links.map((at) => `(func $first${at} (param i32) (call ${at + 1 < LINKS ? `$first${at + 1}` : "$down"} (local.get 0)))`).join("\n")}
  (func $down (param i32) (if (i32.and (local.get 0) (i32.const 1))
    (then (call $down (i32.sub (local.get 0) (i32.const 1)))) (else (call $up (local.get 0) (i32.shr_u (local.get 0) (i32.const 2))))))
  (func $up (param i32 i32) (if (local.get 1)
    (then (call $up (local.get 0) (i32.sub (local.get 1) (i32.const 1))))
    (else (call_indirect (type $one) (local.get 0) (i32.const 0)))))
  (func $even (param i32) (if (i32.and (local.get 0) (i32.const 2))
    (then (call_indirect (type $one) (i32.sub (local.get 0) (i32.const 2)) (i32.const 1)))
    (else (call_indirect (type $one) (local.get 0) (i32.const 2)))))
  (func $odd (param i32) (if (i32.and (local.get 0) (i32.const 8))
    (then (call_indirect (type $one) (i32.sub (local.get 0) (i32.const 8)) (i32.const 0)))
    (else (call $last0 (local.get 0)))))
  ${links.map((at) => `(func $last${at} (param i32) ${at + 1 < LINKS ? `(call $last${at + 1} (local.get 0))` : ends()})`).join("\n")})`);

// Blocks of both sites, and a block inside a call of its own.
function ends() {
  return `(drop (call $malloc (local.get 0))) (if (i32.and (local.get 0) (i32.const 16))
    (then (drop (call $malloc (i32.const 7)))) (else (call $free (call $malloc (i32.const 9)))))`;
}

// Records what the guest does in one go: the stacks of its events, and how many times all frames were looked at.
function recorded(knowsPaths) {
  const chunks = [];
  let whole = 0;
  const take = (depth) => {
    whole += depth === undefined;
    // The first frame is this one.
    return stacks.take(depth).slice(1);
  };
  const recorder = new Recorder({
    sink: (bytes) => chunks.push(Buffer.from(bytes)),
    clock: { micros: () => 0, every: () => () => {} },
    stacks: { ...stacks, take },
    instrument: { key: () => "guest", make: (_, original) => made(original), find: () => undefined },
    complain: (message) => assert.fail(message),
  });
  const module = recorder.modules.ofBytes(GUEST);
  if (!knowsPaths) module.paths.rest = () => undefined;
  const instance = new Instance(recorder, module, undefined);
  const engines = new WebAssembly.Instance(new WebAssembly.Module(module.wasm), { linmem: instance.hooks });
  instance.complete(engines);
  // What is learned is known in the same entry alone, whose callers are known.
  for (let round = 0; round < 2; round++) for (let number = 0; number < 64; number++) engines.exports.run(number);
  recorder.records.flush();
  const records = readRecords(Buffer.concat(chunks));
  const contexts = records.filter(({ record }) => record === "CONTEXT").map(({ frames }) => frames);
  const events = records.filter(({ context }) => context !== undefined).map(({ record, context, size }) => ({ record, size, stack: callsOf(contexts[context]) }));
  return { whole, contexts: contexts.length, events };
}

// How often a recursion went round is not a part of a context: of its calls, each one that was made.
const callsOf = (frames) => [...new Set(frames.map((frame) => frame.join()))].sort();

const made = (original) => {
  const { wasm, map } = instrumentBy(PROGRAM, [], original);
  return { wasm, map: JSON.parse(map) };
};

test("the rest of a stack is known from others", { skip }, () => {
  const looked = recorded(false);
  const known = recorded(true);
  assert.deepEqual(known.events, looked.events);
  assert.equal(known.contexts, looked.contexts);
  assert.ok(looked.events.every(({ stack }) => stack.length > 2 * LINKS), "the stacks are deep");
  assert.ok(looked.whole - known.whole > looked.contexts / 2, `${known.whole} looks at whole stacks instead of ${looked.whole}`);
});
