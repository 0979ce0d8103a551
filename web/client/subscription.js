/**
 * A subscription that the server has acknowledged.
 *
 * @module subscription
 */

export class Subscription {
  #leave;

  /** @param {string} entityId @param {() => void} leave */
  constructor(entityId, leave) {
    this.entityId = entityId;
    this.#leave = leave;
  }

  unsubscribe() {
    this.#leave();
  }
}
