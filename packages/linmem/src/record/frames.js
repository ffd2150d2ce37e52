// Call stacks in the terms of the original modules. The stacks port says what the engine says:
//
//   stacks.take()          the frames, the innermost first, without those of the recorder and of the engine:
//                          `{ text }` of the host; `{ url, position, where(), name() }` of a module, where
//                          `where()` is `{ index, offset }` and `position` the offset, if the engine has it at hand
//   stacks.isHostsOwn()    whether the host itself called, for a module that it brings along
//   stacks.cleaned(error)  the error without the recorder's functions in its stack

export class Frames {
  #stacks;
  #modules = new Map();

  constructor(stacks) {
    this.#stacks = stacks;
  }

  /** The frames of an event of `module`: `{ index, offset, name }` in the module, else `{ host }`. */
  ofEvent(module) {
    const taken = this.#stacks.take();
    if (module.url === undefined) this.#learn(module, taken);
    return this.#shown(taken, module);
  }

  // The innermost frame of a module is the one that called the hook.
  #learn(module, taken) {
    module.url = taken.find(({ url }) => url !== undefined)?.url;
    if (module.url !== undefined) this.#modules.set(module.url, module);
  }

  /** The frames of what the host does now, as texts. */
  ofHost() {
    return this.#shown(this.#stacks.take(), undefined).map(({ host }) => host);
  }

  /** The frames of an event as texts. */
  textsOf(module) {
    return this.ofEvent(module).map(({ host, name, index }) => host ?? `${name ?? module.nameOf(index)} (${module.name})`);
  }

  /** Whether code of any module is running. */
  get isInModule() {
    return this.#stacks.take().some(({ url }) => url !== undefined);
  }

  // Frames of other modules than this one are the host's.
  #shown(taken, module) {
    const frames = [];
    let last = {};
    for (const frame of taken) {
      const owner = this.#modules.get(frame.url);
      const origin = owner?.frameAt(frame);
      // Instrumentation added it, or it wraps the allocator function whose own frame is there.
      if (origin === null || (origin?.isWrapper && last.owner === owner && last.index === origin.index)) continue;
      frames.push(owner !== undefined && owner === module ? origin : { host: textOf(frame, owner, origin) });
      last = { owner, index: origin?.index };
    }
    return frames;
  }
}

function textOf(frame, owner, origin) {
  if (frame.url === undefined) return frame.text;
  const name = owner === undefined ? frame.name() : origin.name;
  return `${name ?? "function"} (${owner?.name ?? frame.url})`;
}
