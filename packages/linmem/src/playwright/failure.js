// Why a test fails: what a report finds, or what could not be watched.

const SEVERITIES = { error: ["error"], warning: ["error", "warning"], never: [] };

// As the recorder and its driver say it of a module, a document or a worker.
const UNWATCHED = / is not watched: /;

/** The error for a report, `{ text, json, notes }`; undefined if the test may pass. */
export function failureOf({ text, json, notes }, { failOn, allowUnwatched }) {
  const { findings } = JSON.parse(json).report;
  const isFound = findings.some(({ severity }) => SEVERITIES[failOn].includes(severity));
  const unwatched = allowUnwatched || failOn === "never" ? [] : notes.filter((note) => UNWATCHED.test(note));
  if (!isFound && unwatched.length === 0) return undefined;
  const told = unwatched.length === 0 ? [] : [...unwatched, "What leaks there goes unseen, so the test fails; the option `allowUnwatched` lets it pass.", ""];
  const error = new Error([...told.map((line) => line && `linmem: ${line}`), text].join("\n"));
  // Where this was found is not where it happened.
  error.stack = error.message;
  return error;
}
