// Tells functions from their entries. A function that the program can call has an entry, which reports the call. Where
// the program can meet the function in a table or a global, it sees the entry there; and the module calls the function
// itself through a table.
//
// The instrumented module has a table of these functions and of their entries. The engine makes a function's object when
// it is first asked for, so both are looked up when the program meets one.

import { tableGet } from "./engine.js";
import { EXPORTS } from "./names.js";

export class Functions {
  #instances;

  // The entry, by the function itself; and the other way round.
  #entries = new WeakMap();
  #originals = new WeakMap();

  // The users of a table of functions: WeakRefs of instances, until the program calls one of its functions unseen.
  #users = new WeakMap();

  constructor({ instances }) {
    this.#instances = instances;
  }

  /** Takes in the functions and tables of an instance that the engine has handed out. */
  learn(instance) {
    const { exports, module } = instance;
    for (const [name, index] of module.exportedFunctions) {
      const place = module.placeOf(index);
      if (place >= 0) this.#originals.set(exports[name], { instance: new WeakRef(instance), place });
    }
    for (const name of module.tables) this.#usersOf(exports[name]).push(new WeakRef(instance));
  }

  #usersOf(table) {
    if (!this.#users.has(table)) this.#users.set(table, []);
    return this.#users.get(table);
  }

  /** Patches where programs meet functions, in one realm. */
  watch({ WebAssembly }, patch) {
    const { Global, Table } = WebAssembly;
    const put = (target, table, values) => Reflect.apply(target, table, this.#kept(values, table));
    patch.often(Table.prototype, "get", (get, table, index) => this.#shown(Reflect.apply(get, table, [index]), table));
    patch.call(Table.prototype, "set", put);
    patch.call(Table.prototype, "grow", put);
    patch.getter(Global.prototype, "value", (get, global) => this.#shown(Reflect.apply(get, global, [])));
    patch.call(Global.prototype, "valueOf", (target, global, values) => this.#shown(Reflect.apply(target, global, values)));
  }

  // What the program gets for what the engine has. It often asks for the same again.
  #shown(value, table) {
    const known = this.#entries.get(value);
    if (known !== undefined) return known;
    if (typeof value !== "function" || this.#originals.has(value)) return value;
    const entry = this.#findEntry(value, table);
    if (entry === undefined) this.#taken(table);
    else this.#entries.set(value, entry);
    return entry ?? value;
  }

  // The engine names a function by its index in the instance, but does not tell in which.
  #findEntry(value, table) {
    const index = Number(value.name);
    for (const instance of this.#usersNow(table)) {
      const { module } = instance;
      // A wrapper is the function itself to the module.
      const origin = module.map.functions[index];
      const place = module.placeOf(Array.isArray(origin) ? origin[1] : origin);
      const functions = instance.exports?.[EXPORTS.functions];
      if (place < 0 || functions === undefined || tableGet(functions, place) !== value) continue;
      const entry = tableGet(functions, module.entries.length + place);
      this.#originals.set(entry, { instance: new WeakRef(instance), place });
      return entry;
    }
    // A function that a module imports does not enter the module.
    return this.#usersNow(table).some(({ module }) => index < module.importedFunctions) ? value : undefined;
  }

  // The arguments that the engine gets for those of the program, whose second one is a function. A function of
  // the program's own may be handed addresses.
  #kept(values, table) {
    const value = values[1];
    if (typeof value !== "function") return values;
    const { instance, place } = this.#originals.get(value) ?? {};
    const functions = instance?.deref()?.exports?.[EXPORTS.functions];
    if (functions !== undefined) return values.with(1, tableGet(functions, place));
    this.#taken(table);
    return values;
  }

  // The instances that can have put functions into a table. A global does not tell whose functions it holds.
  #usersNow(table) {
    const users = table === undefined ? undefined : this.#users.get(table)?.map((reference) => reference.deref()).filter(Boolean);
    return users ?? this.#instances.live;
  }

  // From now on there are calls that go unseen.
  #taken(table) {
    for (const instance of this.#usersNow(table)) instance.functionTaken();
    if (table !== undefined) this.#users.delete(table);
  }
}
