// The library's operations, one by one.

import { cstrings } from "../../../packages/linmem/src/strings.js";
import { guest } from "./module.mjs";

export const name = "linmem";

export async function load() {
  const instance = await guest();
  const { exports } = instance;
  const strings = cstrings(instance);
  useWidely(strings, exports);
  return {
    first: (text) => strings.with(text, (pointer) => exports.first(pointer)),
    keep: (text) => strings.with(text, (pointer) => exports.keep(pointer)),
    kept: () => strings.read(exports.kept()),
    copy: () => strings.take(exports.copy()),
  };
}

// An engine compiles a function for the callbacks that it has seen. With only one it would put
// that one into it, which no program with more than a few functions gets.
function useWidely(strings, exports) {
  const callbacks = Array.from({ length: 10 }, (_, i) => new Function("exports", `return (pointer) => exports.first(pointer) + ${i}`)(exports));
  for (let i = 0; i < 20000; i++) strings.with("text", callbacks[i % callbacks.length]);
}
