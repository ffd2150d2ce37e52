// The engine refuses memories and instances.
import { readFileSync } from "node:fs";
import { load } from "./guest.mjs";

const MORE_THAN_FIT = 200;

const bytesOf = (name) => readFileSync(`${process.env.GUESTS}/${name}.wasm`);
const kept = [];

function serve(module) {
  const instance = new WebAssembly.Instance(module); // makes one for each request
  instance.exports.free(instance.exports.malloc(100));
  kept.push(instance);
}

const ways = {
  instances() {
    const module = load("numbers");
    for (let request = 0; request < MORE_THAN_FIT; request++) serve(module);
  },

  // Each request that fails is answered.
  caught() {
    const module = load("numbers");
    for (let request = 0; request < MORE_THAN_FIT; request++) {
      try {
        serve(module);
      } catch ({ name }) {
        console.log(name);
      }
    }
  },

  async asynchronous() {
    const bytes = bytesOf("numbers");
    for (let request = 0; request < MORE_THAN_FIT; request++) {
      const { instance } = await WebAssembly.instantiate(bytes); // makes one later
      kept.push(instance);
    }
  },

  memories() {
    for (let time = 0; time < MORE_THAN_FIT; time++) kept.push(new WebAssembly.Memory({ initial: 2 })); // makes a memory
  },

  // The program makes the memories of its instances.
  imported() {
    const module = load("grows");
    for (let time = 0; time < MORE_THAN_FIT; time++) {
      const memory = new WebAssembly.Memory({ initial: 2, maximum: 4 }); // makes one to import
      kept.push(new WebAssembly.Instance(module, { env: { memory } })); // imports it
    }
  },

  // None is kept, and the engine collects them all the while.
  dropped() {
    const module = load("numbers");
    for (let request = 0; request < 10 * MORE_THAN_FIT; request++) {
      const { malloc, free } = new WebAssembly.Instance(module).exports;
      free(malloc(100));
    }
    for (let time = 0; time < 10 * MORE_THAN_FIT; time++) new WebAssembly.Memory({ initial: 1 });
  },

  // Too much for the machine: it does with less.
  fallback() {
    for (const maximum of [65536, 60000, 16]) {
      try {
        kept.push(new WebAssembly.Memory({ initial: maximum, maximum })); // asks for much
      } catch ({ name }) {
        console.log(name);
      }
    }
    const { malloc, free } = new WebAssembly.Instance(load("numbers")).exports;
    free(malloc(100));
  },

  unlinked() {
    const module = load("starts");
    for (const imports of [{ host: {} }, { host: { report: 1 } }]) {
      try {
        new WebAssembly.Instance(module, imports); // does not link
      } catch ({ name }) {
        console.log(name);
      }
    }
  },

  async "unlinked later"() {
    await WebAssembly.instantiate(bytesOf("starts"), { host: {} }).catch(({ name }) => console.log(name)); // links later
  },

  traps() {
    new WebAssembly.Instance(load("traps_at_start")); // traps
  },

  throws() {
    const report = () => {
      throw new TypeError("not today");
    };
    new WebAssembly.Instance(load("starts"), { host: { report } }); // throws
  },
};

await ways[process.argv[2]]();
