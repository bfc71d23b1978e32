// The client's side of custom_parser.py: io(url, { parser: require("./custom_parser.cjs") })
"use strict";

class Encoder {
  encode({ type, nsp, data, id }) {
    return [JSON.stringify([type, nsp, data ?? null, id ?? null])];
  }
}

class Decoder {
  #listeners = new Set();

  // There is one event, "decoded".
  on(event, listener) { this.#listeners.add(listener); }
  off(event, listener) { this.#listeners.delete(listener); }

  add(message) {
    const [type, nsp, data, id] = JSON.parse(message);
    for (const listener of this.#listeners) listener({ type, nsp, data: data ?? undefined, id: id ?? undefined });
  }

  destroy() { this.#listeners.clear(); }
}

module.exports = { Encoder, Decoder };
