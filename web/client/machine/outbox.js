/**
 * The messages that wait to be sent, in order.
 *
 * @module outbox
 */

/** @import { Target } from './signals.js' */
/** @import { Timers } from './timers.js' */

/**
 * A request of the application, in the outbox or in flight. `body` is its JSON, without an id. `target` is the audience
 * of a message.
 *
 * @typedef {{ request: number, action: string, body: string, target?: Target, safeToRepeat: boolean, expiresAt: number }} QueuedMessage
 */

export class Outbox {
  #timers;
  #expired;
  /** In the order of their requests. @type {QueuedMessage[]} */
  #waiting = [];

  /**
   * @param {Timers} timers
   * @param {(message: QueuedMessage) => void} expired is called with a message that expired.
   */
  constructor(timers, expired) {
    this.#timers = timers;
    this.#expired = expired;
  }

  get length() {
    return this.#waiting.length;
  }

  /** Inserts a message in its place. A new one is the last. @param {QueuedMessage} message */
  put(message) {
    const before = this.#waiting.findLastIndex(({ request }) => request < message.request);
    this.#waiting.splice(before + 1, 0, message);
    this.#timers.set(`expire ${message.request}`, message.expiresAt, () => {
      this.#take(this.#waiting.indexOf(message));
      this.#expired(message);
    });
  }

  /** Removes the first message. The outbox must not be empty. */
  takeFirst() {
    return this.#take(0);
  }

  /** Removes the last message. The outbox must not be empty. */
  takeLast() {
    return this.#take(this.#waiting.length - 1);
  }

  /** @param {number} place */
  #take(place) {
    const [message] = this.#waiting.splice(place, 1);
    this.#timers.cancel(`expire ${message.request}`);
    return message;
  }
}
