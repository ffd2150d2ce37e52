// Observes without a recorder: the size of the memory, and those calls of the allocator that the body makes
// through the exports that it is given.

import { Blocks } from "../record/blocks.js";
import { FAMILIES } from "../strings/allocator.js";
import { address } from "../strings/memory.js";

const PAGE_BYTES = 65536;

// What the functions do to the blocks, in the order of the names of a family. A size that is passed to a free
// is ignored: a block that was not allocated here is the module's own, or an older one.
const allocates = (blocks, [size], pointer, stack) => blocks.allocated(at(pointer), Number(size), stack);

const frees = (blocks, [pointer]) => blocks.freed(at(pointer));

// C's takes (pointer, size), a sized one (pointer, old size, size, alignment).
const reallocates = (blocks, [old, ...sizes], pointer, stack) =>
  blocks.reallocated(at(pointer), stack, { old: at(old), newSize: Number(sizes.length > 1 ? sizes[1] : sizes[0]) });

// (old pointer, old size, alignment, new size)
const reallocatesComponent = (blocks, [old, , , newSize], pointer, stack) =>
  blocks.reallocated(at(pointer), stack, { old: at(old), newSize: Number(newSize) });

const ROLES = [allocates, frees, reallocates];
const roleOf = new Map(FAMILIES.flatMap((names) => names.map((name, index) => [name, ROLES[index]])));
roleOf.set("cabi_realloc", reallocatesComponent);

const at = (pointer) => address(pointer ?? 0);

/** The same members as a recorder's observation, and the exports to give to the body. */
export class ExportedObservation {
  #blocks = new Blocks((stack) => stack());

  constructor(exports, memory) {
    this.memory = memory;
    this.exports = { ...exports };
    const names = Object.keys(exports).filter((name) => roleOf.has(name) && typeof exports[name] === "function");
    for (const name of names) this.exports[name] = this.#watched(exports[name], roleOf.get(name));
    this.hasAllocator = names.length > 0;
  }

  // A Proxy keeps the function's length, by which callers tell what it takes.
  #watched(target, role) {
    const apply = (_, self, values) => {
      const result = Reflect.apply(target, self, values);
      role(this.#blocks, values, result, () => stackAbove(apply));
      return result;
    };
    return new Proxy(target, { apply });
  }

  state() {
    const { allocations, frees, failed, liveBytes } = this.#blocks;
    const pages = this.memory.buffer.byteLength / PAGE_BYTES;
    return { pages, allocations, frees, failed, unknownFrees: 0, liveBytes };
  }

  others() {
    return { ofSameModule: NONE, ofOtherModules: NONE };
  }

  mark() {
    this.#blocks.mark();
  }

  left() {
    return this.#blocks.left();
  }

  end() {}
}

const NONE = { instances: 0, allocations: 0 };

// The callers of `callee`. Engines that cannot leave it out show it, and what it calls.
function stackAbove(callee) {
  const holder = {};
  if (Error.captureStackTrace) Error.captureStackTrace(holder, callee);
  else holder.stack = new Error().stack;
  if (typeof holder.stack !== "string") return [];
  return holder.stack.split("\n").filter((line) => !/^(\w*Error\b.*)?$/.test(line)).map((line) => line.trim().replace(/^at /, ""));
}
