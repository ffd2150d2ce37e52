// Sends what is recorded through a function that the DevTools protocol adds to a page or a worker.

import { newId, recordFor } from "./driven.js";
import { watcher } from "./watcher.js";

/** Watches this page or worker, for a driver that listens to the function of this name. */
export function recordThrough({ binding, ...settings }) {
  // A driver may come twice: what it brings is for the recorder that is here already.
  watcher()?.supply?.(settings.library);
  watcher()?.meet?.();
  const post = poster(binding);
  const id = newId();
  // A driver that comes later than the page hears what it has missed.
  const meet = () => {
    post();
    return id;
  };
  recordFor({ ...settings, id, post, more: () => ({ meet }) });
}

// Posts to the function of this name. Until there is one, what is posted is kept.
function poster(name) {
  let post;
  const kept = [];
  const take = () => {
    const found = globalThis[name];
    if (typeof found !== "function") return;
    post ??= found;
    delete globalThis[name];
  };
  take();
  return (...texts) => {
    kept.push(...texts);
    take();
    if (post !== undefined) kept.splice(0).forEach((text) => post(text));
  };
}
