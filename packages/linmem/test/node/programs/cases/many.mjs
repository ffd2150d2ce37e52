// Start-up work that uses up the stacks, and leaks after it.
import { start } from "./guest.mjs";

const guest = start("many");
guest.start(); // starts
const times = (count, run) => Array.from({ length: count }, run); // times

const ways = {
  first() {
    times(100, () => guest.leak()); // leaks in a loop
  },

  exports() {
    times(10, () => guest.leak()); // leaks by one export
    times(20, () => guest.lose()); // loses by one export
    times(30, () => guest.table.get(0)()); // out of the table
  },

  callers() {
    const [one, two] = [() => guest.leak(), () => guest.leak()]; // two callers
    const other = () => guest.leak(); // another caller
    times(50, () => [one(), two(), other()]);
  },

  // The second entry, too, has more stacks than it may take.
  deep() {
    times(3, () => guest.leak()); // leaks first
    guest.wide(); // wide
    times(5, () => guest.lose()); // loses last
  },
};

ways[process.argv[2]]();
