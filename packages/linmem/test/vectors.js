// The vectors of testdata/ as tests that run in Node and in a page: { name, run }, where run throws
// when the library does something else.

const PAGE = 65536;

export function textOf(value) {
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return value.map(textOf).join("");
  if ("repeat" in value) return textOf(value.repeat).repeat(value.times);
  return String.fromCharCode(...value.utf16.split(" ").map((unit) => parseInt(unit, 16)));
}

/** The bytes as hex digits. */
function hexOf(value) {
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return value.map(hexOf).join("");
  return hexOf(value.repeat).repeat(value.times);
}

export function bytesOf(value) {
  const hex = hexOf(value);
  const nibble = (at) => {
    const code = hex.charCodeAt(at);
    return code < 0x3a ? code - 0x30 : (code | 0x20) - 0x57;
  };
  return Uint8Array.from({ length: hex.length / 2 }, (_, i) => 16 * nibble(2 * i) + nibble(2 * i + 1));
}

export function expect(actual, expected, what) {
  if (Object.is(actual, expected)) return;
  const show = (value) => String(typeof value === "string" ? JSON.stringify(value) : value).slice(0, 200);
  throw new Error(`${what}: ${show(actual)}, expected ${show(expected)}`);
}

function expectBytes(actual, expected) {
  expect(actual.length, expected.length, "length in bytes");
  expect(actual.findIndex((byte, i) => byte !== expected[i]), -1, "first byte that differs");
}

function expectError(run, expected) {
  let error;
  try {
    run();
  } catch (caught) {
    error = caught;
  }
  if (error === undefined) throw new Error(`no error, expected ${expected.code}`);
  expect(error.code, expected.code, `code of "${error.message}"`);
  const { code, utf16Index: index, byteIndex, ...rest } = expected;
  for (const [name, value] of Object.entries({ ...rest, ...(index !== undefined && { index }) })) {
    expect(error[name], value, name);
  }
}

/** The allocator that testdata/README.md describes. `live` has its blocks that were not freed. */
export function bumpAllocator({ pages = 1, maximum, base = 1024, fails, growBy = 0, unchecked }, makeMemory) {
  const memory = makeMemory({ initial: pages, maximum });
  const live = new Set();
  let next = base;
  const hasRoom = (end) => end <= memory.buffer.byteLength || grow(memory, Math.ceil((end - memory.buffer.byteLength) / PAGE));
  return {
    memory,
    live,
    malloc(size) {
      if (fails) return 0;
      if (growBy > 0) memory.grow(growBy);
      if (!unchecked && !hasRoom(next + size)) return 0;
      const block = next;
      next = Math.ceil((next + size) / 16) * 16;
      live.add(block);
      return block | 0;
    },
    free(block) {
      if (!live.delete(block >>> 0)) throw new Error(`free of ${block}, which is not a block`);
    },
  };
}

function grow(memory, pages) {
  try {
    memory.grow(pages);
    return true;
  } catch {
    return false;
  }
}

/** All cases. `makeMemory` is how memories are made: plain, shared or resizable ones. */
export function* vectors({ cstrings, strings, utf8tests, makeMemory }) {
  const context = { cstrings, makeMemory };
  for (const test of strings.encode) yield { name: `encode: ${test.name}`, run: () => runEncode(test, context) };
  for (const test of strings.decode) yield { name: `decode: ${test.name}`, run: () => runDecode(test, context) };
  for (const test of strings.allocate) yield { name: `allocate: ${test.name}`, run: () => runAllocate(test, context) };
  for (const test of utf8tests.cases) yield { name: `utf8tests ${test.id}`, run: () => runUtf8Test(test, context) };
}

function runEncode({ text, options, bytes, error }, context) {
  passIn({ ...context, allocator: { pages: 16 }, options, text: textOf(text), bytes: bytes && bytesOf(bytes), error });
}

function runAllocate({ allocator, text, bytes, error, pointer, minimumPagesAfter }, context) {
  const input = { text: textOf(text), bytes: bytes && bytesOf(bytes), error };
  passIn({ ...context, allocator, ...input, pointer, minimumPagesAfter });
}

// Every way in: lent, lent with others, and kept; each calls `check` with pointer and length.
const ways = [
  (strings, text, check) => strings.with(text, check),
  (strings, text, check) => strings.withAll([text, null], (pointer, none) => check(pointer, undefined, none)),
  (strings, text, check) => {
    const kept = strings.alloc(text);
    check(kept.ptr, kept.byteLength);
    kept.free();
  },
];

function passIn({ cstrings, makeMemory, allocator, options, text, bytes, error, pointer, minimumPagesAfter = 0 }) {
  for (const way of ways) {
    for (const scratch of [0, 16384]) {
      const guest = bumpAllocator(allocator, makeMemory);
      const strings = cstrings(guest, { ...options, scratch });
      const check = (at, length = bytes.length, none = 0) => {
        expect(length, bytes.length, "byteLength");
        expect(none, 0, "NULL");
        if (pointer !== undefined) expect(at, pointer, "pointer");
        expectBytes(new Uint8Array(guest.memory.buffer).slice(at, at + length), bytes);
        expect(new Uint8Array(guest.memory.buffer)[at + length], 0, "NUL");
      };
      const run = () => way(strings, text, check);
      if (error) expectError(run, error);
      else run();
      strings.release();
      // What lies outside the memory is not a block, and not freed.
      if (error?.code !== "out-of-range") expect(guest.live.size, 0, "blocks left");
      expect(guest.memory.buffer.byteLength >= minimumPagesAfter * PAGE, true, "grown far enough");
    }
  }
}

function memoryOf({ pages, fill, data }, makeMemory) {
  const memory = makeMemory({ initial: pages });
  const view = new Uint8Array(memory.buffer);
  if (fill !== undefined) view.fill(parseInt(fill, 16));
  for (const { at, bytes } of data) view.set(bytesOf(bytes), at);
  return memory;
}

function runDecode({ memory, pointer, byteLength, options, text, error }, { cstrings, makeMemory }) {
  const strings = cstrings({ memory: memoryOf(memory, makeMemory) }, { ...options, readOnly: true });
  for (const signed of new Set([pointer, pointer | 0])) {
    const run = () => strings.read(signed, byteLength);
    if (error) expectError(run, error);
    else expect(run(), textOf(text), "text");
  }
}

function runUtf8Test({ bytes, text, invalidAt }, { cstrings, makeMemory }) {
  const input = bytesOf(bytes);
  const memory = makeMemory({ initial: 1 });
  new Uint8Array(memory.buffer).set(input, 8);
  const expected = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true }).decode(bytesOf(text));
  expect(cstrings({ memory }, { readOnly: true }).read(8, input.length), expected, "text");
  const fatal = () => cstrings({ memory }, { readOnly: true, invalid: "fatal" }).read(8, input.length);
  if (invalidAt === null) expect(fatal(), expected, "text");
  else expectError(fatal, { code: "invalid-utf8", address: 8, offset: invalidAt });
}
