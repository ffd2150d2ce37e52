// Counts the blocks that were allocated since an observation began, and their live bytes. It knows no
// engine, so it serves with and without a recorder.

// A stack costs some 20 microseconds, far more than a call of an allocator.
const MAX_STACKS = 4096;

export class Blocks {
  /** Allocations and reallocations that succeeded. */
  allocations = 0;
  frees = 0;
  /** Allocations that returned NULL. */
  failed = 0;
  /** Frees of older blocks whose size is not known. */
  unknownFrees = 0;
  /** Live bytes, compared to the beginning. */
  liveBytes = 0;

  #live = new Map();
  #takeStack;
  #marks = false;
  #stacksLeft = 0;

  /** `takeStack(from)` returns the frames of a stack, the innermost first. */
  constructor(takeStack) {
    this.#takeStack = takeStack;
  }

  allocated(pointer, size, from) {
    if (pointer === 0 && size > 0) this.failed++;
    else this.#add(pointer, Number(size), from);
  }

  freed(pointer, size) {
    if (pointer === 0) return;
    this.frees++;
    this.#remove(pointer, size);
  }

  /** A block has moved, or has another size; from NULL it is a new one. */
  reallocated(pointer, from, { old, oldSize, newSize }) {
    if (pointer === 0 && newSize > 0) this.failed++;
    else if (pointer === 0) this.freed(old, oldSize);
    else {
      if (old !== 0) this.#remove(old, oldSize);
      this.#add(pointer, Number(newSize), from);
    }
  }

  // If there is a live block already, a free of it was not seen.
  #add(pointer, size, from) {
    this.allocations++;
    this.liveBytes += size - (this.#live.get(pointer)?.size ?? 0);
    this.#live.set(pointer, { size, marked: this.#marks, stack: this.#stackOf(from) });
  }

  #remove(pointer, size) {
    const block = this.#live.get(pointer);
    this.#live.delete(pointer);
    if (block === undefined && size === undefined) this.unknownFrees++;
    else this.liveBytes -= block?.size ?? Number(size);
  }

  #stackOf(from) {
    if (this.#stacksLeft === 0) return undefined;
    this.#stacksLeft--;
    return this.#takeStack(from);
  }

  /** From here on, blocks are those that `left` returns, and have stacks. */
  mark() {
    this.#marks = true;
    this.#stacksLeft = MAX_STACKS;
  }

  /** What is live of the marked blocks, by stack, the most bytes first. */
  left() {
    const groups = new Map();
    for (const { size, marked, stack = [] } of this.#live.values()) {
      if (!marked) continue;
      const key = stack.join("\n");
      if (!groups.has(key)) groups.set(key, { blocks: 0, bytes: 0, stack });
      const group = groups.get(key);
      group.blocks++;
      group.bytes += size;
    }
    return [...groups.values()].sort((a, b) => b.bytes - a.bytes);
  }
}
