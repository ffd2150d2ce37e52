// Why a test fails: what a report finds, or what could not be watched.

const SEVERITIES = { error: ["error"], warning: ["error", "warning"], never: [] };

/** The error for a report, `{ text, json }`; undefined if there is nothing to say. */
export function failureOf({ text, json }, unwatched, { failOn, allowUnwatched }) {
  const { findings } = JSON.parse(json).report;
  const isFound = findings.some(({ severity }) => SEVERITIES[failOn].includes(severity));
  const isUnwatched = unwatched.length > 0 && !allowUnwatched && failOn !== "never";
  if (!isFound && !isUnwatched) return undefined;
  const lines = isUnwatched ? [...unwatched.map((line) => `linmem: ${line}`), "What ran there was not watched; `allowUnwatched: true` lets such a test pass.", ""] : [];
  const error = new Error([...lines, text].join("\n"));
  // Where this was found is not where it happened.
  error.stack = error.message;
  return error;
}
