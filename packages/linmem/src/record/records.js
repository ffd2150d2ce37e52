// The records of a trace, one method for each kind. Hands full chunks to the sink, and lets the time and the
// counts of calls go with them.
//
// It is a TraceWriter, and its methods are not private, since hooks write millions of records a second: each
// further object on the way, and each private method, is checked anew.

import { TAGS } from "./names.js";
import { unsigned } from "./numbers.js";
import { TraceWriter } from "./writer.js";

/** How a memory is told that one thread uses; that several may, but which it is could not be found out; and which it is. */
export const PRIVATE = 0;
export const UNKNOWN = 1;
export const shared = (identity) => identity + 2;

// The numbers of a field that may be left out: null is nothing.
const optional = (value) => (value === null ? [0] : [1, value]);

// What a killed program may lose.
const FLUSH_MILLISECONDS = 200;

export class Records extends TraceWriter {
  #sink;
  #clock;
  #complain;
  #selected = -1;
  #stopTicking;
  #isStopped = false;

  // Counts that are not in the trace yet.
  #unwritten = new Set();

  // The slot of this thread, once it uses a shared memory, and the number that its next event has if no other thread
  // has one in between.
  #slot;
  #nextNumber = -1;
  #turn;
  #kept;

  /** Ports as the Recorder gets them. */
  constructor({ sink, clock, complain }) {
    super((bytes) => this.#append(bytes));
    this.#sink = sink;
    this.#clock = clock;
    this.#complain = complain;
  }

  /** Whether there was anything worth a trace, and all of it could be handed to the sink. */
  get isKept() {
    return this.#stopTicking !== undefined && !this.#isStopped;
  }

  #append(bytes) {
    if (this.#isStopped) return;
    try {
      this.#sink(bytes);
    } catch (error) {
      this.#stop(error);
    }
  }

  #stop(error) {
    this.#isStopped = true;
    this.#stopTicking?.();
    this.#complain(`cannot write the trace, and recording stops here: ${error.message}`);
  }

  /** From now on other threads can save the records: they go to a slot. */
  share(slot) {
    this.writeTo(this.#guarded(slot));
    this.#slot = slot;
  }

  // A file that cannot be written stops the recording.
  #guarded(slot) {
    const guard = (run) => {
      if (this.#isStopped) return;
      try {
        run();
      } catch (error) {
        this.#stop(error);
      }
    };
    return { room: slot.room, publish: (length) => slot.publish(length), flush: () => guard(() => slot.flush()), append: (bytes) => guard(() => slot.append(bytes)) };
  }

  /**
   * Takes the next number of all threads, for an event of a shared memory that must be the next record; false if the
   * recording of the process has ended.
   */
  takeNumber() {
    if (this.isNearlyFull) this.flush();
    const number = this.#slot.take();
    if (number < 0) return false;
    if (number !== this.#nextNumber) {
      this.tag(TAGS.SEQUENCE);
      this.number(number);
      this.commitWithNext();
    }
    this.#nextNumber = number + 1;
    return true;
  }

  /** From now on there is something worth a trace. */
  keep() {
    if (this.#stopTicking !== undefined) return;
    this.#stopTicking = this.#clock.every(FLUSH_MILLISECONDS, () => this.tick());
    this.#kept?.();
  }

  /** `run` is called once there is something worth a trace. */
  atKeep(run) {
    this.#kept = run;
  }

  /** `run` is called now and then, when the event loop turns. */
  atTurn(run) {
    this.#turn = run;
  }

  /** Writes the counts and the time, and hands on what there is. */
  tick() {
    this.#turn?.();
    this.writeCounts();
    this.#time();
    this.flush();
  }

  /** Has `counts.write()` called before the next flush, or before a record that they must precede. */
  writeLater(counts) {
    this.#unwritten.add(counts);
  }

  /** Writes what was counted so far. */
  writeCounts() {
    for (const counts of this.#unwritten) counts.write();
    this.#unwritten.clear();
  }

  begin(tag) {
    this.makeRoom();
    this.tag(tag);
  }

  makeRoom() {
    if (!this.isFull) return;
    this.flush();
    this.#time();
  }

  #time() {
    this.tag(TAGS.CLOCK);
    this.number(this.#clock.micros());
    this.commit();
  }

  // A record of numbers that is not written often: the list costs an allocation.
  #numbers(tag, ...numbers) {
    this.begin(tag);
    for (const number of numbers) this.number(number);
    this.commit();
  }

  /** With `isBeside`, `file` is only the SHA-256 of the file, which stands beside the recording. */
  module(name, file, allocator, isBeside) {
    this.begin(isBeside ? TAGS.MODULE_BESIDE : TAGS.MODULE);
    this.text(name);
    this.bytes(file);
    this.text(allocator);
    this.commit();
    this.keep();
  }

  /** The number that the last module has in the process. */
  moduleNumber(number) {
    this.#numbers(TAGS.MODULE_NUMBER, number);
  }

  /** A module that another thread has written, which has this number in the process. */
  moduleOfProcess(number) {
    this.#numbers(TAGS.MODULE_OF_PROCESS, number);
    this.keep();
  }

  /** Which thread of which process this is. The process's name is that of no other one. */
  thread(name, number) {
    this.begin(TAGS.THREAD);
    this.text(name);
    this.number(number);
    this.commit();
  }

  /** `maxPages` is null where nothing limits it; `sharing` is PRIVATE, UNKNOWN, or what `shared(identity)` returns. */
  memory(initialPages, maxPages, pageBytes, sharing) {
    this.#numbers(TAGS.MEMORY, initialPages, ...optional(maxPages), pageBytes, sharing);
  }

  /** The records that follow are about this new instance. */
  instance(number, module, memory) {
    this.#numbers(TAGS.INSTANCE, module, memory);
    this.#selected = number;
    // A process that is killed a moment later still has its instance in the report.
    this.flush();
  }

  /** The records that follow are about this instance. */
  select(number) {
    if (number === this.#selected) return;
    this.begin(TAGS.SELECT);
    this.number(number);
    this.commit();
    this.#selected = number;
  }

  /** Frames are `{ index, offset }`, the innermost first. */
  context(frames) {
    this.begin(TAGS.CONTEXT);
    this.#frames(frames);
    this.commit();
  }

  /** Frames are `{ host, sent }`, of which `sent` is written if it is there, or `{ index, offset }` in the module, which is null if there is none. */
  hostStack(module, frames) {
    this.begin(TAGS.HOST_STACK);
    this.optional(module);
    this.#frames(frames);
    this.commit();
  }

  /** `stack` and `stackPointer` are null where they are not known. */
  entered(index, level, stack, stackPointer) {
    this.begin(TAGS.ENTERED);
    this.number(index);
    this.number(level);
    this.number(stack === null ? 0 : stack + 1);
    this.optional(stackPointer);
    this.commit();
  }

  resumed(level) {
    this.#numbers(TAGS.RESUMED, level);
  }

  /** `stack` is undefined where it is not known; the values are as the engine has them. */
  notReturned(index, stack, stackBytes, ...passed) {
    this.#numbers(TAGS.NOT_RETURNED, index, stack === undefined ? 0 : stack + 1, stackBytes, ...passed.map((value) => unsigned(value)));
  }

  calledFrom(index, stack, times) {
    this.#numbers(TAGS.CALLED_FROM, index, stack, times);
  }

  #frames(frames) {
    this.number(frames.length);
    for (const frame of frames) this.#frame(frame);
  }

  #frame({ host, sent, index, offset }) {
    if (this.isFull) this.spill();
    if (host === undefined) {
      this.number(index + 1);
      this.number(offset === undefined ? 0 : offset + 1);
    } else {
      this.number(0);
      this.text(sent ?? host);
    }
  }

  lowMemory(first, last, changed) {
    this.#numbers(TAGS.LOW_MEMORY, first, last, changed);
  }

  called(index, times) {
    this.#numbers(TAGS.CALLED, index, times);
  }

  returned(index, pointer) {
    this.begin(TAGS.RETURNED);
    this.number(index);
    this.pointer(pointer);
    this.commit();
  }

  /** `stack` is undefined where it is not known. */
  passed(index, parameter, stack, pointer) {
    this.begin(TAGS.PASSED);
    this.number(index);
    this.number(parameter);
    this.number(stack === undefined ? 0 : stack + 1);
    this.pointer(pointer);
    this.commit();
  }

  handedOut(pointer) {
    this.begin(TAGS.HANDED_OUT);
    this.pointer(pointer);
    this.commit();
  }

  snapshot(memory, pages) {
    this.#numbers(TAGS.SNAPSHOT, memory, pages);
  }

  /** Pairs of an index and a value. */
  globals(framesLive, globals) {
    this.begin(TAGS.GLOBALS);
    this.number(framesLive);
    this.number(globals.length);
    for (const [index, value] of globals) {
      if (this.isFull) this.spill();
      this.number(index);
      this.number(value);
    }
    this.commit();
  }

  snapshotBytes(address, contents) {
    this.begin(TAGS.SNAPSHOT_BYTES);
    this.number(address);
    this.bytes(contents);
    this.commit();
  }

  allocated(context, pointer, size) {
    this.event(TAGS.ALLOCATED, context, pointer, size);
  }

  allocatedAligned(context, pointer, size, alignment) {
    this.begin(TAGS.ALLOCATED_ALIGNED);
    this.number(context);
    this.pointer(pointer);
    this.number(size);
    this.number(alignment);
    this.commit();
  }

  freed(context, pointer) {
    this.event(TAGS.FREED, context, pointer, undefined);
  }

  freedSized(context, pointer, size, alignment) {
    this.begin(TAGS.FREED_SIZED);
    this.number(context);
    this.pointer(pointer);
    this.number(size);
    this.number(alignment);
    this.commit();
  }

  reallocating(context, pointer, newSize) {
    this.event(TAGS.REALLOCATING, context, pointer, newSize);
  }

  reallocatingSized(context, pointer, oldSize, alignment, newSize) {
    this.begin(TAGS.REALLOCATING_SIZED);
    this.number(context);
    this.pointer(pointer);
    this.number(oldSize);
    this.number(alignment);
    this.number(newSize);
    this.commit();
  }

  // The most frequent events. Most of them have small numbers.
  event(tag, context, pointer, size) {
    this.makeRoom();
    if (this.smallEvent(tag, context, pointer, size)) return;
    this.tag(tag);
    this.number(context);
    this.pointer(pointer);
    if (size !== undefined) this.number(size);
    this.commit();
  }

  reallocated(pointer) {
    this.begin(TAGS.REALLOCATED);
    this.pointer(pointer);
    this.commit();
  }

  /** Accesses of the selected instance are checked. */
  checked(knowsHeap) {
    this.#numbers(TAGS.CHECKED, Number(knowsHeap));
  }

  /** But not those in this function. */
  unchecked(functionIndex) {
    this.#numbers(TAGS.UNCHECKED, functionIndex);
  }

  badAccess(context, instruction, by, address, bytes) {
    this.begin(TAGS.BAD_ACCESS);
    this.number(context);
    this.number(instruction >>> 0);
    this.number(by);
    this.pointer(address);
    this.number(bytes);
    this.commit();
  }

  grown(context, inAllocator, deltaPages, previousPages) {
    this.#numbers(TAGS.GROWN, context, inAllocator, deltaPages, previousPages);
  }

  growFailed(context, inAllocator, deltaPages) {
    this.#numbers(TAGS.GROW_FAILED, context, inAllocator, deltaPages);
  }

  created(stack) {
    this.#numbers(TAGS.CREATED, stack);
  }

  collected() {
    this.#numbers(TAGS.COLLECTED);
  }

  /** `by` is one of SIZE_READ_BY. */
  sizeRead(memory, by, pages, stack) {
    this.writeCounts();
    this.#numbers(TAGS.SIZE_READ, memory, by, pages, stack);
  }

  /** `previousPages` is null where the growth was refused. */
  hostGrown(memory, deltaPages, previousPages, stack) {
    this.writeCounts();
    this.#numbers(TAGS.HOST_GROWN, memory, deltaPages, ...optional(previousPages), stack);
  }

  registered(memory, address, stack) {
    this.#numbers(TAGS.REGISTERED, memory, address, stack);
  }

  unregistered(memory, address) {
    this.#numbers(TAGS.UNREGISTERED, memory, address);
  }

  kept(memory, address) {
    this.#numbers(TAGS.KEPT, memory, address);
  }

  overwritten(memory, stack) {
    this.#numbers(TAGS.OVERWRITTEN, memory, stack);
  }

  accessed(memory, address, bytes, isWrite, stack) {
    this.begin(TAGS.ACCESSED);
    this.number(memory);
    this.pointer(address);
    this.number(bytes);
    this.number(Number(isWrite));
    this.number(stack);
    this.commit();
  }

  staleView(memory, pages, stack) {
    this.#numbers(TAGS.STALE_VIEW, memory, pages, stack);
  }

  /** `what` is one of REFUSED; `module` is null where there is none. */
  refused(what, module, words, instances, memories, pages, stack) {
    this.begin(TAGS.REFUSED);
    this.number(what);
    this.optional(module);
    this.text(words);
    for (const number of [instances, memories, pages, stack]) this.number(number);
    this.commit();
    this.keep();
  }

  tookFunction() {
    this.#numbers(TAGS.TOOK_FUNCTION);
  }

  note(words) {
    this.begin(TAGS.NOTE);
    this.text(words);
    this.commit();
    this.keep();
  }

  uncaught(words) {
    this.begin(TAGS.UNCAUGHT);
    this.text(words);
    this.commit();
  }

  /** The last record. Everything goes to the sink, if there was anything worth a trace. */
  exit(code) {
    this.writeCounts();
    this.begin(TAGS.EXIT);
    this.signed(code);
    this.commit();
    this.#time();
    this.#stopTicking?.();
    if (this.#stopTicking !== undefined) this.flush();
  }
}
