// Commands of the DevTools protocol, and their answers.

/** What stands before and after a command's parameters, which are JSON already; to a session of a target if there is one. */
export function around(id, method, session) {
  const of = session === undefined ? "" : `,"sessionId":${JSON.stringify(session)}`;
  return [`{"id":${id},"method":"${method}","params":`, `${of}}`];
}

/** The commands that have no answer yet. */
export class Answers {
  #waiting = new Map();

  /** The answer to the command with this number. Whoever does not wait for it does not need it. */
  to(id) {
    const answer = new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    answer.catch(() => {});
    return answer;
  }

  /** Takes an answer as it comes. */
  take({ id, result, error }) {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve(result);
    else waiting?.reject(new Error(error.message));
  }

  /** No more answers come. */
  fail(message) {
    for (const id of [...this.#waiting.keys()]) this.take({ id, error: { message } });
  }
}
