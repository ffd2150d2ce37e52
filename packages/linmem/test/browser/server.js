// Serves some folders to the page, with the headers without which a page has no shared memory.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname } from "node:path";

const PAGE = `<!doctype html><meta charset=utf-8><title>linmem</title>
<script type=importmap>{ "imports": { "linmem/strings": "/installed/src/strings.js" } }</script>`;

const TYPES = { ".js": "text/javascript", ".mjs": "text/javascript", ".json": "application/json", ".wasm": "application/wasm", ".html": "text/html" };

/** `folders` maps the first part of a path to a URL of a folder. Answers with the server's address and `close`. */
export async function serve(folders) {
  const server = createServer(async ({ url }, response) => {
    const [, folder, path] = /^\/(\w*)\/?(.*)$/.exec(url);
    const headers = {
      "Content-Type": TYPES[extname(url)] ?? "text/html",
      "Cross-Origin-Opener-Policy": "same-origin",
      "Cross-Origin-Embedder-Policy": "require-corp",
    };
    try {
      const body = folder === "" ? PAGE : await readFile(new URL(path, folders[folder]));
      response.writeHead(200, headers).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { address: `http://127.0.0.1:${server.address().port}/`, close: () => server.close() };
}
