// Where linmem keeps what it makes for the next run.

import { homedir } from "node:os";
import { join } from "node:path";

/** The user's cache directory, or another one that the user names. */
export function cacheRoot() {
  const { LINMEM_CACHE_DIR, LOCALAPPDATA, XDG_CACHE_HOME } = process.env;
  if (LINMEM_CACHE_DIR) return LINMEM_CACHE_DIR;
  const users = XDG_CACHE_HOME || (process.platform === "win32" && LOCALAPPDATA) || join(homedir(), ".cache");
  return join(users, "linmem", "node");
}
