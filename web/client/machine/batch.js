/**
 * The entities of one frame.
 *
 * @module batch
 */

import { bytesOf } from './signals.js';

/** The most entities of one frame, and its most bytes: the server's limits. */
const ENTITIES_AT_ONCE = 100;
const FRAME_LIMIT = 32 * 1024;

/** The most bytes of a frame beside its entities and the positions of other logs. */
const FRAME_WITHOUT_ENTITIES = 64;

export class Batch {
  #limit;
  #bytes;
  /** What each entity's result is for, in order. @type {Map<string, object>} */
  #values = new Map();

  /**
   * @param {{ limit?: number, beside?: object }} [options] `limit`: the most entities, if that is less than the server's
   * limit; `beside`: the further fields of the frame.
   */
  constructor({ limit = ENTITIES_AT_ONCE, beside = {} } = {}) {
    this.#limit = limit;
    this.#bytes = FRAME_WITHOUT_ENTITIES + bytesOf(JSON.stringify(beside));
  }

  get isEmpty() {
    return this.#values.size === 0;
  }

  /** @param {string} entity @param {object} value */
  hasRoomFor(entity, value) {
    const fits = this.#values.size < this.#limit && this.#bytes + bytesOfMember(entity, value) <= FRAME_LIMIT;
    return this.isEmpty || fits;
  }

  /** @param {string} entity @param {object} value */
  add(entity, value) {
    this.#bytes += bytesOfMember(entity, value);
    this.#values.set(entity, value);
  }

  /** The entities with their values, as a frame has them. */
  get entities() {
    return Object.fromEntries(this.#values);
  }

  /** The ids of the entities, in order. */
  get ids() {
    return Array.from(this.#values.keys());
  }
}

/** Returns the bytes of `"entity":{},` in a frame. @param {string} entity @param {object} value */
function bytesOfMember(entity, value) {
  return bytesOf(JSON.stringify(entity)) + bytesOf(JSON.stringify(value)) + ':,'.length;
}
