// Replaces functions of the engine so that a program sees no difference: a Proxy has the name, the
// length, the prototype and the text of its target.

export class Patch {
  #cleaned;

  /** `cleaned(error)` returns an error without the recorder's own functions in its stack. */
  constructor(cleaned) {
    this.#cleaned = cleaned;
  }

  /** Replaces a function; `call(target, self, values)` is called in its place. */
  call(object, name, call) {
    const apply = (target, self, values) => {
      try {
        return call(target, self, values);
      } catch (error) {
        throw this.#cleaned(error);
      }
    };
    redefine(object, name, { value: new Proxy(object[name], { apply }) });
  }

  /** Replaces a function of one parameter that is called often, so without a Proxy. */
  often(object, name, call) {
    const target = object[name];
    const cleaned = this.#cleaned;
    const guarded = {
      [name](value) {
        try {
          return call(target, this, value);
        } catch (error) {
          throw cleaned(error);
        }
      },
    };
    redefine(object, name, { value: guarded[name] });
  }

  /**
   * Replaces a function of one parameter, and another one that may follow, that is called often;
   * `seen(self, first, second)` is called after it. The engine makes no object of the arguments.
   */
  after(object, name, seen) {
    const target = object[name];
    const cleaned = this.#cleaned;
    const guarded = {
      [name](_) {
        try {
          const result = Reflect.apply(target, this, arguments);
          seen(this, arguments[0], arguments[1]);
          return result;
        } catch (error) {
          throw cleaned(error);
        }
      },
    };
    redefine(object, name, { value: guarded[name] });
  }

  /** Replaces a function that returns a promise, in the same way. */
  async(object, name, call) {
    const apply = async (target, self, values) => {
      try {
        return await call(target, self, values);
      } catch (error) {
        throw this.#cleaned(error);
      }
    };
    redefine(object, name, { value: new Proxy(object[name], { apply }) });
  }

  /** Replaces a class; `make(target, values, newTarget)` constructs in its place. */
  class(object, name, make) {
    const construct = (target, values, newTarget) => {
      try {
        return make(target, values, newTarget);
      } catch (error) {
        throw this.#cleaned(error);
      }
    };
    const value = new Proxy(object[name], { construct });
    redefine(object, name, { value });
    redefine(value.prototype, "constructor", { value });
  }

  /** Replaces a getter; `ask(get, self)` is called in its place. Getters are called often, so no Proxy. */
  getter(object, name, ask) {
    const { get } = Object.getOwnPropertyDescriptor(object, name);
    const cleaned = this.#cleaned;
    const guarded = {
      get [name]() {
        try {
          return ask(get, this);
        } catch (error) {
          throw cleaned(error);
        }
      },
    };
    redefine(object, name, { get: Object.getOwnPropertyDescriptor(guarded, name).get });
  }
}

// Whatever the descriptor does not say stays as it was.
const redefine = (object, name, descriptor) => Object.defineProperty(object, name, descriptor);
