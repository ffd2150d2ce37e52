// Where pages get the recorder, and where what they record arrives. Only pages of this server on this machine are heard, and
// what they send is a stranger's all the same. The other side is src/browser/posts.js.

import { readFileSync } from "node:fs";
import { escaped } from "../driver/lines.js";
import { LIBRARY } from "../node/packaged-library.js";

const SCRIPT = new URL("../../dist/browser.js", import.meta.url);

const MOST_BYTES = 64 << 20;
const ID = /^[0-9a-f]{16}$/;
const PART = /^\d{1,9}$/;

export class Endpoint {
  #address;
  #token;
  #hints;
  #lives;
  #complain;
  #hasComplained = false;

  /** It is at a path, `address`; `lives` gets what arrives. */
  constructor({ address, token, hints, lives, complain }) {
    this.#address = address;
    this.#token = token;
    this.#hints = hints;
    this.#lives = lives;
    this.#complain = complain;
  }

  /** A middleware. Where linmem fails, the server goes on. */
  async handle(request, response, next) {
    try {
      await this.#handle(request, response, next);
    } catch (error) {
      this.#complain(`linmem: ${escaped(error.message)}`);
      answer(response, 500);
    }
  }

  async #handle(request, response, next) {
    const [path] = (request.originalUrl ?? request.url).split("?", 1);
    if (!path.startsWith(this.#address)) {
      if (isNavigation(request)) await this.#lives.leaving();
      return next();
    }
    const name = path.slice(this.#address.length);
    response.setHeader("Cache-Control", "no-store");
    response.setHeader("Cross-Origin-Resource-Policy", "same-origin");
    if (!isOfThisMachine(request)) return this.#refuseElsewhere(request, response, name);
    if (!isOfThisServer(request)) return answer(response, 403);
    if (request.method === "GET" && name === "recorder.js") return answer(response, 200, "text/javascript", this.#script());
    if (request.method === "GET" && name === "linmem.wasm") return answer(response, 200, "application/wasm", readFileSync(LIBRARY));
    if (request.method !== "POST" || !["part", "settled"].includes(name)) return answer(response, 404);
    return this.#hear(request, response, name);
  }

  #script() {
    const settings = {
      own: `${this.#address}recorder.js`,
      isMarked: true,
      hints: this.#hints,
      seal: this.#token,
      library: { url: `${this.#address}linmem.wasm` },
      server: { address: this.#address, token: this.#token },
    };
    return `((LINMEM_SETTINGS) => {${readFileSync(SCRIPT, "utf8")}})(${JSON.stringify(settings)});`;
  }

  // A page gets a script that does nothing.
  #refuseElsewhere(request, response, name) {
    if (name !== "recorder.js") return answer(response, 403);
    if (!this.#hasComplained) this.#complain(`linmem: pages that are opened on another machine (${request.socket.remoteAddress}) are not watched`);
    this.#hasComplained = true;
    return answer(response, 200, "text/javascript", "");
  }

  async #hear(request, response, name) {
    const { "linmem-token": token, "linmem-recording": id, "linmem-part": part } = request.headers;
    if (token !== this.#token || !ID.test(id) || !PART.test(part)) return answer(response, 403);
    if (name === "settled") {
      request.resume();
      await this.#lives.settled(id);
      return answer(response, 204);
    }
    const done = this.#lives.arriving(id);
    try {
      const text = await textOf(request);
      if (text === undefined) this.#lives.refuse(id, `sent more than ${MOST_BYTES >> 20} MiB at once`);
      const isTaken = text !== undefined && this.#lives.take(id, Number(part), text);
      answer(response, isTaken ? 204 : text === undefined ? 413 : 410);
      if (text === undefined) request.destroy();
    } finally {
      done();
    }
  }
}

function answer(response, status, type, body) {
  if (type !== undefined) response.setHeader("Content-Type", type);
  response.statusCode = status;
  response.end(body);
}

const isNavigation = ({ method, headers }) => method === "GET" && ["document", "iframe"].includes(headers["sec-fetch-dest"]);

const isOfThisMachine = ({ socket: { remoteAddress = "" } }) => /^(127\.|::1$|::ffff:127\.)/.test(remoteAddress);

// Browsers say where a request comes from; what is not a browser is on this machine anyway, and has no token.
function isOfThisServer({ method, headers }) {
  const { host, origin, "sec-fetch-site": site } = headers;
  if (site !== undefined && site !== "same-origin" && site !== "none") return false;
  if (origin === undefined) return method === "GET";
  return URL.canParse(origin) && new URL(origin).host === host;
}

// Undefined where it is too long, or did not come as a whole.
async function textOf(request) {
  const chunks = [];
  let length = 0;
  try {
    for await (const chunk of request) {
      length += chunk.length;
      if (length > MOST_BYTES) return undefined;
      chunks.push(chunk);
    }
  } catch {
    return "";
  }
  return Buffer.concat(chunks).toString();
}
