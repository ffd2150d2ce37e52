// The records of a trace, one method for each kind. Gathers them in the writer's chunk, hands full chunks
// to the sink, and lets the time and the counts of calls go with them.

import { TAGS } from "./names.js";
import { TraceWriter } from "./writer.js";

// What a killed program may lose.
const FLUSH_MILLISECONDS = 200;

export class Records {
  #writer = new TraceWriter((bytes) => this.#append(bytes));
  #sink;
  #clock;
  #complain;
  #selected = -1;
  #stopTicking;
  #isStopped = false;

  // Counts that are not in the trace yet.
  #unwritten = new Set();

  /** Ports as the Recorder gets them. */
  constructor({ sink, clock, complain }) {
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
      this.#isStopped = true;
      this.#stopTicking?.();
      this.#complain(`cannot write the trace, and recording stops here: ${error.message}`);
    }
  }

  // From now on there is something worth a trace.
  #keep() {
    this.#stopTicking ??= this.#clock.every(FLUSH_MILLISECONDS, () => this.tick());
  }

  /** Writes the counts and the time, and hands on what there is. */
  tick() {
    this.writeCounts();
    this.#time();
    this.flush();
  }

  /** Hands on what there is. */
  flush() {
    this.#writer.flush();
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

  #begin(tag) {
    this.#makeRoom();
    this.#writer.tag(tag);
  }

  #makeRoom() {
    if (!this.#writer.isFull) return;
    this.#writer.flush();
    this.#time();
  }

  #time() {
    this.#writer.tag(TAGS.CLOCK);
    this.#writer.number(this.#clock.micros());
    this.#writer.commit();
  }

  // A record of numbers that is not written often: the list costs an allocation.
  #numbers(tag, ...numbers) {
    this.#begin(tag);
    for (const number of numbers) this.#writer.number(number);
    this.#writer.commit();
  }

  module(name, file, allocator) {
    this.#begin(TAGS.MODULE);
    this.#writer.text(name);
    this.#writer.bytes(file);
    this.#writer.text(allocator);
    this.#writer.commit();
    this.#keep();
  }

  /** The records that follow are about this new instance. */
  instance(number, module, initialPages, maxPages) {
    this.#begin(TAGS.INSTANCE);
    this.#writer.number(module);
    this.#writer.number(initialPages);
    this.#writer.optional(maxPages);
    this.#writer.commit();
    this.#selected = number;
    // A process that is killed a moment later still has its instance in the report.
    this.#writer.flush();
  }

  /** The records that follow are about this instance. */
  select(number) {
    if (number === this.#selected) return;
    this.#begin(TAGS.SELECT);
    this.#writer.number(number);
    this.#writer.commit();
    this.#selected = number;
  }

  /** Frames are `{ host }` or `{ index, offset }`, the innermost first. */
  context(frames) {
    this.#begin(TAGS.CONTEXT);
    this.#writer.number(frames.length);
    for (const frame of frames) this.#frame(frame);
    this.#writer.commit();
  }

  #frame({ host, index, offset }) {
    if (this.#writer.isFull) this.#writer.spill();
    if (host === undefined) {
      this.#writer.number(index + 1);
      this.#writer.number(offset === undefined ? 0 : offset + 1);
    } else {
      this.#writer.number(0);
      this.#writer.text(host);
    }
  }

  lowMemory(first, last, changed) {
    this.#numbers(TAGS.LOW_MEMORY, first, last, changed);
  }

  called(index, times) {
    this.#numbers(TAGS.CALLED, index, times);
  }

  returned(index, pointer) {
    this.#begin(TAGS.RETURNED);
    this.#writer.number(index);
    this.#writer.pointer(pointer);
    this.#writer.commit();
  }

  passed(pointer) {
    this.#begin(TAGS.PASSED);
    this.#writer.pointer(pointer);
    this.#writer.commit();
  }

  handedOut(pointer) {
    this.#begin(TAGS.HANDED_OUT);
    this.#writer.pointer(pointer);
    this.#writer.commit();
  }

  /** `globals` are pairs of an index and a value. */
  snapshot(pages, framesLive, globals) {
    this.#begin(TAGS.SNAPSHOT);
    this.#writer.number(pages);
    this.#writer.number(framesLive);
    this.#writer.number(globals.length);
    for (const [index, value] of globals) {
      if (this.#writer.isFull) this.#writer.spill();
      this.#writer.number(index);
      this.#writer.number(value);
    }
    this.#writer.commit();
  }

  snapshotBytes(address, contents) {
    this.#begin(TAGS.SNAPSHOT_BYTES);
    this.#writer.number(address);
    this.#writer.bytes(contents);
    this.#writer.commit();
  }

  allocated(context, pointer, size) {
    this.#event(TAGS.ALLOCATED, context, pointer, size);
  }

  allocatedAligned(context, pointer, size, alignment) {
    this.#begin(TAGS.ALLOCATED_ALIGNED);
    this.#writer.number(context);
    this.#writer.pointer(pointer);
    this.#writer.number(size);
    this.#writer.number(alignment);
    this.#writer.commit();
  }

  freed(context, pointer) {
    this.#event(TAGS.FREED, context, pointer, undefined);
  }

  freedSized(context, pointer, size, alignment) {
    this.#begin(TAGS.FREED_SIZED);
    this.#writer.number(context);
    this.#writer.pointer(pointer);
    this.#writer.number(size);
    this.#writer.number(alignment);
    this.#writer.commit();
  }

  reallocating(context, pointer, newSize) {
    this.#event(TAGS.REALLOCATING, context, pointer, newSize);
  }

  reallocatingSized(context, pointer, oldSize, alignment, newSize) {
    this.#begin(TAGS.REALLOCATING_SIZED);
    this.#writer.number(context);
    this.#writer.pointer(pointer);
    this.#writer.number(oldSize);
    this.#writer.number(alignment);
    this.#writer.number(newSize);
    this.#writer.commit();
  }

  // The most frequent events. Most of them have small numbers.
  #event(tag, context, pointer, size) {
    this.#makeRoom();
    if (this.#writer.event(tag, context, pointer, size)) return;
    this.#writer.tag(tag);
    this.#writer.number(context);
    this.#writer.pointer(pointer);
    if (size !== undefined) this.#writer.number(size);
    this.#writer.commit();
  }

  reallocated(pointer) {
    this.#begin(TAGS.REALLOCATED);
    this.#writer.pointer(pointer);
    this.#writer.commit();
  }

  grown(context, inAllocator, deltaPages, previousPages) {
    this.#numbers(TAGS.GROWN, context, inAllocator, deltaPages, previousPages);
  }

  growFailed(context, inAllocator, deltaPages) {
    this.#numbers(TAGS.GROW_FAILED, context, inAllocator, deltaPages);
  }

  usesMemory(memory) {
    this.#numbers(TAGS.USES_MEMORY, memory);
  }

  created(context) {
    this.#numbers(TAGS.CREATED, context);
  }

  collected() {
    this.#numbers(TAGS.COLLECTED);
  }

  /** `by` is one of SIZE_READ_BY. */
  sizeRead(memory, by, pages, context) {
    this.writeCounts();
    this.#numbers(TAGS.SIZE_READ, memory, by, pages, context);
  }

  /** `previousPages` is null where the growth was refused. */
  hostGrown(memory, deltaPages, previousPages, context) {
    this.#begin(TAGS.HOST_GROWN);
    this.#writer.number(memory);
    this.#writer.number(deltaPages);
    this.#writer.optional(previousPages);
    this.#writer.number(context);
    this.#writer.commit();
  }

  staleView(memory, pages, context) {
    this.#numbers(TAGS.STALE_VIEW, memory, pages, context);
  }

  tookFunction() {
    this.#numbers(TAGS.TOOK_FUNCTION);
  }

  note(words) {
    this.#begin(TAGS.NOTE);
    this.#writer.text(words);
    this.#writer.commit();
    this.#keep();
  }

  /** The last record. Everything goes to the sink, if there was anything worth a trace. */
  exit(code) {
    this.writeCounts();
    this.#begin(TAGS.EXIT);
    this.#writer.signed(code);
    this.#writer.commit();
    this.#time();
    this.#stopTicking?.();
    if (this.#stopTicking !== undefined) this.#writer.flush();
  }
}
