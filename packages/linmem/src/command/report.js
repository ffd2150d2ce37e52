// `linmem report`: render a recorded run again.

import { statSync } from "node:fs";
import { Files } from "../driver/files.js";
import { recordingsIn } from "../driver/recordings.js";
import { theLibrary } from "../node/packaged-library.js";
import { OUTPUT, OUTPUT_HELP, read } from "./arguments.js";
import { CommandError, about } from "./command-error.js";
import { Output } from "./output.js";

const HELP = `Report on a run that was recorded with \`linmem node --traces\`

Usage: linmem report [OPTIONS] <FILE|DIRECTORY>

${OUTPUT_HELP}
Exit code: 1 when an error was found in the program, 2 when linmem could not do its job.
`;

export function run(words) {
  const parsed = read(words, OUTPUT, HELP);
  if (parsed === undefined) return 0;
  const output = new Output(parsed.values);
  const [path] = parsed.positionals;
  const isDirectory = about(path, () => statSync(path), "cannot read ").isDirectory();
  const recordings = isDirectory ? recordingsIn(path) : [path];
  if (recordings.length === 0) throw new CommandError(`${path} has no recordings (*.trace)`);

  const files = new Files();
  const reading = theLibrary().reading(files, { hotSites: output.hotSites });
  recordings.forEach((recording) => reading.add(recording));
  const report = reported(() => reading.finish(output));
  files.close();
  output.write(report);
  return report.errors ? 1 : 0;
}

// The library's errors are about what it was given.
function reported(work) {
  try {
    return work();
  } catch (error) {
    throw new CommandError(error.message, { cause: error });
  }
}
