// Strings between a host in JavaScript and a WebAssembly module that exports its memory and an
// allocator. `cstrings` puts the parts together; each has a file in strings/:
//
//   text → encode ─┐                                   ┌─ decode → text
//                  ├─ allocator (or scratch) ─ memory ─┤
//   types → wrap ──┘            guard                  └─ errors

import { Allocator, findAllocator } from "./strings/allocator.js";
import { checksOf, tellOfKept, tellingOfAccesses } from "./strings/watched.js";
import { CStrings } from "./strings/cstrings.js";
import { DebugCStrings, TrackingAllocator } from "./strings/debug.js";
import { ArgumentError, MissingExportError } from "./strings/errors.js";
import { Guard } from "./strings/guard.js";
import { describe, GuestMemory } from "./strings/memory.js";

export * from "./strings/errors.js";

const DEFAULTS = {
  onNul: "error",
  onLoneSurrogate: "replace",
  invalid: "replace",
  scanLimit: 64 * 1024 * 1024,
  scratch: 16384,
  readOnly: false,
  debug: false,
};

const isSize = (value) => Number.isSafeInteger(value) && value >= 0;
const isBoolean = (value) => typeof value === "boolean";

const ALLOWED = {
  onNul: (value) => ["error", "truncate", "allow"].includes(value),
  onLoneSurrogate: (value) => ["replace", "error"].includes(value),
  invalid: (value) => ["replace", "fatal"].includes(value),
  scanLimit: isSize,
  scratch: isSize,
  readOnly: isBoolean,
  debug: (value) => isBoolean(value) || typeof value === "function",
};

/** Strings of one instance: `source` is the instance, its exports, or `{ memory, malloc, free }`. */
export function cstrings(source, options = {}) {
  const settings = { ...DEFAULTS, ...options };
  for (const name in settings) {
    if (!ALLOWED[name]?.(settings[name])) throw new ArgumentError(`option ${name} cannot be ${String(settings[name])}`);
  }
  if (typeof source !== "object" || source === null) {
    throw new ArgumentError(`expected an instance, its exports, or { memory, malloc, free }, got ${describe(source)}`);
  }
  const exports = typeof source.exports === "object" ? source.exports : source;
  const found = findMemory(exports);
  const memory = new GuestMemory(found);
  const guard = new Guard();
  const functions = settings.readOnly ? noAllocator : findAllocator(exports, memory);
  const allocator = new (settings.debug ? TrackingAllocator : Allocator)(functions, memory, guard);
  const Strings = settings.debug ? DebugCStrings : CStrings;
  const accessed = checksOf(found);
  const Told = accessed === undefined ? Strings : tellingOfAccesses(Strings, memory, accessed);
  const told = (block) => tellOfKept(found, memory.toGuest(block));
  return new Told({ exports, memory, guard, allocator, tellOfKept: told }, settings);
}

const noAllocator = { malloc: refuse, free: refuse };

function refuse() {
  throw new MissingExportError("these strings are read-only: leave out the option readOnly to pass strings in");
}

// The export named memory, or else the only memory there is.
function findMemory(exports) {
  const isMemory = (value) => typeof value?.grow === "function" && "buffer" in value;
  if (isMemory(exports.memory)) return exports.memory;
  const memories = Object.values(exports).filter(isMemory);
  if (memories.length === 1) return memories[0];
  throw new MissingExportError(
    `${memories.length} memories are exported, and none is named memory: export it, or pass { memory, malloc, free } with the one that the module uses`,
  );
}
