/**
 * The list of events, newest first.
 *
 * @module events-view
 */

import { byId, KeyedList, oncePerFrame, openRow } from './dom.js';
import { eventRow } from './event-row.js';
import { titleOf } from './trace-summary.js';

/** @import { Step, Trace, Traces } from './traces.js' */

/** The number of rows at first, and the number that “Show more” adds. */
const ROWS = 100;

export class EventsView {
  #traces;
  #list;
  #rows = ROWS;
  /** The traces that the list shows while it is paused. @type {Trace[] | undefined} */
  #held;
  /** The event that the address names, until its row is open. @type {string | undefined} */
  #requested;
  #filter = byId('events-filter', HTMLInputElement);
  #pause = byId('events-pause', HTMLButtonElement);
  #more = byId('events-more', HTMLButtonElement);
  #empty = byId('events-empty', HTMLElement);
  #none = byId('events-none', HTMLElement);

  /**
   * @param {Traces} traces
   * @param {(queue: string) => boolean} isForDeadLetters
   */
  constructor(traces, isForDeadLetters) {
    this.#traces = traces;
    const list = byId('events-list', HTMLOListElement);
    /** @type {KeyedList<Trace>} */
    this.#list = new KeyedList(list, ({ eventId }) => eventId, () => eventRow(isForDeadLetters));
    this.#filter.addEventListener('input', this.request);
    this.#pause.addEventListener('click', () => {
      this.#hold(this.#held ? undefined : this.#traces.newestFirst);
      this.#render();
    });
    this.#more.addEventListener('click', () => {
      this.#rows += ROWS;
      this.#render();
    });
  }

  /** Requests a render. */
  request = oncePerFrame(() => this.#render());

  /** Opens the row of an event. @param {string} eventId */
  open(eventId) {
    this.#requested = eventId;
    this.#filter.value = '';
    if (!this.#held?.some((trace) => trace.eventId === eventId)) this.#hold(undefined);
    this.#render();
  }

  /** Shows the events of a connection only. @param {string} connectionId */
  narrow(connectionId) {
    this.#filter.value = connectionId;
    this.#hold(undefined);
    this.#render();
  }

  /** @param {Trace[] | undefined} traces */
  #hold(traces) {
    this.#held = traces;
    this.#pause.setAttribute('aria-pressed', String(traces !== undefined));
  }

  #render() {
    const all = this.#held ?? this.#traces.newestFirst;
    const query = this.#filter.value.trim().toLowerCase();
    const matching = query === '' ? all : all.filter((trace) => matches(trace, query));
    const requested = matching.findIndex(({ eventId }) => eventId === this.#requested);
    if (requested >= this.#rows) this.#rows = requested + 1;
    this.#list.render(matching.slice(0, this.#rows));
    this.#empty.hidden = all.length > 0;
    this.#none.hidden = matching.length > 0 || all.length === 0;
    this.#more.hidden = matching.length <= this.#rows;
    if (requested < 0) return;
    openRow(this.#list.find(matching[requested].eventId));
    this.#requested = undefined;
  }
}

/** Returns true if the trace, or a connection in it, has the text of the filter. @param {Trace} trace @param {string} query */
function matches(trace, query) {
  const { kind, audience, content } = titleOf(trace);
  const title = `${trace.eventId} ${kind} ${audience} ${content}`;
  return [title, ...trace.steps.map(connectionOf)].some((text) => text.toLowerCase().includes(query));
}

/** Returns the connection of a step with its user. @param {Step} step */
function connectionOf({ record }) {
  if (record.kind === 'request') return record.connectionId;
  return record.kind === 'post' ? `${record.connectionId} ${record.userId ?? ''}` : '';
}
