// What an expectation of linmem/test sees while it runs: the blocks that one instance allocates, and
// how many allocations others make meanwhile. While none runs, an event costs a look at `isRunning`.

import { Blocks } from "./blocks.js";
import { pagesOf } from "./engine.js";

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

class Observation {
  #instances;
  #modules;
  #blocks;
  #ofSameModule = new Others();
  #ofOtherModules = new Others();
  #pending;

  /** Of one instance, or of those that use one memory. `textsOf(module)` takes a stack; `end` stops the observation. */
  constructor(instances, textsOf, end) {
    this.#instances = new Set(instances);
    this.#modules = new Set(instances.map(({ module }) => module));
    this.#blocks = new Blocks(textsOf);
    this.memory = instances[0].memory;
    this.end = () => end(this);
  }

  /** Whether the module has functions that are known to allocate. */
  get hasAllocator() {
    return [...this.#modules].some(({ map }) => map.allocator.functions.length > 0);
  }

  /** What is there now. */
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

/** The observations of one recorder. */
export class Observations {
  #frames;
  #running = new Set();

  /** Whether there is any. */
  isRunning = false;

  constructor({ frames }) {
    this.#frames = frames;
  }

  /** Begins to observe one instance, or those that use one memory. */
  begin(instances) {
    const observation = new Observation(instances, (module) => this.#frames.textsOf(module), (ended) => this.#end(ended));
    this.#running.add(observation);
    this.isRunning = true;
    return observation;
  }

  #end(observation) {
    this.#running.delete(observation);
    this.isRunning = this.#running.size > 0;
  }

  // The events of all instances, as the hooks have them.

  allocated(instance, pointer, size) {
    for (const observation of this.#running) observation.allocated(instance, pointer, size);
  }

  /** `size` is undefined if the caller did not say it. */
  freed(instance, pointer, size) {
    for (const observation of this.#running) observation.freed(instance, pointer, size);
  }

  /** `oldSize` is undefined if the caller did not say it. */
  reallocating(instance, old, oldSize, newSize) {
    for (const observation of this.#running) observation.reallocating(instance, old, oldSize, newSize);
  }

  reallocated(instance, pointer) {
    for (const observation of this.#running) observation.reallocated(instance, pointer);
  }
}
