// Runs in the page: the vectors, in each kind of memory, and what only browsers have.

import { cstrings } from "linmem/strings";
import { bumpAllocator, vectors } from "/test/vectors.js";

const kinds = {
  plain: ({ initial, maximum }) => new WebAssembly.Memory({ initial, ...(maximum && { maximum }) }),
  shared: ({ initial, maximum = 65536 }) => new WebAssembly.Memory({ initial, maximum, shared: true }),
  resizable({ initial, maximum = 65536 }) {
    const memory = new WebAssembly.Memory({ initial, maximum });
    memory.toResizableBuffer();
    return memory;
  },
};

/** Whether this engine has a kind of memory. */
export const has = (kind) =>
  kind === "plain" ||
  (kind === "shared" ? globalThis.crossOriginIsolated : WebAssembly.Memory.prototype.toResizableBuffer !== undefined);

/** The failures among all vectors in one kind of memory, and how many there are. */
export async function runVectors(kind) {
  const load = async (name) => (await fetch(`/testdata/${name}.json`)).json();
  const testdata = { strings: await load("strings"), utf8tests: await load("utf8tests") };
  const failures = [];
  let count = 0;
  for (const { name, run } of vectors({ cstrings, ...testdata, makeMemory: kinds[kind] })) {
    count++;
    try {
      run();
    } catch (error) {
      failures.push(`${name}: ${error.stack}`);
    }
  }
  return { count, failures };
}

/** Texts that come back while somebody flips the memory's kind and grows it: [text, what came back]. */
export function flipKinds() {
  const guest = bumpAllocator({ pages: 16, maximum: 200 }, kinds.plain);
  const strings = cstrings(guest);
  return ["short", "é", "x".repeat(300), "é".repeat(3000)].flatMap((text) => [
    [text, strings.with(text, (pointer) => (guest.memory.toResizableBuffer(), strings.read(pointer)))],
    [text, strings.with(text, (pointer) => (guest.memory.grow(1), strings.read(pointer)))],
    [text, strings.with(text, (pointer) => (guest.memory.toFixedLengthBuffer(), strings.read(pointer)))],
  ]);
}

/** How often each strlen is asked, and what is read, for a short and a long text. */
export async function askStrlen() {
  const { instance } = await WebAssembly.instantiate(await (await fetch("/test/guests/libc.wasm")).arrayBuffer());
  const { exports } = instance;
  const trap = () => exports.trap(0);
  const grow = () => (exports.grow(1), 20);
  const answers = { true: exports.strlen, short: () => 20, long: () => 1e9, negative: () => -8, none: () => undefined, trap, grow };
  return Object.entries(answers).map(([name, answer]) => {
    let asked = 0;
    const strlen = (pointer) => (asked++, answer(pointer));
    const strings = cstrings({ ...exports, strlen });
    const read = ["text", "é".repeat(500)].map((text) => strings.with(text, (pointer) => strings.read(pointer)));
    return { name, asked, read };
  });
}
