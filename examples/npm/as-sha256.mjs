// AssemblyScript, which allocates once.
import { digest } from "@chainsafe/as-sha256";

console.log(Buffer.from(digest(Buffer.from("hello"))).toString("hex"));
