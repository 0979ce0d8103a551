/**
 * The invocations of functions, newest first, with their logs.
 *
 * @module functions-view
 */

import { byId, element, KeyedList, oncePerFrame } from './dom.js';
import { count, duration, timeOfDay } from './format.js';
import { logNode, outcomeBadge } from './invocation-node.js';

/** @import { Row } from './dom.js' */
/** @import { Recent } from './recent.js' */
/** @import { Invocation } from './records.js' */

const ROWS = 100;

export class FunctionsView {
  #invocations;
  #rows = ROWS;
  /** @type {string | undefined} */
  #asked;
  #filter = byId('functions-filter', HTMLSelectElement);
  #empty = byId('functions-empty', HTMLElement);
  #more = byId('functions-more', HTMLButtonElement);
  /** @type {KeyedList<Invocation>} */
  #list = new KeyedList(byId('functions-list', HTMLOListElement), ({ requestId, number }) => `${requestId} ${number}`, row);

  /** @param {Recent<Invocation>} invocations */
  constructor(invocations) {
    this.#invocations = invocations;
    this.#filter.addEventListener('change', this.request);
    this.#more.addEventListener('click', () => {
      this.#rows += ROWS;
      this.request();
    });
  }

  /** Something has changed. */
  request = oncePerFrame(() => this.#render());

  /** @param {string[]} names of all functions of the stack. */
  offer(names) {
    const { value } = this.#filter;
    const options = names.map((name) => element('option', { value: name }, name));
    this.#filter.replaceChildren(element('option', { value: '' }, 'All functions'), ...options);
    this.#filter.value = names.includes(value) ? value : '';
  }

  /** Shows the invocation with this request id. @param {string} requestId */
  open(requestId) {
    this.#asked = requestId;
    this.#filter.value = '';
    this.#render();
  }

  #render() {
    const all = this.#invocations.newestFirst;
    const matching = all.filter((invocation) => ['', invocation.function].includes(this.#filter.value));
    const asked = matching.findIndex(({ requestId }) => requestId === this.#asked);
    this.#rows = Math.max(this.#rows, asked + 1);
    this.#list.render(matching.slice(0, this.#rows));
    this.#empty.hidden = all.length > 0;
    this.#more.hidden = matching.length <= this.#rows;
    if (asked >= 0) this.#showAsked(matching[asked]);
  }

  /** @param {Invocation} invocation */
  #showAsked({ requestId, number }) {
    this.#asked = undefined;
    const details = this.#list.find(`${requestId} ${number}`)?.querySelector('details');
    if (!details) return;
    details.open = true;
    details.scrollIntoView({ block: 'nearest' });
    details.querySelector('summary')?.focus({ preventScroll: true });
  }
}

/** @param {Invocation} invocation @returns {Row<Invocation>} */
function row(invocation) {
  const { at, milliseconds, function: name, queue, records = 0 } = invocation;
  const summary = element(
    'summary',
    {},
    element('time', { class: 'mono soft' }, timeOfDay(at - milliseconds)),
    element('span', { class: 'kind' }, name),
    element('span', { class: 'audience soft' }, queue === null ? '' : `${count(records, 'record')} of ${queue}`),
    element('span', { class: 'outcome' }, outcomeBadge(invocation)),
    element('span', { class: 'mono soft lasted' }, duration(milliseconds)),
  );
  const details = element('details', {}, summary);
  details.addEventListener('toggle', () => {
    if (details.open && details.childElementCount === 1) details.append(...contents(invocation));
  });
  return { node: element('li', {}, details), update() {} };
}

/** @param {Invocation} invocation @returns {Node[]} */
function contents({ requestId, error, eventIds, logs }) {
  const nodes = [element('p', { class: 'soft small' }, `request id ${requestId}`)];
  if (error) nodes.push(element('p', { class: 'error' }, error));
  if (eventIds.length > 0) nodes.push(element('p', {}, 'Events: ', ...eventIds.flatMap(eventLinks)));
  const log = logs.length > 0 ? logNode(logs) : element('p', { class: 'note' }, 'It logged nothing.');
  return [...nodes, log];
}

/** @param {string} eventId */
function eventLinks(eventId) {
  return [element('a', { class: 'mono', href: `#events/${encodeURIComponent(eventId)}` }, eventId), ' '];
}
