/**
 * The forms of a client in the page: to subscribe, and to send.
 *
 * @module client-forms
 */

import { element, setText } from './dom.js';
import { isJson } from './format.js';

/**
 * What is to be sent: a message to whoever `target` says, or a frame as it stands there.
 *
 * @typedef {{ frame: string } | { target: { entityId?: string, broadcast?: true }, message: unknown }} ToSend
 */

/**
 * @param {string} id of the form's field.
 * @param {(entity: string) => void} subscribe
 */
export function subscribeForm(id, subscribe) {
  const entity = entityInput(id);
  const form = element(
    'form',
    { class: 'inline', autocomplete: 'off' },
    field('Entity', entity, 'grow'),
    element('button', {}, 'Subscribe'),
  );
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    subscribe(entity.value);
  });
  return form;
}

/**
 * @param {string} id what the ids of its fields begin with.
 * @param {(what: ToSend) => void} send
 */
export function sendForm(id, send) {
  const options = TARGETS.map(([value, words]) => element('option', { value }, words));
  const target = element('select', { id: `${id}-target` }, ...options);
  const entity = entityInput(`${id}-entity`);
  const described = { rows: '2', spellcheck: 'false', 'aria-describedby': `${id}-hint` };
  const message = element('textarea', { id: `${id}-message`, ...described }, 'Hello');
  const hint = element('p', { class: 'hint', id: `${id}-hint` });
  const entityField = field('Entity', entity, 'grow');
  const form = element(
    'form',
    { autocomplete: 'off' },
    element('div', { class: 'inline' }, field('Send', target, 'grow'), entityField),
    field('Message', message),
    hint,
    element('button', {}, 'Send'),
  );
  const explain = () => {
    entityField.hidden = target.value !== 'entity';
    setText(hint, hintOf(target.value, message.value));
  };
  form.addEventListener('input', explain);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    send(whatToSend(target.value, entity.value, message.value));
  });
  explain();
  return form;
}

/** @type {[string, string][]} */
const TARGETS = [
  ['entity', 'to an entity'],
  ['everyone', 'to everyone'],
  ['back', 'back to this client'],
  ['frame', 'a frame, as it is'],
];

/** @param {string} target @param {string} entityId @param {string} text @returns {ToSend} */
function whatToSend(target, entityId, text) {
  const message = isJson(text) ? JSON.parse(text) : text;
  switch (target) {
    case 'frame':
      return { frame: text };
    case 'entity':
      return { target: { entityId }, message };
    case 'everyone':
      return { target: { broadcast: true }, message };
    default:
      return { target: {}, message };
  }
}

/** @param {string} target @param {string} text */
function hintOf(target, text) {
  if (target === 'frame') return 'Goes to the server as it is, to see what it answers.';
  return isJson(text) ? 'Goes as JSON.' : 'Not JSON: goes as a text.';
}

/** @param {string} id */
function entityInput(id) {
  return element('input', { id, value: 'order-1', spellcheck: 'false', autocapitalize: 'off' });
}

/** @param {string} label @param {HTMLElement} control @param {string} [kind] */
function field(label, control, kind = '') {
  return element('label', { class: `field ${kind}`, for: control.id }, element('span', {}, label), control);
}
