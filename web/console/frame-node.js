/**
 * The row of a frame: a preview that opens to the members that it tells of, and the indented JSON.
 *
 * @module frame-node
 */

import { framePreview, parsed } from './client-text.js';
import { element } from './dom.js';
import { indented, timeOfDay } from './format.js';
import { presencesIn } from './presence-frame.js';
import { presenceNodes } from './presence-nodes.js';

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
    if (!details.open || details.childElementCount > 1) return;
    details.append(...presencesIn(parsed(text)).flatMap(presenceNodes), element('pre', {}, indented(text)));
  });
  return { node: element('li', {}, details), update() {} };
}
