// Watches the page or the worker that this code runs in.

import { Recorder } from "../record/recorder.js";
import { libraryFrom } from "./page-library.js";
import { clock } from "./page-clock.js";
import { instrumentBy } from "./page-instrument.js";
import { stacksOf } from "./page-stacks.js";
import { RECORDER, watcher } from "./watcher.js";

// A program may replace it.
const { addEventListener } = globalThis;

/**
 * Watches from now on, unless it does so already, and returns what `made(recorder)` makes for others to find. What is
 * given is where this code is and how places are marked, see page-stacks.js; where the library is, see page-library.js; and the ports that are left.
 * `leave()`, if it is among that, is called when the page may be left: what is done when it is hidden mostly comes too late
 * for others to hear.
 */
export function watchScope({ own, mark, library, hints = [], seal, sink, complain, threads }, made) {
  const known = watcher();
  // The first document of a frame hands its realm on to the next one, but no listeners.
  if (known !== undefined) {
    known.listen();
    return known;
  }
  const recorder = new Recorder({
    sink,
    clock,
    complain,
    seal,
    threads,
    stacks: stacksOf({ own, mark }),
    instrument: instrumentBy(libraryFrom(library), hints),
  });
  const found = madeFor(recorder, made);
  Object.defineProperty(globalThis, RECORDER, { value: found });
  recorder.watch(globalThis);
  recorder.watchViews(globalThis);
  found.listen();
  return found;
}

function madeFor(recorder, made) {
  const { leave, ...others } = made(recorder);
  const failed = ({ error, reason }) => recorder.uncaught(error ?? reason);
  const events = [["error", failed], ["unhandledrejection", failed], ["beforeunload", leave], ["pagehide", leave]];
  const listen = () => events.forEach(([name, hear]) => hear && addEventListener?.(name, hear));
  return Object.freeze({ ...others, listen });
}
