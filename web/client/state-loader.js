/**
 * The state of an entity, which the application loads beside the subscription.
 *
 * The position comes first and the data second. So the data has every message up to the position, and those after it
 * are delivered, which the loader holds until then.
 *
 * @module state-loader
 */

import { BackOff } from './machine/back-off.js';
import { positionOf } from './machine/positions.js';

/** @import { Position, Push, StateCallback } from '../herald-client.js' */
/** @import { Rules } from './machine/rules.js' */

export class StateLoader {
  #state;
  #deliver;
  #rules;
  #backOff = new BackOff();
  /** The messages that wait for the state. `undefined` if it is loaded. @type {Push<any>[] | undefined} */
  #waiting = [];
  /** The position of the state. @type {Position | null | undefined} */
  #loaded;
  /** The position that the state must have reached. @type {Position | null | undefined} */
  #needed;
  #isLoading = false;
  /** True if the state must be loaded once more. */
  #isStale = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry;
  #hasEnded = false;

  /**
   * @param {StateCallback} state
   * @param {(push: Push<any>) => void} deliver
   * @param {Rules} rules
   */
  constructor(state, deliver, rules) {
    this.#state = state;
    this.#deliver = deliver;
    this.#rules = rules;
  }

  /**
   * Loads the state before the subscription. Returns its position, and throws what the callback throws.
   *
   * @param {Position} [joined] the position at which a later subscriber of the entity joins.
   */
  async loadFirst(joined) {
    this.#needed = joined;
    this.#loaded = await this.#load();
    return this.#loaded ?? undefined;
  }

  /** Notes that the server has acknowledged the subscription. A state without a position is loaded once more. */
  async subscribed() {
    if (this.#isLoading || this.#retry !== undefined) return;
    if (!this.#loaded || this.#isStale) {
      this.#isStale = false;
      this.#loaded = await this.#load();
    }
    if (this.#isStale) return void this.#loadUntilCurrent();
    if (isBehind(this.#loaded, this.#needed)) return this.#loadLater();
    this.#release();
  }

  /** @param {Push<any>} push */
  receive(push) {
    if (!this.#waiting) return this.#deliverIfNew(push);
    this.#waiting.push(push);
    if (this.#waiting.length <= this.#rules.heldWhileAsking) return;
    this.#waiting = [];
    this.#needed = positionOf(push);
    this.#isStale = true;
  }

  /** Loads the state anew. @param {Position | null} needed the position that it must have reached, if any. */
  reload(needed) {
    this.#needed = needed;
    this.#waiting = [];
    this.#isStale = true;
    if (!this.#isLoading && !this.#hasEnded) void this.#loadUntilCurrent();
  }

  end() {
    this.#hasEnded = true;
    clearTimeout(this.#retry);
  }

  async #loadUntilCurrent() {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    try {
      while (this.#isStale) {
        this.#isStale = false;
        this.#loaded = await this.#load();
      }
    } catch (error) {
      // An uncaught error would end a process of Node.js, and an application of React Native.
      console.error('herald-client: the callback `state` failed, and is called again', error);
      return this.#loadLater();
    }
    if (isBehind(this.#loaded, this.#needed)) return this.#loadLater();
    this.#backOff.reset();
    this.#release();
  }

  #loadLater() {
    this.#isStale = true;
    if (this.#hasEnded) return;
    const delay = this.#backOff.next(this.#rules, Math.random());
    this.#retry = setTimeout(() => void this.#loadUntilCurrent(), delay);
  }

  async #load() {
    this.#isLoading = true;
    try {
      return (await this.#state())?.position;
    } finally {
      this.#isLoading = false;
    }
  }

  #release() {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const push of waiting) this.#deliverIfNew(push);
  }

  /** Delivers a message that the state does not have. @param {Push<any>} push */
  #deliverIfNew(push) {
    const { epoch, offset = Infinity } = push;
    const isInState = this.#loaded && epoch === this.#loaded.epoch && offset <= this.#loaded.offset;
    if (!isInState && !this.#hasEnded) this.#deliver(push);
  }
}

/**
 * Returns true if a state is known to be older than a position.
 *
 * @param {Position | null | undefined} loaded
 * @param {Position | null | undefined} needed
 */
function isBehind(loaded, needed) {
  if (!loaded || !needed) return false;
  return loaded.epoch === needed.epoch ? loaded.offset < needed.offset : needed.offset > 0;
}
