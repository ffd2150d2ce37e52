// Methods of single objects that do something more for a while.

export class Replaced {
  #undo = [];

  /** Does something before each call of a method. */
  before(object, name, run) {
    this.#replace(object, name, async (method, values) => {
      await run();
      return method(...values);
    });
  }

  /** Does something with the result of each call of a method. */
  after(object, name, run) {
    this.#replace(object, name, async (method, values) => {
      const result = await method(...values);
      await run(result);
      return result;
    });
  }

  #replace(object, name, call) {
    const own = Object.getOwnPropertyDescriptor(object, name);
    const method = object[name].bind(object);
    object[name] = (...values) => call(method, values);
    this.#undo.push(() => (own === undefined ? delete object[name] : Object.defineProperty(object, name, own)));
  }

  /** Puts all methods back. */
  undo() {
    for (const undo of this.#undo.splice(0).reverse()) undo();
  }
}
