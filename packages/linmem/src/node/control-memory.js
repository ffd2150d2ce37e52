// The threads port: hands the control memory (record/control.js) from thread to thread, as environment data. A worker
// thread has it before its program begins, and hands it on to those that it starts itself.

import { randomUUID } from "node:crypto";
import { getEnvironmentData, setEnvironmentData, threadId } from "node:worker_threads";
import { Control } from "../record/control.js";
import { fileOf, ownFile } from "./trace-file.js";

const KEY = "linmem";

/** The threads port of this thread, and the seal that all threads of the process have. */
export function threads() {
  const { memory, name, seal, ancestors } = getEnvironmentData(KEY) ?? { name: `${process.pid} ${Date.now()}`, seal: randomUUID(), ancestors: [] };
  const control = new Control(memory);
  setEnvironmentData(KEY, { memory: control.memory, name, seal, ancestors: [...ancestors, threadId] });
  const port = { control, isFirst: memory === undefined, id: threadId, ancestors, name, makeFile: ownFile, fileOf };
  return { port, seal };
}
