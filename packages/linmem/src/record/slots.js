// The records of threads that use shared memories, where another thread can save them: a thread in
// `Atomics.wait` runs no timer, and a terminated one no exit handler.
//
// Each such thread owns a slot of the control memory. Its writer builds each record behind those that are
// there, and then publishes the new length, so the bytes up to the length are always whole records. The
// thread that made the control memory drains the slots: it writes what is published to the owner's file. An
// owner does so itself when its slot is full, and begins it anew.
//
// The protocol:
//
// 1. *The file's size says what has been written.* A slot knows the size that its file had when byte 0 of
//    the slot was still to be written (BASE). So `size - BASE` bytes of the slot are in the file, whoever
//    wrote them, and also if the writer was terminated right after the write. Nobody else writes to the file.
// 2. Only the holder of LOCK writes to the file. It is taken by compare-and-exchange, and held for one write of
//    at most a slot. A drainer that does not get it leaves the slot: its owner is just writing. An owner
//    that does not get it waits for the end of the drainer's write.
// 3. To begin the slot anew, the owner sets LENGTH to 0 before it sets BASE to the file's size. Terminated
//    in between, it leaves a slot in which nothing is left to write.
// 4. A record too large for the slot goes to the file directly, while LENGTH is 0. Terminated in the middle,
//    the owner leaves a file that ends within a record, and nothing is appended to it.
// 5. An owner says that it is BUSY, in the word of the length, before it takes a number (counter.js), and publishes
//    the length, without BUSY, when the event's record is whole. Whoever ends the recording sets ENDED, and
//    then waits a moment for busy owners: BUSY is set before ENDED is read, and ENDED before BUSY
//    is read, so no number is taken unseen. Only an owner that is terminated while it is busy loses a number.
// 6. A thread that sees another one end says so in STATE: the slot is LEFT. The drainer then drains it whatever
//    its lock says, and it is free for another thread.

import { SLOTS, waitAt } from "./control.js";
import { BUSY, counterOf } from "./counter.js";

// A program may replace them.
const { compareExchange, load, notify, store } = Atomics;
const { now } = Date;

const STATE = 0;
const LOCK = 1;
const LENGTH = 2;
const THREAD = 3;
const ATTEMPT = 4;
const BASE = 3; // of the 64-bit words: 6 and 7 of these
const ANCESTORS = 8;
const ANCESTORS_LIMIT = 7;
const ACTIVE = 15;

const FREE = 0;
const CLAIMED = 1;
const IN_USE = 2;
const LEFT = 3;

const UNLOCKED = 0;
const BY_OWNER = 1;
const BY_DRAINER = 2;

const LENGTH_MASK = 0x3fffffff;

// How long an owner waits for a drainer's write before it gives up recording.
const WAIT_MILLISECONDS = 10000;

// How long the end of a recording waits for records that are just being written: their threads may not have the
// processor for a while.
const END_MILLISECONDS = 500;

/** What both sides know of a slot. */
class Slot {
  constructor(control, index) {
    this.header = control.header(index);
    this.long = control.longHeader(index);
    this.room = control.room(index);
  }

  get length() {
    return load(this.header, LENGTH) & LENGTH_MASK;
  }

  get isBusy() {
    return (load(this.header, LENGTH) & BUSY) !== 0;
  }

  /** Whether this thread owns it, or one that was started by this thread and so on. */
  isOf(thread) {
    return this.header[THREAD] === thread || this.header.subarray(ANCESTORS, ANCESTORS + ANCESTORS_LIMIT).includes(thread);
  }

  /** Writes to the file what is published and not written yet. Call it with the lock only. */
  write(file) {
    const written = file.size() - Number(load(this.long, BASE));
    const { length } = this;
    const from = Math.max(written, 0);
    if (written < length) file.append(this.room.subarray(from, length), Number(load(this.long, BASE)) + from);
  }

  lock(by) {
    return compareExchange(this.header, LOCK, UNLOCKED, by) === UNLOCKED;
  }

  /** Lets other threads have the processor. */
  pause() {
    waitAt(this.header, STATE, IN_USE, 1);
  }

  unlock() {
    store(this.header, LOCK, UNLOCKED);
    notify(this.header, LOCK);
  }
}

/** The slot of this thread. Its file is a port: `size()` in bytes, and `append(bytes, at)`, where `at` is where they belong. */
class OwnSlot {
  #slot;
  #header;
  #file;
  #lengthAt;
  #length = 0;
  #take;
  #publish;

  constructor(slot, { lengthAt, counter, file }) {
    this.#slot = slot;
    this.#header = slot.header;
    this.#lengthAt = lengthAt;
    this.#file = file;
    this.#take = counter.take;
    this.#publish = counter.publish;
  }

  /** Where records are built: the next one stands behind the published length. */
  get room() {
    return this.#slot.room;
  }

  /** Takes the number of an event, whose record must be published next; -1 once the recording has ended. */
  take() {
    return (0, this.#take)(this.#lengthAt, this.#length);
  }

  /** Code of a module runs in this thread. */
  activate() {
    this.#header[ACTIVE] = 1;
  }

  /** The event loop of this thread turns, so that none runs. */
  rest() {
    this.#header[ACTIVE] = 0;
  }

  /** The bytes up to here are whole records. */
  publish(length) {
    this.#length = length;
    (0, this.#publish)(this.#lengthAt, length);
  }

  /** Writes all that is published to the file, and begins anew at byte 0. */
  flush() {
    this.#locked(() => {
      this.#slot.write(this.#file);
      this.#beginAnew();
    });
  }

  /** Writes a part of a record to the file that is too large for the room. Flush before the first one. */
  append(bytes) {
    this.#locked(() => {
      this.#file.append(bytes);
      this.#rebase();
    });
  }

  // It may be busy with a record.
  #beginAnew() {
    this.#length = 0;
    store(this.#header, LENGTH, load(this.#header, LENGTH) & BUSY);
    this.#rebase();
  }

  #rebase() {
    store(this.#slot.long, BASE, BigInt(this.#file.size()));
  }

  #locked(run) {
    const slot = this.#slot;
    for (let waited = 0; !slot.lock(BY_OWNER); waited += 10) {
      if (waited >= WAIT_MILLISECONDS) throw new Error("another thread does not end its write");
      waitAt(slot.header, LOCK, BY_DRAINER, 10);
    }
    try {
      run();
    } finally {
      slot.unlock();
    }
  }

  /** The thread ends by itself: the rest goes to the file, and the slot is free. */
  release() {
    this.flush();
    store(this.#header, STATE, FREE);
  }
}

/**
 * Claims a slot for this thread; undefined if none is free. `thread` is `{ id, ancestors, attempt }`: its
 * number, those of the threads that it was started by, and the number in the name of its file, which exists.
 */
export function claimSlot(control, { id, ancestors, attempt }, file) {
  for (let index = 0; index < SLOTS; index++) {
    const slot = new Slot(control, index);
    if (compareExchange(slot.header, STATE, FREE, CLAIMED) !== FREE) continue;
    slot.header.fill(0, LOCK);
    slot.header[THREAD] = id;
    slot.header[ATTEMPT] = attempt;
    slot.header.set(ancestors.slice(-ANCESTORS_LIMIT), ANCESTORS);
    store(slot.long, BASE, BigInt(file.size()));
    store(slot.header, STATE, IN_USE);
    const lengthAt = control.headerAt(index) + LENGTH * 4;
    return new OwnSlot(slot, { lengthAt, counter: counterOf(control), file });
  }
  return undefined;
}

/** Says that a thread has ended, in whatever way, and with it those that it had started: the drainer frees their slots. */
export function leaveSlots(control, thread) {
  for (let index = 0; index < SLOTS; index++) {
    const slot = new Slot(control, index);
    if (load(slot.header, STATE) === IN_USE && slot.isOf(thread)) compareExchange(slot.header, STATE, IN_USE, LEFT);
  }
}

/** Saves what other threads have published. One thread of the process has a drainer. */
export class Drainer {
  #control;
  #fileOf;
  #slots;

  /** `fileOf(id, attempt)` opens the file of a thread; undefined where nobody but the thread can write to it. */
  constructor(control, fileOf) {
    this.#control = control;
    this.#fileOf = fileOf;
    this.#slots = Array.from({ length: SLOTS }, (_, index) => new Slot(control, index));
  }

  /** Writes what all threads have published; call it now and then, and when a thread has ended. */
  drain() {
    for (const slot of this.#slots) {
      const state = load(slot.header, STATE);
      if (state === IN_USE) this.#drain(slot);
      else if (state === LEFT) this.#clear(slot);
    }
  }

  /** Ends the recording of the process: all that was numbered is written. */
  end() {
    this.#control.end();
    const until = now() + END_MILLISECONDS;
    for (const slot of this.#slots) {
      while (load(slot.header, STATE) === IN_USE && (slot.isBusy || !this.#drain(slot)) && now() < until) slot.pause();
    }
    this.drain();
  }

  /** Whether code of a module may be running in a thread other than this one. */
  othersAreActive(thread) {
    return this.#slots.some(({ header }) => load(header, STATE) === IN_USE && header[THREAD] !== thread && load(header, ACTIVE) === 1);
  }

  // Its owner may have left it locked.
  #clear(slot) {
    slot.unlock();
    this.#drain(slot);
    store(slot.header, STATE, FREE);
  }

  /** Whether it could; else the owner is writing itself. */
  #drain(slot) {
    if (slot.length === 0) return true;
    const file = this.#fileOf(slot.header[THREAD], slot.header[ATTEMPT]);
    if (file === undefined) return true;
    if (!slot.lock(BY_DRAINER)) return false;
    try {
      slot.write(file);
    } finally {
      slot.unlock();
    }
    return true;
  }
}
