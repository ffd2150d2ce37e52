// What a test says of how it is watched: `test.use({ linmem: { … } })`.

import { ROLES } from "../record/names.js";

const FAIL_ON = ["error", "warning", "never"];
const DEFAULTS = { failOn: "error", collect: false, allowUnwatched: false, top: 3, allocator: {} };

/**
 * The options with their defaults, and the allocator's functions as pairs of a role and a name; undefined if nothing is to be
 * watched. Throws what is wrong.
 */
export function optionsOf(given, browserName) {
  if (given === false) return undefined;
  if (browserName !== "chromium") throw new Error(`linmem/playwright watches Chromium only, and this project runs ${browserName}: say \`linmem: false\` in its \`use\``);
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(DEFAULTS, name));
  if (unknown !== undefined) throw new Error(`linmem has no option ${unknown}: it has ${Object.keys(DEFAULTS).join(", ")}`);
  const options = { ...DEFAULTS, ...given };
  if (!FAIL_ON.includes(options.failOn)) throw new Error(`linmem: failOn is ${JSON.stringify(options.failOn)}, and can be ${FAIL_ON.join(", ")}`);
  if (!Number.isInteger(options.top) || options.top < 0) throw new Error(`linmem: top is ${JSON.stringify(options.top)}, and has to be a number of call stacks`);
  return { ...options, hints: Object.entries(options.allocator).flatMap(([role, names]) => [names].flat().map((name) => hint(role, name))) };
}

function hint(role, name) {
  if (!ROLES.includes(role)) throw new Error(`linmem: allocator has no role ${role}: there are ${ROLES.join(", ")}`);
  return [role, String(name)];
}
