// What a report says to a user: its text, or why there is none where nothing was watched.

import { inLines } from "./lines.js";

// As in crates/linmem/src/report/nothing_watched.rs, of a program or a page.
const NOTHING_WATCHED = {
  "no-instance": (subject) => `the ${subject} made no WebAssembly instance to watch`,
  refused: (subject) => `nothing was watched, so nothing is known of the ${subject}`,
  "cut-short": (subject) => `the recording stops before the ${subject} made a WebAssembly instance`,
};

/** The text of a report on this subject, a program or a page. */
export function textOf({ text, nothingWatched, notes }, subject) {
  if (nothingWatched === null) return text;
  return inLines([`linmem: ${NOTHING_WATCHED[nothingWatched](subject)}`, ...notes]);
}

/** 1 where an error was found, 2 where linmem could not do its job. */
export function exitCodeOf({ errors, nothingWatched }) {
  if (errors) return 1;
  return nothingWatched === "refused" ? 2 : 0;
}
