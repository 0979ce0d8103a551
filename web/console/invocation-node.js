/**
 * What views show of a function's invocation.
 *
 * @module invocation-node
 */

import { badge, element } from './dom.js';

/** @import { Invocation } from './records.js' */

const WORDS = { ok: 'ok', error: 'error', timeout: 'timed out', crashed: 'crashed' };

/** @param {Invocation} invocation */
export function outcomeBadge({ outcome }) {
  return badge(outcome === 'ok' ? 'ok' : 'bad', WORDS[outcome] ?? outcome);
}

/** @param {string[]} lines */
export function logNode(lines) {
  return element('pre', { class: 'log', tabindex: '0' }, lines.join('\n'));
}
