// A Vite server with a copy of the app, Chromium, and what the terminal would show.

import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createServer } from "vite";
import linmem from "linmem/vite";

export const APP = fileURLToPath(new URL("app", import.meta.url));

/** Serves a copy of the app: `{ address, root, lines, warnings, until, close }`. */
export async function serveApp({ options, ...config } = {}) {
  const root = mkdtempSync(join(tmpdir(), "linmem-vite-"));
  cpSync(APP, root, { recursive: true, filter: (path) => !/node_modules|vite\.config/.test(path) });
  writeFileSync(join(root, "empty.html"), "<!doctype html><title>empty</title>");
  const lines = [];
  const tell = (kind) => (text) => void lines.push({ kind, text });
  const customLogger = { info: tell("info"), warn: tell("warn"), warnOnce: tell("warn"), error: tell("error"), clearScreen() {}, hasErrorLogged: () => false, hasWarned: false };
  const server = await createServer({ configFile: false, root, cacheDir: join(root, ".vite"), customLogger, plugins: [linmem(options)], server: { host: "127.0.0.1", port: 0 }, ...config });
  await server.listen();
  const told = (kind) => lines.filter((line) => line.kind === kind && line.text.startsWith("linmem")).map(({ text }) => text);
  return {
    root,
    lines,
    get address() {
      return server.resolvedUrls.local[0];
    },
    get warnings() {
      return told("warn");
    },
    get notices() {
      return told("info");
    },
    /** Waits until the terminal shows so many things of linmem. */
    async until(count) {
      const end = Date.now() + 10_000;
      while (told("warn").length + told("info").length < count && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
    },
    forget: () => void lines.splice(0),
    end: () => server.close(),
    async close() {
      await server.close();
      rmSync(root, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
