// Paths through a module that are known: from the host's entry to a function, by the value that the function has for its
// calling context. The frames of a new stack that are close then tell the rest of it.
//
// The value of a context follows from those of the functions below it: each call site takes a step, and
// `crates/linmem/src/instrument/contexts.rs` says what the steps compute. Here they are taken again, along the frames
// of a stack. What comes out has to be the value that the module has computed, so a path that is known is the right one.

const FOLD_BITS = 24;

// So many of a function's known calls are tried, the last ones first: a new stack is mostly near the one before.
const TRIES = 64;

// Two 64-bit multipliers, as two halves each.
const SPREAD = [0x7f4a7c15, 0x9e3779b9];
const SPREAD_ANCHOR = [0x6659fd93, 0xd6e8feb8];

const WORD = 2 ** 32;

export class KnownPaths {
  #map;

  // By function, what is known of its calls, in their order and by the lower half of their values. A call is
  // `{ index, value, outer, call }`: the function's own index and value; the call of the function that calls it, and the frame
  // of that, unless the host does.
  #calls = new Map();

  /** `map` is what instrumentation says about the module. */
  constructor(map) {
    this.#map = map;
  }

  /**
   * Learns a whole stack: what the engine's frames up to the entry stand for, the innermost first; `entry` is the
   * function that was entered, and `low` and `high` are the halves of the context's value.
   */
  learn(origins, entry, low, high) {
    const outermost = origins.at(-1);
    if (outermost?.kind !== "function" || outermost.index !== entry) return;
    this.#follow(origins, { index: entry, value: valueOfEntry(entry), outer: undefined, call: undefined }, low, high, true);
  }

  /** The frames that follow these, which are the innermost ones of the stack of a context with this value; undefined if they are not known. */
  rest(origins, low, high) {
    const known = this.#calls.get(origins.at(-1)?.index)?.all;
    if (known === undefined) return undefined;
    for (let at = known.length - 1; at >= Math.max(0, known.length - TRIES); at--) {
      if (this.#follow(origins, known[at], low, high, false)) return framesFrom(known[at]);
    }
    return undefined;
  }

  // Whether the steps along these frames lead from a call of the outermost one to this value. The calls between are known then.
  #follow(origins, from, low, high, isNew) {
    const calls = isNew ? [from] : [];
    let outer = from;
    for (let at = origins.length - 1; at >= 0; at--) {
      const { kind, index, offset, name, step } = origins[at];
      // The innermost one may be an allocator function, which its wrapper stands for.
      if (kind === "wrapper" && at === 0) break;
      if (kind !== "function" || index !== outer.index) return false;
      const callee = origins[at - 1];
      const value = valueAfter(outer.value, step, offset, callee?.kind === "function" && this.#map.recursive[callee.index] === "1");
      if (value === undefined) return false;
      outer = { index: callee?.index, value, outer, call: { index, offset, name } };
      if (callee?.kind === "function") calls.push(outer);
    }
    if (outer.value.low !== low || outer.value.high !== high) return false;
    for (const call of calls) this.#add(call);
    return true;
  }

  #add(call) {
    let known = this.#calls.get(call.index);
    if (known === undefined) this.#calls.set(call.index, (known = { all: [], byLow: new Map() }));
    const { low, high } = call.value;
    if (known.byLow.get(low)?.value.high === high) return;
    known.all.push(call);
    known.byLow.set(low, call);
  }
}

function framesFrom(call) {
  const frames = [];
  for (; call.outer !== undefined; call = call.outer) frames.push(call.call);
  return frames;
}

// The value with which a function begins that the host calls.
function valueOfEntry(index) {
  const site = siteNumber(index);
  const low = (site << FOLD_BITS) ^ (SPREAD[0] << FOLD_BITS);
  const high = (site >>> (32 - FOLD_BITS)) ^ ((SPREAD[1] << FOLD_BITS) | (SPREAD[0] >>> (32 - FOLD_BITS)));
  return { low, high, anchorLow: low, anchorHigh: high };
}

// What a function begins with that another one with this value calls from a site; undefined where that cannot be known.
function valueAfter({ low, high, anchorLow, anchorHigh }, step, offset, isRecursive) {
  const path = 3 * (low >>> 0) + siteNumber(offset);
  const [pathLow, pathHigh] = [path | 0, Math.floor(path / WORD)];
  const nextHigh = (Math.imul(high, 3) + pathHigh) | 0;
  switch (step) {
    case "n":
      return { low: pathLow, high: nextHigh, anchorLow, anchorHigh };
    case "i":
      return { low: pathLow, high: (high + pathHigh) | 0, anchorLow, anchorHigh };
    case "e": {
      const anchor = Math.imul(pathLow, SPREAD[0]) & (-1 << FOLD_BITS);
      const upper = upperHalf(pathLow, nextHigh, SPREAD);
      return { low: anchor, high: upper, anchorLow: anchor, anchorHigh: upper };
    }
    case "o":
      if (!isRecursive) return { low: pathLow, high: nextHigh, anchorLow, anchorHigh };
    // falls through: the call closes a cycle
    case "f": {
      anchorLow |= 1 << foldBit(offset);
      const upper = upperHalf(pathLow, pathHigh, SPREAD) ^ upperHalf(anchorLow, anchorHigh, SPREAD_ANCHOR);
      return { low: 0, high: upper, anchorLow, anchorHigh };
    }
    default:
      return undefined;
  }
}

// The upper half of the product of two 64-bit values.
const upperHalf = (low, high, [byLow, byHigh]) => (carry(low, byLow) + Math.imul(high, byLow) + Math.imul(low, byHigh)) | 0;

// The upper half of the product of two 32-bit values.
function carry(a, b) {
  const [aLow, aHigh, bLow, bHigh] = [a & 0xffff, a >>> 16, b & 0xffff, b >>> 16];
  const middle = aHigh * bLow + Math.floor((aLow * bLow) / 0x10000);
  const other = aLow * bHigh + (middle % 0x10000);
  return aHigh * bHigh + Math.floor(middle / 0x10000) + Math.floor(other / 0x10000);
}

const siteNumber = (offset) => mix(offset) & 0x7fffffff;

const foldBit = (offset) => (mix(~offset) >>> 0) % FOLD_BITS;

// The finalizer of MurmurHash3 (public domain, Austin Appleby).
function mix(word) {
  word ^= word >>> 16;
  word = Math.imul(word, 0x85ebca6b);
  word ^= word >>> 13;
  word = Math.imul(word, 0xc2b2ae35);
  return word ^ (word >>> 16);
}
