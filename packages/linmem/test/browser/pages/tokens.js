// A tokenizer by wasm-bindgen, in a module worker. Its encoders have to be freed; "?leak" does not.
import * as glue from "/node_modules/tiktoken/lite/tiktoken_bg.js";
import ranks from "/node_modules/tiktoken/encoders/gpt2.json" with { type: "json" };

const response = fetch("/node_modules/tiktoken/lite/tiktoken_bg.wasm");
const { instance } = await WebAssembly.instantiateStreaming(response, { "./tiktoken_bg.js": glue });
glue.__wbg_set_wasm(instance.exports);
for (let time = 0; time < 12; time++) {
  const encoder = new glue.Tiktoken(ranks.bpe_ranks, ranks.special_tokens, ranks.pat_str);
  encoder.encode("a text of some words", "all", []);
  if (location.search !== "?leak") encoder.free();
}
postMessage("done");
