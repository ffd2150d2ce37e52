// Ends in the way that its argument says.
import { readFileSync } from "node:fs";

const { instance } = await WebAssembly.instantiate(readFileSync(new URL("../../../../../examples/strings.wasm", import.meta.url)));
const { allocate } = instance.exports;
allocate(10);

const WAYS = {
  code: () => process.exit(7),
  exitCode: () => (process.exitCode = 5),
  throws: () => setTimeout(() => { throw new Error("uncaught"); }),
  rejects: () => Promise.reject(new Error("unhandled")),
  listener: () => process.on("exit", (code) => { allocate(20); console.log("exit", code, process.listenerCount("exit")); }),
  listenerCode: () => process.on("exit", () => { process.exitCode = 9; }),
  listenerExits: () => process.on("exit", () => process.exit(11)),
  rethrows: () => {
    process.on("uncaughtException", (error) => { throw error; });
    throw new Error("thrown again");
  },
  emitsThrown: () => {
    process.on("uncaughtException", (error) => { throw error; });
    try { process.emit("uncaughtException", new Error("the program's own")); } catch {}
    allocate(1);
  },
  listenerThrows: () => process.on("exit", () => { throw new Error("in the listener"); }),
  terminate: () => { process.kill(process.pid, "SIGTERM"); setTimeout(() => {}, 1e5); },
  interrupt: () => { process.kill(process.pid, "SIGINT"); setTimeout(() => {}, 1e5); },
  handled: () => { process.on("SIGTERM", () => process.exit(4)); process.kill(process.pid, "SIGTERM"); setTimeout(() => {}, 1e5); },
  kill: () => process.kill(process.pid, "SIGKILL"),
  aborts: () => { allocate(1); process.reallyExit(6); },
  emits: () => { process.emit("exit", 3); allocate(1); },
  natural: () => {},
};
await WAYS[process.argv[2]]();
