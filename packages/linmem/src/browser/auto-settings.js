// Where the library lies, for the script that comes next. The script's own URL would be an asset to bundlers, and a copy.

globalThis[Symbol.for("linmem.page")] = {
  own: import.meta.url.replace(/src\/browser\/[^/]*$/, "dist/browser.js"),
  library: { url: new URL("../../dist/linmem.wasm", import.meta.url).href },
};
