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
  static #events = 0;

  constructor(...all) {
    super(...all);
    setImmediate(() => this.open());
  }

  send(text) {
    super.send(text);
    const request = JSON.parse(text);
    setImmediate(() => this.#answer(request));
  }

  #answer({ action, id, entityId, entities }) {
    const ids = entities ? Object.keys(entities) : [entityId];
    const results = Object.fromEntries(ids.map((entity) => [entity, this.#change(action, entity)]));
    if (entities) return this.receive({ type: 'ack', action, id, entities: results });
    const { error } = results[entityId];
    this.receive(error ? { type: 'error', id, ...error } : { type: 'ack', action, id, entityId, ...ServerSocket.position });
  }

  #change(action, entity) {
    if (ServerSocket.refused.has(entity)) return { error: { code: 'forbidden', message: 'no', retryable: false } };
    const change = { subscribe: 1, unsubscribe: -1 }[action] ?? 0;
    ServerSocket.subscriptions.set(entity, (ServerSocket.subscriptions.get(entity) ?? 0) + change);
    return {};
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
  }
}
