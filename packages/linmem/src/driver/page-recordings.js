// Writes what pages and workers send (src/browser/driven.js) to files, one for each recording. They are strangers: what
// they send are texts of any kind, and none of it becomes a path.

import { appendFileSync, copyFileSync } from "node:fs";
import { basename, join } from "node:path";
import { MAGIC, TAGS } from "../record/names.js";
import { about } from "../command/command-error.js";
import { MarkedPlaces, textOf } from "./marked-places.js";
import { SourceMaps } from "./source-maps.js";

const MESSAGE = /^([btslecjr])([0-9a-f]{16})/;
const THREAD = /^[0-9a-f]{16}:\d{1,9}$/;
const REST = /^(\d{1,9}):(\d{1,15}):([A-Za-z0-9+/]*={0,2})$/;
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
  #maps;

  // By id: `{ target, context, name, path, bytes, places, waits, isSaved, isLeft, hasEnded }`; of a thread also `page`, the
  // id of its page, and how many bytes it has `sent` itself; `taken` have come from both. `rest` is what came from
  // the page too early.
  #recordings = new Map();

  // Those of threads, by the page's id and the thread's number.
  #threads = new Map();

  /** Files are made in `directory`; `complain(line)` tells the user something; `maps` has lines of sources. */
  constructor(directory, complain, maps = new SourceMaps(() => undefined)) {
    this.#directory = directory;
    this.#complain = complain;
    this.#maps = maps;
  }

  /**
   * Takes a message of a target, `{ number, session, name }`, from one of its contexts. Returns whether it is one that a
   * recorder sends.
   */
  take(target, context, message) {
    const [head, kind, id] = MESSAGE.exec(message) ?? [];
    if (head === undefined) return false;
    if (kind === "b") return this.#begin(target, context, id);
    const recording = this.#recordings.get(id);
    if (recording?.target !== target || recording.context !== context || recording.hasEnded) return false;
    const text = message.slice(head.length);
    if (kind === "t" && !BASE64.test(text)) return false;
    if (kind === "t") this.#sent(recording, Buffer.from(text, "base64"));
    if (kind === "j") this.#join(recording, text);
    if (kind === "r") this.#takeRest(id, text);
    // A target has another name with its next document.
    if (kind === "t") recording.name = target.name;
    // A snapshot ends with a record.
    if (kind === "s" || kind === "l") this.#append(recording, recording.places.finish());
    recording.isLeft = kind === "l";
    recording.isSaved = kind === "s";
    if (kind === "c") this.#tell(`${target.name}: ${text}`);
    if (kind === "e") this.#end(recording);
    return true;
  }

  #begin(target, context, id) {
    const { size } = this.#recordings;
    if (size >= MOST_RECORDINGS || this.#recordings.has(id)) return false;
    const path = join(this.#directory, `${target.number}-${size}.trace`);
    this.#recordings.set(id, { target, context, path, bytes: 0, places: new MarkedPlaces(id), waits: undefined, sent: 0, taken: 0, isSaved: false, isLeft: false, hasEnded: false });
    return true;
  }

  #sent(recording, bytes) {
    const at = recording.sent;
    recording.sent += bytes.length;
    this.#takeAt(recording, at, bytes);
  }

  #join(recording, thread) {
    if (!THREAD.test(thread) || this.#threads.has(thread) || recording.page !== undefined) return;
    // A page may be heard of later than its thread.
    recording.page = thread.slice(0, thread.indexOf(":"));
    this.#threads.set(thread, recording);
  }

  #takeRest(id, text) {
    const [, thread, at, data] = REST.exec(text) ?? [];
    const recording = this.#threads.get(`${id}:${thread}`);
    if (recording !== undefined && !recording.hasEnded) this.#takeAt(recording, Number(at), Buffer.from(data, "base64"));
  }

  // A thread and its page may both send the same, one or the other first.
  #takeAt(recording, at, bytes) {
    if (at > recording.taken) {
      recording.rest = behind(recording.rest, at, bytes);
      return;
    }
    const news = bytes.subarray(recording.taken - at);
    recording.taken += news.length;
    if (news.length > 0) this.#append(recording, recording.places.take(news));
    const { rest } = recording;
    recording.rest = undefined;
    if (rest !== undefined) this.#takeAt(recording, rest.at, rest.bytes);
  }

  #end(recording) {
    recording.hasEnded = true;
    this.#append(recording, recording.places.finish());
  }

  // Parts are bytes and positions, whose words may have to be waited for.
  #append(recording, parts) {
    for (const part of parts) {
      const bytes = Buffer.isBuffer(part) ? part : this.#maps.wordsOf(part);
      if (recording.waits === undefined && !(bytes instanceof Promise)) append(recording, bytes);
      else wait(recording, bytes);
    }
  }

  #tell(words) {
    if (++this.#complaints <= MOST_COMPLAINTS) this.#complain(words.slice(0, LONGEST_WORDS));
  }

  /** The recordings that go on: `{ target, context, page, isLeft }` of each, which says whether a snapshot was the last thing. */
  get unfinished() {
    return [...this.#recordings.values()].filter(({ hasEnded }) => !hasEnded);
  }

  /** Whether a recording with this id has begun. */
  has(id) {
    return this.#recordings.has(id);
  }

  /** Whether anything was recorded. */
  get isEmpty() {
    return this.#begun.length === 0;
  }

  // Those of which anything has come.
  get #begun() {
    return [...this.#recordings.values()].filter(({ bytes, places, waits }) => bytes > 0 || places.rest.length > 0 || waits !== undefined);
  }

  /** Settles when everything that has come so far is written; rejects where that failed. */
  async settled() {
    for (const recording of this.#recordings.values()) {
      await recording.waits;
      recording.waits = undefined;
    }
  }

  /** Copies what has come by now, and is written, to another directory, as if no more came. */
  copyTo(directory) {
    for (const recording of this.#begun) {
      const path = join(directory, basename(recording.path));
      if (recording.bytes > 0) about(path, () => copyFileSync(recording.path, path), "cannot write ");
      if (recording.hasEnded) continue;
      appendTo(path, recording.places.rest);
      appendTo(path, endOf(recording, recording.isLeft || recording.isSaved));
    }
  }

  /** No more comes, and what has come is written: reports say which recordings have no end. */
  finish() {
    for (const recording of this.unfinished) this.#append(recording, recording.places.finish());
    // A thread's recording has no end where the thread was ended: that of its page tells what that means.
    const isCut = ({ hasEnded, page, rest }) => !hasEnded && !(this.#recordings.get(page)?.hasEnded && rest === undefined);
    for (const recording of this.#begun.filter(isCut)) append(recording, endOf(recording, recording.isLeft));
  }
}

// What follows the rest that has come too early is a part of it.
const behind = (rest, at, bytes) =>
  rest !== undefined && rest.at + rest.bytes.length === at ? { at: rest.at, bytes: Buffer.concat([rest.bytes, bytes]) } : { at, bytes };

const endOf = ({ name }, isComplete) =>
  isComplete ? EXIT : note(`${name} was stopped before its last records came: nobody knows what was left in its memories`);

// One behind the other. Whether that failed is told when all is settled.
function wait(recording, part) {
  recording.waits = Promise.all([part, recording.waits]).then(([ready]) => append(recording, ready));
  recording.waits.catch(() => {});
}

// Bytes, or the words of a frame.
function append(recording, part) {
  const bytes = typeof part === "string" ? textOf(part) : part;
  recording.bytes += bytes.length;
  appendTo(recording.path, bytes);
}

const appendTo = (path, bytes) => about(path, () => appendFileSync(path, bytes), "cannot write ");

/** A recording with nothing in it but what a driver has to say. */
export const recordingOf = (lines) => Buffer.concat([Buffer.from(MAGIC), ...lines.map(note), EXIT]);

// A record as the recorder would write it.
function note(words) {
  return Buffer.concat([Buffer.of(TAGS.NOTE), textOf(words.slice(0, LONGEST_WORDS))]);
}
