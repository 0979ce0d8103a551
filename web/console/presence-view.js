/**
 * The members of each entity with presence, entities with members first.
 *
 * @module presence-view
 */

import { readConnections } from './calls.js';
import { byId, KeyedList, oncePerFrame, openRow, setText } from './dom.js';
import { count } from './format.js';
import { PresenceFrames } from './presence-frames.js';
import { presenceRow } from './presence-row.js';
import { LISTED, readMembers, readSets } from './presence.js';
import { Refresher } from './refresher.js';

/** @import { Stack } from './calls.js' */
/** @import { Presence } from './presence-row.js' */
/** @import { MemberSet } from './presence.js' */
/** @import { ActivityRecord } from './records.js' */

/** The most entities that are listed, and whose members are read. */
const ENTITIES = 50;

/** The command that gives presence to some entities. */
const COMMAND = `cargo run -p herald-local -- --parameter 'Presence={"room-*":{}}'`;

export class PresenceView {
  /** @type {Omit<Presence, 'frames'>[]} */
  #listed = [];
  #frames = new PresenceFrames();
  /** @type {string | undefined} */
  #table;
  /** The entity that the address names, until its row is open. @type {string | undefined} */
  #requested;
  #refresher = new Refresher(() => this.#read());
  #view = byId('presence', HTMLElement);
  #filter = byId('presence-filter', HTMLInputElement);
  #error = byId('presence-error', HTMLElement);
  #empty = byId('presence-empty', HTMLElement);
  #note = byId('presence-note', HTMLElement);
  /** @type {KeyedList<Presence>} */
  #list = new KeyedList(byId('presence-list', HTMLOListElement), ({ entity }) => entity, presenceRow);

  constructor() {
    this.#filter.addEventListener('input', () => this.request());
  }

  /** @param {Stack} stack */
  show(stack) {
    this.#table = stack.tables.Table;
    setText(byId('presence-command', HTMLElement), COMMAND);
    setText(byId('presence-policies', HTMLElement), stack.presence ?? '{}');
    this.request();
  }

  /** Forgets the frames. */
  clear() {
    this.#frames.clear();
  }

  /** @param {ActivityRecord} record */
  add(record) {
    if (record.kind === 'post') this.#frames.add(record);
    this.request();
  }

  /** Requests that the members are read again, if the view is visible. */
  request() {
    if (this.#table && this.#view.classList.contains('current')) this.#refresher.request();
  }

  /** Opens the row of an entity. @param {string} entity */
  open(entity) {
    this.#requested = entity;
    this.#filter.value = '';
    this.request();
  }

  async #read() {
    const table = this.#table ?? '';
    try {
      const { sets, isCut } = await readSets(table);
      const matching = this.#matching(sets);
      const listed = matching.slice(0, ENTITIES);
      const members = await Promise.all(listed.map((set) => (set.count > LISTED ? null : readMembers(table, set.entity))));
      // After the members, so that the connection of each is known.
      const open = new Set((await readConnections()).map(({ connectionId }) => connectionId));
      this.#listed = listed.map((set, index) => ({ ...set, members: members[index], open }));
      this.#empty.hidden = sets.length > 0;
      setText(this.#note, noteText(sets.length, matching.length, isCut));
      setText(this.#error, '');
    } catch (error) {
      setText(this.#error, `Could not read the members: ${/** @type {Error} */ (error).message}`);
    }
    this.#render();
  }

  #render = oncePerFrame(() => {
    this.#list.render(this.#listed.map((set) => ({ ...set, frames: this.#frames.of(set.entity) })));
    const row = this.#requested === undefined ? undefined : this.#list.find(this.#requested);
    if (!row) return;
    openRow(row);
    this.#requested = undefined;
  });

  /** Returns the sets that the filter matches, in order. @param {MemberSet[]} sets */
  #matching(sets) {
    const query = this.#filter.value.trim().toLowerCase();
    const rank = (/** @type {MemberSet} */ { entity, count: members }) => {
      if (entity === this.#requested) return 0;
      return members > 0 ? 1 : 2;
    };
    const matching = sets.filter(({ entity }) => entity.toLowerCase().includes(query));
    return matching.sort((one, other) => rank(one) - rank(other) || (one.entity < other.entity ? -1 : 1));
  }
}

/** @param {number} sets @param {number} matching @param {boolean} isCut */
function noteText(sets, matching, isCut) {
  if (sets > 0 && matching === 0) return 'No entity matches the filter.';
  if (matching > ENTITIES) return `… and ${count(matching - ENTITIES, 'more entity', 'more entities')}: use the filter.`;
  return isCut ? 'The table has more entities than this page reads.' : '';
}
