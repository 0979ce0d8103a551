/**
 * The list of events, newest first, each of which opens to its way.
 *
 * @module events-view
 */

import { badge, byId, element, KeyedList, oncePerFrame, setText } from './dom.js';
import { duration, timeOfDay } from './format.js';
import { stepNode } from './step-node.js';
import { groupsOf, lastedFor, outcomeOf, titleOf } from './way-summary.js';

/** @import { Row } from './dom.js' */
/** @import { Way, Ways } from './ways.js' */

/** How many rows there are at first, and how many more each time. */
const ROWS = 100;

export class EventsView {
  #ways;
  #isForDeadLetters;
  #list;
  #rows = ROWS;
  /** The event whose row the address asks for, until it has been shown. @type {string | undefined} */
  #asked;
  #filter = byId('events-filter', HTMLInputElement);
  #pause = byId('events-pause', HTMLButtonElement);
  #more = byId('events-more', HTMLButtonElement);
  #empty = byId('events-empty', HTMLElement);
  #none = byId('events-none', HTMLElement);

  /**
   * @param {Ways} ways
   * @param {(queue: string) => boolean} isForDeadLetters
   */
  constructor(ways, isForDeadLetters) {
    this.#ways = ways;
    this.#isForDeadLetters = isForDeadLetters;
    /** @type {KeyedList<Way>} */
    this.#list = new KeyedList(byId('events-list', HTMLOListElement), ({ eventId }) => eventId, () => this.#row());
    this.#filter.addEventListener('input', this.request);
    this.#pause.addEventListener('click', () => this.#togglePause());
    this.#more.addEventListener('click', () => {
      this.#rows += ROWS;
      this.#render();
    });
  }

  /** Something has changed. */
  request = oncePerFrame(() => {
    if (!this.#isPaused()) this.#render();
  });

  /** Shows the way of this event. @param {string} eventId */
  open(eventId) {
    this.#asked = eventId;
    this.#filter.value = '';
    this.#render();
  }

  #isPaused() {
    return this.#pause.getAttribute('aria-pressed') === 'true';
  }

  #togglePause() {
    this.#pause.setAttribute('aria-pressed', String(!this.#isPaused()));
    this.request();
  }

  #render() {
    const all = this.#ways.newestFirst;
    const words = this.#filter.value.trim().toLowerCase();
    const matching = words === '' ? all : all.filter((way) => textOf(way).includes(words));
    const asked = matching.findIndex(({ eventId }) => eventId === this.#asked);
    if (asked >= this.#rows) this.#rows = asked + 1;
    this.#list.render(matching.slice(0, this.#rows));
    this.#empty.hidden = all.length > 0;
    this.#none.hidden = matching.length > 0 || all.length === 0;
    this.#more.hidden = matching.length <= this.#rows;
    if (asked >= 0) this.#showAsked();
  }

  #showAsked() {
    const row = this.#list.find(this.#asked ?? '');
    this.#asked = undefined;
    const details = row?.querySelector('details');
    if (!details) return;
    details.open = true;
    details.scrollIntoView({ block: 'nearest' });
    details.querySelector('summary')?.focus({ preventScroll: true });
  }

  /** @returns {Row<Way>} */
  #row() {
    const time = element('time', { class: 'mono soft' });
    const kind = element('span', { class: 'kind' });
    const audience = element('span', { class: 'audience mono' });
    const content = element('span', { class: 'content mono soft' });
    const lasted = element('span', { class: 'mono soft lasted' });
    const outcome = element('span', { class: 'outcome' });
    const summary = element('summary', {}, time, kind, audience, outcome, lasted, content);
    const steps = element('ol', { class: 'steps' });
    const id = element('p', { class: 'soft small' });
    const details = element('details', {}, summary, id, steps);
    /** @type {Way | undefined} */
    let way;
    const shown = { row: -1, steps: -1 };
    const renderSteps = () => {
      if (!details.open || !way || shown.steps === way.changes) return;
      shown.steps = way.changes;
      steps.replaceChildren(...this.#steps(way));
    };
    details.addEventListener('toggle', renderSteps);
    /** @param {Way} item */
    const update = (item) => {
      way = item;
      const summed = this.#summaryKey(item);
      if (shown.row === summed) return;
      shown.row = summed;
      const title = titleOf(item);
      const { tone, words } = outcomeOf(item, this.#isForDeadLetters);
      setText(time, timeOfDay(item.steps[0].startedAt));
      setText(kind, title.kind);
      setText(audience, title.audience);
      setText(content, title.content.slice(0, 300));
      setText(lasted, duration(lastedFor(item)));
      setText(id, `eventId ${item.eventId}`);
      outcome.replaceChildren(badge(tone, words));
      renderSteps();
    };
    return { node: element('li', {}, details), update };
  }

  /** A way looks different when it has another step, or when the queues are known. @param {Way} way */
  #summaryKey(way) {
    const known = way.steps.some(({ record }) => record.kind === 'queued' && this.#isForDeadLetters(record.queue));
    return way.changes * 2 + Number(known);
  }

  /** @param {Way} way */
  #steps(way) {
    const nodes = groupsOf(way).map((group) => stepNode(group, way.steps[0].startedAt, this.#isForDeadLetters));
    if (way.leftOut > 0) nodes.push(element('li', {}, `… and ${way.leftOut} more steps, which are not kept`));
    return nodes;
  }
}

/** What the filter looks at. @param {Way} way */
function textOf(way) {
  const { kind, audience, content } = titleOf(way);
  return `${way.eventId} ${kind} ${audience} ${content}`.toLowerCase();
}
