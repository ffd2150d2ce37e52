// Tells functions from their stand-ins. An exported function has a stand-in, which reports the program's
// calls. Where the program can meet the function in a table or a global too, it sees the stand-in there; and
// the module calls the function itself through a table.

export class Functions {
  #instances;

  // The stand-in, by the function itself; and the other way round.
  #standIns = new WeakMap();
  #originals = new WeakMap();

  // The users of a table of functions: WeakRefs of instances, until the program calls one of its functions unseen.
  #users = new WeakMap();

  constructor({ instances }) {
    this.#instances = instances;
  }

  /** Takes in the functions and tables of an instance that the engine has handed out. */
  learn(instance) {
    const { exports, module } = instance;
    for (const [own, name] of module.standIns) {
      this.#standIns.set(exports[own], exports[name]);
      this.#originals.set(exports[name], exports[own]);
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
    patch.call(Table.prototype, "get", (target, table, values) => this.#shown(Reflect.apply(target, table, values), table));
    patch.call(Table.prototype, "set", put);
    patch.call(Table.prototype, "grow", put);
    patch.getter(Global.prototype, "value", (get, global) => this.#shown(Reflect.apply(get, global, [])));
    patch.call(Global.prototype, "valueOf", (target, global, values) => this.#shown(Reflect.apply(target, global, values)));
  }

  // What the program gets for what the engine has.
  #shown(value, table) {
    if (typeof value !== "function") return value;
    if (this.#standIns.has(value)) return this.#standIns.get(value);
    this.#taken(table);
    return value;
  }

  // The arguments that the engine gets for those of the program, whose second one is a function. A function of
  // the program's own may be handed addresses.
  #kept(values, table) {
    const value = values[1];
    if (typeof value !== "function") return values;
    if (this.#originals.has(value)) return values.with(1, this.#originals.get(value));
    this.#taken(table);
    return values;
  }

  // From now on there are calls that go unseen. A global does not tell whose functions it holds.
  #taken(table) {
    const known = table === undefined ? this.#instances.live : this.#usersOf(table).map((reference) => reference.deref());
    for (const instance of known) instance?.functionTaken();
    if (table !== undefined) this.#users.delete(table);
  }
}
