/**
 * The logs of audiences, that with the newest message first.
 *
 * @module logs-view
 */

import { byId, KeyedList, oncePerFrame, openRow, setText } from './dom.js';
import { count } from './format.js';
import { logRow } from './log-row.js';
import { readLogs } from './logs.js';
import { logTitle } from './positions.js';
import { Refresher } from './refresher.js';

/** @import { Stack } from './calls.js' */
/** @import { Log } from './logs.js' */

/** The most logs that are listed. */
const LISTED = 100;

export class LogsView {
  /** @type {Log[]} */
  #logs = [];
  #isCut = false;
  /** @type {string | undefined} */
  #table;
  /** The log that the address names, until its row is open. @type {string | undefined} */
  #requested;
  #refresher = new Refresher(() => this.#read());
  #view = byId('logs', HTMLElement);
  #filter = byId('logs-filter', HTMLInputElement);
  #error = byId('logs-error', HTMLElement);
  #empty = byId('logs-empty', HTMLElement);
  #note = byId('logs-note', HTMLElement);
  #list;

  constructor() {
    const list = byId('logs-list', HTMLOListElement);
    const table = () => this.#table ?? '';
    /** @type {KeyedList<Log>} */
    this.#list = new KeyedList(list, ({ name }) => name, () => logRow(table));
    this.#filter.addEventListener('input', this.#render);
  }

  /** @param {Stack} stack */
  show(stack) {
    this.#table = stack.tables.HistoryTable;
    setText(byId('logs-command', HTMLElement), COMMAND);
    this.request();
  }

  /** Requests that the logs are read again, if the view is visible. */
  request() {
    if (this.#table && this.#view.classList.contains('current')) this.#refresher.request();
  }

  /** Opens the row of a log. @param {string} name */
  open(name) {
    this.#requested = name;
    this.#filter.value = '';
    this.#render();
  }

  async #read() {
    try {
      const { logs, isCut } = await readLogs(this.#table ?? '');
      this.#logs = logs;
      this.#isCut = isCut;
      setText(this.#error, '');
    } catch (error) {
      setText(this.#error, `Could not read the logs: ${/** @type {Error} */ (error).message}`);
    }
    this.#render();
  }

  #render = oncePerFrame(() => {
    const query = this.#filter.value.trim().toLowerCase();
    const matching = this.#logs.filter(({ name, epoch }) => `${logTitle(name)} ${epoch}`.toLowerCase().includes(query));
    const requested = matching.find(({ name }) => name === this.#requested);
    const listed = matching.slice(0, LISTED);
    if (requested && !listed.includes(requested)) listed.push(requested);
    this.#list.render(listed);
    this.#empty.hidden = this.#logs.length > 0;
    setText(this.#note, this.#noteText(matching.length, listed.length));
    if (!requested) return;
    openRow(this.#list.find(requested.name));
    this.#requested = undefined;
  });

  /** @param {number} matching @param {number} listed */
  #noteText(matching, listed) {
    if (this.#logs.length > 0 && matching === 0) return 'No log matches the filter.';
    if (matching > listed) return `… and ${count(matching - listed, 'more log', 'more logs')}: use the filter.`;
    return this.#isCut ? 'The table has more logs than this page reads.' : '';
  }
}

/** The command that gives a log to everything. */
const COMMAND =
  `cargo run -p herald-local -- --parameter 'History={"**":{"messages":100,"seconds":600},` +
  `"$user":{"messages":100,"seconds":600},"$everyone":{"messages":20,"seconds":600}}'`;
