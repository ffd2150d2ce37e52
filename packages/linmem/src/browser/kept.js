// Without a driver: what is recorded is kept in the page's memory until it is asked for.

import { TAGS } from "../record/names.js";
import { joined } from "../record/sections.js";
import { libraryFrom } from "./page-library.js";
import { watchScope } from "./scope.js";

// What ends a recording: the program goes on, so its exit code is not known.
const END = Uint8Array.of(TAGS.EXIT, 0);

const NAME = "recording";

/** Watches this page or worker, and keeps what is recorded. */
export function keepRecording(settings) {
  const parts = [];
  const sink = (bytes) => void parts.push(bytes.slice());
  const complain = (message) => console.warn(`linmem: ${message}`);
  const library = libraryFrom(settings.library);
  return watchScope({ ...settings, sink, complain }, (recorder) => {
    const trace = () => {
      recorder.records.keep();
      recorder.snapshot();
      recorder.records.tick();
      return joined([...parts, END]);
    };
    return { trace, report: (hotSites) => reported(library(), trace(), hotSites) };
  });
}

function reported(library, trace, hotSites) {
  let at = 0;
  const read = (_, bytes) => {
    const part = trace.subarray(at, at + bytes.length);
    bytes.set(part);
    at += part.length;
    return part.length;
  };
  const reading = library.reading({ open: () => 0, read }, { hotSites });
  reading.add(NAME);
  return reading.finish();
}
