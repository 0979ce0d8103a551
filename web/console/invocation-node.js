/**
 * The outcome and the log of an invocation.
 *
 * @module invocation-node
 */

import { badge, element } from './dom.js';

/** @import { Invocation } from './records.js' */

const OUTCOMES = { ok: 'ok', error: 'error', timeout: 'timed out', crashed: 'crashed', refused: 'not run' };

/** @param {Invocation} invocation */
export function outcomeBadge({ outcome }) {
  return badge(outcome === 'ok' ? 'ok' : 'bad', OUTCOMES[outcome]);
}

/** @param {string[]} lines */
export function logNode(lines) {
  return element('pre', { class: 'log', tabindex: '0' }, lines.join('\n'));
}
