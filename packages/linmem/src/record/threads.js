// What a thread has to do with the others of its process: it tells shared memories apart (shared-memories.js), takes
// numbers for their events, and writes where another thread can save its records (slots.js). All of that begins with
// the first shared memory; in a thread that can be terminated the last begins with its first record that is worth a
// trace.
//
// The port: `{ control, isFirst, id, ancestors, name, makeFile(), fileOf(id, attempt) }`. Without one, it is not known
// which memory a shared one is.

import { shared, UNKNOWN } from "./records.js";
import { SharedMemories } from "./shared-memories.js";
import { claimSlot, Drainer, leaveSlots } from "./slots.js";

export class Threads {
  #port;
  #records;
  #memories;
  #drainer;
  #slot;

  // Memories that were made in this thread: their numbers in the process.
  #made = new WeakMap();
  #announced;

  constructor({ records }, port) {
    this.#records = records;
    if (port !== undefined) this.join(port);
  }

  /** From now on this thread has to do with others: before it can have got a memory from them. */
  join(port) {
    this.#port = port;
    this.#records.thread(port.name, port.id);
    port.control.watched(port.id);
    this.#memories = new SharedMemories(port.control, port.id);
    if (port.isFirst) this.#drainer = new Drainer(port.control, port.fileOf);
  }

  /** Whether this is the first thread of its process. */
  get isFirst() {
    return this.#port?.isFirst ?? true;
  }

  /** Whether threads of the process have something worth a trace. */
  get areKept() {
    return this.#port?.control.isKept ?? false;
  }

  /** This thread has something worth a trace. A thread other than the first can be terminated at any time. */
  keeps() {
    if (this.#port === undefined) return;
    this.#port.control.keeps();
    if (!this.isFirst) this.#hasSlot();
  }

  /** Whether threads of the process have recorded events of memories that they share. */
  get haveEvents() {
    return this.#port?.control.hasEvents ?? false;
  }

  /** The program has made a shared memory; returns how the trace tells it, undefined if that is not known. */
  made(memory) {
    const number = this.#memories?.made(memory);
    if (number === undefined) return undefined;
    this.#made.set(memory, number);
    return shared(number);
  }

  /** How the trace tells a memory that an instance will make: nobody else can have it yet. */
  announced() {
    this.#announced = this.#memories?.next();
    return this.#sharing(this.#announced);
  }

  /** The memory that was announced last is there. */
  born(memory) {
    if (this.#announced !== undefined) this.#memories.wait(memory, this.#announced);
  }

  /** How the trace tells a shared memory that this thread has made or got. */
  found(memory) {
    return this.#sharing(this.#made.get(memory) ?? this.#memories?.find(memory));
  }

  #sharing(number) {
    if (number === undefined || !this.#hasSlot()) return UNKNOWN;
    return shared(number);
  }

  /**
   * The number in the process of the module with this key, if another thread has handed it on. Only the recordings of threads
   * that share memories are read together.
   */
  moduleWith(key) {
    return this.#slot === undefined ? undefined : this.#port.control.moduleWith(key);
  }

  /** Whether another thread has handed on the module with this key. */
  isHandedOn(key) {
    return this.#port?.control.moduleWith(key) !== undefined;
  }

  /** This thread has written the module with this key: others need not write it once more. */
  handOn(key) {
    const number = this.#slot === undefined ? undefined : this.#port.control.newModule();
    if (number === undefined) return;
    this.#records.moduleNumber(number);
    this.#records.flush();
    if (this.#records.isKept) this.#port.control.handOn(number, key);
  }

  // There may be more threads than slots.
  #hasSlot() {
    if (this.#slot !== undefined) return true;
    this.#records.flush();
    this.#slot = this.#claimed();
    if (this.#slot !== undefined) this.#records.share(this.#slot);
    return this.#slot !== undefined;
  }

  #claimed() {
    const { control, id, ancestors, makeFile } = this.#port;
    try {
      const { file, attempt } = makeFile();
      return claimSlot(control, { id, ancestors, attempt }, file);
    } catch {
      return undefined; // The sink says so.
    }
  }

  /** Code of a module runs in this thread, until its event loop turns. */
  isActive() {
    this.#slot?.activate();
  }

  /** The event loop of this thread turns. */
  turn() {
    this.#slot?.rest();
    this.#drainer?.drain();
  }

  /** Another thread, which this one started, runs code of the program. */
  runs(id) {
    this.#port.control.runs(id);
  }

  /** Whether some threads have no recorder, so that what they do with shared memories is not known. */
  get someAreUnwatched() {
    return this.#port.control.hasUnwatched;
  }

  /** Another thread, which this one started, has ended. */
  left(id) {
    leaveSlots(this.#port.control, id);
    this.#drainer?.drain();
  }

  /** What any thread does with a shared memory from now on is not recorded. */
  stop() {
    this.#port?.control.end();
  }

  /** Ends the recording of the process, if this is its first thread: what others do from now on is not recorded. */
  end() {
    this.#drainer?.end();
  }

  /** Whether this thread can tell what shared memories hold at the end, if it is that. */
  get seesEnd() {
    return this.#port === undefined || (this.isFirst && this.#port.control.hasEnded);
  }

  /** Whether code of a module may be running in another thread. */
  get othersAreActive() {
    return this.#drainer?.othersAreActive(this.#port.id) ?? false;
  }

  /** This thread has ended. */
  release() {
    this.#slot?.release();
  }
}
