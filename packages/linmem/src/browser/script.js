// What dist/browser.js is made of: one classic script. A driver has it run in each page and worker, with settings around
// it; auto.js, an ES module, puts some elsewhere before; in a page's own `<script>` there are none.

import { recordThrough } from "./binding.js";
import { newId, recordFor } from "./driven.js";
import { keepRecording } from "./kept.js";
import { Posts } from "./posts.js";

/* global LINMEM_SETTINGS */
if (typeof LINMEM_SETTINGS === "undefined") keepRecording(globalThis[Symbol.for("linmem.page")] ?? ofScript());
else if (LINMEM_SETTINGS.binding !== undefined) recordThrough(LINMEM_SETTINGS);
else recordTo(LINMEM_SETTINGS);

function ofScript() {
  const { href } = new URL(globalThis.document?.currentScript?.src ?? globalThis.location.href);
  return { own: href, library: { url: new URL("linmem.wasm", href).href } };
}

// To a server.
function recordTo({ server, ...settings }) {
  const id = newId();
  const posts = new Posts(server, id);
  recordFor({ ...settings, id, post: (text) => posts.post(text), left: () => posts.left(), more: (found) => posts.begin(found) });
}
