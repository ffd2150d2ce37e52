// Hints of allocator functions, as the plugin's options have them.

import { ROLES } from "../record/names.js";

/** Pairs of a role and a name, of `{ malloc: "xa", free: ["ya", "za"] }`. */
export function hintsIn(options) {
  return Object.entries(options).flatMap(([name, value]) => {
    const role = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    if (!ROLES.includes(role)) throw new Error(`linmem: there is no option ${name}: the options are top, ${ROLES.map(optionOf).join(", ")}`);
    return [value].flat().map((hint) => [role, hintOf(name, hint)]);
  });
}

const optionOf = (role) => role.replace(/_(\w)/g, (_, letter) => letter.toUpperCase());

function hintOf(name, hint) {
  if (typeof hint !== "string" && !Number.isInteger(hint)) throw new Error(`linmem: ${name}: ${hint} is not the name or the index of a function`);
  return String(hint);
}
