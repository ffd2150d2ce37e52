// Blocks that are freed again.
import { start } from "./guest.mjs";

const { drop, free, malloc } = start("bump");
const allocate = () => malloc(10); // allocates
const release = (pointer) => free(pointer); // releases
const again = (pointer) => free(pointer); // frees again

release(allocate());

const ways = {
  first() {
    const pointer = allocate();
    release(pointer);
    console.log("something else");
    again(pointer);
  },

  // Thousands of good ones first, by the same lines.
  late() {
    for (let time = 0; time < 4000; time++) release(allocate());
    const pointer = allocate();
    release(pointer);
    again(pointer);
  },

  // By another function of the module, and twice.
  drop() {
    const pointer = allocate();
    drop(pointer); // drops
    again(pointer);
    again(pointer);
  },

  async async() {
    const pointer = allocate();
    await new Promise((resolve) => setTimeout(() => resolve(release(pointer)), 1));
    setImmediate(again, pointer);
  },

  healthy() {
    for (let time = 0; time < 10; time++) release(allocate());
    free(0);
  },
};

await ways[process.argv[2]]();
