// A page for React's own renderer, and a server of its clients in the role of Herald.

import { Window } from 'happy-dom';

import { FakeSocket } from './fake-socket.js';

const window = new Window();
Object.assign(globalThis, { window, document: window.document, IS_REACT_ACT_ENVIRONMENT: true });
globalThis.navigator ??= window.navigator;

// React DOM looks for a page when it is loaded.
const { createRoot, hydrateRoot } = await import('react-dom/client');
export const { act } = await import('react');

/** Lets pending callbacks run. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A root in the page: an empty one, or one that takes over the HTML of a server. */
export function newRoot(test, { html, tree } = {}) {
  const container = document.body.appendChild(document.createElement('div'));
  const problems = [];
  container.innerHTML = html ?? '';
  const onRecoverableError = (error) => problems.push(error);
  let root;
  act(() => {
    root = html ? hydrateRoot(container, tree, { onRecoverableError }) : createRoot(container);
  });
  test.after(() => act(() => root.unmount()));
  return {
    problems,
    get text() {
      return container.textContent;
    },
    /** Renders, and leaves the server no time to answer. */
    render(element) {
      act(() => root.render(element));
    },
    /** Renders, and lets the server answer what effects ask it. */
    async settle(element = undefined) {
      if (element !== undefined) act(() => root.render(element));
      for (let rounds = 4; rounds > 0; rounds -= 1) {
        await act(async () => {
          for (let turns = 4; turns > 0; turns -= 1) await turn();
        });
      }
    },
  };
}

/** A WebSocket whose server opens it, acknowledges what it is asked, and knows who is subscribed. */
export class ServerSocket extends FakeSocket {
  static subscriptions = new Map();
  static refused = new Set();
  /** The fields of an acknowledgement that tell of a log. */
  static position = undefined;
  /** The users at every entity, by their ids. */
  static users = [];
  /** The entities of which a connection gets the presence. */
  static watched = new Set();
  static #events = 0;
  static #version = 0;

  constructor(...all) {
    super(...all);
    setImmediate(() => this.open());
  }

  send(text) {
    super.send(text);
    const request = JSON.parse(text);
    setImmediate(() => this.#answer(request));
  }

  #answer({ action, id, entityId, entities, presence }) {
    const asked = entities ?? { [entityId]: { presence } };
    const results = Object.entries(asked).map(([entity, fields]) => [entity, this.#change(action, entity, fields.presence)]);
    if (entities) return this.receive({ type: 'ack', action, id, entities: Object.fromEntries(results) });
    const [[, { error, ...result }]] = results;
    const position = ServerSocket.position;
    this.receive(error ? { type: 'error', id, ...error } : { type: 'ack', action, id, entityId, ...position, ...result });
  }

  #change(action, entity, presence = false) {
    if (ServerSocket.refused.has(entity)) return { error: { code: 'forbidden', message: 'no', retryable: false } };
    // A subscription is made again for its presence, and to end that.
    const isAgain = action === 'subscribe' && presence !== ServerSocket.watched.has(entity);
    const isCounted = !isAgain || !ServerSocket.subscriptions.get(entity);
    const change = isCounted ? ({ subscribe: 1, unsubscribe: -1 }[action] ?? 0) : 0;
    ServerSocket.subscriptions.set(entity, (ServerSocket.subscriptions.get(entity) ?? 0) + change);
    if (presence) ServerSocket.watched.add(entity);
    else ServerSocket.watched.delete(entity);
    return presence ? { presence: ServerSocket.#snapshot() } : {};
  }

  static #snapshot() {
    const members = ServerSocket.users.map((userId) => ({ userId, connections: 1 }));
    return { version: ServerSocket.#version, count: members.length, members };
  }

  /** Lets a user join every entity. */
  static join(userId) {
    ServerSocket.users.push(userId);
    ServerSocket.#version += 1;
    const { version, count } = ServerSocket.#snapshot();
    const change = { type: 'presence', version, count, joined: [{ userId, connections: 1 }], left: [] };
    for (const entityId of ServerSocket.watched) FakeSocket.last.receive({ ...change, entityId });
  }

  /** Pushes a message about an entity. */
  static put(entityId, message) {
    const eventId = `e${++ServerSocket.#events}`;
    FakeSocket.last.receive({ type: 'Entity Updated', entityId, message, eventId });
  }

  /** The number of requests of an action, over all connections. */
  static requests(action) {
    return FakeSocket.all.flatMap(({ sent }) => sent).filter((frame) => frame.action === action).length;
  }

  static reset() {
    FakeSocket.all = [];
    ServerSocket.subscriptions.clear();
    ServerSocket.refused.clear();
    ServerSocket.position = undefined;
    ServerSocket.users = [];
    ServerSocket.watched.clear();
  }
}
