/**
 * The connections with their subscriptions, and the history of connects, disconnects and refusals.
 *
 * @module connections-view
 */

import { closeConnection, readConnections, readSubscriptions } from './calls.js';
import { badge, byId, confirmedButton, element, KeyedList, oncePerFrame, setText } from './dom.js';
import { timeOfDay } from './format.js';
import { Recent } from './recent.js';
import { Refresher } from './refresher.js';

/** @import { Connection, Stack } from './calls.js' */
/** @import { Row } from './dom.js' */
/** @import { ActivityRecord, Connected, Disconnected, Refused } from './records.js' */

/** @typedef {Connection & { entities: string[] }} Shown */

/** @typedef {Connected | Disconnected | Refused} Traffic */

/** The most connections, and the most lines of the history. */
const ROWS = 200;

export class ConnectionsView {
  /** @type {Shown[]} */
  #connections = [];
  /** @type {string | undefined} */
  #table;
  /** @type {Recent<Traffic>} */
  #traffic = new Recent(ROWS);
  #refresher = new Refresher(() => this.#read());
  #error = byId('connections-error', HTMLElement);
  #empty = byId('connections-empty', HTMLElement);
  #count = byId('connection-count', HTMLElement);
  #trafficEmpty = byId('traffic-empty', HTMLElement);
  #cards;
  /** @type {KeyedList<Traffic>} */
  #lines = new KeyedList(byId('traffic-list', HTMLOListElement), ({ number }) => String(number), line);

  constructor() {
    const list = byId('connections-list', HTMLUListElement);
    /** @type {KeyedList<Shown>} */
    this.#cards = new KeyedList(list, ({ connectionId }) => connectionId, (shown) => this.#card(shown));
  }

  /** @param {Stack} stack */
  show(stack) {
    this.#table = stack.tables.Table;
    this.#refresher.request();
  }

  /** Forgets the history. */
  clear() {
    this.#traffic.clear();
    this.#render();
  }

  /** @param {ActivityRecord} record */
  add(record) {
    if (record.kind === 'connected' || record.kind === 'disconnected' || record.kind === 'refused') {
      this.#traffic.add(record);
      this.#render();
    } else if (record.kind !== 'request') {
      return;
    }
    this.#refresher.request();
  }

  async #read() {
    try {
      const connections = await readConnections();
      const subscriptions = this.#table ? await readSubscriptions(this.#table) : new Map();
      this.#connections = connections.map((connection) => {
        return { ...connection, entities: subscriptions.get(connection.connectionId) ?? [] };
      });
      setText(this.#error, '');
    } catch (error) {
      setText(this.#error, `Could not read the connections: ${/** @type {Error} */ (error).message}`);
    }
    this.#render();
  }

  #render = oncePerFrame(() => {
    const connections = this.#connections;
    this.#cards.render(connections.slice(-ROWS).reverse());
    this.#empty.hidden = connections.length > 0;
    this.#count.hidden = connections.length === 0;
    setText(this.#count, String(connections.length));
    const traffic = this.#traffic.newestFirst;
    this.#lines.render(traffic);
    this.#trafficEmpty.hidden = traffic.length > 0;
  });

  /** @param {Shown} shown @returns {Row<Shown>} */
  #card({ connectionId, userId, sourceIp, userAgent, connectedAt }) {
    const since = timeOfDay(connectedAt);
    const active = element('span');
    const entities = element('p', { class: 'chips' });
    const close = () => void this.#close(connectionId);
    const node = element(
      'li',
      { class: 'card' },
      element(
        'div',
        { class: 'bar' },
        element('strong', { class: 'grow' }, userId ?? 'anonymous'),
        confirmedButton('Close', 'Really close?', connectionId, close),
      ),
      element('p', {}, element('code', {}, connectionId)),
      element('p', { class: 'soft small' }, `since ${since}, last active `, active, `, from ${sourceIp}`),
      userAgent ? element('p', { class: 'soft small clipped' }, userAgent) : null,
      entities,
    );
    /** @type {string | undefined} */
    let known;
    return {
      node,
      update(shown) {
        setText(active, timeOfDay(shown.lastActiveAt));
        const names = shown.entities.join('\n');
        if (names === known) return;
        known = names;
        entities.replaceChildren(...subscriptionNodes(shown.entities));
      },
    };
  }

  /** @param {string} connectionId */
  async #close(connectionId) {
    try {
      await closeConnection(connectionId);
      // The button, which has the focus, is removed with its connection.
      byId('connections-heading', HTMLElement).focus({ preventScroll: true });
    } catch (error) {
      setText(this.#error, `Connection ${connectionId} was not closed: ${/** @type {Error} */ (error).message}`);
    }
    this.#refresher.request();
  }
}

/** @param {string[]} entities */
function subscriptionNodes(entities) {
  if (entities.length === 0) return [element('span', { class: 'soft small' }, 'no subscriptions')];
  return entities.map((entity) => element('span', { class: 'chip mono' }, entity));
}

/** @param {Traffic} record @returns {Row<Traffic>} */
function line(record) {
  const node = element('li', {}, element('time', { class: 'mono soft' }, timeOfDay(record.at)), ...lineNodes(record));
  return { node, update() {} };
}

/** @param {Traffic} record @returns {Node[]} */
function lineNodes(record) {
  switch (record.kind) {
    case 'connected':
      return [badge('ok', 'connected'), text(record.userId ?? 'anonymous'), element('code', {}, record.connectionId)];
    case 'disconnected':
      return [badge('quiet', 'disconnected'), element('code', {}, record.connectionId), text(endText(record))];
    case 'refused':
      return [badge('bad', `refused ${record.status}`), text(`from ${record.sourceIp}`)];
  }
}

/** @param {Disconnected} record */
function endText({ code, reason }) {
  return reason ? `${code}: ${reason}` : String(code);
}

/** @param {string} content */
function text(content) {
  return element('span', {}, content);
}
