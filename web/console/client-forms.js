/**
 * The forms of a client: one to subscribe, one to send.
 *
 * @module client-forms
 */

import { element, setText } from './dom.js';
import { isJson } from './format.js';

/**
 * A message to its target, or a frame that is sent as is.
 *
 * @typedef {{ frame: string } | { target: { entityId?: string, broadcast?: true }, message: unknown }} ToSend
 */

/**
 * @param {string} id the id of the field.
 * @param {(entity: string, withPresence: boolean) => void} subscribe
 */
export function subscribeForm(id, subscribe) {
  const entity = entityInput(id);
  const presence = element('input', { type: 'checkbox' });
  const form = element(
    'form',
    { class: 'inline', autocomplete: 'off' },
    field('Entity', entity, 'grow'),
    element('label', { class: 'check' }, presence, 'Presence'),
    element('button', {}, 'Subscribe'),
  );
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    subscribe(entity.value, presence.checked);
  });
  return form;
}

/**
 * @param {string} id the prefix of the ids of the fields.
 * @param {(toSend: ToSend) => void} send
 */
export function sendForm(id, send) {
  const options = TARGETS.map(([value, label]) => element('option', { value }, label));
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
    send(toSend(target.value, entity.value, message.value));
  });
  explain();
  return form;
}

/** @type {[string, string][]} */
const TARGETS = [
  ['entity', 'to an entity'],
  ['everyone', 'to everyone'],
  ['back', 'back to this client'],
  ['frame', 'a raw frame'],
];

/** @param {string} target @param {string} entityId @param {string} text @returns {ToSend} */
function toSend(target, entityId, text) {
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
  if (target === 'frame') return 'Sent to the server as is.';
  return isJson(text) ? 'Sent as JSON.' : 'Not JSON, so sent as a string.';
}

/** @param {string} id */
function entityInput(id) {
  return element('input', { id, value: 'order-1', spellcheck: 'false', autocapitalize: 'off' });
}

/** @param {string} label @param {HTMLElement} control @param {string} [kind] */
function field(label, control, kind = '') {
  return element('label', { class: `field ${kind}`, for: control.id }, element('span', {}, label), control);
}
