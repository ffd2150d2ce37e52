// Which page what is recorded belongs to, and when the page is gone. What comes is a stranger's, see endpoint.js.

import { relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { PageLife } from "./page-life.js";

// How long to wait for last records, in milliseconds: of a page, which waits too; and of one whose connection is closed.
const PATIENCE = 1000;
const PATIENCE_WITH_LOST = 2000;
const SOON = 30;
const OFTEN = 5;

// More than any page needs.
const MOST_SCOPES = 10_000;
const MOST_EARLY = 64;
const MOST_CHARACTERS = 4 * 2 ** 30;
const LONGEST_NAME = 200;

export class PageLives {
  #options;
  #ask;
  #count = 0;

  // Documents and workers, by the ids of their recordings: `{ number, name, life, next, early, characters, isRefused }`.
  #scopes = new Map();

  // By the ids of their documents, the oldest first.
  #lives = new Map();
  #reports = new Set();

  /** `ask()` has the pages that are open send what they have; the rest is for PageLife. */
  constructor({ ask, ...options }) {
    this.#ask = ask;
    this.#options = options;
  }

  /** A part of a recording is being received; returns what to call when it is. */
  arriving(id) {
    return this.#scopes.get(id)?.life?.arriving() ?? (() => {});
  }

  /** Takes the part with this number of a recording, when those before it are there; returns whether it is heard any more. */
  take(id, number, text) {
    if (!this.#scopes.has(id) && !this.#hasRoom()) return false;
    if (!this.#scopes.has(id)) this.#scopes.set(id, { number: this.#count++, name: "page", next: 0, early: new Map(), characters: 0, isRefused: false });
    const scope = this.#scopes.get(id);
    scope.characters += text.length;
    if (scope.characters > MOST_CHARACTERS) this.refuse(id, "has recorded more than 4 GiB");
    if (number < scope.next || scope.early.size >= MOST_EARLY) this.refuse(id, "sent what is not a recording");
    scope.early.set(number, text);
    while (!scope.isRefused && scope.early.has(scope.next)) {
      const lines = scope.early.get(scope.next).split("\n");
      scope.early.delete(scope.next++);
      if (!lines.every((line) => this.#hear(id, scope, line))) this.refuse(id, "sent what is not a recording");
    }
    return !scope.isRefused;
  }

  // Those that are not heard any more make room.
  #hasRoom() {
    if (this.#scopes.size < MOST_SCOPES) return true;
    const [id] = [...this.#scopes].find(([, { isRefused }]) => isRefused) ?? [];
    return this.#scopes.delete(id);
  }

  /** Hears no more of a recording. */
  refuse(id, reason) {
    const scope = this.#scopes.get(id);
    if (scope === undefined || scope.isRefused) return;
    scope.isRefused = true;
    scope.early.clear();
    scope.life?.tell(`${scope.name} ${reason}: its recording ends there`);
  }

  #hear(id, scope, line) {
    if (line.slice(1, 17) !== id) return false;
    if (line[0] === "p") return this.#begin(id, scope, line.slice(17));
    if (scope.life === undefined) return false;
    if (line[0] === "g") return this.#gone(id);
    if (line[0] === "w") return scope.life.leave(), true;
    if (line[0] === "t") scope.life.follow();
    return scope.life.take(scope, line);
  }

  #begin(id, scope, text) {
    const about = parsed(text);
    if (about === undefined || scope.life !== undefined) return false;
    const { isDocument, url, page } = about;
    scope.name = nameOf(isDocument, url).slice(0, LONGEST_NAME);
    // A worker does not know its page: it is the last one that was opened.
    const open = isDocument ? this.#lives.get(page) : [...this.#lives.values()].at(-1);
    scope.life = open ?? new PageLife(scope.name, this.#options);
    if (open === undefined) this.#lives.set(id, scope.life);
    return true;
  }

  // A frame may be gone, and its page not.
  #gone(id) {
    const life = this.#lives.get(id);
    if (life !== undefined) this.#close(id, life);
    return true;
  }

  /** Nothing connects the page any more that has this recording. */
  async lost(id) {
    const life = this.#lives.get(id);
    if (life === undefined) return;
    await sleep(PATIENCE_WITH_LOST, undefined, { ref: false });
    this.#close(id, life);
  }

  #close(id, life) {
    if (this.#lives.get(id) !== life) return;
    this.#lives.delete(id);
    const report = this.#rest(life).then(() => {
      for (const scope of this.#scopes.values()) if (scope.life === life) scope.isRefused = true;
      return life.report();
    });
    this.#reports.add(report);
    report.finally(() => this.#reports.delete(report));
  }

  /** Settles when all recordings of the page are there that has this one. */
  async settled(id) {
    const life = this.#scopes.get(id)?.life;
    if (life !== undefined) await this.#rest(life);
  }

  /** Settles when pages that are left have sent what they have: until then, the next document waits. */
  async leaving() {
    const recorded = [...this.#lives.values()].filter(({ isRecorded }) => isRecorded);
    if (recorded.length === 0) return;
    await sleep(SOON);
    await Promise.all(recorded.filter(({ isLeaving }) => isLeaving).map((life) => this.#rest(life)));
  }

  async #rest(life) {
    for (const end = Date.now() + PATIENCE; !life.isSettled && Date.now() < end; ) await sleep(OFTEN);
  }

  /** The server ends: reports on all pages that are open. */
  async end() {
    const recorded = [...this.#lives.values()].filter(({ isRecorded }) => isRecorded);
    if (recorded.length > 0) this.#ask();
    for (const [id, life] of this.#lives) this.#close(id, life);
    await Promise.all(this.#reports);
  }
}

// The server's address is known. Vitest has a page for each file of tests.
function nameOf(isDocument, address) {
  if (!URL.canParse(address)) return isDocument ? "page" : "worker";
  const { pathname, search, searchParams, protocol } = new URL(address);
  const tests = searchParams.get("iframeId");
  if (tests !== null && searchParams.has("sessionId")) return `tests of ${relative(process.cwd(), tests)}`;
  if (!isDocument) return `worker ${protocol === "blob:" ? "of a text" : pathname}`;
  return `page ${pathname}${search}`;
}

function parsed(text) {
  try {
    const { isDocument, url, page } = JSON.parse(text);
    return typeof isDocument === "boolean" && typeof url === "string" ? { isDocument, url, page } : undefined;
  } catch {
    return undefined;
  }
}
