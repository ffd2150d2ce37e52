// The engine compiles each function of the library when it is first called. This has it compile most of those that a
// report takes while the program starts, which needs one core, instead of when the program has ended: reports on a
// recording that was made before (scripts/build.js).

import { fileURLToPath } from "node:url";
import { Files } from "../driver/files.js";
import { theLibrary } from "../node/packaged-library.js";

export const SAMPLE = fileURLToPath(new URL("../../dist/sample.trace", import.meta.url));

/** Makes a report that nobody gets to see. */
export function warmUp(analysis) {
  const files = new Files();
  try {
    const reading = theLibrary().reading(files, analysis);
    reading.add(SAMPLE);
    while (reading.takeIn());
    reading.finish();
  } catch {
    // It is only about time.
  } finally {
    files.close();
  }
}
