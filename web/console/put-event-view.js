/**
 * The form that puts an event.
 *
 * @module put-event-view
 */

import { putEvent } from './calls.js';
import { putCommand } from './commands.js';
import { byId, element } from './dom.js';
import { entryOf } from './event-entry.js';

/** @import { Errors, Fields } from './event-entry.js' */

/** The fields that are checked. Each has a paragraph for its error. */
const CHECKED = /** @type {const} */ (['entity', 'user', 'message', 'callback', 'source']);

export class PutEventView {
  #form = byId('put', HTMLFormElement);
  #kind = byId('put-kind', HTMLSelectElement);
  #message = byId('put-message', HTMLTextAreaElement);
  #result = byId('put-result', HTMLElement);
  #command = byId('put-command', HTMLElement);

  constructor() {
    this.#form.addEventListener('input', () => this.#check());
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#put();
    });
    this.#check();
  }

  #check() {
    this.#showFields();
    const { entry, errors } = entryOf(this.#fields());
    for (const name of CHECKED) this.#mark(name, errors);
    this.#command.textContent = entry ? putCommand(location.origin, entry) : '';
  }

  /** Shows the fields of the chosen kind of event, and no others. */
  #showFields() {
    for (const node of this.#form.querySelectorAll('[data-for]')) {
      const kinds = node.getAttribute('data-for')?.split(' ') ?? [];
      node.toggleAttribute('hidden', !kinds.includes(this.#kind.value));
    }
  }

  /** @param {typeof CHECKED[number]} name @param {Errors} errors */
  #mark(name, errors) {
    const error = byId(`put-${name}-error`, HTMLElement);
    error.textContent = errors[name] ?? '';
    error.hidden = errors[name] === undefined;
    const field = byId(`put-${name}`, HTMLElement);
    if (errors[name] === undefined) field.removeAttribute('aria-invalid');
    else field.setAttribute('aria-invalid', 'true');
  }

  async #put() {
    const { entry, errors } = entryOf(this.#fields());
    if (!entry) return this.#showErrors(errors);
    try {
      const eventId = await putEvent(entry);
      const key = this.#value('put-key');
      const link = element('a', { id: 'put-id', href: `#events/${encodeURIComponent(key || eventId)}` }, eventId);
      this.#result.replaceChildren('Event put, id ', link);
    } catch (error) {
      this.#result.textContent = `Event not put: ${/** @type {Error} */ (error).message}`;
    }
  }

  /** @param {Errors} errors */
  #showErrors(errors) {
    this.#result.textContent = 'Event not put: correct the marked fields.';
    const first = CHECKED.find((name) => errors[name] !== undefined);
    if (first) byId(`put-${first}`, HTMLElement).focus();
  }

  /** @returns {Fields} */
  #fields() {
    const format = new FormData(this.#form).get('put-format') === 'text' ? 'text' : 'json';
    return {
      kind: /** @type {Fields['kind']} */ (this.#kind.value),
      format,
      message: this.#message.value,
      entity: this.#value('put-entity'),
      user: this.#value('put-user'),
      reason: this.#value('put-reason'),
      source: this.#value('put-source'),
      callback: this.#value('put-callback'),
      key: this.#value('put-key'),
    };
  }

  /** @param {string} id */
  #value(id) {
    return byId(id, HTMLInputElement).value;
  }
}
