/**
 * A socket of a tab at its holder, which shares a connection with others.
 *
 * @module channel
 */

/** @import { Connection } from './connection.js' */
/** @import { ToTab } from './messages.js' */

export class Channel {
  /** The connection that it is on, or is joining. @type {Connection | undefined} */
  connection;
  /** The connections whose user, or permissions, the token does not have. @type {Set<Connection>} */
  refusedBy = new Set();
  #socket;
  #post;

  /** @param {string} url @param {string[]} protocols @param {number} socket @param {(message: ToTab) => void} post */
  constructor(url, protocols, socket, post) {
    this.url = url;
    this.protocols = protocols;
    this.#socket = socket;
    this.#post = post;
  }

  /** The token, which is offered as the second subprotocol. */
  get token() {
    return this.protocols[1] ?? null;
  }

  /** @param {string} text */
  send(text) {
    this.connection?.send(this, text);
  }

  leave() {
    this.connection?.leave(this);
  }

  opened() {
    this.#post({ kind: 'opened', socket: this.#socket });
  }

  /** @param {object} frame */
  received(frame) {
    this.#post({ kind: 'received', socket: this.#socket, text: JSON.stringify(frame) });
  }

  /** @param {number} code @param {string} reason */
  closed(code, reason) {
    this.#post({ kind: 'closed', socket: this.#socket, code, reason });
  }
}
