// The clock port: the monotonic clock of a page or a worker, and its timer.

import { early } from "./globals.js";

const [clearInterval, setInterval] = ["clearInterval", "setInterval"].map(early);
const now = performance.now.bind(performance);

const began = now();

export const clock = {
  micros: () => Math.round((now() - began) * 1000),

  every(milliseconds, run) {
    const timer = setInterval(run, milliseconds);
    return () => clearInterval(timer);
  },
};
