// A tokenizer in Rust, by wasm-bindgen and without names. Its encoders have to be freed; "leak" does not.
import { get_encoding } from "tiktoken";

let tokens = 0;
for (let time = 0; time < 12; time++) {
  const encoder = get_encoding("gpt2");
  tokens += encoder.encode("a text of some words").length;
  if (process.argv[2] !== "leak") encoder.free();
}
console.log(tokens);
