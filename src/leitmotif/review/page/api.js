// The server's API. A request that fails throws a Problem: what, found, expected, fix.

export class Problem extends Error {
  // `pair`: the one that is in the queue already, if that is what is wrong.
  constructor({ what, found = null, expected = null, fix = null }, status = 0, pair = null) {
    super(what);
    Object.assign(this, { what, found, expected, fix, status, pair });
  }

  // Nobody knows whether the request arrived, so it is sent again under the same key.
  get unanswered() {
    return this.status === 0;
  }
}

export class Api {
  constructor(reviewer, queue) {
    this.base = `/as/${reviewer}/api/${queue}`;
  }

  next(but = []) {
    const query = new URLSearchParams(but.map((pair) => ["but", pair]));
    return this.#json(`${this.base}/next?${query}`);
  }

  item(pair) {
    return this.#json(`${this.base}/items/${pair}`);
  }

  decide(press) {
    return this.#post("decisions", press);
  }

  listen(hearing) {
    return this.#post("listenings", hearing);
  }

  // A pair that was marked, to be heard; nothing is saved.
  draft(draft) {
    return this.#post("draft", draft);
  }

  add(addition) {
    return this.#post("pairs", addition);
  }

  undo(takeBack) {
    return this.#post("undo", takeBack);
  }

  skip(pair) {
    return this.#post("skip", { pair });
  }

  async clip(name) {
    return (await this.#fetch(`/clips/${name}.wav`)).arrayBuffer();
  }

  async matrix(track, transposition) {
    const response = await this.#fetch(`/matrix/${track}/${transposition}`);
    return new Uint8Array(await response.arrayBuffer());
  }

  async #json(url, options) {
    return (await this.#fetch(url, options)).json();
  }

  #post(what, data) {
    return this.#json(`${this.base}/${what}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(data),
    });
  }

  async #fetch(url, options) {
    let response;
    try {
      response = await fetch(url, options);
    } catch {
      throw new Problem({
        what: "The server does not answer",
        fix: "check whether `leitmotif review` is still running; if not, start it, then try again",
      });
    }
    if (response.ok) return response;
    let [error, pair] = [{ what: `The server answered ${response.status}` }, null];
    try {
      ({ error, pair } = await response.json());
    } catch {
      // not the review's answer
    }
    throw new Problem(error, response.status, pair);
  }
}

// 32 hex digits, one for each press of a verdict: the server saves a key once.
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
