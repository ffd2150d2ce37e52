// What `linmem/browser/auto` has recorded in this page or worker so far.

import { watcher } from "./browser/watcher.js";

// Call stacks in each category of hot sites.
const HOT_SITES = 3;

export const recording = Object.freeze({
  /** The report, as `linmem node` prints it. */
  report: async ({ top = HOT_SITES } = {}) => kept().report(top).text,

  /** The report as an object, see docs/report-json.md. */
  json: async ({ top = HOT_SITES } = {}) => JSON.parse(kept().report(top).json),

  /** The recording, for `linmem report`. */
  trace: async () => kept().trace(),
});

function kept() {
  const found = watcher();
  if (found === undefined) throw new Error('nothing is recorded here: `import "linmem/browser/auto"` first, before everything else');
  if (found.trace === undefined) throw new Error("`linmem browser` records this page, and reports on it");
  return found;
}
