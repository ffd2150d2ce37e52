// `node --import linmem/node program.mjs` watches the program; there is nothing to call.
export {};
