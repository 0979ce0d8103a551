// The client among a stand-in for React Native's globals: a `window` without events, no `document`, no `Event`, no
// `DOMException` and no `AbortSignal`. `URL` is a whole one, as docs/react.md asks for.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createContext, runInContext } from 'node:vm';

const web = fileURLToPath(new URL('../', import.meta.url));

/** Bundles the client as an application does, because a context of node:vm has no modules. */
function bundled() {
  const flags = ['--bundle', '--format=iife', '--global-name=herald', '--target=es2022', '--log-level=warning'];
  return execFileSync('node_modules/.bin/esbuild', ['herald-client.js', ...flags], { cwd: web, encoding: 'utf8' });
}

/** A WebSocket of React Native: `addEventListener`, and no constructor of `Event`. */
class NativeSocket {
  static all = [];
  sent = [];
  #listeners = [];

  constructor(url, protocols) {
    Object.assign(this, { url, protocols });
    NativeSocket.all.push(this);
  }

  addEventListener(type, listener) {
    this.#listeners.push({ type, listener });
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close(code) {
    this.closed = code;
  }

  tell(type, event = {}) {
    for (const each of this.#listeners) if (each.type === type) each.listener(event);
  }
}

describe('in React Native', () => {
  let source;
  before(() => (source = bundled()));

  /** Starts a client among React Native's globals, and opens its connection. */
  function start(t, options = {}) {
    NativeSocket.all = [];
    const globals = { setTimeout, clearTimeout, queueMicrotask, performance, URL, fetch, WebSocket: NativeSocket };
    const context = createContext({ ...globals, TextEncoder });
    runInContext('globalThis.window = globalThis; globalThis.navigator = { product: "ReactNative" };', context);
    const { connect } = runInContext(`${source}; herald`, context);
    const client = connect('ws://127.0.0.1/dev', { backoffBase: 60_000, ...options });
    t.after(() => client.close({ within: 0 }));
    NativeSocket.all[0].tell('open');
    return client;
  }

  test('a client connects, subscribes and closes', async (t) => {
    const client = start(t);
    const heard = [];
    const pending = client.subscribe('a', ({ message }) => heard.push(message));
    await Promise.resolve();
    const [socket] = NativeSocket.all;
    socket.tell('message', { data: '{"type":"ack","action":"subscribe","entityId":"a","id":"1"}' });
    await pending;
    socket.tell('message', { data: '{"type":"Entity Updated","entityId":"a","message":1,"eventId":"e"}' });
    assert.deepEqual(heard, [1]);
    await client.close();
    assert.deepEqual([client.state.name, socket.closed], ['stopped', 1000]);
  });

  test('networkDown closes the connection, and networkUp opens the next one at once', (t) => {
    const client = start(t);
    client.networkDown();
    assert.deepEqual([client.state.name, client.state.delay, NativeSocket.all[0].closed], ['reconnecting', null, 1000]);
    client.networkUp();
    assert.equal(NativeSocket.all.length, 2);
  });

  test('foreground ends the delay, and pings an open connection', (t) => {
    const client = start(t);
    client.foreground();
    assert.deepEqual(NativeSocket.all[0].sent, [{ action: 'ping' }]);
    NativeSocket.all[0].tell('close', { code: 1006, reason: '' });
    assert.equal(NativeSocket.all.length, 1);
    client.foreground();
    assert.equal(NativeSocket.all.length, 2);
  });

  test('a subscription can be left before it is established', async (t) => {
    const client = start(t);
    const pending = client.subscribe('a', () => {});
    pending.unsubscribe();
    await assert.rejects(pending, { name: 'AbortError' });
  });
});
