// The recorder: watches the WebAssembly instances of one thread, and writes what happens to a trace
// (docs/trace-format.md). It is free of Node; what belongs to a host comes in as ports:
//
//   sink(bytes)        takes a part of the trace; throws when it cannot
//   clock              micros(): microseconds since the recording began
//                      every(milliseconds, run): calls `run` again and again; returns a function that stops it
//   stacks             call stacks, see frames.js
//   instrument         makes instrumented modules, see modules.js
//   complain(message)  tells the user one line
//   nonzeroPages(bytes)  the offsets of the pages of a memory that are not zero; may be left out
//   stop()             ends the program, at the first access that is not right; may be left out
//   letGo()            lets go of what WeakRefs keep until the job ends; may be left out, see refusals.js
//   seal               a word that only the threads of this program know, by which they know what one of them has
//                      instrumented; may be left out
//   threads            what this thread has in common with others of its process, see threads.js; may be left out

import { Compilation } from "./compilation.js";
import { Contexts } from "./contexts.js";
import { Finalizers } from "./finalizers.js";
import { Frames } from "./frames.js";
import { Functions } from "./functions.js";
import { Instances } from "./instances.js";
import { Memories } from "./memories.js";
import { Modules } from "./modules.js";
import { Observations } from "./observations.js";
import { Patch } from "./patch.js";
import { Records } from "./records.js";
import { Refusals } from "./refusals.js";
import { nonzeroPages as byLoop, snapshot } from "./snapshot.js";
import { Suspension } from "./suspension.js";
import { Threads } from "./threads.js";
import { offerWatch, watchOf } from "./watch.js";

export class Recorder {
  #watch = watchOf(this);
  #watched = new WeakSet();
  #stacks;

  constructor({ sink, clock, stacks, instrument, complain, nonzeroPages = byLoop, stop, letGo, seal = "", threads }) {
    this.records = new Records({ sink, clock, complain });
    this.threads = new Threads(this, threads);
    this.records.atTurn(() => this.threads.turn());
    this.#stacks = stacks;
    this.records.atKeep(() => this.threads.keeps());
    this.frames = new Frames(stacks);
    this.contexts = new Contexts(this.records, this.frames);
    this.refusals = new Refusals(this, letGo);
    this.instances = new Instances(this.records);
    this.memories = new Memories(this);
    this.finalizers = new Finalizers(this);
    this.suspension = new Suspension(this);
    this.functions = new Functions(this);
    this.observations = new Observations(this);
    this.modules = new Modules(this, { instrument, complain, seal });
    this.compilation = new Compilation(this, stacks);
    this.nonzeroPages = nonzeroPages;
    this.stop = stop;
    /** Replaces functions of the host. */
    this.patch = new Patch((error) => stacks.cleaned(error));
  }

  /** Watches a realm: the global object of a window, a worker, or a context. */
  watch(realm) {
    // A program may give a context the `WebAssembly` of another one.
    if (this.#watched.has(realm.WebAssembly)) return;
    this.#watched.add(realm.WebAssembly);
    this.compilation.watch(realm, this.patch);
    this.functions.watch(realm, this.patch);
    this.memories.watch(realm, this.patch);
    this.finalizers.watch(realm, this.patch);
    this.suspension.watch(realm, this.patch);
    offerWatch(realm, this.#watch);
  }

  /** Watches the host's functions that take views of memories, which are the same for all its realms. */
  watchViews(host) {
    this.memories.watchViews(host, this.patch);
  }

  /**
   * An exception has reached the top of the program. It is told if it comes out of a module's code, or if it says that
   * the engine refused something.
   */
  uncaught(error) {
    const words = this.refusals.wordsOf(error) ?? this.#stacks.wordsOf(error);
    if (words !== undefined) this.records.uncaught(words);
  }

  /** Writes a snapshot of what is left. Take it when no code of a module is running. */
  snapshot() {
    snapshot(this);
  }

  /**
   * Whether there is anything worth a trace: in this thread, or in one that ends before it. How the first thread ends
   * tells whether the others were ended with the process or by the program.
   */
  get isKept() {
    return this.records.isKept || (this.threads.isFirst && this.threads.areKept);
  }

  /** What is called when the recording has ended. */
  ended = undefined;

  /** Ends the recording, with a snapshot of what is left. */
  end(code) {
    this.records.keep();
    // What other threads do from now on would not fit the snapshot.
    this.threads.end();
    this.snapshot();
    this.exit(code);
  }

  /** Ends the recording. */
  exit(code) {
    this.records.exit(code);
    this.threads.release();
    this.ended?.();
  }
}
