// Tells its page that it has done its work, and closes itself then, or is terminated.
importScripts("guest.js");
run(location.origin, "?leak").then(() => {
  if (location.search === "?closes") close();
  // What was recorded is on its way by then.
  setTimeout(() => postMessage("done"), location.search === "?closes" ? 0 : 500);
});
