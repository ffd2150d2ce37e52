// What calls leave behind: pages, the C stack, views that are detached; and what they are passed.
import { start } from "./guest.mjs";

const fail = { env: { callback: () => { throw new Error("no"); } } };
const count = (times, run) => Array.from({ length: times }, (_, index) => run(index));

const attempt = (run) => {
  try {
    run();
  } catch {
    // That is what is tried here.
  }
};

function growing(times, pagesOf) {
  const { work } = start("growing", { env: { callback() {} } });
  count(times, (index) => work(pagesOf(index))); // grows
}

// A use of a view that a growth has detached.
function detached(use) {
  const { malloc, memory } = start("pages");
  const view = new Uint8Array(memory.buffer, 8, 4);
  malloc(8); // detaches
  attempt(() => use(view));
}

function restored(write) {
  const { free, lose, malloc, memory } = start("restored");
  const before = new Uint8Array(memory.buffer).slice();
  for (let time = 0; time < 3; time++) {
    write(memory, before);
    malloc(40 + time);
  }
  return { before, free, lose, malloc, memory };
}

const all = (memory, before) => new Uint8Array(memory.buffer).set(before); // puts back

const ways = {
  growing: () => growing(100, () => 1),
  "growing, every other": () => growing(60, (index) => 2 * (index % 2)),
  "growing, not alike": () => growing(20, (index) => 1 + (index % 2)),
  "growing, at first": () => growing(100, (index) => (index < 10 ? 1 : 0)),
  "growing, a few": () => growing(5, () => 1),

  "growing, by the host"() {
    const { ask, memory } = start("growing", { env: { callback: (pages) => memory.grow(pages) } });
    count(30, () => ask(3)); // asks
  },

  "growing, explained"() {
    const { malloc } = start("pages");
    count(20, () => malloc(65536));
  },

  "trap, not caught"() {
    const { read } = start("calls", fail);
    read(-1); // ends
  },

  trap() {
    const { free, malloc, read } = start("calls", fail);
    free(malloc(10));
    attempt(() => read(-1)); // traps
  },

  "trap, passed on"() {
    const { free, malloc, take } = start("calls", fail);
    const block = malloc(10);
    free(block);
    take(1, 2n, block); // passes
    attempt(() => take(block, 0n, -4)); // traps, too
  },

  thrown() {
    const { call } = start("calls", fail);
    count(3, () => attempt(() => call(1)));
  },

  "stack lost"() {
    const { measure } = start("calls", fail);
    count(150, () => attempt(() => measure(1))); // throws
  },

  "stack lost, now and then"() {
    let times = 0;
    const { measure } = start("calls", { env: { callback: () => { if (++times % 50 === 0) throw new Error("no"); } } });
    count(200, () => attempt(() => measure(1)));
  },

  "stack kept"() {
    const { measure } = start("calls", { env: { callback() {} } });
    count(200, () => measure(1));
  },

  stale() {
    const { free, malloc, read } = start("calls", fail);
    const block = malloc(10); // allocates
    read(block);
    free(block); // frees
    count(3, () => read(block)); // reads
  },

  "stale, late"() {
    const { free, malloc, read } = start("calls", fail);
    count(30, () => {
      const block = malloc(10);
      read(block);
      free(block);
      if (malloc(20) !== block) throw new Error("another block");
      read(block);
      free(block);
    });
    read(70000); // reads late
  },

  "stale, each time"() {
    const { free, malloc, read } = start("calls", fail);
    count(30, () => {
      const block = malloc(10);
      free(block);
      read(block); // reads it
    });
  },

  "a number"() {
    const { call, free, malloc } = start("calls", { env: { callback() {} } });
    count(30, () => free(malloc(10)));
    count(30, () => call(70000));
  },

  "detached, set": () => detached((view) => view.set([1])), // set
  "detached, subarray": () => detached((view) => view.subarray(1, 2)), // subarray
  "detached, copied": () => detached((view) => new Uint8Array(8).set(view)), // copied
  "detached, by hand": () => detached((view) => (view[0] = view.length)),

  "made anew"() {
    const { malloc, memory } = start("pages");
    count(3, () => {
      const block = malloc(8);
      new Uint8Array(memory.buffer, block, 8).fill(1).set(new Uint8Array(0));
    });
  },

  restored: () => restored(all),

  "restored, and lost"() {
    const { lose } = restored(all);
    lose();
  },

  "restored, and freed"() {
    const { free, malloc, memory } = start("restored");
    const before = new Uint8Array(memory.buffer).slice();
    const block = malloc(8);
    const during = new Uint8Array(memory.buffer).slice();
    all(memory, before);
    new Uint8Array(memory.buffer).set(during); // again
    free(block);
  },

  "written elsewhere": () => restored((memory, before) => new Uint8Array(memory.buffer).set(before.subarray(2048, 4096), 2048)),
};

// Objects whose blocks are left to finalizers, as wasm-bindgen and embind do.
let registry;

function finalized(heldOf, { freesFirst = 0, objectOf = (at) => ({ at }) } = {}) {
  const { free, malloc } = start("calls", fail);
  registry = new FinalizationRegistry((held) => (typeof held === "function" ? held() : free(held.$$?.ptr ?? held)));
  const objects = count(40, () => {
    const object = objectOf(malloc(50));
    registry.register(object, heldOf(object.at, free), object); // registers
    return object;
  });
  for (const object of objects.slice(0, freesFirst)) {
    registry.unregister(object);
    free(object.at);
  }
  return { malloc, objects };
}

Object.assign(ways, {
  "finalized, by an address": () => finalized((at) => at),
  "finalized, by an object": () => finalized((at) => ({ $$: { ptr: at } })),
  "finalized, by a function": () => finalized((at, free) => () => free(at)),
  "finalized, by a function, of objects in a row"() {
    let last;
    finalized((at, free) => () => free(at), { objectOf: (at) => (last = { before: last, at }) });
  },

  "finalized, by a name": () => finalized(() => "a name"),
  "finalized, some freed": () => finalized((at) => at, { freesFirst: 15 }),

  "finalized, not any more"() {
    const { objects } = finalized((at) => at);
    for (const object of objects) registry.unregister(object);
  },

  "finalized, and others"() {
    const { malloc } = finalized((at) => at);
    malloc(7);
  },
});

ways[process.argv[2]]();
