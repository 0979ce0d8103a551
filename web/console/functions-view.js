/**
 * The list of invocations, newest first.
 *
 * @module functions-view
 */

import { byId, element, KeyedList, oncePerFrame, openRow } from './dom.js';
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
  #requested;
  #filter = byId('functions-filter', HTMLSelectElement);
  #empty = byId('functions-empty', HTMLElement);
  #more = byId('functions-more', HTMLButtonElement);
  /** @type {KeyedList<Invocation>} */
  #list = new KeyedList(byId('functions-list', HTMLOListElement), keyOf, row);

  /** @param {Recent<Invocation>} invocations */
  constructor(invocations) {
    this.#invocations = invocations;
    this.#filter.addEventListener('change', this.request);
    this.#more.addEventListener('click', () => {
      this.#rows += ROWS;
      this.request();
    });
  }

  /** Requests a render. */
  request = oncePerFrame(() => this.#render());

  /** Sets the options of the filter. @param {string[]} names the functions of the stack. */
  setFunctions(names) {
    const { value } = this.#filter;
    const options = names.map((name) => element('option', { value: name }, name));
    this.#filter.replaceChildren(element('option', { value: '' }, 'All functions'), ...options);
    this.#filter.value = names.includes(value) ? value : '';
  }

  /** Opens the row of an invocation. @param {string} requestId */
  open(requestId) {
    this.#requested = requestId;
    this.#filter.value = '';
    this.#render();
  }

  #render() {
    const all = this.#invocations.newestFirst;
    const matching = all.filter((invocation) => ['', invocation.function].includes(this.#filter.value));
    const requested = matching.findIndex(({ requestId }) => requestId === this.#requested);
    this.#rows = Math.max(this.#rows, requested + 1);
    this.#list.render(matching.slice(0, this.#rows));
    this.#empty.hidden = all.length > 0;
    this.#more.hidden = matching.length <= this.#rows;
    if (requested < 0) return;
    openRow(this.#list.find(keyOf(matching[requested])));
    this.#requested = undefined;
  }
}

/** Returns a key, which is not the request id, since not every invocation has one. @param {Invocation} invocation */
function keyOf({ number }) {
  return String(number);
}

/** @param {Invocation} invocation @returns {Row<Invocation>} */
function row(invocation) {
  const { at, milliseconds, function: name, queue, records } = invocation;
  const summary = element(
    'summary',
    {},
    element('time', { class: 'mono soft' }, timeOfDay(at - milliseconds)),
    element('span', { class: 'kind' }, name),
    element('span', { class: 'audience soft' }, queue === null ? '' : `${count(records ?? 0, 'record')} of ${queue}`),
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
  const id = requestId ? `request id ${requestId}` : 'no request id';
  const nodes = [element('p', { class: 'soft small' }, id)];
  if (error) nodes.push(element('p', { class: 'error' }, error));
  if (eventIds.length > 0) nodes.push(element('p', {}, 'Events: ', ...eventIds.flatMap(eventLinks)));
  const log = logs.length > 0 ? logNode(logs) : element('p', { class: 'note' }, 'No log output.');
  return [...nodes, log];
}

/** @param {string} eventId */
function eventLinks(eventId) {
  return [element('a', { class: 'mono', href: `#events/${encodeURIComponent(eventId)}` }, eventId), ' '];
}
