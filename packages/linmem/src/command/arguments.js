// Reads the words of a command line.

import { parseArgs } from "node:util";
import { ROLES } from "../record/names.js";
import { CommandError } from "./command-error.js";

const optionOf = (role) => role.replaceAll("_", "-");

/** The options of every command that instruments. */
export const ALLOCATOR = Object.fromEntries(ROLES.map((role) => [optionOf(role), { type: "string", multiple: true }]));

export const ALLOCATOR_HELP = `Allocator functions, each by name or index, where a module does not say which they are:
${ROLES.map((role) => `      --${optionOf(role)} <NAME|INDEX>`).join("\n")}
`;

/** The options of every command that reports. */
export const OUTPUT = {
  output: { type: "string", short: "o" },
  json: { type: "string" },
  quiet: { type: "boolean", short: "q" },
  color: { type: "string", default: "auto" },
  top: { type: "string", default: "3" },
};

export const OUTPUT_HELP = `Report:
  -o, --output <FILE>  Write the report to this file instead of stderr
      --json <FILE>    Also write the report as JSON to this file (\`-\` is stdout)
  -q, --quiet          Write no text report; the exit code tells the result
      --color <WHEN>   When to use colours: auto, always or never; NO_COLOR is heeded [default: auto]
      --top <N>        Call stacks to list in each category of hot sites [default: 3]
`;

const HELP = { help: { type: "boolean", short: "h" } };

/**
 * Reads options and at most so many other words: `{ values, positionals }`; undefined if the help was asked for, which is then
 * printed.
 */
export function read(words, options, help, { least = 1, most = 1 } = {}) {
  let parsed;
  try {
    parsed = parseArgs({ args: words, options: { ...options, ...HELP }, allowPositionals: true });
  } catch (error) {
    throw new CommandError(`${error.message.split(". ")[0].replace(/\.$/, "")} (see --help)`);
  }
  if (parsed.values.help) {
    process.stdout.write(help);
    return undefined;
  }
  const { length } = parsed.positionals;
  if (length < least) throw new CommandError("an argument is missing (see --help)");
  if (length > most) throw new CommandError(`what is ${parsed.positionals[most]}? (see --help)`);
  return parsed;
}

/** Splits words into those of linmem and the command that follows. */
export function splitAtCommand(words, options) {
  const { tokens } = parseArgs({ args: words, options: { ...options, ...HELP }, allowPositionals: true, strict: false, tokens: true });
  const end = tokens.find(({ kind }) => kind !== "option");
  if (end === undefined) return [words, []];
  return [words.slice(0, end.index), words.slice(end.kind === "positional" ? end.index : end.index + 1)];
}

/** What was said of the allocator: options for a child process, `["--malloc", "xa"]`. */
export const allocatorOptions = (values) =>
  allocatorHints(values).flatMap(([role, name]) => [`--${optionOf(role)}`, name]);

/** The same for the library: pairs of a role and a name. */
export const allocatorHints = (values) => ROLES.flatMap((role) => (values[optionOf(role)] ?? []).map((name) => [role, name]));
