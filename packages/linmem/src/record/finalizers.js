// Addresses that a program leaves to a FinalizationRegistry: blocks that wait for a finalizer are not leaks, and when
// a finalizer runs is up to the engine.

// How deep a held value is searched for addresses: embind's is `{ $$: { ptr } }`.
const DEEPEST = 2;

// Properties of an object that are looked at.
const MOST_PROPERTIES = 16;

export class Finalizers {
  #contexts;
  #memories;
  #records;

  // What was registered with each token: a list of `{ ledger, address }`.
  #ofToken = new WeakMap();

  constructor({ contexts, memories, records }) {
    this.#contexts = contexts;
    this.#memories = memories;
    this.#records = records;
  }

  /** Patches the ways to register and to unregister, in one realm. */
  watch({ FinalizationRegistry }, patch) {
    patch.call(FinalizationRegistry.prototype, "register", (target, self, values) => {
      const result = Reflect.apply(target, self, values);
      this.#registered(values[0], values[1], values[2]);
      return result;
    });
    patch.call(FinalizationRegistry.prototype, "unregister", (target, self, values) => {
      const result = Reflect.apply(target, self, values);
      if (result) this.#unregistered(values[0]);
      return result;
    });
  }

  #registered(object, held, token) {
    let { addresses, blocks } = typeof held === "function" ? this.#ownOf(object) : this.#in(held, DEEPEST);
    if (blocks.length === 0 && token === object) blocks = this.#objectAt(addresses[0]);
    if (blocks.length === 0) return;
    const stack = this.#contexts.ofHost();
    for (const { ledger, address } of blocks) this.#records.registered(ledger.number, address, stack);
    if (typeof token === "object" && token !== null) this.#ofToken.set(token, [...(this.#ofToken.get(token) ?? []), ...blocks]);
  }

  // The address that a function frees is in its scope, which cannot be read: it is the object's own, as a rule. What lies deeper
  // belongs to others that it refers to.
  #ownOf(object) {
    const own = this.#in(object, 1);
    return own.blocks.length > 0 ? own : this.#in(object, DEEPEST);
  }

  #in(value, depth) {
    const addresses = [...addressesIn(value, depth)];
    return { addresses, blocks: this.#blocksAt(addresses) };
  }

  #blocksAt(addresses) {
    return addresses.flatMap((address) => this.#memories.ledgersWith(address).map((ledger) => ({ ledger, address })));
  }

  // Where blocks are not seen: glue of wasm-bindgen registers each object of its classes with itself as the token.
  #objectAt(address) {
    const ledger = isOfObject(address) ? this.#memories.ledgerWithObjects() : undefined;
    return ledger === undefined ? [] : [{ ledger, address }];
  }

  #unregistered(token) {
    for (const { ledger, address } of this.#ofToken.get(token) ?? []) this.#records.unregistered(ledger.number, address);
    this.#ofToken.delete(token);
  }
}

// Objects have reference counts, if nothing else.
const isOfObject = (address) => address % 4 === 0;

// The numbers in a held value that may be addresses. Getters are the program's own, and not called.
function* addressesIn(value, depth) {
  if (typeof value === "number") {
    if (Number.isInteger(value) && value !== 0) yield value < 0 ? value >>> 0 : value;
  } else if (typeof value === "object" && value !== null && depth > 0 && !hasManyParts(value)) {
    for (const name of Object.keys(value).slice(0, MOST_PROPERTIES)) {
      const property = Object.getOwnPropertyDescriptor(value, name);
      yield* addressesIn(property?.value, depth - 1);
    }
  }
}

// Whoever holds lists holds no single block.
const hasManyParts = (value) => Array.isArray(value) || ArrayBuffer.isView(value);
