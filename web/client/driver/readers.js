/**
 * The handlers of the application.
 *
 * @module readers
 */

/** @import { Push } from '../../herald-client.js' */
/** @import { HeraldError } from '../error.js' */
/** @import { Route } from '../machine/signals.js' */

/** @typedef {(push: Push<any>) => void} Handler */

/** @typedef {{ handler: Handler, onEnded: (error: HeraldError) => void }} Subscriber */

export class Readers {
  /** @type {Map<string, Set<Subscriber>>} */
  #subscribers = new Map();
  /** @type {Map<string, Set<Handler>>} */
  #types = new Map();
  /** @type {Set<Handler>} */
  #notifications = new Set();
  /** @type {Set<Handler>} */
  #broadcasts = new Set();

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

  /** @param {string} type @param {Handler} handler @returns {() => void} removes it. */
  addType(type, handler) {
    const handlers = this.#types.get(type) ?? new Set();
    this.#types.set(type, handlers);
    return add(handlers, handler);
  }

  /** @param {Route} to @param {Push<any>} push */
  deliver(to, push) {
    if (to === 'entity') {
      const subscribers = this.#subscribers.get(push.entityId ?? '') ?? [];
      call(Array.from(subscribers, ({ handler }) => handler), push);
    }
    if (to === 'notifications') call(this.#notifications, push);
    if (to === 'broadcasts') call(this.#broadcasts, push);
    call(this.#types.get(push.type) ?? [], push);
  }

  /** Ends the subscriptions to an entity. @param {string} entity @param {HeraldError} error */
  end(entity, error) {
    const subscribers = this.#subscribers.get(entity) ?? [];
    this.#subscribers.delete(entity);
    call(Array.from(subscribers, ({ onEnded }) => onEnded), error);
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
