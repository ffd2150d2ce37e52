// Documents that merge, in Rust, by wasm-bindgen. They have to be freed; "leak" leaves those that it reads to a finalizer.
import { LoroDoc } from "loro-crdt";

function note(number) {
  const doc = new LoroDoc();
  const text = doc.getText("text");
  text.insert(0, `Hello, world ${number}`);
  doc.commit();
  const snapshot = doc.export({ mode: "snapshot" });
  text.free();
  doc.free();
  return snapshot;
}

function read(snapshot) {
  const doc = LoroDoc.fromSnapshot(snapshot);
  const { text } = doc.toJSON();
  if (process.argv[2] !== "leak") doc.free();
  return text.length;
}

let characters = 0;
for (let number = 0; number < 40; number++) characters += read(note(number));
console.log(characters);
