// Why cells are lost: the first reason that applies. What a reason says is in the engine's tables of parts,
// except the figures in ns: these are differences between runs on Node 20 with and without that step.

const isOwned = ({ direction }) => direction === "out, owned";
const isIn = ({ direction }) => direction === "in";

export const REASONS = [
  {
    applies: (cell) => isIn(cell) && cell.length <= 64 && cell.best !== "AssemblyScript",
    why: `A short text costs little beside the call, and \`with\` does more around it: it calls a callback that it doesn't know,
looks whether that returned a promise, and whether the guest trapped. wasm-bindgen's and Emscripten's functions call the guest themselves and look
at nothing; for an empty text wasm-bindgen's doesn't allocate either. With one callback in the whole program, which an engine then compiles into
\`with\`, it is up to 8 ns less`,
  },
  {
    applies: (cell) => cell.length <= 4 && !isIn(cell),
    why: `The pointer is checked, against NULL and the end of memory, and the view, which may be detached: 7 ns beside the guest call. Emscripten's
loop begins at once, and adds one character after another, which is the fastest for very few. An owned string's pointer is checked again before it
is freed`,
  },
  {
    applies: (cell) => isOwned(cell) && cell.best === "wasm-bindgen",
    why: `wasm-bindgen is told the length, and a C string's NUL has to be found: *take(pointer, length)* among the parts is what this library takes
when it is told too. Mixed text of up to some hundred characters also pays for the loop that decodes short ones and gives up (30 ns)`,
  },
  {
    applies: (cell) => isIn(cell) && cell.kind === "mixed" && cell.best === "AssemblyScript",
    why: `AssemblyScript's strings are UTF-16, so its loop copies and transcodes nothing: it is faster than this engine's *encodeInto* alone`,
  },
  {
    applies: (cell) => isIn(cell) && cell.kind === "mixed" && cell.best === "wasm-bindgen",
    why: `wasm-bindgen doesn't look for a NUL: *text.indexOf(NUL)* in a browser, and a native search of the bytes in Node`,
  },
  {
    applies: (cell) => cell.direction === "out, borrowed" && cell.length === 64,
    why: `The loop for short texts gives up after 16 characters, and then the NUL is searched from the start: 15 to 30 ns, which longer texts don't feel`,
  },
];
