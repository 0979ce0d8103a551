/**
 * The order of the messages of one audience.
 *
 * @module log
 */

import { BackOff } from './back-off.js';

/** @import { Position } from '../../herald-client.js' */
/** @import { Frame } from './signals.js' */

/**
 * The audience of a log, by the handlers of its pushes.
 *
 * @typedef {{ to: 'entity', entity: string } | { to: 'notifications' } | { to: 'broadcasts' }} Audience
 */

/**
 * A message ahead of the position. It has no `frame` if it is the application's own, which only moves the position.
 *
 * @typedef {{ position: Position, frame?: Frame }} HeldPush
 */

/** The log of one audience, during one session: from the first subscriber to the last. */
export class Log {
  /** The client has every message up to here. `undefined` if no log is known. @type {Position | undefined} */
  position;
  /** True until the first answer of the log. */
  isStarting = false;
  /** The number of last messages to ask for at the start. @type {number | undefined} */
  rewind;
  /** True once the application reads the audience, for those that need no subscription. */
  isFollowed = false;
  /** True once the server has said that it keeps no such log. */
  isAbsent = false;
  /** True once the session has ended. */
  hasEnded = false;
  /** True if the position must be compared: a message of another epoch arrived, or a comparison failed. */
  isDoubtful = false;
  /** False once the server has refused to read history. */
  mayRead = true;
  /** The number of messages that a recovery has delivered so far. @type {number | undefined} */
  recovering;
  /** The first offset, if the client adopted it from a push. Messages before it may still be on their way. */
  adoptedAt = 0;
  /**
   * The last offset that was delivered up to the position. `undefined` unless a `sync` told the position and it has not
   * moved since: messages up to it may still be on their way.
   *
   * @type {number | undefined}
   */
  deliveredBefore;
  backOff = new BackOff();
  #top = 0;
  /** By position. @type {Map<string, HeldPush>} */
  #held = new Map();

  /** @param {Audience} audience */
  constructor(audience) {
    this.audience = audience;
  }

  /** The number of messages held. */
  get held() {
    return this.#held.size;
  }

  /** True if messages after the position exist, or may exist. */
  get isBehind() {
    return this.isDoubtful || this.isMissing;
  }

  /** True if messages after the position exist. */
  get isMissing() {
    return this.position !== undefined && (this.held > 0 || this.#top > this.position.offset);
  }

  /** Returns true if a position is of the same epoch. Before the first message, any epoch is. @param {Position} position */
  continuesWith({ epoch }) {
    return this.position !== undefined && (this.position.epoch === undefined || this.position.epoch === epoch);
  }

  /** @param {Position} position */
  isBefore(position) {
    return !this.position || !this.continuesWith(position) || position.offset > this.position.offset;
  }

  /** Returns true if a position is the one after this, of the same epoch. @param {Position} position */
  isNext({ epoch, offset }) {
    const { position, isStarting } = this;
    return !isStarting && position !== undefined && position.epoch === epoch && position.offset + 1 === offset;
  }

  /** Holds a message that is after the position. @param {HeldPush} push */
  hold(push) {
    if (this.position && !this.continuesWith(push.position)) this.isDoubtful = true;
    this.#held.set(keyOf(push.position), push);
  }

  /** Notes an offset that was taken in the epoch of the position. @param {unknown} offset */
  raiseTop(offset) {
    if (typeof offset === 'number') this.#top = Math.max(this.#top, offset);
  }

  /** Moves the position, and drops the held messages up to it. @param {Position} position */
  moveTo(position) {
    if (!this.continuesWith(position)) this.#top = this.adoptedAt = 0;
    this.position = position;
    this.deliveredBefore = undefined;
    for (const [key, { position: held }] of this.#held) {
      if (this.continuesWith(held) && held.offset <= position.offset) this.#held.delete(key);
    }
  }

  /** Notes that the server compared the position. What is held of another epoch is out of date. */
  confirm() {
    this.isDoubtful = false;
    for (const [key, { position }] of this.#held) if (!this.continuesWith(position)) this.#held.delete(key);
  }

  /** Moves the position to the next message if it is held, and returns that. @returns {HeldPush | undefined} */
  takeNext() {
    const next = this.#next();
    if (next) {
      this.#held.delete(keyOf(next.position));
      this.position = next.position;
      this.deliveredBefore = undefined;
    }
    return next;
  }

  #next() {
    if (!this.position || this.held === 0) return undefined;
    const { epoch, offset } = this.position;
    if (epoch !== undefined) return this.#held.get(keyOf({ epoch, offset: offset + 1 }));
    return Array.from(this.#held.values()).find(({ position }) => position.offset === offset + 1);
  }

  /**
   * Returns the position before the first message held up to a position of the same epoch. `undefined` if none is held.
   *
   * @param {Position} position
   */
  positionBefore({ epoch, offset }) {
    const offsets = Array.from(this.#held.values(), ({ position }) => position)
      .filter((held) => held.epoch === epoch && held.offset <= offset)
      .map((held) => held.offset - 1);
    return offsets.length > 0 ? { epoch, offset: Math.min(...offsets) } : undefined;
  }

  /** The first position from which delivery can go on: before the first message held, or the last offset taken. */
  get resumesAt() {
    const positions = Array.from(this.#held.values(), ({ position }) => position);
    const last = positions.find((position) => this.continuesWith(position)) ?? positions.at(-1);
    const offsets = positions.filter(({ epoch }) => epoch === last?.epoch).map(({ offset }) => offset);
    if (last) return { ...last, offset: Math.min(...offsets) - 1 };
    return this.position && { ...this.position, offset: Math.max(this.#top, this.position.offset) };
  }

  /** Removes all held messages, and returns them in their order. */
  takeAll() {
    const held = Array.from(this.#held.values());
    this.#held.clear();
    return held.sort((one, other) => one.position.offset - other.position.offset);
  }
}

/** @param {Position} position */
function keyOf({ epoch, offset }) {
  return `${epoch} ${offset}`;
}
