// Memories that JavaScript grows.
import { start } from "./guest.mjs";

const PAGE = 65536;

const ways = {
  // As Emscripten's `_emscripten_resize_heap`.
  first() {
    const resize = (bytes) => exports.memory.grow(Math.ceil(bytes / PAGE) - exports.memory.buffer.byteLength / PAGE) >= 0; // resizes
    const exports = start("resizes", { env: { resize } });
    for (let time = 0; time < 10; time++) exports.malloc(100000); // allocates
  },

  outside() {
    const { malloc, free, memory } = start("resizes", { env: { resize: () => 0 } });
    memory.grow(3); // grows
    for (let time = 0; time < 10; time++) free(malloc(10000));
  },

  refused() {
    const resize = () => {
      try {
        return exports.memory.grow(1000) >= 0; // asks for too much
      } catch {
        return 0;
      }
    };
    const exports = start("resizes", { env: { resize } });
    console.log(exports.malloc(100000)); // gets nothing
  },

  // Through two functions of the program, once by each line.
  helpers() {
    const grow = (pages) => exports.memory.grow(pages); // helper
    const resize = (bytes) => (bytes > 4 * PAGE ? grow(4) : grow(2)) >= 0; // chooses
    const exports = start("resizes", { env: { resize } });
    exports.work(100000); // small
    exports.work(200000); // large
  },
};

ways[process.argv[2]]();
