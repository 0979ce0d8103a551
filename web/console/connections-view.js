/**
 * The connections with their subscriptions and positions, and the history of connects, recoveries, disconnects and
 * refusals.
 *
 * @module connections-view
 */

import { closeConnection, readConnections, readSubscriptions } from './calls.js';
import { badge, byId, confirmedButton, element, KeyedList, oncePerFrame, setText } from './dom.js';
import { timeOfDay } from './format.js';
import { positionText, recoveryText } from './positions.js';
import { Recent } from './recent.js';
import { Refresher } from './refresher.js';

/** @import { Connection, Stack } from './calls.js' */
/** @import { Row } from './dom.js' */
/** @import { ActivityRecord, ClientRequest, Connected, Disconnected, LogPosition, Refused } from './records.js' */

/** An entity that a connection is subscribed to, and the position of the last push to it. */
/** @typedef {{ entity: string, position: LogPosition | undefined }} Followed */

/** @typedef {Connection & { entities: Followed[] }} Shown */

/** @typedef {Connected | Disconnected | Refused | ClientRequest} Traffic */

/** The most connections, and the most lines of the history. */
const ROWS = 200;

export class ConnectionsView {
  /** @type {Connection[]} */
  #connections = [];
  /** The entities of each connection. @type {Map<string, string[]>} */
  #subscriptions = new Map();
  /** @type {string | undefined} */
  #table;
  /** @type {Recent<Traffic>} */
  #traffic = new Recent(ROWS);
  /** The positions of connections in logs. @type {Map<string, Map<string, LogPosition>>} */
  #positions = new Map();
  /** The connection that the address names, until its card has the focus. @type {string | undefined} */
  #requested;
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

  /** Moves to the card of a connection. @param {string} connectionId */
  open(connectionId) {
    this.#requested = connectionId;
    this.#render();
  }

  /** Forgets the history. */
  clear() {
    this.#traffic.clear();
    this.#positions.clear();
    this.#render();
  }

  /** @param {ActivityRecord} record */
  add(record) {
    this.#follow(record);
    if (isTraffic(record)) this.#traffic.add(record);
    if (record.kind === 'post' || isTraffic(record)) this.#render();
    if (record.kind === 'request' || isTraffic(record)) this.#refresher.request();
  }

  /** Follows the positions of connections. @param {ActivityRecord} record */
  #follow(record) {
    if (record.kind === 'disconnected') this.#positions.delete(record.connectionId);
    if (record.kind === 'post' && record.position && record.status === 200) {
      this.#moveTo(record.connectionId, record.position.log, record.position);
    }
    if (record.kind !== 'request') return;
    for (const { log, position } of record.recoveries ?? []) {
      // A reply to `history` is not the connection's position: it may read any part of the log.
      if (position && record.routeKey !== 'history') this.#moveTo(record.connectionId, log, position);
    }
  }

  /** @param {string} connectionId @param {string} log @param {LogPosition} position */
  #moveTo(connectionId, log, position) {
    const positions = this.#positions.get(connectionId) ?? new Map();
    this.#positions.set(connectionId, positions.set(log, position));
  }

  async #read() {
    try {
      const connections = await readConnections();
      const subscriptions = this.#table ? await readSubscriptions(this.#table) : new Map();
      this.#connections = connections;
      this.#subscriptions = subscriptions;
      setText(this.#error, '');
    } catch (error) {
      setText(this.#error, `Could not read the connections: ${/** @type {Error} */ (error).message}`);
    }
    this.#render();
  }

  #render = oncePerFrame(() => {
    const connections = this.#connections;
    this.#cards.render(connections.slice(-ROWS).reverse().map((connection) => this.#shown(connection)));
    this.#empty.hidden = connections.length > 0;
    this.#count.hidden = connections.length === 0;
    setText(this.#count, String(connections.length));
    const traffic = this.#traffic.newestFirst;
    this.#lines.render(traffic);
    this.#trafficEmpty.hidden = traffic.length > 0;
    this.#moveToRequested();
  });

  #moveToRequested() {
    const card = this.#requested === undefined ? undefined : this.#cards.find(this.#requested);
    if (!(card instanceof HTMLElement)) return;
    card.scrollIntoView({ block: 'nearest' });
    card.focus({ preventScroll: true });
    this.#requested = undefined;
  }

  /** @param {Connection} connection @returns {Shown} */
  #shown(connection) {
    const positions = this.#positions.get(connection.connectionId);
    const entities = (this.#subscriptions.get(connection.connectionId) ?? []).map((entity) => {
      return { entity, position: positions?.get(`entity#${entity}`) };
    });
    return { ...connection, entities };
  }

  /** @param {Shown} shown @returns {Row<Shown>} */
  #card({ connectionId, userId, sourceIp, userAgent, connectedAt }) {
    const since = timeOfDay(connectedAt);
    const active = element('span');
    const entities = element('p', { class: 'chips' });
    const close = () => void this.#close(connectionId);
    const href = `#events/connection/${encodeURIComponent(connectionId)}`;
    const about = element('span', { class: 'hidden-label' }, ` of ${connectionId}`);
    const node = element(
      'li',
      { class: 'card', tabindex: '-1' },
      element(
        'div',
        { class: 'bar' },
        element('strong', { class: 'grow' }, userId ?? 'anonymous'),
        element('a', { href }, 'Events', about),
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
        const texts = shown.entities.map(({ entity, position }) => `${entity} ${position ? positionText(position) : ''}`);
        const state = texts.join('\n');
        if (state === known) return;
        known = state;
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

/** @param {ActivityRecord} record @returns {record is Traffic} */
function isTraffic(record) {
  if (record.kind === 'request') return record.routeKey === 'sync' || (record.recoveries ?? []).length > 0;
  return record.kind === 'connected' || record.kind === 'disconnected' || record.kind === 'refused';
}

/** @param {Followed[]} entities */
function subscriptionNodes(entities) {
  if (entities.length === 0) return [element('span', { class: 'soft small' }, 'no subscriptions')];
  return entities.map(({ entity, position }) => {
    const href = `#logs/${encodeURIComponent(`entity#${entity}`)}`;
    const at = position && element('a', { class: 'soft', href }, positionText(position));
    return element('span', { class: 'chip mono' }, entity, at ?? null);
  });
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
    case 'request':
      return recoveryNodes(record);
  }
}

/** @param {ClientRequest} record @returns {Node[]} */
function recoveryNodes({ connectionId, routeKey, recoveries = [] }) {
  const nodes = recoveries.flatMap((recovery) => {
    const { tone, outcome, text: sentence } = recoveryText(recovery, routeKey);
    return [badge(tone, outcome), text(sentence)];
  });
  if (nodes.length === 0) nodes.push(badge('quiet', 'sync'), text('nothing missed'));
  return [...nodes, element('code', {}, connectionId)];
}

/** @param {Disconnected} record */
function endText({ code, reason }) {
  return reason ? `${code}: ${reason}` : String(code);
}

/** @param {string} content */
function text(content) {
  return element('span', {}, content);
}
