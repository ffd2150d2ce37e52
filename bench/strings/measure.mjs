// Measures all peers in one process, be it Node or a page: for every kind, length and direction they
// take turns, a batch each, and of each peer's batches the shortest counts.

import { loadParts } from "./parts.mjs";
import { PEERS } from "./peers/index.mjs";
import { KINDS, LENGTHS, makeText } from "./texts.mjs";

/** How long batches are to take, in milliseconds, and how many there are. */
const FULL = { batch: 2, rounds: 60, fewest: 9, budget: 3000 };
const QUICK = { batch: 1, rounds: 12, fewest: 3, budget: 300 };

/** What passes through each direction. The sums keep engines from leaving the work out. */
const DIRECTIONS = {
  in: (peer, text, count) => {
    let sum = 0;
    for (let i = 0; i < count; i++) sum += peer.first(text);
    return sum;
  },
  "out, borrowed": (peer, text, count) => {
    let sum = 0;
    for (let i = 0; i < count; i++) sum += weigh(peer.kept());
    return sum;
  },
  "out, owned": (peer, text, count) => {
    let sum = 0;
    for (let i = 0; i < count; i++) sum += weigh(peer.copy());
    return sum;
  },
};

const isOffered = (direction, peer) => direction !== "out, borrowed" || peer.kept !== undefined;

// Reading a character makes an engine put a rope's pieces together.
const weigh = (text) => (text.length === 0 ? 0 : text.length + text.charCodeAt(text.length - 1));

const PARTS = "parts";

function runPart(part, text, count) {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += part();
  return sum;
}

/** Nanoseconds per string: a list of { direction, kind, length, ns: { peer: number } }. */
export async function measure({ quick = false } = {}) {
  const peers = new Map();
  for (const { name, load } of PEERS) peers.set(name, await load());
  checkAll(peers);
  const partsOf = await loadParts();
  const settings = quick ? QUICK : FULL;
  const cells = [];
  for (const length of LENGTHS) {
    for (const kind of KINDS) {
      const text = makeText(kind, length);
      for (const peer of peers.values()) peer.keep(text);
      for (const direction in DIRECTIONS) {
        const offered = [...peers].filter(([, peer]) => isOffered(direction, peer));
        cells.push({ direction, kind, length, ns: takeTurns(DIRECTIONS[direction], offered, text, settings) });
      }
      cells.push({ direction: PARTS, kind, length, ns: takeTurns(runPart, partsOf(text), text, settings) });
    }
  }
  return cells;
}

// Every peer with every text, before anything is timed: also so that no engine has seen only one kind.
function checkAll(peers) {
  for (const [name, peer] of peers) {
    for (const kind of KINDS) for (const length of LENGTHS) check(name, peer, makeText(kind, length));
  }
}

function check(name, peer, text) {
  const expect = (what, is) => {
    if (!is) throw new Error(`${name} gets ${what} of ${text.length} characters wrong`);
  };
  expect("the first byte", peer.first(text) === (text.length === 0 ? 0 : text.charCodeAt(0)));
  peer.keep(text);
  expect("a borrowed string", peer.kept === undefined || peer.kept() === text);
  expect("an owned string", peer.copy() === text);
}

function takeTurns(run, peers, text, { batch, rounds, fewest, budget }) {
  const runners = peers.map(([name, peer]) => ({ name, peer, count: countFor(run, peer, text, batch), best: Infinity }));
  const end = performance.now() + budget;
  for (let round = 0; round < rounds && (round < fewest || performance.now() < end); round++) {
    for (let turn = 0; turn < runners.length; turn++) {
      const runner = runners[(round + turn) % runners.length];
      runner.best = Math.min(runner.best, timed(run, runner.peer, text, runner.count) / runner.count);
    }
  }
  return Object.fromEntries(runners.map(({ name, best }) => [name, best * 1e6]));
}

// How many strings fill a batch. Counting up warms the engine too, and the shortest of some tries is
// none that an engine spent compiling.
function countFor(run, peer, text, batch) {
  for (let count = 1; ; count *= 2) {
    let time = Infinity;
    for (let i = 0; i < 5 && time >= batch; i++) time = Math.min(time, timed(run, peer, text, count));
    if (time >= batch) return Math.max(1, Math.round((count * batch) / time));
  }
}

let sink = 0;

function timed(run, peer, text, count) {
  const start = performance.now();
  sink += run(peer, text, count);
  return performance.now() - start;
}
