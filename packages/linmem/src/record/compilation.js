// Replaces the functions that compile and instantiate: each gets the instrumented module in place of the
// program's own, and the hooks besides the program's imports. `WebAssembly.validate` is left alone, and so
// are bytes that are not a module: the engine's errors are about what the program gave.

import { isModule } from "./engine.js";
import { exportsAsBefore, isAddedExport } from "./exports.js";
import { isHook, withHooks, withNoHooks } from "./imports.js";
import { Instance } from "./instance.js";

export class Compilation {
  #recorder;
  #modules;
  #stacks;

  // Instances of watched modules: what is known of the module, and the exports as the program sees them.
  #views = new WeakMap();
  // The recorder's instances, by the program's and by their exports.
  #instances = new WeakMap();

  constructor(recorder, stacks) {
    this.#recorder = recorder;
    this.#modules = recorder.modules;
    this.#stacks = stacks;
  }

  /** The recorder's instance for the program's, or for its exports. */
  instanceOf(value) {
    return this.#instances.get(value);
  }

  /** Patches a realm's `WebAssembly`. */
  watch({ WebAssembly }, patch) {
    patch.class(WebAssembly, "Module", (...call) => this.#construct(...call));
    patch.class(WebAssembly, "Instance", (...call) => this.#constructInstance(...call));
    patch.async(WebAssembly, "compile", (...call) => this.#compile(...call));
    patch.async(WebAssembly, "instantiate", (...call) => this.#instantiate(...call));
    patch.async(WebAssembly, "compileStreaming", (...call) => this.#compileStreaming(...call));
    patch.async(WebAssembly, "instantiateStreaming", (...call) => this.#instantiateStreaming(...call));
    patch.call(WebAssembly.Module, "exports", (...call) => this.#listExports(...call));
    patch.call(WebAssembly.Module, "imports", (...call) => this.#listImports(...call));
    patch.call(WebAssembly.Module, "customSections", (...call) => this.#listCustomSections(...call));
    patch.getter(WebAssembly.Instance.prototype, "exports", (get, self) => this.#exportsOf(get, self));
  }

  // A host has modules of its own, Node for `fetch` for example: they are not part of the program.
  #watched(bytes) {
    return this.#stacks.isHostsOwn() ? undefined : this.#modules.ofBytes(bytes);
  }

  // What is known of a module; undefined for one that is as the program made it, null where it got lost.
  #known(module) {
    return isModule(module) ? this.#modules.ofCompiled(module) : undefined;
  }

  #construct(target, values, newTarget) {
    const watched = this.#watched(values[0]);
    return Reflect.construct(target, watched ? [watched.wasm, ...values.slice(1)] : values, newTarget);
  }

  #constructInstance(target, values, newTarget) {
    const [module, imports] = values;
    const watched = this.#known(module);
    if (watched === undefined) return Reflect.construct(target, values, newTarget);
    const prepared = this.#prepare(watched, imports);
    // No frame of the recorder's own is put between: an error of the program has only so many.
    let instance;
    try {
      instance = Reflect.construct(target, [module, prepared.imports], newTarget);
    } catch (error) {
      instance = this.#madeAgain(error, () => Reflect.construct(target, [module, prepared.imports], newTarget), prepared);
    }
    return this.#complete(instance, prepared);
  }

  // What was not made is told.
  #madeAgain(error, make, prepared) {
    try {
      return this.#recorder.refusals.again(error, make);
    } catch (last) {
      this.#refused(last, prepared);
      throw last;
    }
  }

  #refused(error, { instance }) {
    if (instance !== undefined) this.#recorder.refusals.instance(error, instance);
  }

  async #grantedLater(promise, prepared) {
    try {
      return await promise;
    } catch (error) {
      this.#refused(error, prepared);
      throw error;
    }
  }

  #compile(target, self, values) {
    const watched = this.#watched(values[0]);
    return Reflect.apply(target, self, watched ? [watched.wasm, ...values.slice(1)] : values);
  }

  async #instantiate(target, self, values) {
    const [source, imports, ...rest] = values;
    const module = this.#known(source);
    const watched = module === undefined ? this.#watched(source) : module;
    if (watched === undefined) return Reflect.apply(target, self, values);
    const prepared = this.#prepare(watched, imports);
    const from = module === undefined ? watched.wasm : source;
    const promise = Reflect.apply(target, self, [from, prepared.imports, ...rest]);
    return module === undefined ? this.#bothCompleted(promise, prepared) : this.#complete(await this.#grantedLater(promise, prepared), prepared);
  }

  async #bothCompleted(promise, prepared) {
    const result = await this.#grantedLater(promise, prepared);
    this.#complete(result.instance, prepared);
    return result;
  }

  #prepare(watched, imports) {
    if (watched === null) return { watched, imports: withNoHooks(imports) };
    const instance = new Instance(this.#recorder, watched, imports);
    return { watched, instance, imports: withHooks(watched, imports, instance.hooks) };
  }

  #complete(made, { watched, instance }) {
    this.#views.set(made, { watched, view: undefined });
    if (instance !== undefined) this.#instances.set(made, instance);
    instance?.complete(made);
    return made;
  }

  async #compileStreaming(target, self, [source, ...rest]) {
    if (this.#stacks.isHostsOwn()) return Reflect.apply(target, self, [source, ...rest]);
    const { watched, response } = await this.#read(source);
    return Reflect.apply(target, self, [response(watched?.wasm), ...rest]);
  }

  async #instantiateStreaming(target, self, [source, imports, ...rest]) {
    if (this.#stacks.isHostsOwn()) return Reflect.apply(target, self, [source, imports, ...rest]);
    const { watched, response } = await this.#read(source);
    if (!watched) return Reflect.apply(target, self, [response(), imports, ...rest]);
    const prepared = this.#prepare(watched, imports);
    return this.#bothCompleted(Reflect.apply(target, self, [response(watched.wasm), prepared.imports, ...rest]), prepared);
  }

  // Reads the whole response before it is compiled. Another response like it lets the engine say what it says
  // about the program's own.
  async #read(source) {
    const given = await source;
    if (!(given instanceof Response) || !given.ok || given.bodyUsed || given.body === null) return { response: () => given };
    const { headers, status } = given;
    if (headers.get("content-type") !== "application/wasm") return { response: () => given };
    const bytes = new Uint8Array(await given.arrayBuffer());
    return { watched: this.#modules.ofBytes(bytes), response: (wasm = bytes) => new Response(wasm, { headers, status }) };
  }

  #listExports(target, self, values) {
    const list = Reflect.apply(target, self, values);
    return this.#known(values[0]) === undefined ? list : list.filter(({ name }) => !isAddedExport(name));
  }

  #listImports(target, self, values) {
    const list = Reflect.apply(target, self, values);
    return this.#known(values[0]) === undefined ? list : list.filter(({ module, name }) => !isHook(module, name));
  }

  #listCustomSections(target, self, values) {
    const known = this.#known(values[0]);
    if (!known || values[1] === undefined) return Reflect.apply(target, self, values);
    const name = `${values[1]}`;
    return Reflect.apply(target, self, [known.sections(name), name]);
  }

  #exportsOf(get, self) {
    const all = Reflect.apply(get, self, []);
    const made = this.#views.get(self);
    if (made === undefined) return all;
    return (made.view ??= this.#viewOf(self, all, made.watched));
  }

  #viewOf(self, all, watched) {
    const view = exportsAsBefore(all, watched);
    if (this.#instances.has(self)) this.#instances.set(view, this.#instances.get(self));
    return view;
  }
}
