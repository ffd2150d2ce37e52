// Ctrl-C ends the program as it does without linmem, after what is still to be done.

// What a shell says of a program that Ctrl-C has ended.
const INTERRUPTED = 130;

const toDo = new Set();
let isAgain = false;

async function interrupted() {
  // Others want to end the program themselves.
  const isOurs = process.listenerCount("SIGINT") === 1;
  if (isAgain && isOurs) process.exit(INTERRUPTED);
  isAgain = true;
  await Promise.allSettled([...toDo].map((work) => work()));
  if (isOurs) process.exit(INTERRUPTED);
}

/** Has `work()` done before Ctrl-C ends the program; returns what to call when that is not needed any more. */
export function beforeInterrupt(work) {
  if (toDo.size === 0) process.on("SIGINT", interrupted);
  toDo.add(work);
  return () => {
    toDo.delete(work);
    if (toDo.size === 0) process.off("SIGINT", interrupted);
  };
}
