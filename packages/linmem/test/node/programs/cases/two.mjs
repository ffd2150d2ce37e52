// Several instances use one memory, and with it one heap.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { load, start } from "./guest.mjs";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc");
const module = load("two");
const memory = new WebAssembly.Memory({ initial: 2 });
new Int32Array(memory.buffer)[0] = 1024;
const make = () => new WebAssembly.Instance(module, { env: { memory } }).exports;
const [a, b] = [make(), make()];
const turn = () => new Promise((resolve) => setTimeout(resolve, 10));

const ways = {
  first() {
    b.free(a.malloc(100));
    b.free(b.malloc(50));
    memory.grow(3);
  },

  // A third one allocates, and is collected before another one frees.
  async collected() {
    const lent = () => make().malloc(30);
    const pointers = Array.from({ length: 5 }, lent);
    for (let time = 0; time < 5; time++) {
      await turn();
      collect();
    }
    for (const pointer of pointers) a.free(pointer);
    b.free(a.malloc(10));
  },

  // One of another module grows the memory.
  grown() {
    const { grow } = start("grows", { env: { memory } });
    for (let time = 0; time < 4; time++) {
      grow(1); // grows
      const pointer = b.malloc(65536);
      new Uint8Array(memory.buffer).fill(1, pointer, pointer + 65536);
      a.free(pointer);
    }
  },

  reallocated() {
    let pointer = a.malloc(10);
    for (let time = 0; time < 6; time++) pointer = [a, b][time % 2].realloc(pointer, 20 + time);
    b.free(pointer);
    a.free(b.realloc(0, 40));
  },

  leaks() {
    b.free(a.malloc(100));
    for (let time = 0; time < 3; time++) b.lose(); // loses
  },

  "double free"() {
    const pointer = a.malloc(100); // allocates
    b.free(pointer); // frees
    a.free(pointer); // again
  },
};

await ways[process.argv[2]]();
