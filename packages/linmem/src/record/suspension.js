// JavaScript Promise Integration: a call of a module can wait for a promise, while others begin. Entries that belong to
// different stacks cannot be told apart then, nor can pointers be seen that a stack holds which waits.

const NOTE =
  "the program uses JavaScript Promise Integration (WebAssembly.promising), with which several calls of a module can be under way at a time: " +
  "from there on linmem takes no stacks of callers, and leaks are not judged";

export class Suspension {
  #records;

  /** Whether calls can wait for promises. */
  isUsed = false;

  constructor({ records }) {
    this.#records = records;
  }

  /** Watches a realm, if its engine has the integration. */
  watch({ WebAssembly }, patch) {
    if (WebAssembly.promising === undefined) return;
    patch.call(WebAssembly, "promising", (target, self, values) => {
      this.#use();
      return Reflect.apply(target, self, values);
    });
  }

  #use() {
    if (this.isUsed) return;
    this.isUsed = true;
    this.#records.note(NOTE);
  }
}
