// A tokenizer in Rust, by wasm-bindgen: makes an encoder, and encodes a text so many times.
import { get_encoding } from "tiktoken";

const times = Number(process.argv[2]);
const text = "A tokenizer cuts a text into pieces, and knows each of these by a number. ".repeat(20);
const encoder = get_encoding("cl100k_base");
let tokens = 0;
for (let time = 0; time < times; time++) tokens += encoder.encode(text).length;
encoder.free();
console.log(tokens);
