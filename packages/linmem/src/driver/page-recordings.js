// Writes what pages and workers send (src/browser/driven.js) to files, one for each recording. They are strangers: what
// they send are texts of any kind, and none of it becomes a path.

import { appendFileSync, copyFileSync } from "node:fs";
import { basename, join } from "node:path";
import { MAGIC, TAGS } from "../record/names.js";
import { about } from "../command/command-error.js";

const MESSAGE = /^([btslec])([0-9a-f]{16})/;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

// A record of its own that ends a recording, with exit code 0.
const EXIT = Uint8Array.of(TAGS.EXIT, 0);

// More than any page needs.
const MOST_RECORDINGS = 10_000;
const MOST_COMPLAINTS = 100;
const LONGEST_WORDS = 300;

export class PageRecordings {
  #directory;
  #complain;
  #complaints = 0;

  // By id: `{ target, context, name, path, bytes, isSaved, isLeft, hasEnded }`.
  #recordings = new Map();

  /** Files are made in `directory`; `complain(line)` tells the user something. */
  constructor(directory, complain) {
    this.#directory = directory;
    this.#complain = complain;
  }

  /** Takes a message of a target, `{ number, session, name }`, from one of its contexts. */
  take(target, context, message) {
    const [head, kind, id] = MESSAGE.exec(message) ?? [];
    if (head === undefined) return;
    if (kind === "b") return this.#begin(target, context, id);
    const recording = this.#recordings.get(id);
    if (recording?.target !== target || recording.context !== context || recording.hasEnded) return;
    const text = message.slice(head.length);
    if (kind === "t" && BASE64.test(text)) append(recording, Buffer.from(text, "base64"));
    // A target has another name with its next document.
    if (kind === "t") recording.name = target.name;
    recording.isLeft = kind === "l";
    recording.isSaved = kind === "s";
    if (kind === "c") this.#tell(`${target.name}: ${text}`);
    if (kind === "e") recording.hasEnded = true;
  }

  #begin(target, context, id) {
    const { size } = this.#recordings;
    if (size >= MOST_RECORDINGS || this.#recordings.has(id)) return;
    this.#recordings.set(id, { target, context, path: join(this.#directory, `${target.number}-${size}.trace`), bytes: 0, isSaved: false, isLeft: false, hasEnded: false });
  }

  #tell(words) {
    if (++this.#complaints <= MOST_COMPLAINTS) this.#complain(words.slice(0, LONGEST_WORDS));
  }

  /** The recordings that go on: `{ target, context }` of each. */
  get unfinished() {
    return [...this.#recordings.values()].filter(({ hasEnded }) => !hasEnded);
  }

  /** Whether a recording with this id has begun. */
  has(id) {
    return this.#recordings.has(id);
  }

  /** Whether anything was recorded. */
  get isEmpty() {
    return this.#written.length === 0;
  }

  get #written() {
    return [...this.#recordings.values()].filter(({ bytes }) => bytes > 0);
  }

  /** Copies what there is by now to another directory, as if no more came. */
  copyTo(directory) {
    for (const recording of this.#written) {
      const path = join(directory, basename(recording.path));
      about(path, () => copyFileSync(recording.path, path), "cannot write ");
      if (!recording.hasEnded) appendTo(path, endOf(recording, recording.isLeft || recording.isSaved));
    }
  }

  /** No more comes: reports say which recordings have no end. */
  finish() {
    for (const recording of this.#written.filter(({ hasEnded }) => !hasEnded)) append(recording, endOf(recording, recording.isLeft));
  }
}

const endOf = ({ name }, isComplete) =>
  isComplete ? EXIT : note(`${name} was stopped before its last records came: nobody knows what was left in its memories`);

function append(recording, bytes) {
  recording.bytes += bytes.length;
  appendTo(recording.path, bytes);
}

const appendTo = (path, bytes) => about(path, () => appendFileSync(path, bytes), "cannot write ");

/** A recording with nothing in it but what a driver has to say. */
export const recordingOf = (lines) => Buffer.concat([Buffer.from(MAGIC), ...lines.map(note), EXIT]);

// A record as the recorder would write it.
function note(words) {
  const text = Buffer.from(words.slice(0, LONGEST_WORDS));
  const length = text.length < 0x80 ? [text.length] : [(text.length & 0x7f) | 0x80, text.length >> 7];
  return Buffer.from([TAGS.NOTE, ...length, ...text]);
}
