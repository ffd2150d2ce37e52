// Starts the recorder for Node where it is one file, recorder.cjs.

import { runCached } from "./code-cache.js";

const RECORDER = Symbol.for("linmem.node");

runCached(new URL("./recorder.cjs", import.meta.url), (keep) => (process[RECORDER].ended = keep));
