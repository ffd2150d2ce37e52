// Errors for the user of the command, and files that cannot be read or written.

/** Why a command cannot be done; its message is for the user, and is all that the user sees. */
export class CommandError extends Error {}

/** Does something with a file; where that fails, the error names it. */
export function about(path, work, failed = "") {
  try {
    return work();
  } catch (error) {
    const reason = error.code === undefined ? error.message : REASONS[error.code] ?? error.message;
    throw new CommandError(`${failed}${path}: ${reason}`, { cause: error });
  }
}

const REASONS = {
  EACCES: "permission denied",
  EEXIST: "it exists already",
  EISDIR: "it is a directory",
  ENOENT: "no such file or directory",
  ENOSPC: "no space is left",
  ENOTDIR: "not a directory",
};
