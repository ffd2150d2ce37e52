// What every page, frame and worker runs first: the recorder, with its settings.

import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { deflateRaw } from "node:zlib";
import { about } from "../command/command-error.js";

const SCRIPT = new URL("../../dist/browser.js", import.meta.url);
const LIBRARY = new URL("../../dist/linmem.wasm", import.meta.url);

/** What the recorder's own code is called in stacks. */
export const OWN = "linmem:recorder";

/** The function through which the recorder speaks, see src/browser/driven.js. */
export const BINDING = "__linmem_recorded";

/** Calls a method of the recorder where it is; undefined where it is not. */
export const asking = (method) => `globalThis[Symbol.for("linmem.browser")]?.${method}()`;

/**
 * The source, and the same in `short` without the library, which has to follow. The library goes along, as no target could
 * load it at once by itself: deflated, since the protocol takes longer for the rest than a target for inflating it, and
 * only those that compile a module do that.
 */
export async function sourceWith(hints) {
  const [script, wasm] = [SCRIPT, LIBRARY].map((file) => about("linmem's own files, made by `npm run build`", () => readFileSync(file), "cannot read "));
  const deflated = await promisify(deflateRaw)(wasm);
  const library = { deflated: deflated.toString("base64"), length: wasm.length };
  const settings = { own: OWN, hints, seal: randomUUID(), binding: BINDING, isMarked: true, reachesWorkers: true };
  const sourceOf = (all) => `((LINMEM_SETTINGS) => {${script}})(${JSON.stringify(all)});\n//# sourceURL=${OWN}`;
  return { source: sourceOf({ ...settings, library }), short: sourceOf({ ...settings, library: {} }) };
}
