/**
 * The subscriptions of the application.
 *
 * @module subscription
 */

import { startOf } from './options.js';
import { Subscriber } from './subscriber.js';

/** @import { ListenOptions, PendingSubscription, Position, SubscribeOptions, SubscriptionEvents } from '../herald-client.js' */
/** @import { Driver } from './driver.js' */
/** @import { Log } from './machine/log.js' */

/**
 * Subscribes. The result resolves once the server has acknowledged, and can be left before.
 *
 * @param {Driver} driver
 * @param {string} entityId
 * @param {SubscribeOptions<any>} options
 * @returns {PendingSubscription}
 */
export function subscribe(driver, entityId, options) {
  const { signal } = options;
  const membership = new Membership(driver, entityId, options);
  const subscription = new Subscription(entityId, membership);
  /** @type {(reason: unknown) => void} */
  let reject = () => {};
  /** @type {Promise<Subscription>} */
  const pending = new Promise((resolve, rejectPending) => {
    reject = rejectPending;
    if (signal?.aborted) return;
    membership.subscriber.whenAborted(() => abort());
    membership.establish(options).then(() => resolve(subscription), reject);
  });
  /** @param {unknown} reason */
  const leave = (reason) => {
    subscription.unsubscribe();
    reject(reason);
    // A caller that has left may ignore the promise.
    pending.catch(() => {});
  };
  const abort = () => leave(signal?.reason ?? abortError());
  if (signal?.aborted) abort();
  return Object.assign(pending, { unsubscribe: () => leave(abortError()) });
}

/** The place of one subscriber among the readers and in the machine. */
class Membership {
  #driver;
  #entity;
  /** The request to the machine, once there is one. @type {number | undefined} */
  #request;
  /** The log of the session, once the server has acknowledged. @type {Log | undefined} */
  #log;
  #hasLeft = false;

  /** @param {Driver} driver @param {string} entity @param {SubscribeOptions<any>} options */
  constructor(driver, entity, options) {
    this.#driver = driver;
    this.#entity = entity;
    this.subscriber = new Subscriber(options, driver.rules);
  }

  get position() {
    return this.#driver.positionOf(this.#entity, this.#log);
  }

  /**
   * Loads the state, if there is a callback for it, and waits for the acknowledgement.
   *
   * @param {SubscribeOptions<any>} options
   */
  async establish(options) {
    const { loader, asksForPresence: presence } = this.subscriber;
    this.#driver.readers.subscribe(this.#entity, this.subscriber);
    try {
      const loaded = loader && startOf({ recover: await loader.loadFirst(this.position) });
      if (this.#hasLeft) return;
      const { request, reply } = this.#driver.subscribe(this.#entity, { ...(loaded ?? startOf(options)), presence });
      this.#request = request;
      await reply;
      this.#log = this.#driver.logOf(this.#entity);
    } catch (error) {
      this.#driver.readers.unsubscribe(this.#entity, this.subscriber);
      throw error;
    }
    try {
      await loader?.subscribed();
    } catch (error) {
      this.leave();
      throw error;
    }
  }

  leave() {
    this.#hasLeft = true;
    const isReading = this.#driver.readers.unsubscribe(this.#entity, this.subscriber);
    if (!isReading || this.#request === undefined) return;
    const { asksForPresence: presence } = this.subscriber;
    this.#driver.handle({ kind: 'unsubscribe', entity: this.#entity, presence });
    this.#driver.forget(this.#request);
  }
}

/** One subscription of the application. */
class Subscription {
  #membership;
  /** @type {Position | undefined} */
  #lastPosition;
  #hasEnded = false;

  /** @param {string} entityId @param {Membership} membership */
  constructor(entityId, membership) {
    this.entityId = entityId;
    this.#membership = membership;
  }

  get position() {
    return this.#hasEnded ? this.#lastPosition : this.#membership.position;
  }

  get presence() {
    return this.#membership.subscriber.presence;
  }

  /**
   * @template {keyof SubscriptionEvents} Name
   * @param {Name} name
   * @param {(event: SubscriptionEvents[Name]) => void} listener
   * @param {ListenOptions} [options]
   * @returns {() => void} removes it.
   */
  on(name, listener, options) {
    return this.#membership.subscriber.on(name, listener, options);
  }

  unsubscribe() {
    this.#lastPosition = this.position;
    this.#hasEnded = true;
    this.#membership.leave();
  }
}

/** Returns the error of a caller that left. React Native has no DOMException. */
function abortError() {
  return Object.assign(new Error('the subscription was left before it was established'), { name: 'AbortError' });
}
