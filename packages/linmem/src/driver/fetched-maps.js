// Gets the source map of a page's script from the page's own server. What it answers is a stranger's: it is short, comes
// soon, and comes from nowhere else.

const MILLISECONDS = 5000;
const MOST_SCRIPT_BYTES = 32 << 20;
const MOST_MAP_BYTES = 64 << 20;

// In the last lines of a script.
const MAPPING = /^[ \t]*\/\/[#@] sourceMappingURL=(\S+)\s*$/gm;
const MOST_SCRIPTS_AT_ONCE = 4;

let underWay = 0;
const waiting = [];

/** The parsed map of a script in a page of this origin; undefined if there is none. */
export async function fetchedMap(file, origin) {
  if (new URL(file).origin !== origin) return undefined;
  if (underWay >= MOST_SCRIPTS_AT_ONCE) await new Promise((resolve) => waiting.push(resolve));
  underWay++;
  try {
    const script = await fetched(file, origin, MOST_SCRIPT_BYTES);
    const address = [...script.matchAll(MAPPING)].at(-1)?.[1];
    if (address === undefined) return undefined;
    const map = address.startsWith("data:") ? inside(address) : await fetched(new URL(address, file).href, origin, MOST_MAP_BYTES);
    // A line that keeps others from reading it as a script.
    return JSON.parse(map.replace(/^\)\]\}.*\n/, ""));
  } finally {
    underWay--;
    waiting.shift()?.();
  }
}

function inside(address) {
  const comma = address.indexOf(",");
  const data = address.slice(comma + 1);
  return /;base64$/.test(address.slice(0, comma)) ? Buffer.from(data, "base64").toString() : decodeURIComponent(data);
}

async function fetched(address, origin, most) {
  if (new URL(address).origin !== origin) throw new Error("it is another server's");
  // A redirection may lead elsewhere.
  const response = await fetch(address, { redirect: "error", signal: AbortSignal.timeout(MILLISECONDS) });
  if (!response.ok) throw new Error(`its server answers ${response.status}`);
  const chunks = [];
  let length = 0;
  for await (const chunk of response.body) {
    length += chunk.length;
    if (length > most) throw new Error("it is too long");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
