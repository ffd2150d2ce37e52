// The DevTools protocol without a browser.

/** Answers each command at once, or as `answers` says: with a result, a promise of one, or an error. */
export class FakeDevTools {
  listeners = new Map();
  sent = [];
  answers = {};
  // What happens, by method, while a command is answered: `during[method](session)`.
  during = {};

  on(event, listen) {
    this.listeners.set(event, listen);
  }

  send(method, params, session) {
    return this.sendText(method, JSON.stringify(params ?? {}), session);
  }

  async sendText(method, params, session) {
    this.sent.push({ method, params: JSON.parse(params), session });
    this.during[method]?.(session);
    return (await this.answers[method]) ?? {};
  }

  async sendFirst(...first) {
    this.first = first;
  }

  tell(event, params, session) {
    this.listeners.get(event)(params, session);
  }

  to = (session) => this.sent.filter((command) => command.session === session).map(({ method }) => method);
}

export const turn = () => new Promise((resolve) => setTimeout(resolve));
