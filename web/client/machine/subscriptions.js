/**
 * The entities that the application is subscribed to.
 *
 * @module subscriptions
 */

/**
 * The subscribers of one entity. `waiting` are the requests that an acknowledgement resolves, with those that ask for
 * presence marked. `established` is true once the server has acknowledged the entity on any connection.
 *
 * @typedef {{ subscribers: number, waiting: Map<number, boolean>, established: boolean }} Wanted
 */

export class Subscriptions {
  /** In the order in which they were first subscribed to. @type {Map<string, Wanted>} */
  #wanted = new Map();

  /** Adds a subscriber, which waits for an acknowledgement. @param {string} entity @param {number} request @param {boolean} presence */
  add(entity, request, presence) {
    const wanted = this.#wanted.get(entity) ?? { subscribers: 0, waiting: new Map(), established: false };
    this.#wanted.set(entity, wanted);
    wanted.subscribers += 1;
    wanted.waiting.set(request, presence);
  }

  /** Removes a subscriber. @param {string} entity */
  release(entity) {
    const wanted = this.#wanted.get(entity);
    if (!wanted) return;
    wanted.subscribers -= 1;
    if (wanted.subscribers === 0) this.#wanted.delete(entity);
  }

  /** @param {unknown} entity */
  wants(entity) {
    return this.#wanted.has(/** @type {string} */ (entity));
  }

  /** Returns true if the entity is wanted and the server has acknowledged it before. @param {string} entity */
  isEstablished(entity) {
    return this.#wanted.get(entity)?.established ?? false;
  }

  /**
   * Marks an entity as acknowledged. Returns the requests that waited for that.
   *
   * @param {string} entity
   * @param {boolean} isComplete false if those that ask for presence wait for another acknowledgement.
   */
  acknowledged(entity, isComplete) {
    const wanted = this.#wanted.get(entity);
    if (!wanted) return [];
    wanted.established = true;
    const resolved = Array.from(wanted.waiting.keys()).filter((request) => isComplete || !wanted.waiting.get(request));
    for (const request of resolved) wanted.waiting.delete(request);
    return resolved;
  }

  /** Removes an entity with all its subscribers. Returns the requests that still waited. @param {string} entity */
  remove(entity) {
    const waiting = this.#wanted.get(entity)?.waiting.keys() ?? [];
    this.#wanted.delete(entity);
    return Array.from(waiting);
  }

  /** The entities, in the order in which they were first subscribed to. */
  get inOrder() {
    return Array.from(this.#wanted.keys());
  }
}
