/**
 * The events that were seen, over a bounded window.
 *
 * @module repeats
 */

export class Repeats {
  #window;
  /** @type {Set<string>} */
  #seen = new Set();

  /** @param {number} window how many ids are remembered. */
  constructor(window) {
    this.#window = window;
  }

  /**
   * Remembers an id, and forgets the oldest beyond the window.
   *
   * @param {unknown} id
   * @returns {boolean} false if the id was known. A value that is not a string is never known.
   */
  isNew(id) {
    if (typeof id !== 'string') return true;
    if (this.#seen.has(id)) return false;
    this.#seen.add(id);
    const [oldest] = this.#seen;
    if (this.#seen.size > this.#window) this.#seen.delete(oldest);
    return true;
  }
}
