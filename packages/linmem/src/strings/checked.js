// Strings of an instance whose accesses are checked (`linmem node --check`): the recorder hears which bytes are read.

import { address, indexOfNul } from "./memory.js";

const WATCH = Symbol.for("linmem.watch");

/** What to tell of the bytes of a WebAssembly.Memory that are read; undefined if nobody checks that. */
export const checksOf = (memory) => WebAssembly[WATCH]?.checks?.(memory);

/** A class of strings that tells of each read. `memory` is the GuestMemory. */
export const tellingOfReads = (Strings, memory, accessed) =>
  class extends Strings {
    read(pointer, byteLength) {
      tell(memory, accessed, pointer, byteLength);
      return super.read(pointer, byteLength);
    }

    take(pointer, byteLength, free) {
      tell(memory, accessed, pointer, byteLength);
      return super.take(pointer, byteLength, free);
    }
  };

// Without a length the NUL is read too. Where there is no string, reading it says so.
function tell(memory, accessed, pointer, byteLength) {
  const start = address(pointer);
  const bytes = byteLength === undefined ? indexOfNul(memory.view, start) - start + 1 : address(byteLength);
  if (bytes > 0 && start > 0) accessed(memory.toGuest(start), memory.toGuest(bytes), false);
}
