/**
 * One socket of the machine, from the request for its token to its end.
 *
 * @module link
 */

import { BackOff } from './back-off.js';

/** @import { Position } from '../../herald-client.js' */
/** @import { Log } from './log.js' */
/** @import { QueuedMessage } from './outbox.js' */

/**
 * A log that a request names, with the position that it names. Of a `subscribe`, `presence` is true if it asks for
 * presence, and `isSubscribed` if the link was subscribed to the entity before.
 *
 * @typedef {{ log: Log, position: Position | undefined, presence?: boolean, isSubscribed?: boolean }} Asked
 */

/**
 * A request without a reply.
 *
 * @typedef {{ action: 'subscribe', entities: string[], asked: Asked[] }
 *   | { action: 'unsubscribe', entity: string }
 *   | { action: 'sendMessage', message: QueuedMessage }
 *   | { action: 'sync', asked: Asked[] }
 *   | { action: 'history', asked: [Asked] }
 *   | { action: 'presence', entity: string }
 *   | { action: 'authenticate' }
 *   | { action: 'open' }} Request
 */

/**
 * The state of an entity on a link. API Gateway handles the frames of one connection concurrently, so at most one
 * request about an entity is in flight.
 *
 * @typedef {object} EntityState
 * @property {'subscribing' | 'subscribed' | 'unsubscribing' | 'waitingToRetry' | 'retrying'} state
 * @property {BackOff} backOff
 * @property {boolean} [hasLog] true if the acknowledgement had a position.
 * @property {boolean} [presence] true if the subscription asked for presence.
 */

export class Link {
  /** True once the handshake has begun. */
  isOpening = false;
  isOpen = false;
  /** True once it has been open for long enough. */
  isStable = false;
  openedAt = 0;
  /** The token of the requests of a link that polls. @type {string | null} */
  token = null;
  /** The pause between polls. */
  pollAfter = 2000;
  receivedAt = 0;
  /** The time of the last ping, or of the `sync` in its place, or at which it opened. */
  pingedAt = 0;
  /** The longest time from one ping to the next, whatever arrives. */
  keepAlive = Infinity;
  /** The same time of each subscription whose acknowledgement had one. @type {Map<string, number>} */
  keepAlives = new Map();
  awaitsPong = false;
  /** True once it has named the audiences that need no subscription. */
  hasSynced = false;
  /** The time at which another link is to replace this one. */
  renewAt = 0;
  /** The time at which its token is to be renewed. @type {number | undefined} */
  authenticateAt;
  authentication = new BackOff();
  /** Requests without a reply, by their `id`. @type {Map<number, Request>} */
  inFlight = new Map();
  /** The states of entities on this link. @type {Map<string, EntityState>} */
  entities = new Map();
  /** Entities whose state may not be the wanted one. @type {Set<string>} */
  toCheck = new Set();
  /** Entities to subscribe to again, with the times. @type {Map<string, number>} */
  retries = new Map();
  /** True once the server has rejected a `subscribe` to several entities. */
  oneByOne = false;

  /**
   * @param {number} socket
   * @param {boolean} isPolling true if HTTP requests take the place of its socket.
   * @param {number} startedAt the time at which its attempt started.
   */
  constructor(socket, isPolling, startedAt) {
    this.socket = socket;
    this.isPolling = isPolling;
    this.startedAt = startedAt;
  }

  /** True if every wanted entity is subscribed to on it. */
  get isEstablished() {
    const areSubscribed = () => Array.from(this.entities.values()).every(({ state }) => state === 'subscribed');
    return this.isOpen && this.toCheck.size === 0 && areSubscribed();
  }

  /** The id of the first of the application's messages in flight on it. `Infinity` if there is none. */
  get oldestSend() {
    for (const [id, { action }] of this.inFlight) if (action === 'sendMessage') return id;
    return Infinity;
  }

  /** @param {string} entity */
  backOffOf(entity) {
    return this.entities.get(entity)?.backOff ?? new BackOff();
  }
}
