// A module that allocates in its start function, in an asynchronous function.
import { readFileSync } from "node:fs";

async function start() {
  await null;
  return WebAssembly.instantiate(readFileSync(`${process.env.GUESTS}/starts.wasm`), { host: { report() {} } });
}

await start();
