// The client against a server of version 0.1.0, which knows no log.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';

import WebSocket, { WebSocketServer } from 'ws';

import { connect } from '../herald-client.js';
import { collector } from './stack.js';

const ACTIONS = ['subscribe', 'unsubscribe', 'sendMessage', 'ping'];
const FIELDS = ['action', 'id', 'entityId', 'message', 'broadcast'];

/** A server that answers as version 0.1.0 does. */
class OldServer {
  connections = 0;
  /** The requests, with the number of their connection. */
  requests = collector();
  #server = new WebSocketServer({ host: '127.0.0.1', port: 0, handleProtocols: ([first]) => first });

  async listen() {
    await once(this.#server, 'listening');
    this.#server.on('connection', (socket) => {
      this.connections += 1;
      const connection = this.connections;
      socket.on('message', (data) => {
        const request = JSON.parse(data);
        socket.send(JSON.stringify(replyTo(request)));
        this.requests({ connection, request });
      });
    });
    this.url = `ws://127.0.0.1:${this.#server.address().port}/dev`;
  }

  push(frame) {
    for (const socket of this.#server.clients) socket.send(JSON.stringify(frame));
  }

  /** Breaks every connection. */
  cut() {
    for (const socket of this.#server.clients) socket.terminate();
  }

  end() {
    this.cut();
    this.#server.close();
  }
}

function replyTo({ action, id, entityId }) {
  const refusal = (code) => ({ type: 'error', action, id, code, message: 'refused', retryable: false });
  if (action === 'ping') return { type: 'pong' };
  if (!ACTIONS.includes(action)) return refusal('unknown_action');
  if (action === 'subscribe' && entityId === undefined) return refusal('bad_request');
  return { type: 'ack', action, id, entityId };
}

/** Starts a server and a client that pings often. */
async function start(t) {
  const server = new OldServer();
  await server.listen();
  const client = connect(server.url, { webSocket: WebSocket, backoffBase: 10, pingAfter: 300, pongTimeout: 60_000 });
  t.after(async () => {
    await client.close({ within: 0 });
    server.end();
  });
  return { server, client };
}

/** Resolves once a ping arrived on a connection after so many other requests. */
function pinged(server, connection, others) {
  return server.requests.until((all) => {
    const actions = all.filter((one) => one.connection === connection).map(({ request }) => request.action);
    const before = actions.slice(0, Math.max(actions.lastIndexOf('ping'), 0)).filter((action) => action !== 'ping');
    return actions.includes('ping') && before.length >= others;
  });
}

describe('an old server', { timeout: 120_000 }, () => {
  test('gets what it knows, and is kept alive with pings', async (t) => {
    const { server, client } = await start(t);
    const pushes = collector();
    await Promise.all([
      client.subscribe('order-1', pushes),
      client.subscribe('order-2', () => {}),
      client.send({ entityId: 'order-1', message: 1 }),
    ]);
    await pinged(server, 1, 4);
    server.push({ type: 'Entity Updated', entityId: 'order-1', message: 2, eventId: 'e2' });
    await pushes.count(1);
    server.cut();
    await pinged(server, 2, 3);
    const requests = server.requests.values.map(({ request }) => request);
    // A server that does not know the form for several entities refuses it.
    for (const request of requests.filter(({ entities }) => !entities)) {
      assert.ok(ACTIONS.includes(request.action), JSON.stringify(request));
      assert.deepEqual(Object.keys(request).filter((name) => !FIELDS.includes(name)), []);
    }
    const subscribes = requests.filter(({ action, entityId }) => action === 'subscribe' && entityId);
    assert.deepEqual(subscribes.map(({ entityId }) => entityId), ['order-1', 'order-2', 'order-1', 'order-2']);
  });

  test('is asked once for the positions of followed audiences', async (t) => {
    const { server, client } = await start(t);
    const broadcasts = collector();
    client.onBroadcast(broadcasts);
    client.onNotification(() => {});
    for (const number of [1, 2, 3]) {
      await pinged(server, number, number === 1 ? 1 : 0);
      server.push({ type: 'Broadcast', message: number, eventId: `b${number}` });
      await broadcasts.count(number);
      server.cut();
    }
    const asked = server.requests.values.flatMap(({ request }) => ['user', 'everyone'].filter((name) => name in request));
    assert.deepEqual(asked.toSorted(), ['everyone', 'user']);
  });
});
