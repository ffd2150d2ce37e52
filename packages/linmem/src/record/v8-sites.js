// V8's call sites, as `Error.prepareStackTrace` gets them.

/** Takes them, so many at most; the program's own handler and limit are put back at once. */
export function callSites(depth) {
  if (Object.isFrozen(Error)) return [];
  const handler = Object.getOwnPropertyDescriptor(Error, "prepareStackTrace");
  const { stackTraceLimit } = Error;
  try {
    Error.stackTraceLimit = depth;
    Error.prepareStackTrace = (_, sites) => sites;
    const { stack } = new Error();
    return Array.isArray(stack) ? stack : [];
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
    if (handler) Object.defineProperty(Error, "prepareStackTrace", handler);
    else delete Error.prepareStackTrace;
  }
}

const POSITION = /wasm-function\[(\d+)\]:0x([0-9a-f]+)\)?$/;

/** The frame of a call site in the code of a module, whose file is `url`. */
export function moduleFrame(site, url) {
  const [, index, digits] = POSITION.exec(String(site));
  return { url, index: Number(index), offset: parseInt(digits, 16), name: site.getFunctionName() ?? undefined };
}

/** The frame of a call site in the host's code, whose place is already in words. */
export function placedFrame(site, place) {
  const name = site.getFunctionName();
  if (!name) return { text: place };
  return { text: `${site.isAsync() ? "async " : ""}${site.isConstructor() ? "new " : ""}${name} (${place})` };
}
