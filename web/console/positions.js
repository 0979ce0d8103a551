/**
 * Positions in logs, recoveries from them, and the names of logs, as texts.
 *
 * A log has the name of its audience: `entity#order-1`, `user#alice` or `everyone`. In the records of a connection, `user`
 * is the log of its own user.
 *
 * @module positions
 */

import { count } from './format.js';

/** @import { LogPosition, Recovery } from './records.js' */
/** @import { Tone } from './trace-summary.js' */

/** Returns a position as `herald tail --since` reads it. @param {LogPosition} position */
export function positionText({ epoch, offset }) {
  return epoch === null || epoch === undefined ? String(offset) : `${epoch}/${offset}`;
}

/** Returns the name of a log as people call it. @param {string} log */
export function logTitle(log) {
  const [kind, ...id] = log.split('#');
  if (kind === 'entity') return id.join('#');
  if (kind === 'user') return id.length > 0 ? `user ${id.join('#')}` : 'the user';
  return log;
}

/**
 * Returns the outcome of a recovery, and a sentence about it.
 *
 * @param {Recovery} recovery
 * @param {string} action the action of the request: `subscribe`, `sync` or `history`.
 * @returns {{ tone: Tone, outcome: string, text: string }}
 */
export function recoveryText({ log, since, recovered, messages, position, more }, action) {
  const title = logTitle(log);
  const from = since ? ` since ${positionText(since)}` : '';
  const rest = more ? ', more follow' : '';
  const now = position ? `, now at ${positionText(position)}${rest}` : '';
  const by = `(${action})`;
  if (recovered === false) return { tone: 'bad', outcome: 'lost', text: `messages of ${title}${from}${now} ${by}` };
  const outcome = recovered ? 'recovered' : 'read';
  return { tone: recovered ? 'ok' : 'quiet', outcome, text: `${count(messages, 'message')} of ${title}${from}${now} ${by}` };
}

/** Returns the position in a frame; `undefined` if it has none. @param {any} frame @returns {LogPosition | undefined} */
export function positionIn(frame) {
  if (typeof frame?.offset !== 'number') return undefined;
  return { epoch: typeof frame.epoch === 'string' ? frame.epoch : null, offset: frame.offset };
}
