// Watches the page or the worker that this code runs in.

import { Recorder } from "../record/recorder.js";
import { libraryFrom } from "./page-library.js";
import { clock } from "./page-clock.js";
import { instrumentBy } from "./page-instrument.js";
import { stacksOf } from "./page-stacks.js";

const RECORDER = Symbol.for("linmem.browser");

/**
 * Watches from now on, unless it does so already, and returns what `made(recorder)` makes for others to find. What is
 * given is where this code is, see page-stacks.js; where the library is, see page-library.js; and the ports that are left.
 */
export function watchScope({ own, isModule, library, hints = [], sink, complain }, made) {
  if (Object.hasOwn(globalThis, RECORDER)) return globalThis[RECORDER];
  const recorder = new Recorder({
    sink,
    clock,
    complain,
    stacks: stacksOf({ page: globalThis.location?.href, own, isModule }),
    instrument: instrumentBy(libraryFrom(library), hints),
  });
  const found = Object.freeze(made(recorder));
  Object.defineProperty(globalThis, RECORDER, { value: found });
  recorder.watch(globalThis);
  recorder.watchViews(globalThis);
  globalThis.addEventListener?.("error", ({ error }) => recorder.uncaught(error));
  globalThis.addEventListener?.("unhandledrejection", ({ reason }) => recorder.uncaught(reason));
  return found;
}

/** What watches this page or worker; undefined if nothing does. */
export const watcher = () => globalThis[RECORDER];
