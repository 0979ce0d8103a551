/**
 * Positions in logs, as frames have them.
 *
 * @module positions
 */

/** @import { Position } from '../../herald-client.js' */
/** @import { Frame } from './signals.js' */

/**
 * Returns the position that a frame has. `undefined` if it has none: its audience has no log.
 *
 * @param {Frame} frame
 * @returns {Position | undefined}
 */
export function positionOf({ epoch, offset }) {
  if (!Number.isSafeInteger(offset) || offset < 0) return undefined;
  return typeof epoch === 'string' ? { epoch, offset } : { offset };
}

/**
 * Returns the position of a message in its log. `undefined` if it has none.
 *
 * @param {Frame} frame
 */
export function positionOfMessage(frame) {
  const position = positionOf(frame);
  return position?.epoch !== undefined && position.offset > 0 ? position : undefined;
}

/** @param {Position | undefined} one @param {Position | undefined} other */
export function isSame(one, other) {
  return one?.epoch === other?.epoch && one?.offset === other?.offset;
}
