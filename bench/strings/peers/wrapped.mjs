// The library's functions made from signatures.

import { cstrings } from "../../../packages/linmem/src/strings.js";
import { guest } from "./module.mjs";

export const name = "linmem, wrap";

export async function load() {
  return cstrings(await guest()).wrap({
    first: ["string", "->", "u32"],
    keep: ["string", "->"],
    kept: ["->", "string"],
    copy: ["->", "owned string"],
  });
}
