/**
 * The list of events, newest first, each of which opens to its way.
 *
 * @module events-view
 */

import { byId, KeyedList, oncePerFrame, openRow } from './dom.js';
import { eventRow } from './event-row.js';
import { titleOf } from './way-summary.js';

/** @import { Way, Ways } from './ways.js' */

/** How many rows there are at first, and how many more each time. */
const ROWS = 100;

export class EventsView {
  #ways;
  #list;
  #rows = ROWS;
  /** What the list stands still at, while it is paused. @type {Way[] | undefined} */
  #held;
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
    const list = byId('events-list', HTMLOListElement);
    /** @type {KeyedList<Way>} */
    this.#list = new KeyedList(list, ({ eventId }) => eventId, () => eventRow(isForDeadLetters));
    this.#filter.addEventListener('input', this.request);
    this.#pause.addEventListener('click', () => {
      this.#hold(this.#held ? undefined : this.#ways.newestFirst);
      this.#render();
    });
    this.#more.addEventListener('click', () => {
      this.#rows += ROWS;
      this.#render();
    });
  }

  /** Something has changed. */
  request = oncePerFrame(() => this.#render());

  /** Shows the way of this event. @param {string} eventId */
  open(eventId) {
    this.#asked = eventId;
    this.#filter.value = '';
    if (!this.#held?.some((way) => way.eventId === eventId)) this.#hold(undefined);
    this.#render();
  }

  /** @param {Way[] | undefined} ways */
  #hold(ways) {
    this.#held = ways;
    this.#pause.setAttribute('aria-pressed', String(ways !== undefined));
  }

  #render() {
    const all = this.#held ?? this.#ways.newestFirst;
    const words = this.#filter.value.trim().toLowerCase();
    const matching = words === '' ? all : all.filter((way) => textOf(way).includes(words));
    const asked = matching.findIndex(({ eventId }) => eventId === this.#asked);
    if (asked >= this.#rows) this.#rows = asked + 1;
    this.#list.render(matching.slice(0, this.#rows));
    this.#empty.hidden = all.length > 0;
    this.#none.hidden = matching.length > 0 || all.length === 0;
    this.#more.hidden = matching.length <= this.#rows;
    if (asked < 0) return;
    openRow(this.#list.find(matching[asked].eventId));
    this.#asked = undefined;
  }
}

/** What the filter looks at. @param {Way} way */
function textOf(way) {
  const { kind, audience, content } = titleOf(way);
  return `${way.eventId} ${kind} ${audience} ${content}`.toLowerCase();
}
