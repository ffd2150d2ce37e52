// Chooses how an expectation observes: through the recorder, if one watches the instance, else through
// the exports.

import { invalid, MemoryExpectationError } from "./expectation-error.js";
import { ExportedObservation } from "./exported.js";

const WATCH = Symbol.for("linmem.watch");
const VERSION = 1;

// Memories that an expectation is about now.
const observed = new WeakSet();

/** Begins to look at a subject. */
export function begin(subject) {
  const isObject = (typeof subject === "object" && subject !== null) || typeof subject === "function";
  if (!isObject) throw invalid(`expected an instance or its exports, got ${subject === null ? "null" : typeof subject}`);
  const exports = typeof subject.exports === "object" && subject.exports !== null ? subject.exports : subject;
  const recorded = recorder()?.observe(subject) ?? (exports === subject ? undefined : recorder()?.observe(exports));
  const observation = recorded ?? new ExportedObservation(exports, memoryOf(subject, exports));
  return { observation: alone(observation), exports: observation.exports ?? exports, isWatched: recorded !== undefined };
}

/** Whether a recorder watches this program. */
export const isRecorded = () => recorder() !== undefined;

function recorder() {
  const watch = WebAssembly[WATCH];
  if (watch === undefined || watch.version === VERSION) return watch;
  throw new MemoryExpectationError(
    "other-version",
    "the program runs under another version of linmem, which these expectations cannot ask: update the package, or the linmem program",
  );
}

/** No more of it. */
export function end(observation) {
  observation.end();
  observed.delete(observation.memory);
}

// Blocks of one body would count in the other.
function alone(observation) {
  if (observed.has(observation.memory)) {
    observation.end();
    throw new MemoryExpectationError(
      "already-running",
      "another expectation is running on this instance, or on one that shares its memory: await it first",
    );
  }
  observed.add(observation.memory);
  return observation;
}

// The subject itself, the export named memory, or else the only memory there is.
function memoryOf(subject, exports) {
  if (isMemory(subject)) return subject;
  if (isMemory(exports.memory)) return exports.memory;
  const memories = Object.values(exports).filter(isMemory);
  if (memories.length === 1) return memories[0];
  throw invalid(
    `${memories.length} memories are exported, and none is named memory: pass { ...instance.exports, memory } with the one that the module uses`,
  );
}

const isMemory = (value) => typeof value?.grow === "function" && "buffer" in value;
