import assert from "node:assert/strict";

const PAGE_BYTES = 65_536;

// A string of 128 Ki letters: with its NUL one byte more than two pages, and so more than the whole
// memory of a new instance.
export const long = "a".repeat(128 * 1024);

/** The memory's size as three witnesses see it: its buffer, `memory.grow(0)`, and the module. */
export function size(strings) {
  const bytes = strings.memory.buffer.byteLength;
  assert.equal(strings.memory.grow(0) * PAGE_BYTES, bytes);
  assert.equal(strings.get_memory_size() * PAGE_BYTES, bytes);
  return bytes;
}
