// Reads what `build` left in target/, in Node and in a page.

/** The bytes of a file. */
export async function bytes(name) {
  const url = new URL(`../target/${name}`, import.meta.url);
  if (url.protocol !== "file:") return (await fetch(url)).arrayBuffer();
  const { readFile } = await import("node:fs/promises");
  return readFile(url);
}

/** An instance of guest.c, with wasi-libc's allocator. */
export async function guest() {
  const { instance } = await WebAssembly.instantiate(await bytes("guest.wasm"));
  return instance;
}
