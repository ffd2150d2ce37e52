// For `--require`, which node runs before anything of the program, also in worker threads that are made from a text,
// and before it says that a worker is online. `--import` alone comes later, so a worker that is ended while it starts
// looks as if it had run unwatched. A Node that cannot `require` ES modules (before 20.19 and 22.12) leaves it to that.

if (process.features.require_module) {
  const recorder = require.resolve("../node.js");
  require(recorder);
  // The program finds nothing but its own modules here.
  for (const path of [__filename, recorder]) delete require.cache[path];
}
