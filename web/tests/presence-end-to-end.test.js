// Presence against herald-local: real sockets, functions, queues and tables.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import WebSocket from 'ws';

import { collector, startStack } from './stack.js';

const ALL = { '**': ['subscribe', 'publish', 'presence'] };

/** Returns a class of WebSockets that loses the next frame of presence on demand, and keeps what is sent. */
function lossyWebSocket() {
  return class Lossy extends WebSocket {
    static loses = false;
    static sent = [];

    send(text) {
      Lossy.sent.push(JSON.parse(text));
      super.send(text);
    }

    addEventListener(event, listener) {
      super.addEventListener(event, (received) => {
        const isLost = Lossy.loses && event === 'message' && JSON.parse(received.data).type === 'presence';
        if (isLost) Lossy.loses = false;
        else listener(received);
      });
    }
  };
}

describe('presence', { timeout: 600_000 }, () => {
  let stack;
  before(async () => {
    stack = await startStack('--auth', 'secret', '--parameter', 'Presence={"room-*":{"interval":1}}');
  });
  after(() => stack.end());

  const connect = (t, userId, { permissions = ALL, url, ...options } = {}) =>
    stack.connect(t, { token: () => stack.token({ userId, permissions }), presenceSpread: 0, ...options }, url);

  /** Subscribes to a room. Returns the changes, with `here`, which waits for exactly these users. */
  async function watch(client, room) {
    const changes = collector();
    const subscription = await client.subscribe(room, () => {}, { presence: changes });
    const here = (...users) => changes.until((values) => names(values.at(-1)?.members) === users.join(' '));
    return { changes: changes.values, here, subscription };
  }

  const names = (members) => Array.from(members?.keys() ?? []).join(' ');

  test('tells who joins and leaves', async (t) => {
    const alice = await watch(connect(t, 'alice'), 'room-1');
    await alice.here('alice');
    const bob = connect(t, 'bob');
    const [first] = await Promise.all([bob.subscribe('room-1', () => {}), alice.here('alice', 'bob')]);
    const second = await watch(connect(t, 'bob'), 'room-1');
    await second.here('alice', 'bob');
    first.unsubscribe();
    second.subscription.unsubscribe();
    await alice.here('alice');
    const { joined, left, count } = alice.changes.at(-1);
    assert.deepEqual([joined, left.map(({ userId }) => userId), count], [[], ['bob'], 1]);
  });

  test('is healed by a reconnect', async (t) => {
    const proxy = await stack.proxy(t);
    const client = connect(t, 'alice', { url: proxy.webSocket });
    const alice = await watch(client, 'room-2');
    const bob = await connect(t, 'bob').subscribe('room-2', () => {});
    await alice.here('alice', 'bob');
    await proxy.end();
    const carol = await watch(connect(t, 'carol'), 'room-2');
    bob.unsubscribe();
    await proxy.listen(proxy.port);
    await alice.here('alice', 'carol');
    await carol.here('alice', 'carol');
  });

  test('is asked for after a change was lost', async (t) => {
    const Lossy = lossyWebSocket();
    const alice = await watch(connect(t, 'alice', { webSocket: Lossy }), 'room-3');
    // Another sees the change that is lost.
    const witness = await watch(connect(t, 'witness'), 'room-3');
    await alice.here('alice', 'witness');
    Lossy.loses = true;
    const bob = await connect(t, 'bob').subscribe('room-3', () => {});
    await witness.here('alice', 'bob', 'witness');
    const carol = connect(t, 'carol');
    await carol.subscribe('room-3', () => {});
    await alice.here('alice', 'bob', 'carol', 'witness');
    assert.equal(Lossy.loses, false);
    assert.ok(Lossy.sent.some(({ action }) => action === 'presence'));
    bob.unsubscribe();
    await alice.here('alice', 'carol', 'witness');
  });

  test('is refused without the permission, and the subscription holds', async (t) => {
    const client = connect(t, 'alice', { permissions: { '**': ['subscribe', 'publish'] } });
    const { changes, subscription } = await watch(client, 'room-4');
    assert.deepEqual([changes.length, changes[0].error.code, subscription.presence], [1, 'forbidden', null]);
    await assert.rejects(client.presence('room-4'), { code: 'forbidden' });
    const bob = connect(t, 'bob');
    assert.equal(names((await bob.presence('room-4')).members), 'alice');
    const pushes = collector();
    await client.subscribe('room-4', pushes);
    await bob.send({ entityId: 'room-4', message: 1 });
    await pushes.count(1);
  });

  test('is null for an entity without a policy', async (t) => {
    const client = connect(t, 'alice');
    const { changes, subscription } = await watch(client, 'order-1');
    assert.deepEqual(changes, [{ joined: [], left: [], count: null, members: null }]);
    assert.equal(subscription.presence, null);
    await assert.rejects(client.presence('order-1'), { code: 'bad_request' });
  });
});
