// What each hook means: testdata/hooks.json has calls of hooks and the records that come of them, for this
// recorder and the one in Rust.

import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeHost } from "./fake-host.js";
import { testdata } from "../support.js";
import { hooksOf } from "../../src/record/hooks.js";
import { HOOKS } from "../../src/record/names.js";

// How many of a hook's parameters are addresses, sizes, pages or values that may be addresses; they come after
// a function's index, where there is one. The others are always i32, among them the context's two halves.
const WIDE = { allocated: [0, 3], freed: [0, 3], reallocating: [0, 4], reallocated: [0, 1], grown: [0, 2], entered: [3, 8], resumed: [0, 0], passed: [0, 4], returned: [1, 2], handed_out: [0, 4], bad_access: [1, 3] };

const HAS_CONTEXT = ["allocated", "freed", "reallocating", "grown"];

/** Numbers as the engine passes them. */
function valuesOf({ hook, args }, address) {
  const [from, to] = WIDE[hook];
  const isWide = (place) => address === "i64" && place >= from && place < to;
  return args.map((value, place) => (isWide(place) ? BigInt.asIntN(64, BigInt(value)) : Number(value) | 0));
}

function callHook(host, step, address) {
  const frame = step.frame ?? (HAS_CONTEXT.includes(step.hook) ? step.args.slice(-2).map(Number) : undefined);
  const result = host.hook(step.hook, valuesOf(step, address), { frame, host: step.host ?? ["main (app.mjs:1)"] });
  if ("returns" in step) assert.equal(result, step.returns);
}

function run(host, step, address) {
  if ("hook" in step) callHook(host, step, address);
  else if ("poke" in step) new Uint8Array(host.memory.buffer).set(step.poke.bytes, step.poke.address);
  else if ("look" in step) host.look();
  else if ("flush" in step) host.recorder.records.tick();
  else if ("snapshot" in step) host.snapshot(step.snapshot.frames_live);
  else if ("exit" in step) host.recorder.exit(step.exit);
  else assert.fail(`${JSON.stringify(step)} is not a step`);
}

// These say how a recorder begins and keeps time. The instance's creation has the first stack of the host.
const LEFT_OUT = ["MODULE", "MEMORY", "INSTANCE", "THREAD", "CREATED", "CLOCK", "SELECT"];

function told(records) {
  const [creation] = records.filter(({ record }) => record === "HOST_STACK");
  const kept = records.filter((record) => record !== creation && !LEFT_OUT.includes(record.record));
  return kept.map((fields) => asJson(typeof fields.caller === "number" ? { ...fields, caller: fields.caller - 1 } : fields));
}

const asJson = (record) => JSON.parse(JSON.stringify(record, (_, value) => (typeof value === "bigint" ? String(value) : value)));

for (const { name, address, low_memory, malloc, steps, records } of testdata.hooks.cases) {
  test(name, () => {
    const host = new FakeHost({ lowMemory: low_memory, malloc });
    for (const step of steps) run(host, step, address);
    assert.deepEqual(told(host.records()), records);
  });
}

test("the hooks are those that instrumented modules import", () => {
  const { recorder } = new FakeHost();
  assert.deepEqual(Object.keys(hooksOf({}, recorder)), HOOKS);
});

test("each hook is in some case, for both kinds of addresses", () => {
  const used = new Set(testdata.hooks.cases.flatMap(({ address, steps }) => steps.map(({ hook }) => `${address} ${hook}`)));
  assert.deepEqual(HOOKS.flatMap((hook) => ["i32", "i64"].map((address) => `${address} ${hook}`)).filter((name) => !used.has(name)), []);
});
