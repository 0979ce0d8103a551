/**
 * The handlers of the application.
 *
 * @module readers
 */

/** @import { ListenOptions, Lost, Presence, Push } from '../../herald-client.js' */
/** @import { HeraldError } from '../error.js' */
/** @import { Audience } from '../machine/log.js' */
/** @import { Route } from '../machine/signals.js' */
/** @import { Subscriber } from '../subscriber.js' */

export class Readers {
  /** @type {Map<string, Set<Subscriber>>} */
  #subscribers = new Map();
  /** @type {Map<string, Handlers<Push<any>>>} */
  #types = new Map();
  /** @type {Handlers<Push<any>>} */
  notifications = new Handlers();
  /** @type {Handlers<Push<any>>} */
  broadcasts = new Handlers();
  /** @type {Handlers<Lost>} */
  losses = new Handlers();

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

  /** @param {string} type */
  ofType(type) {
    const handlers = this.#types.get(type) ?? new Handlers();
    this.#types.set(type, handlers);
    return handlers;
  }

  /** @param {Route} to @param {Push<any>} push */
  deliver(to, push) {
    if (to === 'entity') for (const subscriber of this.#subscribersOf(push.entityId ?? '')) subscriber.receive(push);
    if (to === 'notifications') this.notifications.call(push);
    if (to === 'broadcasts') this.broadcasts.call(push);
    this.#types.get(push.type)?.call(push);
  }

  /** Ends the subscriptions to an entity. @param {string} entity @param {HeraldError} error */
  end(entity, error) {
    const subscribers = this.#subscribersOf(entity);
    this.#subscribers.delete(entity);
    for (const subscriber of subscribers) subscriber.ended(error);
  }

  /** Tells that messages are lost. @param {Audience} audience @param {Lost['position']} position */
  lose(audience, position) {
    if (audience.to !== 'entity') return this.losses.call({ to: audience.to, position });
    for (const subscriber of this.#subscribersOf(audience.entity)) subscriber.lost(position);
    this.losses.call({ to: audience.to, entityId: audience.entity, position });
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

/** The handlers of one kind of value. @template Value */
export class Handlers {
  /** The number of times that each was added, and not removed yet. @type {Map<(value: Value) => void, number>} */
  #times = new Map();

  get size() {
    return this.#times.size;
  }

  /**
   * Adds a handler until it is removed, or until the signal aborts. One that is added twice is called once for each
   * value, until both are removed.
   *
   * @param {(value: Value) => void} handler
   * @param {ListenOptions} [options]
   * @returns {() => void} removes it.
   */
  add(handler, { signal } = {}) {
    let isAdded = !signal?.aborted;
    if (isAdded) this.#count(handler, 1);
    const remove = () => {
      if (isAdded) this.#count(handler, -1);
      isAdded = false;
      signal?.removeEventListener('abort', remove);
    };
    if (isAdded) signal?.addEventListener('abort', remove);
    return remove;
  }

  /** Calls each handler that another has not removed meanwhile. @param {Value} value */
  call(value) {
    for (const handler of Array.from(this.#times.keys())) if (this.#times.has(handler)) call(handler, value);
  }

  /** @param {(value: Value) => void} handler @param {number} more */
  #count(handler, more) {
    const times = (this.#times.get(handler) ?? 0) + more;
    if (times > 0) this.#times.set(handler, times);
    else this.#times.delete(handler);
  }
}

/**
 * Calls a handler. Its exception is reported and does not keep the value from others.
 *
 * @template T
 * @param {(value: T) => void} handler
 * @param {T} value
 */
export function call(handler, value) {
  try {
    handler(value);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
