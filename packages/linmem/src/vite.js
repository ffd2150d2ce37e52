// `linmem/vite`: a plugin of Vite. While the development server runs, the WebAssembly instances of each page that it serves
// are watched, in its frames and workers too, and the terminal has the reports. A build has nothing of it.

import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Endpoint } from "./vite/endpoint.js";
import { hintsIn } from "./vite/hints.js";
import { beforeInterrupt } from "./vite/interrupt.js";
import { PageLives } from "./vite/page-lives.js";
import { servedMap } from "./vite/served-maps.js";

const NAME = "linmem";

// How workers import it.
const RECORDER = `/@${NAME}/recorder.js`;
const HOT_PAGE = "virtual:linmem/hot-page";
const WORKER = /[?&]worker_file&type=(\w+)/;

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

/** The plugin: `top` call stacks are listed in each category of hot sites; the rest are hints of allocator functions. */
export default function linmem({ top = 3, ...allocator } = {}) {
  if (!Number.isInteger(top) || top < 0) throw new Error(`${NAME}: top: ${top} is not a number of call stacks`);
  const hints = hintsIn(allocator);
  const token = randomBytes(16).toString("hex");
  let base, address, nonce;

  return {
    name: NAME,

    apply: (_, { command, isPreview }) => command === "serve" && !isPreview,

    // A test's page is gone as soon as its tests are done.
    config: () => (process.env.VITEST ? { test: { setupFiles: [path("./vite/test-setup.js")] } } : undefined),

    configResolved(config) {
      base = config.base;
      address = `${base}@${NAME}/`;
      nonce = config.html?.cspNonce;
    },

    configureServer(server) {
      const { logger } = server.config;
      const ask = () => server.ws.send("linmem:finish");
      const lives = new PageLives({ logger, hotSites: top, ask, mapOf: servedMap(server) });
      const endpoint = new Endpoint({ address, token, hints, lives, complain: (line) => logger.warn(line) });
      server.middlewares.use((request, response, next) => endpoint.handle(request, response, next));
      server.ws.on("linmem:page", (id, client) => client.socket?.on("close", () => lives.lost(id)));
      endWith(server, lives);
    },

    // Ahead of everything that others put there.
    transformIndexHtml: {
      order: "post",
      handler: () => [
        { tag: "script", attrs: { src: `${address}recorder.js`, ...(nonce && { nonce }) }, injectTo: "head-prepend" },
        { tag: "script", attrs: { type: "module", src: `${base}@id/${HOT_PAGE}`, ...(nonce && { nonce }) }, injectTo: "head" },
      ],
    },

    resolveId(id) {
      if (id === HOT_PAGE) return `\0${id}`;
      return id === RECORDER ? id : undefined;
    },

    load(id) {
      if (id === `\0${HOT_PAGE}`) return readFileSync(path("./vite/hot-page.js"), "utf8");
      // Workers get it from the endpoint; Vite only looks what it imports.
      return id === RECORDER ? "" : undefined;
    },

    // In the first line, so that lines stay as they are.
    transform(code, id) {
      const [, type] = WORKER.exec(id) ?? [];
      if (type === undefined) return undefined;
      // Vite puts its base before what is imported.
      const first = type === "classic" ? `importScripts(${JSON.stringify(`${address}recorder.js`)})` : `import ${JSON.stringify(RECORDER)}`;
      return { code: `${first};${code}`, map: null };
    },
  };
}

// Reports come before the server is closed, and before Ctrl-C ends it.
function endWith(server, lives) {
  const close = server.close.bind(server);
  const end = () => lives.end();
  const needNoMore = beforeInterrupt(end);
  server.close = async () => {
    needNoMore();
    await end();
    return close();
  };
}
