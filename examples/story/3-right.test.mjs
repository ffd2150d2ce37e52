// One instance, and each round trip is over before the memory is measured.
import assert from "node:assert/strict";
import test from "node:test";
import { long, size } from "./long.mjs";
import { createCString, instantiate, receiveCString } from "./strings.mjs";

async function roundTrip(strings, text) {
  const copy = createCString(strings, text, (pointer) =>
    receiveCString(strings, () => strings.string_duplicate(pointer)),
  );
  assert.equal(copy, text);
}

test("memory stops growing", async () => {
  const strings = await instantiate();
  await roundTrip(strings, long);
  const afterFirst = size(strings);
  assert.ok(afterFirst > 131_072);
  for (let time = 0; time < 16; time++) await roundTrip(strings, long);
  assert.equal(size(strings), afterFirst);
});
