// Calls of a module that wait for promises while others run (JavaScript Promise Integration).
import { start } from "./guest.mjs";

const { promising, Suspending } = WebAssembly;
const pause = (milliseconds) => (milliseconds > 0 ? new Promise((over) => setTimeout(over, milliseconds)) : Promise.reject(new Error("no time")));
const exports = start("suspends", { env: { pause: new Suspending(pause) } });
const { free, malloc } = exports;
const early = () => malloc(16); // early
const late = () => malloc(20);

early();
const work = promising(exports.work);
const lose = promising(exports.lose);
const one = () => work(5);
const two = () => work(1);

const ways = {
  async first() {
    await Promise.all([one(), two(), lose(3), one(), two()]);
    free(malloc(8));
    await Promise.all([lose(2), two()]);
  },

  // Calls that do not wait come while others do.
  async mixed() {
    const waiting = [one(), two()];
    for (let time = 0; time < 10; time++) late();
    await Promise.all(waiting);
    late();
  },

  // The promise is rejected, so the call does not go on.
  async rejected() {
    const results = await Promise.allSettled([work(0), two(), work(0)]);
    console.log(results.map(({ status }) => status).join(" "));
    await one();
    late();
  },
};

await ways[process.argv[2]]();
