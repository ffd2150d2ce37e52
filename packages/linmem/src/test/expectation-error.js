// The error of an expectation that failed. `code` is stable; the message says what was seen and what to do;
// further properties hold the numbers.

export class MemoryExpectationError extends Error {
  name = "MemoryExpectationError";

  constructor(code, message, details) {
    super(message);
    this.code = code;
    Object.assign(this, details);
  }
}

export const invalid = (message) => new MemoryExpectationError("invalid-argument", message);
