/**
 * The row of a message on a queue: a summary that opens to its body and its actions.
 *
 * @module message-row
 */

import { badge, button, confirmedButton, element, setText } from './dom.js';
import { count, indented, timeOfDay } from './format.js';

/** @import { Message } from './calls.js' */
/** @import { Row } from './dom.js' */

/** The actions of a dead letter. @typedef {Record<'replay' | 'remove', (message: Message) => void>} Actions */

const STATES = {
  visible: { tone: 'quiet', text: 'waiting' },
  inFlight: { tone: 'busy', text: 'in flight' },
  delayed: { tone: 'quiet', text: 'delayed' },
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
      const { tone, text } = STATES[newest.state];
      if (state.textContent !== text) state.replaceChildren(badge(tone, text));
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
  const replayButton = button('Replay', () => replay(message));
  replayButton.append(element('span', { class: 'hidden-label' }, ` ${about}`));
  const deleteButton = confirmedButton('Delete', 'Really delete?', about, () => remove(message));
  return element('p', { class: 'actions' }, replayButton, deleteButton);
}
