// The tables of one engine, and what is lost in them.

import { KINDS, LENGTHS } from "./texts.mjs";

/** The library's row that is compared. The other says what signatures cost. */
const OURS = "linmem";
const isPeer = (name) => !name.startsWith(OURS);

/** Less than this is the noise between two runs. */
const NOISE = 1.03;

/** The cell's time relative to the best peer, which peer that is, and whether it is lost. */
export function compare({ ns }) {
  const [best, time] = Object.entries(ns).filter(([name]) => isPeer(name)).reduce((a, b) => (b[1] < a[1] ? b : a));
  const ratio = ns[OURS] / time;
  return { ratio, best, lost: ratio > NOISE };
}

/** Whether a cell has peers in it, and not the parts of strings. */
export const isCompared = ({ ns }) => OURS in ns;

/** One for each direction and kind of text. */
export function tables(cells) {
  const directions = [...new Set(cells.map(({ direction }) => direction))];
  return directions.flatMap((direction) => KINDS.map((kind) => {
    const row = cells.filter((cell) => cell.direction === direction && cell.kind === kind);
    return `**${direction}, ${kind}**\n\n${table(row)}`;
  })).join("\n\n");
}

function table(row) {
  const names = Object.keys(row[0].ns);
  const times = names.map((name) => [name, ...row.map(({ ns }) => time(ns[name]))]);
  const ratios = row.every(isCompared) ? [["linmem / best peer", ...row.map(ratio)]] : [];
  return align([["characters", ...LENGTHS.map(length)], ...times, ...ratios]);
}

function ratio(cell) {
  const { ratio, lost } = compare(cell);
  return lost ? `**${ratio.toFixed(2)}**` : ratio.toFixed(2);
}

/** A time in nanoseconds, to three digits. */
export function time(ns) {
  const [value, unit] = ns < 1e3 ? [ns, "ns"] : ns < 1e6 ? [ns / 1e3, "µs"] : [ns / 1e6, "ms"];
  return `${value < 100 ? Number(value.toPrecision(unit === "ns" ? 2 : 3)) : value.toFixed(0)} ${unit}`;
}

/** A number of characters. */
export const length = (n) => (n < 4096 ? String(n) : n < 1 << 20 ? `${n >> 10} Ki` : `${n >> 20} Mi`);

// Markdown, readable as it is.
function align(rows) {
  const widths = rows[0].map((_, column) => Math.max(3, ...rows.map((row) => row[column].length)));
  const line = (row) => `| ${row.map((text, i) => (i === 0 ? text.padEnd(widths[i]) : text.padStart(widths[i]))).join(" | ")} |`;
  const rule = `| ${widths.map((width, i) => (i === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`)).join(" | ")} |`;
  return [line(rows[0]), rule, ...rows.slice(1).map(line)].join("\n");
}
