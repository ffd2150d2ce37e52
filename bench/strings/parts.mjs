// What strings are made of, one by one, in the library's guest: the reasons for what is lost are
// read from these.

import { cstrings } from "../../packages/linmem/src/strings.js";
import { guest } from "./peers/module.mjs";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Answers with a function: from a text to the parts, as [name, () => number]. */
export async function loadParts() {
  const { exports } = await guest();
  const strings = cstrings(exports);

  return (text) => {
    const { length } = encoder.encode(text);
    strings.with(text, (pointer) => exports.keep(pointer));
    const kept = exports.kept();
    // A part at a time would grow the memory, and every view with it. So it grows first.
    exports.free(exports.malloc(4 * text.length + 1));
    const memory = new Uint8Array(exports.memory.buffer);
    const target = new Uint8Array(3 * text.length);
    return [
      ["guest call", () => exports.kept()],
      ["malloc and free", () => exports.free(exports.malloc(length + 1)) ?? 0],
      ["encodeInto", () => encoder.encodeInto(text, target).written],
      ["text.indexOf(NUL)", () => text.indexOf("\0")],
      ["Uint8Array.indexOf(NUL)", () => memory.indexOf(0, kept)],
      ["the guest's strlen", () => exports.strlen(kept)],
      ["TextDecoder", () => decoder.decode(memory.subarray(kept, kept + length)).length],
      ["take(pointer)", () => strings.take(exports.copy()).length],
      ["take(pointer, length)", () => strings.take(exports.copy(), length).length],
    ];
  };
}
