// Why a test fails: what a report finds, or what could not be watched.

const SEVERITIES = { error: ["error"], warning: ["error", "warning"], never: [] };

/** The error for a report, `{ text, json, unwatched }`; undefined if the test may pass. */
export function failureOf({ text, json, unwatched }, { failOn, allowUnwatched }) {
  const { findings } = JSON.parse(json).report;
  const isFound = findings.some(({ severity }) => SEVERITIES[failOn].includes(severity));
  const unseen = allowUnwatched || failOn === "never" ? [] : unwatched;
  if (!isFound && unseen.length === 0) return undefined;
  const told = unseen.length === 0 ? [] : [...unseen, "What leaks there goes unseen, so the test fails; the option `allowUnwatched` lets it pass.", ""];
  const error = new Error([...told.map((line) => line && `linmem: ${line}`), text].join("\n"));
  // Where this was found is not where it happened.
  error.stack = error.message;
  return error;
}
