// What leads to the entries under way, as the engine's frames. Of an entry inside others, only the frames up to one that is
// known have to be taken then.

export class KnownCallers {
  // By level: the function that was entered, and the frames of which those from `from` on called it.
  #known = [];

  // The deepest level of which that is so.
  #top = -1;

  // The level of the entry under way.
  #level = 0;

  /** An entry begins at this level; what was known of others there is over. */
  begin(level) {
    this.#level = level;
    this.#top = Math.min(this.#top, level - 1);
  }

  /** The entry of this level goes on, and the deeper ones are over. */
  resume(level) {
    this.#level = level;
    this.#top = Math.min(this.#top, level);
  }

  /** Whether the entry under way is inside another one. */
  get isInside() {
    return this.#level > 0;
  }

  /**
   * The frames of a whole stack, given its inner ones; undefined if none of these is an entry of which the rest is known.
   * `enteredBy(frame)` is the function that a frame enters, undefined for most.
   */
  completed(frames, enteredBy) {
    let level = this.#level;
    for (let at = 0; at < frames.length && level >= 0; at++) {
      const index = enteredBy(frames[at]);
      if (index === undefined) continue;
      const known = level <= this.#top ? this.#known[level] : undefined;
      if (known?.index === index) return [...frames.slice(0, at + 1), ...known.frames.slice(known.from)];
      level--;
    }
    return undefined;
  }

  /** Learns what leads to the entries under way from a whole stack, if it has as many entries as there are levels. */
  learn(frames, enteredBy) {
    const known = [];
    frames.forEach((frame, at) => {
      const index = enteredBy(frame);
      if (index !== undefined) known.unshift({ index, frames, from: at + 1 });
    });
    if (known.length !== this.#level + 1) return;
    this.#known = known;
    this.#top = this.#level;
  }
}
