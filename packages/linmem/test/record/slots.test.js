// What a slot leaves where its owner was terminated, with a file in memory: an exception stands for the end.

import assert from "node:assert/strict";
import test from "node:test";
import { Control, SLOTS } from "../../src/record/control.js";
import { claimSlot, Drainer, leaveSlots } from "../../src/record/slots.js";

class FakeFile {
  bytes = [];
  // What happens instead of, or after, a call.
  fail = {};

  size() {
    this.fail.size?.();
    return this.bytes.length;
  }

  append(bytes) {
    const part = this.fail.part ?? bytes.length;
    this.bytes.push(...bytes.subarray(0, part));
    this.fail.append?.();
  }
}

const terminate = () => {
  throw new Error("terminated");
};

function setUp() {
  const control = new Control();
  const file = new FakeFile();
  const claim = (id = 1, ancestors = [0]) => claimSlot(control, { id, ancestors, attempt: 0 }, file);
  return { control, file, claim, slot: claim(), drainer: new Drainer(control, () => file) };
}

function publish(slot, ...bytes) {
  slot.room.set(bytes);
  slot.publish(bytes.length);
}

// The owner is gone, with what it held.
function end({ control, file, drainer }) {
  file.fail = {};
  leaveSlots(control, 1);
  drainer.drain();
}

test("A drainer writes what is published, and the owner what comes later", () => {
  const { file, slot, drainer } = setUp();
  publish(slot, 1, 2, 3);
  drainer.drain();
  assert.deepEqual(file.bytes, [1, 2, 3]);
  publish(slot, 1, 2, 3, 4);
  slot.flush();
  publish(slot, 5);
  drainer.drain();
  drainer.drain();
  assert.deepEqual(file.bytes, [1, 2, 3, 4, 5]);
});

for (const [name, fail] of Object.entries({
  "before the write": { append: terminate, part: 0 },
  "in the middle of the write": { append: terminate, part: 2 },
  "after the write": { append: terminate },
})) {
  test(`An owner that was terminated ${name} leaves each byte once`, () => {
    const set = setUp();
    publish(set.slot, 1, 2, 3);
    set.file.fail = fail;
    assert.throws(() => set.slot.flush(), /terminated/);
    end(set);
    assert.deepEqual(set.file.bytes, [1, 2, 3]);
  });
}

test("An owner that was terminated before the slot began anew leaves each byte once", () => {
  const set = setUp();
  publish(set.slot, 1, 2, 3);
  let calls = 0;
  set.file.fail = { size: () => ++calls === 2 && terminate() };
  assert.throws(() => set.slot.flush(), /terminated/);
  end(set);
  assert.deepEqual(set.file.bytes, [1, 2, 3]);
});

test("A record too large for the slot goes to the file, and the next ones follow", () => {
  const { file, slot, drainer } = setUp();
  publish(slot, 1, 2);
  slot.flush();
  slot.append(Uint8Array.of(3, 4));
  drainer.drain();
  slot.append(Uint8Array.of(5, 6));
  publish(slot, 7);
  drainer.drain();
  assert.deepEqual(file.bytes, [1, 2, 3, 4, 5, 6, 7]);
});

test("No number is given once the recording has ended", () => {
  const { slot, drainer } = setUp();
  assert.equal(slot.take(), 0);
  publish(slot, 1);
  drainer.end();
  assert.equal(slot.take(), -1);
});

test("The end waits for a record that is being written, but not for long", () => {
  const { file, slot, drainer } = setUp();
  publish(slot, 1);
  slot.take();
  const began = Date.now();
  drainer.end();
  assert.ok(Date.now() - began < 1000);
  assert.deepEqual(file.bytes, [1]);
});

test("A slot is free once its thread, or one that this was started by, has ended", () => {
  const { control, claim, drainer } = setUp();
  for (let id = 2; id <= SLOTS; id++) assert.notEqual(claim(id, [0, 1000 + id]), undefined);
  assert.equal(claim(), undefined);
  leaveSlots(control, 1007);
  drainer.drain();
  assert.notEqual(claim(), undefined);
  assert.equal(claim(), undefined);
});
