// Watches the functions of Node that take views of memories.

/** Watches `TextDecoder`, `TextEncoder` and `Buffer.from`. */
export function watchViews({ memories, patch }) {
  memories.watchViews(globalThis, patch);
  patch.call(Buffer, "from", (target, self, values) => {
    memories.noteStale(values[0]);
    // Node asks for the buffer's length itself here.
    return memories.quietly(() => Reflect.apply(target, self, values));
  });
}
