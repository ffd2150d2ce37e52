// In a page, by Vite's own connection: the server asks for what is recorded, and knows when the page is gone.

const recorder = globalThis[Symbol.for("linmem.browser")];

if (import.meta.hot && recorder?.finish) {
  import.meta.hot.on("vite:beforeFullReload", () => recorder.finish());
  import.meta.hot.on("linmem:finish", () => recorder.finish());
  import.meta.hot.send("linmem:page", recorder.id);
}
