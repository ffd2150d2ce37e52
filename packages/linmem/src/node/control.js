// Hands the control memory (record/control.js) from thread to thread, as environment data: a worker thread has it
// before its program begins, and hands it on to those that it starts itself.

import { getEnvironmentData, setEnvironmentData, threadId } from "node:worker_threads";
import { Control } from "../record/control.js";

const KEY = "linmem";

/** The process's control memory; whether this thread made it; and the threads that this one was started by. */
export function shareControl() {
  const { memory, ancestors } = getEnvironmentData(KEY) ?? { ancestors: [] };
  const control = new Control(memory);
  setEnvironmentData(KEY, { memory: control.memory, ancestors: [...ancestors, threadId] });
  return { control, isFirst: memory === undefined, ancestors };
}
