/**
 * The handlers of the application.
 *
 * @module readers
 */

/** @import { Lost, Presence, Push } from '../../herald-client.js' */
/** @import { HeraldError } from '../error.js' */
/** @import { Audience } from '../machine/log.js' */
/** @import { Route } from '../machine/signals.js' */
/** @import { Subscriber } from '../subscriber.js' */

/** @typedef {(push: Push<any>) => void} Handler */

export class Readers {
  /** @type {Map<string, Set<Subscriber>>} */
  #subscribers = new Map();
  /** @type {Map<string, Set<Handler>>} */
  #types = new Map();
  /** @type {Set<Handler>} */
  #notifications = new Set();
  /** @type {Set<Handler>} */
  #broadcasts = new Set();
  /** @type {Set<(lost: Lost) => void>} */
  #lost = new Set();

  /** @param {string} entity @param {Subscriber} subscriber */
  subscribe(entity, subscriber) {
    const subscribers = this.#subscribers.get(entity) ?? new Set();
    this.#subscribers.set(entity, subscribers.add(subscriber));
  }

  /**
   * Removes a subscriber.
   *
   * @param {string} entity
   * @param {Subscriber} subscriber
   * @returns {boolean} false if the subscription failed or ended before.
   */
  unsubscribe(entity, subscriber) {
    const subscribers = this.#subscribers.get(entity);
    subscriber.leave();
    if (!subscribers?.delete(subscriber)) return false;
    if (subscribers.size === 0) this.#subscribers.delete(entity);
    return true;
  }

  /** @param {Handler} handler @returns {() => void} removes it. */
  addNotifications(handler) {
    return add(this.#notifications, handler);
  }

  /** @param {Handler} handler @returns {() => void} removes it. */
  addBroadcasts(handler) {
    return add(this.#broadcasts, handler);
  }

  /** @param {(lost: Lost) => void} handler @returns {() => void} removes it. */
  addLost(handler) {
    return add(this.#lost, handler);
  }

  /** @param {string} type @param {Handler} handler @returns {() => void} removes it. */
  addType(type, handler) {
    const handlers = this.#types.get(type) ?? new Set();
    this.#types.set(type, handlers);
    return add(handlers, handler);
  }

  /** @param {Route} to @param {Push<any>} push */
  deliver(to, push) {
    if (to === 'entity') for (const subscriber of this.#subscribersOf(push.entityId ?? '')) subscriber.receive(push);
    if (to === 'notifications') call(this.#notifications, push);
    if (to === 'broadcasts') call(this.#broadcasts, push);
    call(this.#types.get(push.type) ?? [], push);
  }

  /** Ends the subscriptions to an entity. @param {string} entity @param {HeraldError} error */
  end(entity, error) {
    const subscribers = this.#subscribersOf(entity);
    this.#subscribers.delete(entity);
    for (const subscriber of subscribers) subscriber.ended(error);
  }

  /** Tells that messages are lost. @param {Audience} audience @param {Lost['position']} position */
  lose(audience, position) {
    if (audience.to !== 'entity') return call(this.#lost, { to: audience.to, position });
    for (const subscriber of this.#subscribersOf(audience.entity)) subscriber.lost(position);
    call(this.#lost, { to: audience.to, entityId: audience.entity, position });
  }

  /** Tells that every message was recovered. @param {Audience} audience @param {number} messages */
  recover(audience, messages) {
    if (audience.to !== 'entity') return;
    for (const subscriber of this.#subscribersOf(audience.entity)) subscriber.recovered(messages);
  }

  /** Tells the presence of an entity. @param {string} entity @param {Presence | null} presence @param {HeraldError} [error] */
  tellPresence(entity, presence, error) {
    for (const subscriber of this.#subscribersOf(entity)) subscriber.presenceChanged(presence, error);
  }

  /** Loads the state of entities without a log anew: what they missed is not known. @param {(entity: string) => boolean} hasLog */
  reload(hasLog) {
    for (const entity of this.#subscribers.keys()) {
      if (!hasLog(entity)) for (const { loader } of this.#subscribersOf(entity)) loader?.reload(null);
    }
  }

  /** Ends what goes on for the subscriptions. */
  stop() {
    for (const entity of this.#subscribers.keys()) for (const subscriber of this.#subscribersOf(entity)) subscriber.leave();
  }

  /** @param {string} entity */
  #subscribersOf(entity) {
    return Array.from(this.#subscribers.get(entity) ?? []);
  }
}

/** @template T @param {Set<T>} handlers @param {T} handler @returns {() => void} removes it. */
export function add(handlers, handler) {
  handlers.add(handler);
  return () => void handlers.delete(handler);
}

/**
 * Calls each handler. An exception of one is reported and does not keep the value from the others.
 *
 * @template T
 * @param {Iterable<(value: T) => void>} handlers
 * @param {T} value
 */
export function call(handlers, value) {
  for (const handler of Array.from(handlers)) {
    try {
      handler(value);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}
