// Serves the programs and their packages to pages, and hears from these when they are done.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname } from "node:path";

const PAGE = `<!doctype html><meta charset=utf-8><title>bench</title><script type=module src=/page.js></script>`;

const FOLDERS = {
  "/packages/": new URL("../node/node_modules/", import.meta.url),
  "/examples/": new URL("../../examples/npm/node_modules/", import.meta.url),
  "/": new URL("./", import.meta.url),
};
const TYPES = { ".js": "text/javascript", ".mjs": "text/javascript", ".json": "application/json", ".wasm": "application/wasm" };

// Without these a page has no threads.
const ISOLATED = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

/** Answers with the address, `next` and `close`. */
export async function serve() {
  let asked, done;
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    const answer = (body, type) => response.writeHead(200, { "Content-Type": type, ...ISOLATED }).end(body);
    if (pathname === "/") {
      asked = performance.now();
      return answer(PAGE, "text/html");
    }
    if (pathname === "/done") {
      const page = performance.now() - asked;
      const result = JSON.parse(Buffer.concat(await request.toArray()).toString());
      answer("", "text/plain");
      return done({ ...result, page });
    }
    try {
      answer(...(await fileAt(pathname)));
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    address: `http://127.0.0.1:${server.address().port}/`,
    /** Settles with what the next page tells: `{ work, page, value }`, in milliseconds; rejects if it failed. */
    next: () => new Promise((resolve, reject) => (done = (result) => (result.failed ? reject(new Error(result.failed)) : resolve(result)))),
    close: () => (server.close(), server.closeAllConnections()),
  };
}

// Some packages are made for bundlers, and leave out how a file's name ends.
async function fileAt(pathname) {
  const start = Object.keys(FOLDERS).find((start) => pathname.startsWith(start));
  const path = decodeURIComponent(pathname.slice(start.length));
  const name = extname(path) === "" ? `${path}.js` : path;
  return [await readFile(new URL(name, FOLDERS[start])), TYPES[extname(name)] ?? "application/octet-stream"];
}
