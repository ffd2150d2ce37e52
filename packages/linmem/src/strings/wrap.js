// Exports as functions on strings: a signature says what each argument and the result mean.

import { ArgumentError, MissingExportError } from "./errors.js";
import { address, describe } from "./memory.js";
import { isThenable } from "./promise.js";

const isInteger = (low, high) => (value) => Number.isInteger(value) && value >= low && value <= high;
const isWide = (low, high) => (value) => typeof value === "bigint" && value >= low && value <= high;
const isNumber = (value) => typeof value === "number";
const isText = (value) => typeof value === "string";
const asIs = (value) => value;

// What a caller may pass for each type.
const PARAMETERS = {
  i32: isInteger(-(2 ** 31), 2 ** 31 - 1),
  u32: isInteger(0, 2 ** 32 - 1),
  i64: isWide(-(2n ** 63n), 2n ** 63n - 1n),
  u64: isWide(0n, 2n ** 64n - 1n),
  f32: isNumber,
  f64: isNumber,
  pointer: (value) => isNumber(value) || typeof value === "bigint",
  string: isText,
  "string?": (value) => isText(value) || value === null || value === undefined,
};

// What a caller gets for each type, by what the guest returned.
const RESULTS = {
  i32: asIs,
  u32: (value) => value >>> 0,
  i64: asIs,
  u64: (value) => BigInt.asUintN(64, value),
  f32: asIs,
  f64: asIs,
  pointer: (value, { memory }) => memory.toGuest(address(value)),
  string: (pointer, { strings }) => strings.read(pointer),
  "owned string": (pointer, { strings, free }) => strings.take(pointer, undefined, free),
};

/** The functions that `signatures` names, like `{ upper: ["string", "->", "owned string"] }`. */
export function wrap(signatures, context) {
  const entries = Object.entries(signatures).map(([name, signature]) => [name, wrapOne(name, signature, context)]);
  return Object.fromEntries(entries);
}

function wrapOne(name, signature, context) {
  const run = findFunction(name, context);
  const arrow = signature.includes("->") ? signature.indexOf("->") : signature.length;
  const types = signature.slice(0, arrow);
  const checks = types.map((type) => lookUp(PARAMETERS, type, name));
  const finish = finisher(name, signature.slice(arrow + 1), context);
  const texts = types.flatMap((type, index) => (type.startsWith("string") ? [index] : []));

  // The shape of most functions, without a list of arguments and a closure for each call.
  if (types.length === 1 && types[0] === "string") {
    const call = (pointer) => finish(run(pointer));
    return function (text) {
      if (arguments.length > 1 || !isText(text)) checkArguments(name, types, checks, Array.from(arguments));
      return context.strings.with(text, call);
    };
  }
  return (...values) => {
    checkArguments(name, types, checks, values);
    if (texts.length === 0) return context.guard.call(() => finish(run(...values)));
    if (texts.length === 1 && isText(values[texts[0]])) {
      return context.strings.with(values[texts[0]], (pointer) => {
        values[texts[0]] = pointer;
        return finish(run(...values));
      });
    }
    return context.strings.withAll(texts.map((index) => values[index]), (...pointers) => {
      texts.forEach((index, i) => (values[index] = pointers[i]));
      return finish(run(...values));
    });
  };
}

function checkArguments(name, types, checks, values) {
  if (values.length > types.length) throw new ArgumentError(`${name} takes ${types.length} arguments, got ${values.length}`);
  const wrong = checks.findIndex((isRight, index) => !isRight(values[index]));
  if (wrong < 0) return;
  throw new ArgumentError(`${name}: argument ${wrong + 1} must be ${types[wrong]}, got ${describe(values[wrong])}`);
}

// What turns the guest's result into the caller's, a promise of it if the guest returned a promise.
function finisher(name, results, context) {
  const finish = results.length === 0 ? () => undefined : converter(name, results.join(), context);
  const fail = (error) => {
    context.guard.note(error);
    throw error;
  };
  return (value) => (isThenable(value) ? value.then(finish, fail) : finish(value));
}

function converter(name, type, context) {
  const [, kind, optional, by] = /^(string|owned string)(\?)?(?: freed by (.+))?$/s.exec(type) ?? [type, type];
  const convert = lookUp(RESULTS, by === undefined || kind === "owned string" ? kind : type, name);
  const parts = by === undefined ? context : { ...context, free: findFunction(by, context) };
  return (value) => (optional && address(value) === 0 ? null : convert(value, parts));
}

function findFunction(name, { exports }) {
  if (typeof exports[name] === "function") return exports[name];
  throw new MissingExportError(`the module exports no function ${name}: check the spelling, or export it`);
}

function lookUp(known, type, name) {
  if (Object.hasOwn(known, type)) return known[type];
  throw new ArgumentError(`${name}: there is no type ${JSON.stringify(type)} here; known are ${Object.keys(known).join(", ")}`);
}
