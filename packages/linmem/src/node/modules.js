// The functions that compile and instantiate: each gets the instrumented module in place of the
// program's own, and the hooks besides the program's imports. `WebAssembly.validate` is left alone,
// and so are bytes that are no module: the engine's errors are about what the program gave.

import { isModule } from "./engine.js";
import { exportsAsBefore, isAddedExport } from "./exports.js";
import { isHook, withHooks, withNoHooks } from "./imports.js";
import { watchedBytes, watchedModule } from "./instrument.js";
import { patchAsync, patchCall, patchClass, patchGetter } from "./patch.js";
import { isNodesOwn } from "./stacks.js";
import { WatchedInstance } from "./watched-instance.js";

// Instances of watched modules: what is known of the module, and the exports as the program sees them.
const instances = new WeakMap();
// The recorder's instances, by the program's and by their exports.
const watchedInstances = new WeakMap();

/** The recorder's instance for the program's, or for its exports. */
export const watchedInstanceOf = (value) => watchedInstances.get(value);

/** Patches a realm's `WebAssembly`. */
export function watchModules({ WebAssembly }) {
  const { Instance, Module } = WebAssembly;
  patchClass(WebAssembly, "Module", construct);
  patchClass(WebAssembly, "Instance", constructInstance);
  patchAsync(WebAssembly, "compile", compile);
  patchAsync(WebAssembly, "instantiate", instantiate);
  patchAsync(WebAssembly, "compileStreaming", compileStreaming);
  patchAsync(WebAssembly, "instantiateStreaming", instantiateStreaming);
  patchCall(Module, "exports", listExports);
  patchCall(Module, "imports", listImports);
  patchCall(Module, "customSections", listCustomSections);
  patchGetter(Instance.prototype, "exports", exportsOf);
}

// Node brings modules along, for `fetch` say: they are no part of the program.
const watch = (bytes) => (isNodesOwn() ? undefined : watchedBytes(bytes));

/** What is known of a module; undefined for one that is as the program made it, null where it got lost. */
const known = (module) => (isModule(module) ? watchedModule(module) : undefined);

function construct(target, values, newTarget) {
  const watched = watch(values[0]);
  return Reflect.construct(target, watched ? [watched.wasm, ...values.slice(1)] : values, newTarget);
}

function constructInstance(target, values, newTarget) {
  const [module, imports] = values;
  const watched = known(module);
  if (watched === undefined) return Reflect.construct(target, values, newTarget);
  const prepared = prepare(watched, imports);
  return complete(Reflect.construct(target, [module, prepared.imports], newTarget), prepared);
}

function compile(target, self, values) {
  const watched = watch(values[0]);
  return Reflect.apply(target, self, watched ? [watched.wasm, ...values.slice(1)] : values);
}

async function instantiate(target, self, values) {
  const [source, imports, ...rest] = values;
  const module = known(source);
  const watched = module === undefined ? watch(source) : module;
  if (watched === undefined) return Reflect.apply(target, self, values);
  const prepared = prepare(watched, imports);
  const from = module === undefined ? watched.wasm : source;
  const promise = Reflect.apply(target, self, [from, prepared.imports, ...rest]);
  return module === undefined ? bothCompleted(promise, prepared) : complete(await promise, prepared);
}

async function bothCompleted(promise, prepared) {
  const result = await promise;
  complete(result.instance, prepared);
  return result;
}

function prepare(watched, imports) {
  if (watched === null) return { watched, imports: withNoHooks(imports) };
  const instance = new WatchedInstance(watched, imports);
  return { watched, instance, imports: withHooks(watched, imports, instance.hooks) };
}

function complete(made, { watched, instance }) {
  instances.set(made, { watched, view: undefined });
  if (instance !== undefined) watchedInstances.set(made, instance);
  instance?.complete(made);
  return made;
}

// The whole response is read before it is compiled. Another that is like it lets the engine say what it
// says of the program's own.
function compileStreaming(target, self, [source, ...rest]) {
  if (isNodesOwn()) return Reflect.apply(target, self, [source, ...rest]);
  return read(source).then(({ watched, response }) => Reflect.apply(target, self, [response(watched?.wasm), ...rest]));
}

function instantiateStreaming(target, self, [source, imports, ...rest]) {
  if (isNodesOwn()) return Reflect.apply(target, self, [source, imports, ...rest]);
  return read(source).then(({ watched, response }) => {
    if (!watched) return Reflect.apply(target, self, [response(), imports, ...rest]);
    const prepared = prepare(watched, imports);
    return bothCompleted(Reflect.apply(target, self, [response(watched.wasm), prepared.imports, ...rest]), prepared);
  });
}

async function read(source) {
  const given = await source;
  if (!(given instanceof Response) || !given.ok || given.bodyUsed || given.body === null) return { response: () => given };
  const { headers, status } = given;
  if (headers.get("content-type") !== "application/wasm") return { response: () => given };
  const bytes = new Uint8Array(await given.arrayBuffer());
  return { watched: watchedBytes(bytes), response: (wasm = bytes) => new Response(wasm, { headers, status }) };
}

function listExports(target, self, values) {
  const list = Reflect.apply(target, self, values);
  return known(values[0]) === undefined ? list : list.filter(({ name }) => !isAddedExport(name));
}

function listImports(target, self, values) {
  const list = Reflect.apply(target, self, values);
  return known(values[0]) === undefined ? list : list.filter(({ module, name }) => !isHook(module, name));
}

function listCustomSections(target, self, values) {
  const [module, ...rest] = values;
  return Reflect.apply(target, self, known(module) ? [known(module).original, ...rest] : values);
}

function exportsOf(get, self) {
  const all = Reflect.apply(get, self, []);
  const instance = instances.get(self);
  if (instance === undefined) return all;
  return (instance.view ??= viewOf(self, all, instance.watched));
}

function viewOf(self, all, watched) {
  const view = exportsAsBefore(all, watched);
  if (watchedInstances.has(self)) watchedInstances.set(view, watchedInstances.get(self));
  return view;
}
