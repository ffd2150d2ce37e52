// C, compiled by Emscripten with minified names.
import sodium from "libsodium-wrappers";

await sodium.ready;
const key = sodium.crypto_secretbox_keygen();
const nonce = sodium.randombytes_buf(sodium.crypto_secretbox_NONCEBYTES);
const box = sodium.crypto_secretbox_easy("hello", nonce, key);
console.log(sodium.to_string(sodium.crypto_secretbox_open_easy(box, nonce, key)));
