// A shared worker, or a service worker that is installed when it has done its work.
importScripts("guest.js");
const work = run(location.origin, location.search);
addEventListener("connect", ({ ports }) => work.then(() => ports[0].postMessage("done")));
addEventListener("install", (event) => event.waitUntil(work));
