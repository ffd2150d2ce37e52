// The threads port: hands the control memory (record/control.js) from thread to thread, as environment data. A worker
// thread has it before its program begins, and hands it on to those that it starts itself.

import { getEnvironmentData, setEnvironmentData, threadId } from "node:worker_threads";
import { Control } from "../record/control.js";
import { fileOf, ownFile } from "./trace-file.js";

const KEY = "linmem";

/** The threads port of this thread. */
export function threads() {
  const { memory, name, ancestors } = getEnvironmentData(KEY) ?? { name: `${process.pid} ${Date.now()}`, ancestors: [] };
  const control = new Control(memory);
  setEnvironmentData(KEY, { memory: control.memory, name, ancestors: [...ancestors, threadId] });
  return { control, isFirst: memory === undefined, id: threadId, ancestors, name, makeFile: ownFile, fileOf };
}
