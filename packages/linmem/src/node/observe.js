// What an expectation of linmem/test sees while it runs: the blocks that one instance allocates, and
// how many allocations others make meanwhile. While none runs, an event costs a look at `isObserving`.

import { Blocks } from "./blocks.js";
import { pagesOf } from "./engine.js";
import { stackTexts } from "./stacks.js";

const running = new Set();

/** Whether any expectation runs. */
export let isObserving = false;

/** Allocations of instances that are not looked at. */
class Others {
  allocations = 0;
  #seen = new WeakSet();
  instances = 0;

  add(instance) {
    this.allocations++;
    if (this.#seen.has(instance)) return;
    this.#seen.add(instance);
    this.instances++;
  }

  get counts() {
    return { instances: this.instances, allocations: this.allocations };
  }
}

export class Observation {
  #instances;
  #modules;
  #blocks = new Blocks(stackTexts);
  #ofSameModule = new Others();
  #ofOtherModules = new Others();
  #pending;

  /** Of one instance, or of those that use one memory. */
  constructor(instances) {
    this.#instances = new Set(instances);
    this.#modules = new Set(instances.map(({ module }) => module));
    this.memory = instances[0].memory;
    running.add(this);
    isObserving = true;
  }

  end() {
    running.delete(this);
    isObserving = running.size > 0;
  }

  /** Whether the module has functions that are known to allocate. */
  get hasAllocator() {
    return [...this.#modules].some(({ map }) => map.allocator.functions.length > 0);
  }

  /** How things stand. */
  state() {
    const { allocations, frees, failed, unknownFrees, liveBytes } = this.#blocks;
    return { pages: pagesOf(this.memory), allocations, frees, failed, unknownFrees, liveBytes };
  }

  /** What other instances did since the beginning. */
  others() {
    return { ofSameModule: this.#ofSameModule.counts, ofOtherModules: this.#ofOtherModules.counts };
  }

  mark() {
    this.#blocks.mark();
  }

  left() {
    return this.#blocks.left();
  }

  allocated(instance, pointer, size) {
    if (this.#instances.has(instance)) this.#blocks.allocated(pointer, size, instance.module);
    else if (pointer !== 0) this.#elsewhere(instance);
  }

  freed(instance, pointer, size) {
    if (this.#instances.has(instance)) this.#blocks.freed(pointer, size);
  }

  reallocating(instance, old, oldSize, newSize) {
    if (this.#instances.has(instance)) this.#pending = { old, oldSize, newSize };
    else if (old === 0) this.#elsewhere(instance);
  }

  reallocated(instance, pointer) {
    if (this.#pending === undefined || !this.#instances.has(instance)) return;
    this.#blocks.reallocated(pointer, instance.module, this.#pending);
    this.#pending = undefined;
  }

  #elsewhere(instance) {
    (this.#modules.has(instance.module) ? this.#ofSameModule : this.#ofOtherModules).add(instance);
  }
}

// The events of all instances, as the hooks have them.

export function allocated(instance, pointer, size) {
  for (const observation of running) observation.allocated(instance, pointer, size);
}

/** `size` is undefined where nobody said it. */
export function freed(instance, pointer, size) {
  for (const observation of running) observation.freed(instance, pointer, size);
}

/** `oldSize` is undefined where nobody said it. */
export function reallocating(instance, old, oldSize, newSize) {
  for (const observation of running) observation.reallocating(instance, old, oldSize, newSize);
}

export function reallocated(instance, pointer) {
  for (const observation of running) observation.reallocated(instance, pointer);
}
