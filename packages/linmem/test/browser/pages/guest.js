// A classic script: blocks of a small module, which have to be freed; "?leak" forgets them.
async function run(origin, search) {
  const { instance } = await WebAssembly.instantiate(await (await fetch(`${origin}/guest.wasm`)).arrayBuffer());
  const { text, free } = (globalThis.kept = instance.exports); // its memory is judged only while it is there
  for (let time = 0; time < 20; time++) {
    const block = text();
    if (search !== "?leak") free(block);
  }
}
