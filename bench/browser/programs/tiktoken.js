// A tokenizer in Rust, by wasm-bindgen: makes an encoder, and encodes a text so many times.
export async function load() {
  const { init, Tiktoken } = await import("/packages/tiktoken/init.js");
  await init((imports) => WebAssembly.instantiateStreaming(fetch("/packages/tiktoken/tiktoken_bg.wasm"), imports));
  const { default: encoding } = await import("/packages/tiktoken/encoders/cl100k_base.js");
  return (times) => {
    const text = "A tokenizer cuts a text into pieces, and knows each of these by a number. ".repeat(20);
    const encoder = new Tiktoken(encoding.bpe_ranks, encoding.special_tokens, encoding.pat_str);
    let tokens = 0;
    for (let time = 0; time < times; time++) tokens += encoder.encode(text).length;
    encoder.free();
    return tokens;
  };
}
