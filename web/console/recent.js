/**
 * The newest of what comes, and no more than so many of them.
 *
 * @module recent
 */

/** @template Item */
export class Recent {
  #limit;
  /** @type {Item[]} */
  #items = [];

  /** @param {number} limit */
  constructor(limit) {
    this.#limit = limit;
  }

  /** @param {Item} item */
  add(item) {
    this.#items.push(item);
    // Not one at a time: taking from the front costs as much as there is.
    if (this.#items.length >= 2 * this.#limit) this.#items.splice(0, this.#items.length - this.#limit);
  }

  clear() {
    this.#items = [];
  }

  /** @returns {Item[]} the newest first. */
  get newestFirst() {
    return this.#items.slice(-this.#limit).reverse();
  }
}
