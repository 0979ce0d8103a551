/**
 * The row of a frame: a preview that opens to the indented JSON.
 *
 * @module frame-node
 */

import { framePreview } from './client-text.js';
import { element } from './dom.js';
import { indented, timeOfDay } from './format.js';

/** @import { Row } from './dom.js' */

/** @typedef {{ number: number, at: number, sent: boolean, text: string }} LoggedFrame */

/** @param {LoggedFrame} frame @returns {Row<LoggedFrame>} */
export function frameRow({ at, sent, text }) {
  const direction = element('span', { class: sent ? 'sent' : 'received' }, sent ? '↑' : '↓');
  direction.append(element('span', { class: 'hidden-label' }, sent ? 'sent' : 'received'));
  const time = element('time', { class: 'mono soft wide' }, timeOfDay(at));
  const preview = element('span', { class: 'clipped' }, framePreview(text).slice(0, 300));
  const details = element('details', {}, element('summary', {}, direction, time, preview));
  details.addEventListener('toggle', () => {
    if (details.open && details.childElementCount === 1) details.append(element('pre', {}, indented(text)));
  });
  return { node: element('li', {}, details), update() {} };
}
