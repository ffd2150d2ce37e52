// Documents in Rust, by wasm-bindgen and with names. They may be freed at once; "leak" leaves that to a finalizer which
// does not run.
import * as Automerge from "@automerge/automerge";

let saved = 0;
for (let time = 0; time < 30; time++) {
  let document = Automerge.from({ items: [] });
  document = Automerge.change(document, ({ items }) => {
    for (let item = 0; item < 20; item++) items.push("x".repeat(50));
  });
  saved += Automerge.save(document).length > 0 ? 1 : 0;
  if (process.argv[2] !== "leak") Automerge.free(document);
}
console.log(saved);
