// Tells which shared memory is which, over all threads of the process. A memory that a thread gets by a
// message is an object of its own: only its bytes are the same, and the bytes are the program's.
//
// So threads tell by *waiting*. Those that know memory number k wait, with `Atomics.waitAsync`, at the k-th
// word from address 1020 down. A thread that gets a memory wakes one waiter at each word that stands for a
// number: exactly one of the words has some. Nothing is written, a waiter keeps neither a process nor a memory
// alive, and those of a thread that has ended are gone.
//
// - A waiter answers once, also while its thread is blocked, but is replaced only when that thread's event
//   loop turns. So the thread that makes a memory waits many times, and each newcomer a few times
//   more than it takes.
// - Looking and waiting stand under one lock: two newcomers do not take the last waiter from each other.
// - Waiters are woken first come, first served, and those of the maker come before all of the program's. So
//   a program that waits at such a word itself would be woken by mistake only once the maker's are used up, and if
//   the word is 0: other words are left alone. Toolchains keep the addresses below 1,024 free, and
//   users of a futex must expect to be woken for nothing. More cannot be excluded, since waiters cannot be looked at.
// - A number is never given again. After 240 memories, further ones are not told apart.

import { WORDS, waitAt } from "./control.js";
import { bufferBehind, bytesIn } from "./engine.js";

// A program may replace them. Not every engine has `waitAsync`.
const { add, compareExchange, load, notify, store, waitAsync } = Atomics;

const TOP_WORD = 255;
const LIMIT = 240;

const wordOf = (number) => TOP_WORD - number;

const WAITERS_OF_MAKER = 64;
const WAITERS_OF_NEWCOMER = 4;

// A thread that was terminated under the lock does not give it back.
const LOCK_MILLISECONDS = 50;

export class SharedMemories {
  #words;
  #owner;

  /** `thread` is the number of this thread. */
  constructor(control, thread) {
    this.#words = control.words;
    this.#owner = thread + 1;
  }

  /** The number of a memory that was made just now, in this thread; undefined if others could not tell it. */
  made(memory) {
    if (viewOf(memory) === undefined) return undefined;
    const number = this.next();
    if (number !== undefined) this.wait(memory, number);
    return number;
  }

  /** A number for a memory that is about to be made in this thread; undefined if there are too many. */
  next() {
    if (waitAsync === undefined) return undefined;
    return this.#locked(() => {
      const number = load(this.#words, WORDS.MEMORIES);
      if (number >= LIMIT) return undefined;
      add(this.#words, WORDS.MEMORIES, 1);
      return number;
    });
  }

  /** Lets other threads tell a memory that was made in this one. */
  wait(memory, number) {
    if (viewOf(memory) !== undefined) this.#locked(() => waitFor(memory, number, WAITERS_OF_MAKER));
  }

  /** The number of a memory that came from elsewhere; undefined if it cannot be told. */
  find(memory) {
    const view = viewOf(memory);
    if (view === undefined) return undefined;
    return this.#locked(() => {
      const found = this.#woken(view);
      if (found.length !== 1) return undefined;
      waitFor(memory, found[0], WAITERS_OF_NEWCOMER);
      return found[0];
    });
  }

  #woken(view) {
    const count = load(this.#words, WORDS.MEMORIES);
    const numbers = Array.from({ length: count }, (_, number) => number);
    return numbers.filter((number) => load(view, wordOf(number)) === 0 && notify(view, wordOf(number), 1) === 1);
  }

  // Held for microseconds. A lock that its holder cannot give back is taken over.
  #locked(run) {
    const words = this.#words;
    const lock = WORDS.MEMORIES_LOCK;
    for (let holder; (holder = compareExchange(words, lock, 0, this.#owner)) !== 0; ) {
      if (waitAt(words, lock, holder, LOCK_MILLISECONDS) !== "timed-out") continue;
      if (compareExchange(words, lock, holder, this.#owner) === holder) break;
    }
    try {
      return run();
    } finally {
      store(words, lock, 0);
      notify(words, lock, 1);
    }
  }
}

// Undefined where threads cannot wait: in an engine without `waitAsync`, or at a memory of no pages.
function viewOf(memory) {
  if (waitAsync === undefined) return undefined;
  const view = new Int32Array(bufferBehind(bytesIn(memory)));
  return view.length > TOP_WORD ? view : undefined;
}

function waitFor(memory, number, times) {
  const reference = new WeakRef(memory);
  const view = viewOf(memory);
  for (let time = 0; time < times; time++) waitOnce(view, number, reference);
}

// Waits, and waits again when woken, for as long as this thread has the memory.
function waitOnce(view, number, reference) {
  const { async, value } = waitAsync(view, wordOf(number), 0);
  if (!async) return;
  value.then(() => {
    const memory = reference.deref();
    if (memory !== undefined) waitOnce(viewOf(memory), number, reference);
  });
}
