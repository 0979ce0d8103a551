/**
 * One socket of the machine, from the request for its token to its end.
 *
 * @module link
 */

import { BackOff } from './back-off.js';

/** @import { Outgoing } from './outbox.js' */

/**
 * A request without a reply.
 *
 * @typedef {{ action: 'subscribe', entities: string[] }
 *   | { action: 'unsubscribe', entity: string }
 *   | { action: 'sendMessage', message: Outgoing }
 *   | { action: 'authenticate' }} Request
 */

/**
 * The state of an entity on a link. API Gateway handles the frames of one connection concurrently, so at most one
 * request about an entity is in flight.
 *
 * @typedef {object} Asked
 * @property {'subscribing' | 'subscribed' | 'unsubscribing' | 'waitingToRetry' | 'retrying'} state
 * @property {BackOff} backOff
 */

export class Link {
  isOpen = false;
  heardAt = 0;
  awaitsPong = false;
  /** The time at which another link is to replace this one. */
  renewAt = 0;
  /** The time at which its token is to be renewed. @type {number | undefined} */
  authenticateAt;
  authentication = new BackOff();
  /** Requests without a reply, by their `id`. @type {Map<number, Request>} */
  inFlight = new Map();
  /** The entities that the server was asked about on this link. @type {Map<string, Asked>} */
  asked = new Map();
  /** Entities whose state is to be compared with what is wanted. @type {Set<string>} */
  toSettle = new Set();
  /** Entities to ask for again, and when. @type {Map<string, number>} */
  retries = new Map();
  /** True once the server has demanded a `subscribe` for each entity. */
  oneByOne = false;

  /** @param {number} socket */
  constructor(socket) {
    this.socket = socket;
  }

  /** True if every wanted entity is subscribed to on it. */
  get isEstablished() {
    const areSubscribed = () => Array.from(this.asked.values()).every(({ state }) => state === 'subscribed');
    return this.isOpen && this.toSettle.size === 0 && areSubscribed();
  }

  /** The id of the first of the application's messages in flight on it. `Infinity` if there is none. */
  get oldestSend() {
    for (const [id, { action }] of this.inFlight) if (action === 'sendMessage') return id;
    return Infinity;
  }

  /** @param {string} entity */
  backOffOf(entity) {
    return this.asked.get(entity)?.backOff ?? new BackOff();
  }
}
