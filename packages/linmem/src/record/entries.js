// Entries: the program calls a function of an instance. The callers are told at the first event of an entry, if
// there is one.
//
// An entry that comes while the instance waits for the program belongs to the entry that waits. Whether one waits is
// known from the instance's own count, which an exception that leaves the module makes wrong: so it is compared
// with the stack now and then.
//
// Of entries inside others, a module does not tell each one as long as nothing happens there, up to the level that the stack
// has confirmed (crates/linmem/src/instrument/nested.rs).

import { isPowerOfTwo } from "./contexts.js";
import { KnownCallers } from "./known-callers.js";
import { EXPORTS } from "./names.js";

// Levels that are told apart.
const MAX_LEVELS = 4096;

// Doubts that are told apart: each is about twice as many entries as the one before.
const DOUBTS = 32;

// How often the stack is looked at for the same doubt, before that is done less and less often.
const LOOKS = 16;

// As many entries inside others are told in any case.
const MANY = 1024;

// What runs where nobody has entered: a start function.
const NONE = { index: -1, isTold: true, isCrossed: true, stackPointer: 0, caller: undefined, parameters: 0, a: 0, b: 0, c: 0, d: 0 };

export class Entries {
  #instance;
  #records;
  #contexts;
  #frames;
  #suspension;
  #module;
  #calls;

  // The entries that are under way, the outermost first, and how many of them are.
  #levels = [NONE];
  #level = 0;

  // The state of the trace: the function and the caller of each level that is told, and the last level.
  #told = [];
  #toldLevel = -1;

  // By level, the entries since the level below began or went on.
  #since = [0];

  // The deepest level that the stack has confirmed; and how often each doubt came up since it was found to be right.
  #confirmed = 0;
  #doubts = new Array(DOUBTS).fill(0);

  // Entries inside others that were told, and entries that had an event.
  #inside = 0;
  #withEvents = 0;

  // Says whether the entry under way has not been told; undefined as long as all are.
  #untold;

  /** The entry under way. */
  current = NONE;

  /** What leads to the entries under way. */
  callers = new KnownCallers();

  constructor({ contexts, frames, records, suspension }, instance, module, calls) {
    this.#instance = instance;
    this.#records = records;
    this.#contexts = contexts;
    this.#frames = frames;
    this.#suspension = suspension;
    this.#module = module;
    this.#calls = calls;
  }

  /** Begins an entry, which is passed these first values that can be addresses. */
  open(level, index, stackPointer, a, b, c, d) {
    if (level > 0 && isPowerOfTwo(++this.#inside)) this.#tellLess();
    this.callers.begin(level);
    this.#open(level, index, stackPointer, a, b, c, d);
  }

  #open(level, index, stackPointer, a, b, c, d) {
    this.#since[level] = (this.#since[level] ?? 0) + 1;
    this.#since[level + 1] = 0;
    // An exception that the module caught leaves levels behind which have no entry.
    for (let below = this.#level + 1; below < level; below++) this.#levels[below] = NONE;
    const entry = this.#entryAt(level);
    entry.index = index;
    entry.stackPointer = stackPointer;
    entry.isTold = false;
    entry.caller = undefined;
    entry.parameters = 0;
    entry.a = a;
    entry.b = b;
    entry.c = c;
    entry.d = d;
    // Inside another entry the program is on its way from the module to itself, unless it allocates or frees on its own.
    entry.isCrossed = level === 0 || this.#module.hooked.has(index);
    this.current = entry;
    this.#level = level;
    if (level === 0 && this.#module.wantsLook(index)) this.#lookAtCaller();
  }

  // Looks at what calls where an outermost entry begins.
  #lookAtCaller() {
    if (this.#suspension.isUsed || !this.#contexts.mayLook) return;
    this.current.caller = this.#contexts.ofLook(this.#module, this.#frames.ofEvent(this.#module, this.callers).caller);
    this.#calls.addFrom(this.current.index, this.current.caller);
  }

  /** Looks at what calls where the entry under way began, if that is not known. */
  knowCaller() {
    if (this.current.caller !== undefined || this.#suspension.isUsed || !this.#contexts.mayLook) return;
    this.current.caller = this.#contexts.ofLook(this.#module, this.#frames.ofEvent(this.#module, this.callers).caller);
  }

  /** Four more values are passed on: which of the parameters that can be addresses the first of them is. */
  pass() {
    const first = this.current.parameters;
    if (this.current !== NONE) this.current.parameters += 4;
    return first;
  }

  // What is kept of an entry is used again for the next one at its level.
  #entryAt(level) {
    const entry = this.#levels[level];
    if (entry !== undefined && entry !== NONE) return entry;
    return (this.#levels[level] = { ...NONE });
  }

  /** Takes in the entry under way, if the module has not told of it. */
  see() {
    const index = this.#untold === undefined ? 0 : this.#untold();
    if (index === 0) return;
    this.#calls.add(this.#instance.number, index - 1);
    // What leads to it may have been known before.
    this.#open(this.#instance.exports[EXPORTS.see](), index - 1, 0, 0, 0, 0, 0);
    this.callers.resume(this.#level);
  }

  // Has the module tell fewer of the entries inside others, up to the level that the stack has confirmed. To ask at each event
  // costs, too, so most entries have to be without one. Where accesses are checked, all are told.
  #tellLess() {
    const confirm = this.#instance.exports?.[EXPORTS.confirm];
    if (confirm === undefined || this.#inside < MANY || this.#withEvents > this.#inside / 4) return;
    confirm(this.#confirmed);
    this.#untold = this.#instance.exports[EXPORTS.untold];
  }

  /**
   * The level of an entry, when not all entries before it have returned as it seems: either they go on outside,
   * or they never returned. `running` is negative where the module wants to have the stack looked at.
   */
  levelOf(level, running, stackPointer) {
    const isPlain = level > 0 && running === level;
    const limited = Math.min(level, MAX_LEVELS);
    if (this.#suspension.isUsed) return limited;
    if (isPlain && !this.#isDoubtful(limited)) return limited;
    if (this.#frames.isInside(this.#module)) {
      // The module counts its calls of imports. A call through a table may leave it as well, for another module that enters.
      const inner = Math.max(limited, 1);
      if (inner > this.#confirmed) {
        this.#confirmed = inner;
        this.#tellLess();
      }
      return inner;
    }
    this.#doubts.fill(0);
    this.#tellLess();
    // None is running if the module caught the exception.
    if (running !== 0) this.didNotReturn(stackPointer);
    return 0;
  }

  /** The outermost entry is over without having returned; the stack pointer is this now. */
  didNotReturn(stackPointer) {
    const outermost = this.#levels[0];
    if (outermost.index < 0 || this.#suspension.isUsed) return;
    const { index, caller, a, b, c, d } = outermost;
    this.#module.lookAgain(index);
    this.#instance.select();
    this.#records.notReturned(index, caller, leftBetween(outermost.stackPointer, stackPointer), a, b, c, d);
    outermost.index = -1;
  }

  /** A function that the program has called returns: what another module entered inside it is over. */
  returning(index) {
    let level = this.#level;
    while (level >= 0 && this.#levels[level].index !== index) level--;
    if (level < 0 || level === this.#level) return;
    this.#instance.select();
    this.resumed(level);
  }

  // An import that enters may do so at this level, and this often, each time. Whatever is more than that may be what
  // an exception has left behind.
  #isDoubtful(level) {
    if (level > this.#confirmed) return true;
    const entries = (this.#since[level] ?? 0) + 1;
    if (!isPowerOfTwo(entries)) return false;
    const times = ++this.#doubts[Math.clz32(entries)];
    return times <= LOOKS || isPowerOfTwo(times);
  }

  /** The host is back from what it did for the entry of this level, or of the one below it that there is. */
  resumed(level) {
    this.callers.resume(level);
    this.#level = Math.min(level, MAX_LEVELS);
    while (this.#level > 0 && (this.#levels[this.#level] ?? NONE) === NONE) this.#level--;
    this.#since[this.#level + 1] = 0;
    this.current = this.#levels[this.#level];
    if (this.#toldLevel > this.#level) this.#tellResumed();
  }

  #tellResumed() {
    this.#records.resumed(this.#level);
    this.#toldLevel = this.#level;
  }

  /** Tells the callers of the entry, at an event with this context. `caller` are the engine's frames, if they were taken already. */
  tell(context, caller) {
    this.current.isTold = true;
    this.#withEvents++;
    const { index, stackPointer } = this.current;
    const nth = this.#count(context);
    const stack = this.current.caller ?? this.#stackOf(index, this.#level, nth, caller);
    if (stack !== null) this.current.caller = stack;
    const told = this.#told[this.#level];
    if (this.#toldLevel === this.#level && told?.index === index && told.stack === stack && told.stackPointer === stackPointer) return;
    this.#records.entered(index, this.#level, stack, stackPointer === 0 ? null : stackPointer);
    this.#told[this.#level] = { index, stack, stackPointer };
    this.#toldLevel = this.#level;
  }

  /** Tells the callers of a function that was entered unseen, inside the entry under way, at an event with this context. */
  tellUnseen(index, context, caller) {
    const level = this.#level + 1;
    this.#records.entered(index, level, this.#stackOf(index, level, this.#count(context), caller), null);
    this.#toldLevel = level;
    this.#told[level] = undefined;
    // The next event may be one of the entry itself.
    if (this.current !== NONE) this.current.isTold = false;
  }

  // One more entry whose first event has this context; returns how many there were.
  #count(context) {
    const { entriesOfContext } = this.#module;
    const nth = (entriesOfContext[context] ?? 0) + 1;
    entriesOfContext[context] = nth;
    return nth;
  }

  // The number of the stack of callers; null where it is not taken.
  #stackOf(index, level, nth, caller) {
    if (this.#suspension.isUsed) return this.#contexts.ofUnknown();
    const wantsCaller = this.#contexts.wantsCaller(this.#module, index, level, nth);
    if (caller === undefined && wantsCaller) ({ caller } = this.#frames.ofEvent(this.#module, this.callers));
    return caller === undefined ? null : this.#contexts.ofCaller(this.#module, level, caller);
  }
}

// How many bytes of the stack are not given back; 0 where that is not known.
function leftBetween(before, now) {
  if (typeof before !== typeof now || before === 0 || now === 0 || before <= now) return 0;
  return before - now;
}
