// The instrument port: the library of this package instruments modules, or the linmem program if that has started
// this one. Each content is instrumented once; a cache keeps the results.

import { setEngineOptions } from "./engine-options.js";
import { Cache, originalAt, sha256 } from "./cache.js";
import { libraryVersion, theLibrary } from "./packaged-library.js";
import { pathBeside } from "./trace-file.js";
import { instrumentBy, isProgram, programVersion } from "./program.js";
import { validate } from "../record/engine.js";
import { mayHaveMemory } from "../record/sections.js";

// Smaller modules are written as they are.
const WORTH_A_LINK = 1 << 20;

// A module with two memories, which an engine takes or refuses: checks need a second one.
const TWO_MEMORIES = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 5, 5, 2, 0, 0, 0, 0);

const maker = makerFor(process.env, JSON.parse(process.env.LINMEM_INSTRUMENT_OPTIONS || "[]"));
const cache = maker.unavailable === undefined ? new Cache(maker.version) : undefined;

export const instrument = {
  unavailable: maker.unavailable,

  key: sha256,

  make(key, original) {
    if (maker.unavailable !== undefined) throw new Error(maker.unavailable);
    // A program may make very many of these, one for each function that it hands to a module.
    if (!mayHaveMemory(original)) throw new Error("the module has no memory, so nothing is recorded");
    const { map, ...made } = cache.get(key) ?? newlyMade(key, original);
    return { ...made, map: JSON.parse(map), ...besideTrace(key, original.length) };
  },

  find(key) {
    const map = cache?.map(key);
    return map && { original: () => cache.original(key), map: JSON.parse(map) };
  },
};

function newlyMade(key, original) {
  const { wasm, map } = maker.make(original);
  const isValid = validate(wasm);
  cache.put(key, { original, wasm, map, isValid });
  return { wasm, map, isValid };
}

// Has the original stand beside the trace, so that it need not be written there: where linmem reads the trace at once, and
// forgets it.
function besideTrace(key, bytes) {
  if (process.env.LINMEM_MODULES_BESIDE !== "1" || bytes < WORTH_A_LINK) return {};
  const path = pathBeside(`${key}.wasm`);
  return cache.link(key, bytes, path) ? { beside: () => originalAt(path, key) } : {};
}

/**
 * What instruments: `{ version, make }`, or why nothing does. `options` say which functions allocate, where a module
 * does not: `["--malloc", "xa"]`.
 */
function makerFor({ LINMEM_PROGRAM: program }, options) {
  if (options.includes("--check")) {
    if (!validate(TWO_MEMORIES)) {
      return { unavailable: `Node ${process.version} takes no module with two memories, which --check needs: use Node 22 or newer, or linmem without --check` };
    }
    setEngineOptions();
  }
  if (!program) return ofLibrary(options);
  if (!isProgram(program)) return { unavailable: `there is no program ${program}` };
  const version = JSON.stringify([programVersion(program), options]);
  return { version, make: (original) => instrumentBy(program, options, original) };
}

function ofLibrary(options) {
  const library = libraryVersion();
  if (library === undefined) return { unavailable: "linmem's library, dist/linmem.wasm, is not there: it is made by `npm run build`" };
  const checks = checksIn(options);
  const hints = hintsIn(options);
  return { version: JSON.stringify([library, options]), make: (original) => theLibrary().instrument(original, hints, checks) };
}

// Takes the options of checks out of the others: `--check --redzone N --quarantine N`.
function checksIn(options) {
  const at = options.indexOf("--check");
  if (at < 0) return null;
  const [, ...limits] = options.splice(at, 5);
  const { redzone, quarantine } = Object.fromEntries([0, 2].map((name) => [limits[name].slice(2), Number(limits[name + 1])]));
  return { redzone, quarantine };
}

// Options are named as roles are, but with dashes.
function hintsIn(options) {
  const hints = [];
  for (let at = 0; at + 1 < options.length; at += 2) hints.push([options[at].slice(2).replaceAll("-", "_"), options[at + 1]]);
  return hints;
}
