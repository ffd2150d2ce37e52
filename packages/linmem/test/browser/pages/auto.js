// The page records itself, and shows its report.
import "/linmem/src/browser/auto.js";
import { recording } from "/linmem/src/browser.js";

globalThis.ended = (async () => {
  const { instance } = await WebAssembly.instantiateStreaming(fetch("guest.wasm"));
  const { text, free } = instance.exports;
  for (let time = 0; time < 20; time++) {
    const block = text();
    if (location.search !== "?leak") free(block);
  }
  return { report: await recording.report(), json: await recording.json(), bytes: (await recording.trace()).length };
})();
