/**
 * The ids of recent events.
 *
 * @module repeats
 */

export class Repeats {
  #window;
  /** @type {Set<string>} */
  #seen = new Set();

  /** @param {number} window the most ids. */
  constructor(window) {
    this.#window = window;
  }

  /**
   * Inserts an id, and removes the oldest beyond the window.
   *
   * @param {unknown} id
   * @returns {boolean} false if the id was present. A value that is not a string is never present.
   */
  insert(id) {
    if (typeof id !== 'string') return true;
    if (this.#seen.has(id)) return false;
    this.#seen.add(id);
    const [oldest] = this.#seen;
    if (this.#seen.size > this.#window) this.#seen.delete(oldest);
    return true;
  }
}
