/**
 * The entities that the application is subscribed to.
 *
 * @module subscriptions
 */

/**
 * The subscribers of one entity. `waiting` are the requests that an acknowledgement resolves. `established` is true
 * once the server has acknowledged the entity on any connection.
 *
 * @typedef {{ subscribers: number, waiting: number[], established: boolean }} Wanted
 */

export class Subscriptions {
  /** In the order in which they were first subscribed to. @type {Map<string, Wanted>} */
  #wanted = new Map();

  /** Adds a subscriber, which waits for an acknowledgement. @param {string} entity @param {number} request */
  add(entity, request) {
    const wanted = this.#wanted.get(entity) ?? { subscribers: 0, waiting: [], established: false };
    this.#wanted.set(entity, wanted);
    wanted.subscribers += 1;
    wanted.waiting.push(request);
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

  /** Marks an entity as acknowledged. Returns the requests that waited for that. @param {string} entity */
  acknowledged(entity) {
    const wanted = this.#wanted.get(entity);
    if (!wanted) return [];
    wanted.established = true;
    return wanted.waiting.splice(0);
  }

  /** Removes an entity with all its subscribers. Returns the requests that still waited. @param {string} entity */
  remove(entity) {
    const waiting = this.#wanted.get(entity)?.waiting ?? [];
    this.#wanted.delete(entity);
    return waiting;
  }

  /** The entities, in the order in which they were first subscribed to. */
  get inOrder() {
    return Array.from(this.#wanted.keys());
  }
}
