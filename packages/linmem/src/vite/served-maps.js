// Source maps of the scripts that Vite serves. It has them itself.

import { dirname, isAbsolute, relative, resolve } from "node:path";

/** Gives the map of a script, by its URL; undefined if there is none. */
export const servedMap = (server) => (file, origin) => {
  const url = new URL(file);
  const { base, root } = server.config;
  if (url.origin !== origin || !url.pathname.startsWith(base)) return undefined;
  // What it has been asked for with `?t=` or `?import` is the same module.
  const query = url.search.replace(/(?<=[?&])(t=\d+|import)(&|$)/g, "").replace(/[?&]$/, "");
  const path = `/${decodeURI(url.pathname.slice(base.length))}`;
  const module = moduleOf(server.environments.client.moduleGraph, path + query, [root + path, path.replace(/^\/@fs/, "")]);
  const map = module?.transformResult.map;
  if (typeof map?.mappings !== "string" || map.mappings === "") return undefined;
  return { ...map, sources: map.sources.map((source) => servedAs(source, module.file, root)) };
};

// Test runners have queries of their own: then the file says which module it is.
function moduleOf({ urlToModuleMap, fileToModulesMap }, url, files) {
  const modules = [urlToModuleMap.get(url), ...files.flatMap((file) => [...(fileToModulesMap.get(file) ?? [])])];
  return modules.find((module) => module?.transformResult);
}

// A file is told by its path in the project.
function servedAs(source, file, root) {
  if (source === null || source.includes(":") || !isAbsolute(file ?? "")) return source;
  const path = relative(root, resolve(dirname(file), source));
  return path.startsWith("..") || isAbsolute(path) ? `/@fs${resolve(dirname(file), source)}` : `/${path}`;
}
