// Runs programs watched and plain, and reads what was recorded.

import { spawn, spawnSync } from "node:child_process";
import { accessSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import wabt from "wabt";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

// The recorder as ES modules, or, if LINMEM_PACKED is set, as the one file that is in the package.
const MODULES = process.env.LINMEM_PACKED ? "../../dist/node/preload.cjs" : "../../src/node.js";

/** The preload, as an option of node. */
export const IMPORT = `--import=${new URL(MODULES, import.meta.url).href}`;

// The same and what comes before it, as `linmem node` gives them.
const PRELOADS = `--require=${JSON.stringify(path(process.env.LINMEM_PACKED ? MODULES : "../../src/node/preload.cjs"))} ${IMPORT}`;

/** The linmem program. */
export const PROGRAM = process.env.LINMEM_PROGRAM || path("../../../../target/release/linmem");

/** What tests that need the linmem program are skipped for, or false. */
export const skip = missing();

function missing() {
  try {
    accessSync(PROGRAM);
    return false;
  } catch {
    return `there is no ${PROGRAM}: build it with \`cargo build --release\`, or name another in LINMEM_PROGRAM`;
  }
}

/** A directory for one test file: traces, the cache, guests. */
export const directory = mkdtempSync(join(tmpdir(), "linmem-node-"));

export const removeDirectory = () => rmSync(directory, { recursive: true });

/** Modules in the text format, which programs find by their names. */
const GUESTS = {
  // Calls its import from its start function, and allocates there.
  starts: `(module (import "host" "report" (func $report (param i32)))
    (memory (export "memory") 1 4) (global $next (mut i32) (i32.const 4096))
    (func $malloc (export "malloc") (param $size i32) (result i32)
      (global.get $next) (global.set $next (i32.add (global.get $next) (local.get $size))))
    (func $free (export "free") (param i32))
    (func $start (call $report (call $malloc (i32.const 24))))
    (start $start))`,
  // They have a memory, and no code.
  hiddenmemory: `(module (memory 1))`,
  onlymemory: `(module (memory (export "memory") 1) (global (export "data") i32 (i32.const 100)) (data (i32.const 100) "x"))`,
  passeson: `(module (import "host" "log" (func $log (param i32))) (import "host" "memory" (memory 1)) (export "log" (func $log)) (export "memory" (memory 0)))`,
  // Its memory comes from the program.
  imports: `(module (import "host" "memory" (memory 1 8)) (import "host" "limit" (global i32))
    (global $next (mut i32) (i32.const 4096)) (table (export "table") 2 funcref) (elem (i32.const 0) $malloc $free)
    (func $malloc (export "malloc") (param $size i32) (result i32)
      (if (i32.gt_u (i32.add (global.get $next) (local.get $size)) (i32.mul (memory.size) (i32.const 65536)))
        (then (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then (return (i32.const 0))))))
      (global.get $next) (global.set $next (i32.add (global.get $next) (local.get $size))))
    (func $free (export "free") (param i32))
    (func (export "trap") unreachable)
    (data (i32.const 2048) "x"))`,
  // Allocates on every level of a recursion that does not end.
  recurses: `(module (memory (export "memory") 1) (global $next (mut i32) (i32.const 4096))
    (func $malloc (export "malloc") (param $size i32) (result i32)
      (global.get $next) (global.set $next (i32.add (global.get $next) (local.get $size))))
    (func $free (export "free") (param i32))
    (func $recurse (export "recurse") (drop (call $malloc (i32.const 8))) (call $recurse) (call $free (i32.const 4096))))`,
  // Lets addresses of blocks out in every way.
  crosses: `(module (import "host" "keep" (func $keep (param i32))) (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 4096))
    (func $malloc (export "malloc") (param $size i32) (result i32)
      (global.get $next) (global.set $next (i32.add (global.get $next) (local.get $size))))
    (func $free (export "free") (param i32))
    (func $make (export "make") (result i32) (call $malloc (i32.const 16)))
    (func (export "lose") (drop (call $malloc (i32.const 32))))
    (func (export "put") (param $at i32) (i32.store (local.get $at) (call $malloc (i32.const 48))))
    (func (export "use") (param i32 i32 f64 i32 i32 i32))
    (func (export "give") (call $keep (call $malloc (i32.const 64))))
    (func (export "size") (result i32) memory.size))`,
  // Lets addresses out in ways that are easily missed, and asks the host for something within realloc.
  corners: `(module (import "host" "resize" (func $resize)) (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 4096)) (type $get (func (result i32)))
    (table (export "table") 3 funcref) (elem (i32.const 0) $behind)
    (func $malloc (export "malloc") (param $size i32) (result i32)
      (global.get $next) (global.set $next (i32.add (global.get $next) (local.get $size))))
    (func $free (export "free") (param i32))
    (func $realloc (export "realloc") (param i32 i32) (result i32) (call $resize) (call $malloc (local.get 1)))
    (func $behind (export "behind") (result i32) (i32.add (call $malloc (i32.const 40)) (i32.const 8)))
    (func (export "packed") (result i64)
      (i64.or (i64.shl (i64.extend_i32_u (call $malloc (i32.const 24))) (i64.const 32)) (i64.const 24)))
    (func (export "indirect") (drop (call_indirect (type $get) (i32.const 1)))))`,
  // Exports things twice, and what it imports. Its exports are in a table as well.
  identity: `(module (import "host" "give" (func $give (result i32))) (memory (export "memory") 1) (export "give" (func $give))
    (global $next (mut i32) (i32.const 4096)) (global (export "one") (mut i32) (i32.const 1))
    (global (export "global") funcref (ref.func $uses))
    (table (export "table") 6 funcref) (elem (i32.const 0) $nothing $give $malloc $uses $inside)
    (func $inside (result i32) (call $malloc (i32.const 7)))
    (func $malloc (export "malloc") (export "malloc2") (param $size i32) (result i32)
      (global.get $next) (global.set $next (i32.add (global.get $next) (local.get $size))))
    (func $nothing (export "nothing") (export "nothing2"))
    (func $uses (export "uses") (export "uses2") (drop (call $malloc (i32.const 3)))))`,
  // Fails as it is told to, and lets the host write where it likes.
  fails: `(module (memory (export "memory") 2) (global $fails (export "fails") (mut i32) (i32.const 0)) (global $next (mut i32) (i32.const 4096))
    (func $take (param $size i32) (result i32)
      (if (global.get $fails) (then (return (i32.const 0))))
      (global.get $next) (global.set $next (i32.add (global.get $next) (local.get $size))))
    (func (export "malloc") (param i32) (result i32) (call $take (local.get 0)))
    (func (export "calloc") (param i32 i32) (result i32) (call $take (i32.mul (local.get 0) (local.get 1))))
    (func (export "realloc") (param i32 i32) (result i32) (call $take (local.get 1)))
    (func (export "free") (param i32))
    (func (export "poke") (param i32 i32) (i32.store8 (local.get 0) (local.get 1))))`,
  // Its allocator functions have names with underscores.
  underscores: `(module (memory (export "memory") 1) (global $next (mut i32) (i32.const 4096))
    (func $__rust_alloc (param $size i32) (param $align i32) (result i32)
      (global.get $next) (global.set $next (i32.add (global.get $next) (local.get $size))))
    (func $__rust_dealloc (param i32 i32 i32))
    (func $posix_memalign (param $result i32) (param $align i32) (param $size i32) (result i32)
      (i32.store (local.get $result) (global.get $next)) (global.set $next (i32.add (global.get $next) (local.get $size))) (i32.const 0))
    (func $aligned_alloc (param $align i32) (param $size i32) (result i32)
      (global.get $next) (global.set $next (i32.add (global.get $next) (local.get $size))))
    (func $make (export "make") (param $size i32) (result i32) (call $__rust_alloc (local.get $size) (i32.const 8)))
    (func $drop (export "drop") (param $block i32) (call $__rust_dealloc (local.get $block) (i32.const 8) (i32.const 8)))
    (func $align (export "align") (result i32) (call $posix_memalign (i32.const 1024) (i32.const 16) (i32.const 64)))
    (func $place (export "place") (result i32) (call $aligned_alloc (i32.const 16) (i32.const 32))))`,
  // No memory: nothing to instrument.
  plain: `(module (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))`,
};

const { parseWat } = await wabt();

/** Makes modules of texts, for programs that find them by their names. */
export function makeGuests(guests) {
  for (const [name, text] of Object.entries(guests)) {
    const module = parseWat(`${name}.wat`, text, { threads: true });
    writeFileSync(join(directory, `${name}.wasm`), module.toBinary({ write_debug_names: true }).buffer);
    module.destroy();
  }
}

makeGuests(GUESTS);

let runs = 0;

const program = (name) => path(`programs/${name}`);

function watchedEnvironment(overrides) {
  const traces = join(directory, `traces-${runs++}`);
  const own = { LINMEM_TRACE_DIR: traces, LINMEM_PROGRAM: PROGRAM, LINMEM_CACHE_DIR: join(directory, "cache") };
  return { traces, env: { ...process.env, NODE_OPTIONS: PRELOADS, GUESTS: directory, ...own, ...overrides } };
}

const outcome = ({ status, signal, stdout, stderr }) => ({ status, signal, stdout, stderr });

/** Runs a program as it is. */
export function runPlain(name, ...values) {
  const options = { encoding: "utf8", env: { ...process.env, NODE_OPTIONS: "", GUESTS: directory } };
  return outcome(spawnSync(process.execPath, [program(name), ...values], options));
}

/** Runs a program under the preload: what it said, and where its traces are. */
export function runWatched(name, ...values) {
  return runWith({}, name, ...values);
}

/** The same, with other variables of the environment. */
export function runWith(overrides, name, ...values) {
  const { traces, env } = watchedEnvironment(overrides);
  const result = spawnSync(process.execPath, [program(name), ...values], { encoding: "utf8", env });
  return { ...outcome(result), traces };
}

/** The same, under a limit of the shell: "-v 1000" is 1,000 KiB of addresses, and "-d 1000" 1,000 KiB of data. */
export function runLimited(limit, name, ...values) {
  const { traces, env } = watchedEnvironment({});
  const limited = `ulimit ${limit}; exec "$@"`;
  return { ...outcome(spawnSync("sh", ["-c", limited, "sh", process.execPath, program(name), ...values], { encoding: "utf8", env })), traces };
}

/** The same, where node gets options of its own. */
export function runUnder(options, name, ...values) {
  const { traces, env } = watchedEnvironment({});
  return { ...outcome(spawnSync(process.execPath, [...options, program(name), ...values], { encoding: "utf8", env })), traces };
}

/** Starts a program under the preload, which goes on. */
export function startWatched(name, ...values) {
  const { traces, env } = watchedEnvironment({});
  return { child: spawn(process.execPath, [program(name), ...values], { env, stdio: ["ignore", "pipe", "inherit"] }), traces };
}

/** The files of a run, in the order of their threads. */
export const traceFiles = (traces) => readdirSync(traces).sort().map((name) => join(traces, name));

/** What `linmem report` says of a trace, or of all traces in a directory. */
export const report = (file) => reportWith([], file);

/** The same, with options. */
export function reportWith(options, file) {
  const { stdout, stderr } = spawnSync(PROGRAM, ["report", "--quiet", "--json", "-", ...options, file], { encoding: "utf8", maxBuffer: 1 << 28 });
  if (stdout === "") throw new Error(stderr);
  return JSON.parse(stdout).report;
}

/** The only trace of a run, as a report. */
export function onlyReport(traces) {
  const files = traceFiles(traces);
  if (files.length !== 1) throw new Error(`${files.length} traces`);
  return report(files[0]);
}

/** The only trace of a run, as bytes. */
export const onlyTrace = (traces) => readFileSync(traceFiles(traces)[0]);
