/**
 * The row of a log: a summary that opens to its facts and its newest messages.
 *
 * @module log-row
 */

import { framePreview } from './client-text.js';
import { badge, element, KeyedList, setText } from './dom.js';
import { count, duration, indented, timeOfDay, timeToSecond } from './format.js';
import { readRows, ROWS } from './logs.js';
import { logTitle, positionText } from './positions.js';

/** @import { Row } from './dom.js' */
/** @import { Log, LogRow } from './logs.js' */

/** @param {() => string} table @returns {Row<Log>} */
export function logRow(table) {
  const line = lineRow();
  const facts = element('dl', { class: 'facts' });
  const error = element('p', { class: 'error', role: 'status' });
  const list = element('ol', { class: 'frames' });
  const note = element('p', { class: 'note small' });
  const details = element('details', {}, line.node, facts, error, list, note);
  /** @type {KeyedList<LogRow>} */
  const rows = new KeyedList(list, ({ offset, at }) => `${offset} ${at}`, messageRow);
  /** @type {Log | undefined} */
  let log;
  let shown = '';
  const showContents = async () => {
    if (!log || !details.open || shown === stateOf(log)) return;
    const reading = log;
    shown = stateOf(reading);
    facts.replaceChildren(...factNodes(reading));
    try {
      const read = await readRows(table(), reading);
      rows.render(read);
      setText(error, '');
      setText(note, noteOf(reading, read));
    } catch (failure) {
      shown = '';
      setText(error, `Could not read the messages: ${/** @type {Error} */ (failure).message}`);
    }
  };
  details.addEventListener('toggle', () => void showContents());
  return {
    node: element('li', {}, details),
    update(newest) {
      log = newest;
      line.update(newest);
      void showContents();
    },
  };
}

/** @returns {Row<Log>} */
function lineRow() {
  const time = element('time', { class: 'mono soft' });
  const name = element('span', { class: 'kind' });
  const position = element('span', { class: 'audience mono' });
  const kept = element('span', { class: 'outcome' });
  return {
    node: element('summary', {}, time, name, position, kept),
    update(log) {
      setText(time, timeOfDay(log.at));
      setText(name, logTitle(log.name));
      setText(position, positionText({ epoch: log.epoch, offset: log.top }));
      if (kept.textContent !== keptText(log)) kept.replaceChildren(badge('quiet', keptText(log)));
    },
  };
}

/** @param {Log} log */
function factNodes(log) {
  const facts = {
    Epoch: log.epoch,
    Top: String(log.top),
    Began: timeOfDay(log.madeAt),
    'Last message': timeOfDay(log.at),
    'Head expires': dateAndTime(log.expiresAt),
  };
  return Object.entries(facts).flatMap(([name, value]) => {
    return [element('dt', {}, name), element('dd', { class: 'mono' }, value)];
  });
}

/** @param {LogRow} row @returns {Row<LogRow>} */
function messageRow({ offset, at, expiresAt, frame }) {
  const preview = frame === null ? 'no message: this offset was filled' : framePreview(frame).slice(0, 300);
  const details = element(
    'details',
    {},
    element(
      'summary',
      {},
      element('span', { class: 'mono' }, String(offset)),
      element('time', { class: 'mono soft wide' }, timeOfDay(at)),
      element('span', { class: 'clipped' }, preview),
    ),
  );
  details.addEventListener('toggle', () => {
    if (!details.open || details.childElementCount > 1) return;
    const expiry = `Stored at ${timeOfDay(at)}, expires at ${dateAndTime(expiresAt)}.`;
    details.append(element('p', { class: 'soft small' }, expiry));
    if (frame !== null) details.append(element('pre', {}, indented(frame)));
  });
  return { node: element('li', {}, details), update() {} };
}

/** @param {Log} log @param {LogRow[]} rows */
function noteOf(log, rows) {
  const isTopMissing = log.kept > 0 && rows[0]?.offset !== log.top;
  if (rows.length === 0) return 'No message is stored: all have expired, or the first is on its way.';
  if (isTopMissing) return `Offset ${log.top} is taken, and its message is not stored yet.`;
  return rows.length === ROWS ? `The newest ${count(ROWS, 'message')}.` : '';
}

/** @param {Log} log */
function keptText({ kept }) {
  return kept === 0 ? 'last message' : `kept for ${duration(kept * 1000)}`;
}

/** Returns a text that differs when the contents have to be read again. @param {Log} log */
function stateOf({ epoch, top, at }) {
  return `${epoch} ${top} ${at}`;
}

/** @param {number} at epoch milliseconds. */
function dateAndTime(at) {
  const date = new Date(at);
  const day = date.toLocaleDateString('en-CA');
  return `${day} ${timeToSecond(at)}`;
}
