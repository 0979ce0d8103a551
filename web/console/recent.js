/**
 * A list that keeps the newest items.
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
    // Many at once, because removing from the front costs as much as the array is long.
    if (this.#items.length >= 2 * this.#limit) this.#items.splice(0, this.#items.length - this.#limit);
  }

  clear() {
    this.#items = [];
  }

  /** @returns {Item[]} */
  get newestFirst() {
    return this.#items.slice(-this.#limit).reverse();
  }
}
