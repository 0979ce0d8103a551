/**
 * One message of a queue: a line about it, which opens to its body, and to what can be done with it.
 *
 * @module message-row
 */

import { badge, button, confirmedButton, element, setText } from './dom.js';
import { count, indented, timeOfDay } from './format.js';

/** @import { Message } from './calls.js' */
/** @import { Row } from './dom.js' */

/** What can be done with a dead letter. @typedef {Record<'replay' | 'remove', (message: Message) => void>} Actions */

const STATES = {
  visible: { tone: 'quiet', words: 'waits' },
  inFlight: { tone: 'busy', words: 'in flight' },
  delayed: { tone: 'quiet', words: 'delayed' },
};

/** @param {Message} message @param {Actions | null} actions @returns {Row<Message>} */
export function messageRow(message, actions) {
  const { body, messageId, sentAt } = message;
  const { Reason: reason, ...attributes } = message.attributes;
  const state = element('span', { class: 'outcome' });
  const received = element('span', { class: 'soft lasted small' });
  const summary = element(
    'summary',
    {},
    element('time', { class: 'mono soft' }, timeOfDay(sentAt)),
    element('span', { class: 'kind' }, reason ?? attributes.ERROR_CODE ?? 'Message'),
    state,
    received,
  );
  const details = element(
    'details',
    {},
    summary,
    element('dl', { class: 'facts' }, ...factNodes(attributes), ...factNodes({ messageId })),
    element('pre', {}, indented(body)),
    actions && actionsNode(message, actions),
  );
  return {
    node: element('li', {}, details),
    update(newest) {
      const { tone, words } = STATES[newest.state];
      if (state.textContent !== words) state.replaceChildren(badge(tone, words));
      setText(received, newest.receiveCount === 0 ? '' : `received ${count(newest.receiveCount, 'time')}`);
    },
  };
}

/** @param {Record<string, string>} facts */
function factNodes(facts) {
  return Object.entries(facts).flatMap(([name, value]) => {
    return [element('dt', {}, name), element('dd', { class: 'mono' }, value)];
  });
}

/** @param {Message} message @param {Actions} actions */
function actionsNode(message, { replay, remove }) {
  const about = `message ${message.messageId}`;
  const again = button('Replay', () => replay(message));
  again.append(element('span', { class: 'hidden-label' }, ` ${about}`));
  const away = confirmedButton('Delete', 'Really delete?', about, () => remove(message));
  return element('p', { class: 'actions' }, again, away);
}
