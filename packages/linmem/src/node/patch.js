// How functions of the engine are replaced, so that a program sees no other: a Proxy has the name, the
// length, the prototype and the text of what it stands for.

import { types } from "node:util";

const OWN_FILES = new URL(".", import.meta.url).href;

/** Replaces a function; `call(target, self, values)` is called in its place. */
export function patchCall(object, name, call) {
  const apply = (target, self, values) => {
    try {
      return call(target, self, values);
    } catch (error) {
      throw withoutOwnFrames(error);
    }
  };
  redefine(object, name, { value: new Proxy(object[name], { apply }) });
}

/** The same, for a function that returns a promise. */
export function patchAsync(object, name, call) {
  const apply = async (target, self, values) => {
    try {
      return await call(target, self, values);
    } catch (error) {
      throw withoutOwnFrames(error);
    }
  };
  redefine(object, name, { value: new Proxy(object[name], { apply }) });
}

/** Replaces a class; `construct(target, values, newTarget)` is called in its place. */
export function patchClass(object, name, make) {
  const construct = (target, values, newTarget) => {
    try {
      return make(target, values, newTarget);
    } catch (error) {
      throw withoutOwnFrames(error);
    }
  };
  const value = new Proxy(object[name], { construct });
  redefine(object, name, { value });
  redefine(value.prototype, "constructor", { value });
}

/** Replaces a getter; `ask(get, self)` is called in its place. These are called often: no Proxy. */
export function patchGetter(object, name, ask) {
  const { get } = Object.getOwnPropertyDescriptor(object, name);
  const guarded = {
    get [name]() {
      try {
        return ask(get, this);
      } catch (error) {
        throw withoutOwnFrames(error);
      }
    },
  };
  redefine(object, name, { get: Object.getOwnPropertyDescriptor(guarded, name).get });
}

// Whatever the descriptor does not say stays as it was.
const redefine = (object, name, descriptor) => Object.defineProperty(object, name, descriptor);

/** The error as it would be without the recorder's functions in its stack. */
function withoutOwnFrames(error) {
  if (types.isNativeError(error) && typeof error.stack === "string" && error.stack.includes(OWN_FILES)) {
    error.stack = error.stack.split("\n").filter((line) => !line.includes(OWN_FILES)).join("\n");
  }
  return error;
}
