// C, by Emscripten and with minified names. The last step of a hash frees its state; "leak" gives up before it.
import sodium from "libsodium-wrappers";

await sodium.ready;
let bytes = 0;
for (let time = 0; time < 30; time++) {
  const state = sodium.crypto_generichash_init(null, 32);
  sodium.crypto_generichash_update(state, `chunk ${time}`);
  if (process.argv[2] !== "leak") bytes += sodium.crypto_generichash_final(state, 32).length;
}
const key = sodium.crypto_secretbox_keygen();
const nonce = sodium.randombytes_buf(sodium.crypto_secretbox_NONCEBYTES);
const box = sodium.crypto_secretbox_easy("hello", nonce, key);
console.log(sodium.to_string(sodium.crypto_secretbox_open_easy(box, nonce, key)), bytes);
