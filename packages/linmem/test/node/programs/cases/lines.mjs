// Blocks that come from several lines.
import { elsewhere } from "./elsewhere.mjs";
import { start } from "./guest.mjs";

const guest = start("bump");
const { free, malloc } = guest;
const innocent = () => free(malloc(10)); // innocent
const guilty = () => malloc(20); // guilty
const other = () => malloc(30); // other
const times = (count, run) => Array.from({ length: count }, run); // times

class Vector {
  constructor() {
    this.pointer = malloc(24); // class
  }

  delete() {
    free(this.pointer);
  }
}

const maker = (size) => () => malloc(size); // closure
const named = (name) => Object.defineProperty((size) => malloc(size) + 0, "name", { value: name }); // named

const ways = {
  first() {
    innocent();
    times(100, guilty);
  },

  alternating() {
    for (let time = 0; time < 2040; time++) {
      guilty();
      other();
    }
  },

  // More than the callers of which stacks are taken.
  many() {
    for (let time = 0; time < 3000; time++) {
      guilty();
      other();
    }
  },

  // One caller uses up all stacks before the other one comes.
  late() {
    times(5000, innocent);
    times(100, guilty);
  },

  files() {
    times(10, () => elsewhere(guest)); // loop
    times(20, guilty);
  },

  // Embind makes all functions of a module in one place.
  names() {
    const [small, large] = [named("small"), named("large")];
    small(8);
    times(20, () => large(16));
  },

  closures() {
    const [small, large] = [maker(8), maker(16)];
    times(10, small); // small
    times(20, large); // large
    times(30, () => new Vector()).forEach((vector) => vector.delete()); // deleted
    times(3, () => new Vector()); // kept
  },

  async async() {
    const after = async (wait, run) => {
      await wait;
      run();
    };
    await Promise.all(times(50, (_, turn) => after(new Promise(setImmediate), turn % 2 ? guilty : innocent)));
    setTimeout(guilty, 1);
    queueMicrotask(other);
  },
};

await ways[process.argv[2]]();
