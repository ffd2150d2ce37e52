// Functions that the program takes out of tables and globals.
import { start } from "./guest.mjs";

const ways = {
  first() {
    const make = start("table").table.get(0);
    const caller = () => make(); // caller
    for (let time = 0; time < 40000; time++) caller();
  },

  // As embind does it: the functions of a class are taken once.
  methods() {
    const { table } = start("table");
    const [construct, size, destroy] = [0, 1, 2].map((index) => table.get(index));
    class Vector {
      constructor() {
        this.pointer = construct.call(undefined); // constructor
      }

      size() {
        return Reflect.apply(size, this, [this.pointer]);
      }

      delete() {
        destroy.apply(this, [this.pointer]);
      }
    }
    const vectors = Array.from({ length: 1000 }, () => new Vector()); // vectors
    for (const vector of vectors) vector.size();
    for (const vector of vectors.slice(10)) vector.delete();
  },

  global() {
    const { lost, maker } = start("table");
    const make = maker.value;
    for (let time = 0; time < 5; time++) make(); // makes
    for (let time = 0; time < 7; time++) lost.value(); // loses
  },

  // Two modules are linked at run time: they share a table and a memory that JavaScript has made.
  linked() {
    const memory = new WebAssembly.Memory({ initial: 2 });
    const table = new WebAssembly.Table({ initial: 8, element: "anyfunc" });
    const main = start("main", { env: { memory, table } });
    const side = start("side", { env: { memory, table, malloc: main.malloc, free: main.free } });
    const kept = [];
    for (let time = 0; time < 4; time++) {
      kept.push(main.calls_side()); // by main
      kept.push(side.calls_main()); // by side
      kept.push(table.get(1)(), table.get(2)()); // by the table
    }
    for (const pointer of kept) main.free(pointer);
    for (let time = 0; time < 3; time++) side.lose(); // loses by side
  },

  // What the program takes out of a table goes into another one.
  moved() {
    const { table } = start("table");
    const other = new WebAssembly.Table({ initial: 2, element: "anyfunc" });
    other.set(0, table.get(0));
    const make = other.get(0);
    console.log(make === table.get(0));
    for (let time = 0; time < 6; time++) make(); // moved
  },
};

ways[process.argv[2]]();
