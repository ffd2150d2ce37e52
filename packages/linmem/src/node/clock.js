// The clock port: Node's monotonic clock, and a timer that does not keep the process alive.

import { performance } from "node:perf_hooks";

// A program may replace them.
const { clearInterval, setInterval } = globalThis;
const now = performance.now.bind(performance);

const began = now();

export const clock = {
  micros: () => Math.round((now() - began) * 1000),

  every(milliseconds, run) {
    const timer = setInterval(run, milliseconds);
    timer.unref();
    return () => clearInterval(timer);
  },
};
