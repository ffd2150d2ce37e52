// Allocators of which a part is not seen, or which were at work before the run.
import { start } from "./guest.mjs";

function arena(name) {
  const { malloc, reset, table } = start(name);
  const begin = reset ?? table.get(0);
  for (let time = 0; time < 5; time++) {
    malloc(100 + time);
    begin();
  }
}

function lose(name) {
  const { lose } = start(name);
  for (let time = 0; time < 5; time++) lose(); // loses
}

function twice(name) {
  const { malloc } = start(name);
  malloc(8);
  malloc(8);
}

const ways = {
  "arena, global": () => arena("arena_global"),
  "arena, word": () => arena("arena_word"),
  "arena, in a table": () => arena("arena_in_table"),
  "arena that frees": () => arena("arena_that_frees"),
  "arena alone": () => lose("arena_alone"),

  "arena that nobody resets"() {
    const { malloc } = start("arena_that_frees");
    for (let time = 0; time < 5; time++) malloc(100 + time);
  },

  "the same, no free": () => twice("same_no_free"),
  "the same, grows": () => twice("same_grows"),
  "the same, broken": () => twice("same_broken"),

  objects() {
    const { shape_new, shape_side, __wbg_shape_free, emscripten_bind_Mesh_Mesh_0, emscripten_bind_Mesh___destroy___0 } = start("objects");
    for (let time = 0; time < 190; time++) {
      const shape = shape_new(); // shapes
      shape_side(shape);
    }
    for (let time = 0; time < 20; time++) {
      const mesh = emscripten_bind_Mesh_Mesh_0(); // meshes
      if (time < 5) emscripten_bind_Mesh___destroy___0(mesh);
    }
    __wbg_shape_free(shape_new(), 0);
  },

  "objects, freed"() {
    const { shape_new, __wbg_shape_free, emscripten_bind_Mesh_Mesh_0 } = start("objects");
    for (let time = 0; time < 190; time++) __wbg_shape_free(shape_new(), 0);
    for (let time = 0; time < 7; time++) emscripten_bind_Mesh_Mesh_0();
  },

  wrapped() {
    start("wrapped").work();
  },

  "wrapped, twice"() {
    const { free, zeroed } = start("wrapped");
    const block = zeroed();
    free(block);
    free(block);
  },

  "only frees"() {
    const { free, make_node } = start("frees");
    for (let time = 0; time < 3; time++) free(make_node());
  },

  older() {
    start("preinitialised").free(1032);
  },

  "older, reallocated"() {
    const { free, realloc } = start("preinitialised");
    free(realloc(1032, 50));
    free(1072);
  },

  "constant text"() {
    start("preinitialised").free(1107);
  },

  numbers: () => lose("numbers"),
  "numbers, copied": () => lose("numbers_copied"),

  "numbers, changed"() {
    start("numbers_changed").keep();
  },
};

ways[process.argv[2]]();
