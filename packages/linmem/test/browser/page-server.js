// Serves pages, packages and modules to a browser, and says when a page tells that it is at its end.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname } from "node:path";

const TYPES = { ".js": "text/javascript", ".json": "application/json", ".wasm": "application/wasm", ".html": "text/html" };

/**
 * `folders` maps the beginnings of paths to URLs of folders, the longest first; `files` maps paths to contents; `headers(path)`
 * are further headers.
 */
export async function servePages(folders, files = {}, headers = () => ({})) {
  let atEnd = () => {};
  const server = createServer(async ({ url }, response) => {
    const { pathname } = new URL(url, "http://localhost");
    if (pathname === "/done") {
      response.end();
      return atEnd();
    }
    try {
      const body = files[pathname] ?? (await readFile(fileAt(pathname, folders)));
      const type = { "Content-Type": TYPES[extname(pathname)] ?? "text/plain" };
      response.writeHead(200, { ...type, ...headers(pathname) }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    address: `http://127.0.0.1:${server.address().port}/`,
    /** Settles when the next page is at its end. */
    done: () => new Promise((resolve) => (atEnd = resolve)),
    close: () => (server.close(), server.closeAllConnections()),
  };
}

function fileAt(pathname, folders) {
  const start = Object.keys(folders).find((start) => pathname.startsWith(start));
  return new URL(pathname.slice(start.length), folders[start]);
}
