// Modules that call themselves through JavaScript.
import { start } from "./guest.mjs";

const times = (count, run) => Array.from({ length: count }, run); // times

// As Emscripten's: functions of the module are called through JavaScript, which catches exceptions.
function tools() {
  const imports = {
    invoke(index, value) {
      try {
        return exports.table.get(index)(value); // invokes
      } catch (error) {
        if (error !== thrown) throw error;
        exports.setThrew(1);
        return 0;
      }
    },
    call: (value) => exports.inner(value), // calls back
    copy: (size) => exports.malloc(size), // copies
    raise() {
      throw thrown;
    },
  };
  const exports = start("trampoline", { env: imports });
  return exports;
}

const thrown = new Error("thrown by the module");

// An exception leaves the module, again and again. Then it is called again.
function leave({ deep, free, malloc, lose }) {
  for (let time = 0; time < 20; time++) {
    try {
      deep(3); // escapes
    } catch (error) {
      if (error !== thrown) throw error;
    }
    free(malloc(8)); // in between
  }
  times(5, () => lose()); // loses
  times(6, () => malloc(20)); // keeps after
}

const ways = {
  first() {
    tools().work(); // works
  },

  invoked() {
    const { free, tries } = tools();
    times(10, () => free(tries(0, 32))); // tries
    times(4, () => tries(0, 32)); // keeps
  },

  // The inner function throws: the module goes on, and loses what it had before.
  caught() {
    const { free, tries } = tools();
    times(10, () => tries(1, 32)); // throws
    times(3, () => free(tries(0, 16))); // later
  },

  escapes() {
    leave(tools());
  },

  // The same when the module does not tell of each function that is called through JavaScript any more.
  later() {
    const exports = tools();
    times(5000, () => exports.tries(3, 0));
    leave(exports);
  },

  // Most of the functions that are called through JavaScript do nothing.
  seldom() {
    const { tries } = tools();
    times(5000, (_, time) => tries(3, time % 500 === 0 ? 24 : 0)); // seldom
  },

  // The import itself allocates for the module.
  copies() {
    const { gets } = tools();
    times(10, () => gets(40, 1)); // given back
    times(3, () => gets(48, 0)); // lost
  },
};

ways[process.argv[2]]();
