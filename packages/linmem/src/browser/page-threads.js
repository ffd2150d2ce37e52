// The threads port of pages and their workers. A page hands its control memory (record/control.js) to each worker that it
// starts, as the first message, so before the program can send it a memory; and the worker's recorder takes that message
// out. So it is for drivers that give every worker a recorder. A worker sends what it has recorded itself. What it has not
// sent when it is terminated, or when it waits at the end, the page sends.

import { Control } from "../record/control.js";
import { isMemory } from "../record/engine.js";
import { early } from "./globals.js";

// A program may replace them.
const { addEventListener, removeEventListener, Worker } = globalThis;
const { apply, construct } = Reflect;
const setTimeout = early("setTimeout");
const post = Worker?.prototype.postMessage;

const KEY = "linmem.threads";

// A worker may run on for a while when it is terminated. Until then its slot is not for others.
const SURELY_GONE_MILLISECONDS = 10_000;

/** The port of a document, which is the first thread; undefined where threads cannot share memories. For `outlet` see driven.js. */
export function ofDocument(name, outlet) {
  if (globalThis.document === undefined || !globalThis.crossOriginIsolated) return undefined;
  const control = new Control();
  const sent = new Map();
  const gone = new Set();
  const restOf = (thread) => ({
    size: () => sent.get(thread) ?? 0,
    append(bytes, at) {
      sent.set(thread, at + bytes.length);
      outlet.putRest(thread, at, bytes.slice());
    },
  });
  // Before that, a worker sends it itself; and so does this page.
  const fileOf = (thread) => (thread !== 0 && (control.hasEnded || gone.has(thread)) ? restOf(thread) : undefined);
  return { control, isFirst: true, id: 0, ancestors: [], name, makeFile: () => ownFile(outlet), fileOf, gone };
}

// The engine may not take what threads share.
const ownFile = (outlet) => ({ file: { size: () => outlet.size, append: (bytes) => outlet.put(bytes.slice()) }, attempt: 0 });

function ofWorker({ memory, name, id, ancestors }, outlet) {
  const makeFile = () => {
    outlet.join(name, id);
    return ownFile(outlet);
  };
  return { control: new Control(memory), isFirst: false, id, ancestors, name, makeFile, fileOf: () => undefined };
}

/** Has the recorder of a page or a worker share `port` with the workers that it starts. */
function handOn({ patch, threads }, { control, name, id, ancestors, gone }) {
  if (Worker === undefined) return;
  const ids = new WeakMap();
  patch.class(globalThis, "Worker", (target, values, newTarget) => {
    const worker = construct(target, values, newTarget);
    const thread = control.newThread();
    ids.set(worker, thread);
    apply(post, worker, [{ [KEY]: { memory: control.memory, name, id: thread, ancestors: [...ancestors, id] } }]);
    return worker;
  });
  if (gone === undefined) return;
  const leave = (thread) => {
    gone.add(thread);
    threads.left(thread);
  };
  patch.call(Worker.prototype, "terminate", (target, self, values) => {
    const thread = ids.get(self);
    if (thread !== undefined) setTimeout(leave, SURELY_GONE_MILLISECONDS, thread);
    return apply(target, self, values);
  });
}

/** Connects a recorder with those of other threads: that of a document by its port, that of a worker when it is told. */
export function connect(recorder, port, outlet) {
  if (port !== undefined) handOn(recorder, port);
  else if (globalThis.document === undefined) whenTold(recorder, outlet);
}

function whenTold(recorder, outlet) {
  const hear = (event) => {
    removeEventListener("message", hear);
    const handed = event.data?.[KEY];
    // The program may have one that looks alike.
    if (!isMemory(handed?.memory)) return;
    event.stopImmediatePropagation();
    const own = ofWorker(handed, outlet);
    recorder.threads.join(own);
    handOn(recorder, own);
  };
  addEventListener("message", hear);
}
