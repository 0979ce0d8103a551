/**
 * One frame of a client, as it is shown.
 *
 * @module frame-node
 */

import { frameWords } from './client-words.js';
import { element } from './dom.js';
import { indented, timeOfDay } from './format.js';

/** @import { Row } from './dom.js' */

/** @typedef {{ number: number, at: number, sent: boolean, text: string }} FrameSeen */

/** @param {FrameSeen} frame @returns {Row<FrameSeen>} */
export function frameRow({ at, sent, text }) {
  const direction = element('span', { class: sent ? 'sent' : 'received' }, sent ? '↑' : '↓');
  direction.append(element('span', { class: 'hidden-label' }, sent ? 'sent' : 'received'));
  const time = element('time', { class: 'mono soft wide' }, timeOfDay(at));
  const preview = element('span', { class: 'clipped' }, frameWords(text).slice(0, 300));
  const details = element('details', {}, element('summary', {}, direction, time, preview));
  details.addEventListener('toggle', () => {
    if (details.open && details.childElementCount === 1) details.append(element('pre', {}, indented(text)));
  });
  return { node: element('li', {}, details), update() {} };
}
