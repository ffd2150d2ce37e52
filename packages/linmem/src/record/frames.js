// Call stacks in the terms of the original modules. The stacks port says what the engine says:
//
//   stacks.take(depth)     the frames, the innermost first, without those of the recorder and of the engine:
//                          `{ text }` of the host, with `sent` where a trace has something else in its place;
//                          `{ url, index, offset, name }` of a module. The same place is
//                          the same object each time, as far as the engine tells. Of at most `depth` frames of the
//                          engine, or of as many as a report shows; `isCut` says whether these were all that it was
//                          to take
//   stacks.isHostsOwn()    whether the host itself called, for a module that it brings along
//   stacks.wordsOf(error)  the name and message of an error that comes out of a module's code; undefined for others
//   stacks.cleaned(error)  the error without the recorder's functions in its stack

const NOTHING = Object.freeze([]);

// The outermost frame of a module's part that is not taken as a whole.
const NOT_LOOKED_AT = Object.freeze({ host: "(frames not looked at)" });

// A host function that enters a module mostly does so a few frames from where the module called it.
const NEARBY = 16;

// Of a stack whose outer part may be known. Some of them are the recorder's own.
const CLOSE = 20;

// The host's entry into an entry inside others, the functions there, and what called. Nested deeper, a whole stack is
// taken, up to so many frames.
const NEXT_ENTRY = 32;
const DEEP = 512;

export class Frames {
  #stacks;
  #modules = new Map();

  // What each frame of a module is there: `{ kind, index, offset, name }`.
  #origins = new WeakMap();

  constructor(stacks) {
    this.#stacks = stacks;
  }

  /**
   * The stack of an event of `module` in two parts: `inner`, up to where the host entered the module last, as
   * `{ index, offset, name }`; and `caller`, the engine's frames from there on. `isSeen` is false where no entry stands
   * between them: another module called a function of this one through a table. `callers` are the known ones of the entries
   * under way.
   */
  ofEvent(module, callers) {
    return this.#split(module, this.#takeWhole(module, callers));
  }

  /** The same of an event with a context whose value has these halves; what leads to it is known from then on. */
  ofContext(module, low, high, callers) {
    const taken = this.#split(module, this.#takeWhole(module, callers));
    this.#learnPath(module, taken, low, high);
    return taken;
  }

  /**
   * The same of a few of the engine's frames, where those before them are known; undefined where they are not. What called is
   * not known then.
   */
  ofContextNearby(module, low, high) {
    if (module.url === undefined) return undefined;
    const taken = this.#split(module, this.#stacks.take(CLOSE));
    const rest = this.#learnPath(module, taken, low, high) ? NOTHING : taken.isCut ? module.paths.rest(taken.origins, low, high) : undefined;
    if (rest === undefined) return undefined;
    return { inner: [...taken.inner, ...rest], caller: NOTHING, isSeen: true };
  }

  // A whole stack, as far as a report shows it. Of an entry inside others, what leads to these may be known.
  #takeWhole(module, callers) {
    if (!callers.isInside) return this.#stacks.take();
    const enteredBy = (frame) => {
      if (this.#ownerOf(frame) !== module) return undefined;
      const { kind, index } = this.#originOf(frame, module);
      return kind === "entry" ? index : undefined;
    };
    const near = this.#stacks.take(NEXT_ENTRY);
    const frames = near.isCut ? (callers.completed(near, enteredBy) ?? this.#stacks.take(DEEP)) : near;
    if (!frames.isCut) callers.learn(frames, enteredBy);
    return frames;
  }

  // Whether the stack is there up to the host's entry; what leads to it is known then.
  #learnPath(module, { origins, entry }, low, high) {
    if (entry !== undefined) module.paths.learn(origins, entry, low, high);
    return entry !== undefined;
  }

  /**
   * The same of at most so many of the engine's frames. What called is not known then; and where the host's entry is not
   * among them, the last frame says so.
   */
  ofEventInShort(module, depth) {
    const { inner, isSeen, isCut } = this.#split(module, this.#stacks.take(depth));
    if (isCut) inner.push(NOT_LOOKED_AT);
    return { inner, caller: undefined, isSeen };
  }

  // Besides, what the frames of the inner part stand for, and which function was entered.
  #split(module, taken) {
    if (module.url === undefined) this.#learn(module, taken);
    const inner = [];
    const origins = [];
    let at = 0;
    for (; at < taken.length && this.#ownerOf(taken[at]) === module; at++) {
      const origin = this.#originOf(taken[at], module);
      if (origin.kind === "entry") return { inner, origins, entry: origin.index, caller: taken.slice(at + 1), isSeen: true, isCut: false };
      if (origin.kind !== "added") origins.push(origin);
      show(origin, inner);
    }
    const isCut = at === taken.length;
    return { inner, origins, entry: undefined, caller: taken.slice(at), isSeen: isCut, isCut };
  }

  /** Whether code of `module` waits for an entry of it that begins. */
  isInside(module) {
    const waits = (taken) => this.#split(module, taken).caller.some((frame) => this.#ownerOf(frame) === module);
    return waits(this.#stacks.take(NEARBY)) || waits(this.#stacks.take());
  }

  /** Learns what the engine calls a module, of which a hook is being called. */
  learn(module) {
    this.#learn(module, this.#stacks.take());
  }

  // The innermost frame of a module is the one that called the hook.
  #learn(module, taken) {
    module.url = taken.find(({ url }) => url !== undefined)?.url;
    if (module.url !== undefined) this.#modules.set(module.url, module);
  }

  /** The engine's frames of what the host does now. */
  ofHost() {
    return this.#stacks.take();
  }

  /** The module that code of the host runs for: the one whose frame is the innermost. */
  moduleIn(frames) {
    for (const frame of frames) {
      const owner = this.#ownerOf(frame);
      if (owner !== undefined) return owner;
    }
    return undefined;
  }

  /** The engine's frames as `{ host, sent }`, or as `{ index, offset, name }` where they are of `module`. */
  shown(frames, module) {
    const shown = [];
    for (const frame of frames) {
      const owner = this.#ownerOf(frame);
      const own = [];
      if (owner !== undefined) show(this.#originOf(frame, owner), own, shown);
      else own.push({ host: frame.text ?? `${frame.name ?? "function"} (${nameIn(frame.url)})`, sent: frame.sent });
      shown.push(...(owner === undefined || owner === module ? own : own.map(({ name, index }) => ({ host: `${name ?? owner.nameOf(index)} (${owner.name})` }))));
    }
    return shown;
  }

  /** The frames of an event as texts. */
  textsOf(module) {
    const { inner, caller } = this.#split(module, this.#stacks.take());
    return [...inner, ...this.shown(caller, module)].map(({ host, name, index }) => host ?? `${name ?? module.nameOf(index)} (${module.name})`);
  }

  /** Whether code of any module is running. */
  get isInModule() {
    return this.#stacks.take().some(({ url }) => url !== undefined);
  }

  #ownerOf({ url }) {
    return url === undefined ? undefined : this.#modules.get(url);
  }

  #originOf(frame, module) {
    let origin = this.#origins.get(frame);
    if (origin === undefined) this.#origins.set(frame, (origin = module.originOf(frame)));
    return origin;
  }
}

// V8 names a module by its own name and a hash of its bytes, which are others in each run: they have the program's seal.
const nameIn = (url) => url.replace(/^wasm:\/\/wasm\/(?:(.+)-)?[0-9a-f]{8,}$/, (_, name) => name ?? "wasm");

// Appends what a frame stands for. A wrapper's frame stands for the allocator function, unless that is there itself.
function show({ kind, index, offset, name }, frames, before = NOTHING) {
  if (kind === "function") frames.push({ index, offset, name });
  else if (kind === "wrapper" && (frames.at(-1) ?? before.at(-1))?.index !== index) frames.push({ index, offset: undefined, name });
}
