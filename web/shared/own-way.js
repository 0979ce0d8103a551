/**
 * The way to a holder for this client alone, where the worker cannot be loaded and a page may have no Web Locks.
 *
 * @module own-way
 */

import { Host } from './host.js';

/** @import { Way, WayEvents } from './line.js' */
/** @import { FromTab } from './messages.js' */

/** @implements {Way} */
export class OwnWay {
  #host;

  /** @param {Pick<WayEvents, 'received'>} events */
  constructor({ received }) {
    this.#host = new Host((/** @type {OwnWay} */ _, message) => queueMicrotask(() => received(message)), WebSocket);
  }

  /** @param {FromTab} message */
  post(message) {
    queueMicrotask(() => this.#host.receive(this, message));
  }

  leave() {
    this.#host.end();
  }

  comeBack() {}

  unanswered() {}

  end() {}
}
