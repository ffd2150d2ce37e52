// The recorder's side of linmem/test. It hangs at each realm's `WebAssembly`, under a symbol that all
// realms share: the tests may have another copy of these files, or run in a context of `node:vm`.

import { isMemory } from "./engine.js";

const WATCH = Symbol.for("linmem.watch");

/** What a recorder offers to expectations. */
export const watchOf = (recorder) =>
  Object.freeze({
    /** Changes when the rest does. */
    version: 1,

    /** Begins to observe an instance, its exports, a memory, or what has one; undefined if it is not watched. */
    observe(subject) {
      const instances = find(subject, recorder);
      return instances.length === 0 ? undefined : recorder.observations.begin(instances);
    },

    /** Takes in that a library keeps a block of a memory for its own use. */
    keeps(memory, address) {
      recorder.instances.live.find((instance) => instance.memory === memory)?.keeps(address);
    },

    /** What to tell of the bytes of a memory that the program reads or writes; undefined if accesses of it are not checked. */
    checks(memory) {
      const instance = recorder.instances.live.find((instance) => instance.memory === memory && instance.isChecked);
      return instance && ((address, bytes, isWrite) => instance.accessed(address, bytes, isWrite));
    },
  });

function find(subject, { compilation, instances }) {
  const instance = compilation.instanceOf(subject);
  if (instance !== undefined) return [instance];
  const memory = isMemory(subject) ? subject : subject.memory;
  return isMemory(memory) ? instances.live.filter((instance) => instance.memory === memory) : [];
}

/** Lets the expectations of a realm find the recorder. */
export const offerWatch = ({ WebAssembly }, watch) => Object.defineProperty(WebAssembly, WATCH, { value: watch });
