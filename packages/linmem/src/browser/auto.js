// What dist/browser/auto.js is made of: `import "linmem/browser/auto"`, as the first import of an app, and everything after
// it is watched, in this page or worker.

import { keepRecording } from "./kept.js";

const library = { url: new URL("../../dist/linmem.wasm", import.meta.url).href };

keepRecording({ own: import.meta.url, library });
