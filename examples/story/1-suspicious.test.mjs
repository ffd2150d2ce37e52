// The test that passes at the first try, in a memory that never grows.
import assert from "node:assert/strict";
import test from "node:test";
import { long, size } from "./long.mjs";
import { createCString, instantiate, receiveCString } from "./strings.mjs";

async function roundTrip(text) {
  const strings = await instantiate();
  const copy = createCString(strings, text, (pointer) =>
    receiveCString(strings, () => strings.string_duplicate(pointer)),
  );
  assert.equal(copy, text);
}

test("a short string comes back", () => roundTrip("hello"));

test("memory stops growing", async () => {
  const strings = await instantiate();
  assert.equal(size(strings), 131_072);
  roundTrip(long);
  const afterFirst = size(strings);
  for (let time = 0; time < 16; time++) roundTrip(long);
  assert.equal(size(strings), afterFirst);
});
