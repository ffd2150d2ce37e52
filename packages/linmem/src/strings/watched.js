// What a recorder hears (`linmem node`): which block is kept for short strings, and, where accesses are checked, which bytes
// are read and written.

import { address, indexOfNul } from "./memory.js";

const WATCH = Symbol.for("linmem.watch");

/** Says that a block of a WebAssembly.Memory is kept on purpose. */
export const tellOfKept = (memory, pointer) => WebAssembly[WATCH]?.keeps?.(memory, pointer);

/** What to tell of the bytes of a WebAssembly.Memory that are read or written; undefined if nobody checks that. */
export const checksOf = (memory) => WebAssembly[WATCH]?.checks?.(memory);

/** A class of strings that tells of what it reads, before, and of what it has written. `memory` is the GuestMemory. */
export const tellingOfAccesses = (Strings, memory, accessed) => {
  const tell = (pointer, bytes, isWrite) => {
    const start = address(pointer);
    if (bytes > 0 && start > 0) accessed(memory.toGuest(start), memory.toGuest(bytes), isWrite);
  };
  // Without a length the NUL is read too. Where there is no string, reading it says so.
  const tellOfRead = (pointer, byteLength) =>
    tell(pointer, byteLength === undefined ? bytesWithNul(memory, pointer) : address(byteLength), false);

  return class extends Strings {
    with(text, run) {
      return super.with(text, (pointer, byteLength) => {
        tell(pointer, address(byteLength) + 1, true);
        return run(pointer, byteLength);
      });
    }

    withAll(texts, run) {
      return super.withAll(texts, (...pointers) => {
        for (const pointer of pointers) if (address(pointer) !== 0) tell(pointer, bytesWithNul(memory, pointer), true);
        return run(...pointers);
      });
    }

    alloc(text) {
      const string = super.alloc(text);
      tell(string.ptr, address(string.byteLength) + 1, true);
      return string;
    }

    read(pointer, byteLength) {
      tellOfRead(pointer, byteLength);
      return super.read(pointer, byteLength);
    }

    take(pointer, byteLength, free) {
      tellOfRead(pointer, byteLength);
      return super.take(pointer, byteLength, free);
    }
  };
};

function bytesWithNul(memory, pointer) {
  const start = address(pointer);
  return indexOfNul(memory.view, start) - start + 1;
}
