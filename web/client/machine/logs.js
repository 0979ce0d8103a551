/**
 * The logs of the audiences that the client belongs to.
 *
 * @module logs
 */

import { Log } from './log.js';

/** @import { Route } from './signals.js' */

export class Logs {
  /** @type {Map<string, Log>} */
  #entities = new Map();
  #user = new Log({ to: 'notifications' });
  #everyone = new Log({ to: 'broadcasts' });

  /** The logs of audiences that need no subscription. */
  get unsubscribed() {
    return [this.#user, this.#everyone];
  }

  /** The logs with a position. */
  get known() {
    return [this.#user, this.#everyone, ...this.#entities.values()].filter(({ position }) => position);
  }

  /** Returns the log of an audience. `undefined` if it has none. @param {Route} to @param {unknown} [entity] */
  at(to, entity) {
    if (to === 'entity') return this.#entities.get(/** @type {string} */ (entity));
    if (to === 'notifications') return this.#user;
    return to === 'broadcasts' ? this.#everyone : undefined;
  }

  /** Inserts the log of an entity, for a new session. @param {string} entity */
  insert(entity) {
    const log = new Log({ to: 'entity', entity });
    log.isStarting = true;
    this.#entities.set(entity, log);
    return log;
  }

  /** Removes the log of an entity, and ends its session. @param {string} entity */
  remove(entity) {
    const log = this.#entities.get(entity);
    this.#entities.delete(entity);
    if (log) log.hasEnded = true;
    return log;
  }
}
