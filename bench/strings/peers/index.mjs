// What is compared. A peer's `load` answers with an instance of its guest, as its users would call it:
//
//   first(text)   passes a text in; the guest answers with its first byte
//   keep(text)    makes it what the guest hands out
//   kept()        reads that, while it stays the guest's (undefined: the peer has no such strings)
//   copy()        receives a copy that the guest made, and frees it

import * as assemblyscript from "./assemblyscript.mjs";
import * as bindgen from "./bindgen.mjs";
import * as emscripten from "./emscripten.mjs";
import * as linmem from "./linmem.mjs";
import * as plain from "./plain.mjs";
import * as wrapped from "./wrapped.mjs";

/** The library comes first. */
export const PEERS = [linmem, wrapped, plain, emscripten, bindgen, assemblyscript];
