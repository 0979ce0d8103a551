/**
 * Delays that grow, with full jitter: a random share of an exponential bound, so that clients that failed together do
 * not come back together.
 *
 * @module back-off
 */

/** @import { Rules } from './rules.js' */

export class BackOff {
  #delays = 0;

  /**
   * Returns the next delay, in milliseconds.
   *
   * @param {Rules} rules
   * @param {number} jitter the random share of the bound, at least 0 and less than 1.
   */
  next({ backoffBase, backoffCap }, jitter) {
    const bound = Math.min(backoffCap, backoffBase * 2 ** this.#delays);
    this.#delays += 1;
    return Math.round(jitter * bound);
  }

  /** Starts small again. */
  reset() {
    this.#delays = 0;
  }
}
