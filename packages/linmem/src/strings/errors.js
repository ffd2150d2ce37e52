// What can go wrong with a string, one class each. `code` is stable and the same in every host;
// the message says what, where and what to do; further properties hold the numbers.

/** The base of all errors of this library. */
export class CStringError extends Error {
  constructor(message, details) {
    super(message);
    Object.assign(this, details);
  }
}

/** The guest's allocator returned NULL. */
export class AllocationError extends CStringError {
  name = "AllocationError";
  code = "allocation-failed";
}

/** The text has a NUL inside, where a C function would stop reading. */
export class EmbeddedNulError extends CStringError {
  name = "EmbeddedNulError";
  code = "embedded-nul";
}

/** The text has half of a surrogate pair, which UTF-8 cannot hold. */
export class LoneSurrogateError extends CStringError {
  name = "LoneSurrogateError";
  code = "lone-surrogate";
}

/** The guest's bytes are not UTF-8. */
export class InvalidUtf8Error extends CStringError {
  name = "InvalidUtf8Error";
  code = "invalid-utf8";
}

/** NULL where the type does not say that there may be none. */
export class NullPointerError extends CStringError {
  name = "NullPointerError";
  code = "null-pointer";
}

/** No NUL before the scan limit or the end of memory. */
export class UnterminatedError extends CStringError {
  name = "UnterminatedError";
  code = "unterminated";
}

/** A pointer, or pointer and length, that reach past the memory. */
export class OutOfRangeError extends CStringError {
  name = "OutOfRangeError";
  code = "out-of-range";
}

/** The pointer of a string that was freed. */
export class UseAfterFreeError extends CStringError {
  name = "UseAfterFreeError";
  code = "use-after-free";
}

/** The instance trapped earlier, so its heap may be in any state. */
export class PoisonedError extends CStringError {
  name = "PoisonedError";
  code = "poisoned";
}

/** The module does not export what is needed. */
export class MissingExportError extends CStringError {
  name = "MissingExportError";
  code = "missing-export";
}

/** An argument or option of the wrong type. */
export class ArgumentError extends CStringError {
  name = "ArgumentError";
  code = "invalid-argument";
}
