// What dist/browser.js is made of: one classic script. `linmem browser` runs it in each page and worker, with settings
// around it; in a page's own `<script>` there are none.

import { recordFor } from "./driven.js";
import { keepRecording } from "./kept.js";

/* global LINMEM_SETTINGS */
if (typeof LINMEM_SETTINGS === "undefined") keepRecording(ofScript());
else recordFor(LINMEM_SETTINGS);

function ofScript() {
  const { href } = new URL(globalThis.document?.currentScript?.src ?? globalThis.location.href);
  return { own: href, isModule: false, library: { url: new URL("linmem.wasm", href).href } };
}
