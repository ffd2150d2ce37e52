// What a function writes where its arguments point.

import assert from "node:assert/strict";
import { test } from "node:test";
import { OutParameters } from "../../src/record/out-parameters.js";

const FUNCTION = 7;
const PLACE = 2048;

/** What is told of a call with these arguments, in which `run` is given the words of the memory. */
function told(parameters, memory, args, run) {
  const addresses = [];
  parameters.begin(FUNCTION, memory, ...args);
  run(new Uint32Array(memory.buffer));
  parameters.end(FUNCTION, memory, (index, address) => addresses.push([index, address]) > 0);
  return addresses;
}

const write = (value) => (words) => (words[PLACE / 4] = value);
const fresh = () => [new OutParameters(), new WebAssembly.Memory({ initial: 1 })];

test("what is written where an argument points is told", () => {
  const [parameters, memory] = fresh();
  assert.deepEqual(told(parameters, memory, [5, PLACE, 0, 0], write(0x80001000)), [[FUNCTION, 0x80001000]]);
  assert.deepEqual(told(parameters, memory, [5, PLACE, 0, 0], write(0x80001000)), [], "it was there before");
  assert.deepEqual(told(parameters, memory, [5, PLACE + 4, 0, 0], write(9)), [], "elsewhere");
  assert.deepEqual(told(parameters, memory, [PLACE + 1, -4, 0, 0], write(10)), [], "no places of words");
});

test("a memory may grow meanwhile", () => {
  const [parameters, memory] = fresh();
  const grow = () => {
    memory.grow(1);
    write(4096)(new Uint32Array(memory.buffer));
  };
  assert.deepEqual(told(parameters, memory, [PLACE, 0, 0, 0], grow), [[FUNCTION, 4096]]);
  assert.deepEqual(told(parameters, memory, [PLACE, 0, 0, 0], write(8192)), [[FUNCTION, 8192]]);
});

test("functions that give out nothing are not looked at any more", () => {
  const [parameters, memory] = fresh();
  for (let call = 0; call < 32; call++) told(parameters, memory, [PLACE, 0, 0, 0], () => {});
  assert.deepEqual(told(parameters, memory, [PLACE, 0, 0, 0], write(4096)), []);
});

test("only the call that began is told", () => {
  const [parameters, memory] = fresh();
  parameters.begin(FUNCTION, memory, PLACE, 0, 0, 0);
  new Uint32Array(memory.buffer)[PLACE / 4] = 1;
  parameters.end(FUNCTION + 1, memory, () => assert.fail());
  parameters.begin(FUNCTION, memory, 1n, 0n, 0n, 0n);
  parameters.end(FUNCTION, memory, () => assert.fail());
});
