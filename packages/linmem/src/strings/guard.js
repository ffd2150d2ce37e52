// After a trap the guest's stack pointer, locks and heap may be in any state. So it is not called
// again, not even to free.

import { PoisonedError } from "./errors.js";

export class Guard {
  trap = undefined;

  check() {
    if (this.trap === undefined) return;
    const error = new PoisonedError(
      `the instance trapped earlier (${this.trap.message}), so its memory cannot be trusted: make a new instance`,
    );
    error.cause = this.trap;
    throw error;
  }

  /** Remembers a trap among the errors that came out of the guest. */
  note(error) {
    if (isTrap(error)) this.trap ??= error;
  }

  /** Calls a function of the guest. Plain parameters, because every string pays for this. */
  call(run, first, second, third, fourth) {
    this.check();
    try {
      return run(first, second, third, fourth);
    } catch (error) {
      this.note(error);
      throw error;
    }
  }
}

// By name, because an instance may come from another realm. Exhausting the stack unwinds the
// guest's frames like a trap, and every engine has its own error for it.
function isTrap(error) {
  return error?.name === "RuntimeError" || /^(Range|Internal)Error .*(call stack|recursion)/.test(`${error?.name} ${error?.message}`);
}
