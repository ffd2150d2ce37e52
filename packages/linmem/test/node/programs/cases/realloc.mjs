// Reallocations that fail.
import { start } from "./guest.mjs";

const { fail, free, malloc, memory, poke, realloc } = start("refuses");
const write = (address) => (new Uint8Array(memory.buffer)[address] = 1);

const ways = {
  first() {
    poke(8, 1);
    const pointer = malloc(100);
    fail(1);
    if (realloc(pointer, 200) === 0) free(pointer);
  },

  // The block is where it was.
  stays() {
    const pointer = malloc(100); // allocates what stays
    fail(1);
    realloc(pointer, 200); // fails and is heeded
    fail(0);
    free(realloc(malloc(10), 20));
  },

  // The host has written near NULL itself, before anything failed and between two failures that it heeds.
  host() {
    write(16);
    const pointer = malloc(100);
    fail(1);
    realloc(pointer, 200);
    realloc(pointer, 300);
    free(pointer);
  },

  "double free"() {
    const pointer = malloc(100); // allocates for two
    fail(1);
    realloc(pointer, 200);
    free(pointer); // frees once
    free(pointer); // frees again
  },

  ignored() {
    const pointer = malloc(100);
    fail(1);
    const moved = realloc(pointer, 200); // fails unheeded
    write(moved + 8);
    poke(moved + 12, 1);
    free(pointer);
  },

  moved() {
    const pointer = malloc(100); // allocates before
    const moved = realloc(pointer, 200); // moves
    free(pointer); // frees the old one
    free(moved);
  },
};

ways[process.argv[2]]();
