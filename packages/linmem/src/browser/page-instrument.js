// The instrument port of a page or a worker: the library instruments. A module that is sent to another thread takes
// along what it was made of, as there is no other place that both can read at once.

import { customSections } from "../record/engine.js";
import { withCustomSection } from "../record/sections.js";
import { sha256 } from "./sha256.js";

const ORIGINAL = "linmem.original";
const MAP = "linmem.map";

/** `library()` gives the library; `hints` say which functions allocate, as pairs of a role and a name. */
export const instrumentBy = (library, hints) => ({
  unavailable: undefined,

  key: sha256,

  make(key, original) {
    const { wasm, map } = library().instrument(original, hints);
    return { wasm: withCustomSection(withCustomSection(wasm, ORIGINAL, original), MAP, map), map: JSON.parse(map) };
  },

  find(key, module) {
    const [map, original] = [MAP, ORIGINAL].map((name) => customSections(module, name).at(-1));
    if (original === undefined || map === undefined) return undefined;
    const bytes = new Uint8Array(original);
    return sha256(bytes) === key ? { original: () => bytes, map: JSON.parse(new TextDecoder().decode(map)) } : undefined;
  },
});
