// The same instance for the work and the measurement, but the test does not wait for the work.
import assert from "node:assert/strict";
import test from "node:test";
import { long, size } from "./long.mjs";
import { createCString, instantiate, receiveCString } from "./strings.mjs";

async function roundTrip(strings, text) {
  await new Promise((resolve) => setTimeout(resolve, 1));
  const copy = createCString(strings, text, (pointer) =>
    receiveCString(strings, () => strings.string_duplicate(pointer)),
  );
  assert.equal(copy, text);
}

test("memory stops growing", async () => {
  const strings = await instantiate();
  roundTrip(strings, long);
  const afterFirst = size(strings);
  for (let time = 0; time < 16; time++) roundTrip(strings, long);
  assert.equal(size(strings), afterFirst);
});
