// RESULTS.md: machine, versions, bars, tables, and the reasons for what is lost.

import { REASONS } from "./reasons.mjs";
import { compare, isCompared, length, tables, time } from "./table.mjs";

const find = ({ cells }, direction, kind, length) =>
  cells.find((cell) => cell.direction === direction && cell.kind === kind && cell.length === length).ns;

/** The bars, for the first engine. */
export function bars(engine) {
  const compared = engine.cells.filter(isCompared);
  const lost = compared.filter((cell) => compare(cell).lost).length;
  const passedIn = find(engine, "in", "ASCII", 4096).linmem;
  const readOut = find(engine, "out, borrowed", "ASCII", 4096).linmem;
  const large = find(engine, "in", "ASCII", 131072);
  const faster = large["plain recipe"] / large.linmem;
  return [
    { bar: "no cell is lost to any peer", is: `${lost} of ${compared.length} lost`, met: lost === 0 },
    { bar: "4 Ki ASCII characters in, at most 450 ns", is: time(passedIn), met: passedIn <= 450 },
    { bar: "4 Ki ASCII characters out, at most 1.4 µs", is: time(readOut), met: readOut <= 1400 },
    { bar: "128 Ki ASCII characters in, at least 10 times the plain recipe", is: `${faster.toFixed(1)} times`, met: faster >= 10 },
  ];
}

export function report({ machine, versions, engines }) {
  const tools = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return `# What strings cost in JavaScript

Written by \`node run.mjs --write\`; [README.md](README.md) says what is measured how.

Machine: ${machine}.

Engines: ${engines.map(({ engine, version }) => `${engine} (${version})`).join(", ")}. Peers: ${tools.join(", ")}.

Time per string, the shortest of the rounds. In the last row of each table the time of *linmem* is divided by the best peer's: a bold
one is lost, by more than the 3% that two runs differ by.

## Bars on ${engines[0].engine}

${bars(engines[0]).map(({ bar, is, met }) => `- ${bar}: ${is}. ${met ? "Met." : "**Not met.**"}`).join("\n")}

${engines.map(section).join("\n\n")}
`;
}

function section(engine) {
  return `## ${engine.engine}\n\n${tables(engine.cells)}\n\n${losses(engine)}`;
}

// Each lost cell under the reason for it.
function losses(engine) {
  const cells = engine.cells.filter(isCompared);
  const lost = cells.filter((cell) => compare(cell).lost);
  if (lost.length === 0) return "No cell is lost.";
  const groups = new Map();
  for (const cell of lost) {
    const why = REASONS.find(({ applies }) => applies({ ...cell, engine: engine.engine, ...compare(cell) }))?.why ?? "Not explained yet";
    groups.set(why, [...(groups.get(why) ?? []), describe(cell)]);
  }
  const lines = Array.from(groups, ([why, cells]) => `- ${why.replaceAll("\n", " ")} (${cells.join("; ")}).`);
  return `${lost.length} of ${cells.length} cells are lost:\n\n${lines.join("\n")}`;
}

function describe(cell) {
  const { best, ratio } = compare(cell);
  return `${cell.direction}, ${cell.kind} ${length(cell.length)}: ${ratio.toFixed(2)} of ${best}`;
}
