/**
 * Callbacks that are due at a time. The machine fires them.
 *
 * They are in a binary heap, so a timer costs the same with one message that waits as with a thousand.
 *
 * @module timers
 */

/**
 * A timer. `order` is the place among timers of the same time, and `index` the one in the heap.
 *
 * @typedef {{ name: string, at: number, order: number, run: () => void, index: number }} Timer
 */

export class Timers {
  /** @type {Map<string, Timer>} */
  #byName = new Map();
  /** No timer is before its parent, which is at half its index. @type {Timer[]} */
  #heap = [];
  #order = 0;

  /**
   * Sets a timer, in place of another of the same name.
   *
   * @param {string} name
   * @param {number} at
   * @param {() => void} run
   */
  set(name, at, run) {
    const timer = this.#byName.get(name);
    if (timer) {
      timer.at = at;
      timer.run = run;
      return this.#settle(timer);
    }
    const added = { name, at, order: ++this.#order, run, index: this.#heap.length };
    this.#byName.set(name, added);
    this.#heap.push(added);
    this.#settle(added);
  }

  /** @param {string} name */
  cancel(name) {
    const timer = this.#byName.get(name);
    if (timer) this.#remove(timer);
  }

  /** @param {string} name */
  has(name) {
    return this.#byName.has(name);
  }

  clear() {
    this.#byName.clear();
    this.#heap = [];
  }

  /** The time of the earliest timer. `undefined` if there is no timer. @returns {number | undefined} */
  get next() {
    return this.#heap[0]?.at;
  }

  /**
   * Removes the earliest timer that is due and returns its callback. `undefined` if none is due.
   *
   * @param {number} now
   */
  takeDue(now) {
    const [first] = this.#heap;
    if (!first || first.at > now) return undefined;
    this.#remove(first);
    return first.run;
  }

  /** @param {Timer} timer */
  #remove(timer) {
    this.#byName.delete(timer.name);
    const last = /** @type {Timer} */ (this.#heap.pop());
    if (last === timer) return;
    this.#place(last, timer.index);
    this.#settle(last);
  }

  /** Moves a timer to where it belongs. @param {Timer} timer */
  #settle(timer) {
    this.#rise(timer);
    this.#sink(timer);
  }

  /** @param {Timer} timer */
  #rise(timer) {
    while (timer.index > 0) {
      const parent = this.#heap[(timer.index - 1) >> 1];
      if (!isBefore(timer, parent)) return;
      this.#swap(timer, parent);
    }
  }

  /** @param {Timer} timer */
  #sink(timer) {
    for (;;) {
      const [left, right] = [this.#heap[2 * timer.index + 1], this.#heap[2 * timer.index + 2]];
      const child = right && isBefore(right, left) ? right : left;
      if (!child || !isBefore(child, timer)) return;
      this.#swap(timer, child);
    }
  }

  /** @param {Timer} one @param {Timer} other */
  #swap(one, other) {
    const { index } = one;
    this.#place(one, other.index);
    this.#place(other, index);
  }

  /** @param {Timer} timer @param {number} index */
  #place(timer, index) {
    timer.index = index;
    this.#heap[index] = timer;
  }
}

/** @param {Timer} one @param {Timer} other */
function isBefore(one, other) {
  return one.at < other.at || (one.at === other.at && one.order < other.order);
}
