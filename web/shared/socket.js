/**
 * The WebSocket of a client that shares its connection.
 *
 * @module socket
 */

/** @import { WebSocketConstructor } from '../herald-client.js' */
/** @import { Line } from './line.js' */

/**
 * Returns a class of WebSockets whose frames go through a line.
 *
 * @param {Line} line
 * @returns {WebSocketConstructor}
 */
export function sharedWebSocket(line) {
  return class extends EventTarget {
    #number;

    /** @param {string} url @param {string[]} protocols */
    constructor(url, protocols) {
      super();
      this.#number = line.open({ url, protocols, tell: (name, fields) => this.#tell(name, fields) });
    }

    /** @param {string} text */
    send(text) {
      line.post({ kind: 'send', socket: this.#number, text });
    }

    close() {
      line.close(this.#number);
    }

    /** @param {string} name @param {object} [fields] */
    #tell(name, fields) {
      this.dispatchEvent(Object.assign(new Event(name), fields));
    }
  };
}
