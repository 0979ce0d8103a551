/**
 * Callbacks that are due at a time. The machine fires them.
 *
 * @module timers
 */

export class Timers {
  /** @type {Map<string, { at: number, run: () => void }>} */
  #timers = new Map();

  /**
   * Sets a timer, in place of another of the same name.
   *
   * @param {string} name
   * @param {number} at
   * @param {() => void} run
   */
  set(name, at, run) {
    this.#timers.set(name, { at, run });
  }

  /** @param {string} name */
  cancel(name) {
    this.#timers.delete(name);
  }

  /** @param {string} name */
  has(name) {
    return this.#timers.has(name);
  }

  clear() {
    this.#timers.clear();
  }

  /** The time of the earliest timer. `undefined` if there is no timer. @returns {number | undefined} */
  get next() {
    return this.#earliest()?.[1].at;
  }

  /**
   * Removes the earliest timer that is due and returns its callback. `undefined` if none is due.
   *
   * @param {number} now
   */
  takeDue(now) {
    const [name, timer] = this.#earliest() ?? [];
    if (name === undefined || timer === undefined || timer.at > now) return undefined;
    this.#timers.delete(name);
    return timer.run;
  }

  #earliest() {
    let earliest;
    for (const entry of this.#timers) if (!earliest || entry[1].at < earliest[1].at) earliest = entry;
    return earliest;
  }
}
