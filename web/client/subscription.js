/**
 * A subscription that the server has acknowledged.
 *
 * @module subscription
 */

/** @import { Position, SubscriptionEvents } from '../herald-client.js' */
/** @import { Subscriber } from './subscriber.js' */

export class Subscription {
  #subscriber;
  #position;
  #leave;
  /** @type {Position | undefined} */
  #lastPosition;
  #hasEnded = false;

  /**
   * @param {string} entityId
   * @param {Subscriber} subscriber
   * @param {() => Position | undefined} position
   * @param {() => void} leave
   */
  constructor(entityId, subscriber, position, leave) {
    this.entityId = entityId;
    this.#subscriber = subscriber;
    this.#position = position;
    this.#leave = leave;
  }

  get position() {
    return this.#hasEnded ? this.#lastPosition : this.#position();
  }

  /**
   * @template {keyof SubscriptionEvents} Name
   * @param {Name} name
   * @param {(event: SubscriptionEvents[Name]) => void} listener
   * @returns {() => void} removes it.
   */
  on(name, listener) {
    return this.#subscriber.on(name, listener);
  }

  unsubscribe() {
    this.#lastPosition = this.position;
    this.#hasEnded = true;
    this.#leave();
  }
}
