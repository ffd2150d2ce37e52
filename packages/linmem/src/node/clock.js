// The clock port: Node's monotonic clock, and a timer that does not keep the process alive.

// A program may replace them. Node takes a while to load `performance`.
const { clearInterval, setInterval } = globalThis;
const { hrtime } = process;

const began = hrtime();

export const clock = {
  micros() {
    const [seconds, nanoseconds] = hrtime(began);
    return seconds * 1e6 + Math.round(nanoseconds / 1000);
  },

  every(milliseconds, run) {
    const timer = setInterval(run, milliseconds);
    timer.unref();
    return () => clearInterval(timer);
  },
};
