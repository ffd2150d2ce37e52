// AssemblyScript, which allocates once. "leak" makes an object for each text, and with it an instance and a memory.
import { SHA256, digest } from "@chainsafe/as-sha256";

let last;
for (let time = 0; time < 20; time++) {
  const text = Buffer.from(`hello ${time}`);
  last = process.argv[2] === "leak" ? new SHA256().init().update(text).final() : digest(text);
}
console.log(Buffer.from(last).toString("hex"));
