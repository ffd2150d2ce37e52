// What people write by hand, checks and all rules left out.

import { guest } from "./module.mjs";

export const name = "plain recipe";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export async function load() {
  const { exports } = await guest();

  function lend(text, run) {
    const bytes = encoder.encode(text + "\0");
    const pointer = exports.malloc(bytes.length);
    new Uint8Array(exports.memory.buffer).set(bytes, pointer);
    const result = run(pointer);
    exports.free(pointer);
    return result;
  }

  function read(pointer) {
    const memory = new Uint8Array(exports.memory.buffer);
    return decoder.decode(memory.subarray(pointer, memory.indexOf(0, pointer)));
  }

  function take(pointer) {
    const text = read(pointer);
    exports.free(pointer);
    return text;
  }

  return {
    first: (text) => lend(text, exports.first),
    keep: (text) => lend(text, exports.keep),
    kept: () => read(exports.kept()),
    copy: () => take(exports.copy()),
  };
}
