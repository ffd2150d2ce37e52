// The threads port of pages and their workers. A page hands its control memory (record/control.js) to each worker that it
// starts, as the first message, so before the program can send it a memory; and the worker's recorder takes that message
// out. So it is for drivers that give every worker a recorder. Nobody else writes what a worker has recorded: what one
// keeps that is terminated, or that waits while its page is closed, is lost.

import { Control } from "../record/control.js";
import { isMemory } from "../record/engine.js";

// A program may replace them.
const { addEventListener, removeEventListener, Worker } = globalThis;
const { apply, construct } = Reflect;
const post = Worker?.prototype.postMessage;

const KEY = "linmem.threads";

/** The port of a document, which is the first thread; undefined where threads cannot share memories. `sink` takes bytes. */
export const ofDocument = (name, sink) =>
  globalThis.document !== undefined && globalThis.crossOriginIsolated ? portOf({ name, id: 0, ancestors: [] }, sink) : undefined;

function portOf({ memory, name, id, ancestors }, sink) {
  let size = 0;
  const append = (bytes) => {
    size += bytes.length;
    // The engine may not take what threads share.
    sink(bytes.slice());
  };
  const file = { size: () => size, append };
  return { control: new Control(memory), isFirst: memory === undefined, id, ancestors, name, makeFile: () => ({ file, attempt: 0 }), fileOf: () => undefined };
}

/** Has the recorder of a page or a worker share `port` with the workers that it starts. */
function handOn({ patch }, { control, name, id, ancestors }) {
  if (Worker === undefined) return;
  patch.class(globalThis, "Worker", (target, values, newTarget) => {
    const worker = construct(target, values, newTarget);
    const handed = { memory: control.memory, name, id: control.newThread(), ancestors: [...ancestors, id] };
    apply(post, worker, [{ [KEY]: handed }]);
    return worker;
  });
}

/** Connects a recorder with those of other threads: that of a document by its port, that of a worker when it is told. */
export function connect(recorder, port, sink) {
  if (port !== undefined) handOn(recorder, port);
  else if (globalThis.document === undefined) whenTold(recorder, sink);
}

function whenTold(recorder, sink) {
  const hear = (event) => {
    removeEventListener("message", hear);
    const handed = event.data?.[KEY];
    // The program may have one that looks alike.
    if (!isMemory(handed?.memory)) return;
    event.stopImmediatePropagation();
    const own = portOf(handed, sink);
    recorder.threads.join(own);
    handOn(recorder, own);
  };
  addEventListener("message", hear);
}
