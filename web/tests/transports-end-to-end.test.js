// The change between a WebSocket and polling, against herald-local behind networks that admit no WebSocket.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';

import { Obstacle } from './obstacle.js';
import { collector, startStack } from './stack.js';

const CLIENTS = Number(process.env.HERALD_FALLBACK_CLIENTS ?? 6);
const EVENTS = Number(process.env.HERALD_FALLBACK_EVENTS ?? 60);

const policy = { messages: Math.max(300, EVENTS), seconds: 600 };
const HISTORY = { 'none:*': null, '**': policy, $user: policy, $everyone: policy };
const permissions = { '**': ['subscribe', 'publish', 'history'] };

const QUICK = {
  backoffCap: 200,
  obstacleAfter: 0,
  killedWithin: 60_000,
  webSocketRetry: 250 * CLIENTS,
  stableAfter: 500,
  lingerFor: 100,
};

const numbers = (count) => Array.from({ length: count }, (_, index) => index + 1);

describe('a client that may poll', { timeout: 600_000 }, () => {
  let stack;
  before(async () => {
    stack = await startStack('--auth', 'secret', '--parameter', `History=${JSON.stringify(HISTORY)}`);
  });
  after(() => stack.end());

  const tokenOf = (userId) => () => stack.token({ userId, permissions });

  async function obstacle(t, mode) {
    const proxy = new Obstacle(new URL(stack.webSocket), mode);
    await proxy.listen();
    t.after(() => proxy.end());
    return proxy;
  }

  function connect(t, user, proxy, options = {}) {
    return stack.connect(t, { token: tokenOf(user), pollUrl: stack.pollUrl, ...QUICK, ...options }, proxy.webSocket);
  }

  /** Resolves once a client is open with a transport. */
  async function opensWith(client, transport) {
    const states = collector();
    states(client.state);
    client.onState(states);
    await states.until((values) => values.at(-1).name === 'open' && values.at(-1).transport === transport);
  }

  /** Puts events one after the other, and calls `between` after each. */
  async function putAll(entity, between = () => {}) {
    for (const number of numbers(EVENTS)) {
      await stack.put(entity, number);
      await between(number);
    }
  }

  /** Subscribes clients to one entity. Returns what each receives, and all losses. */
  async function subscribeAll(t, proxy, entity) {
    const losses = collector();
    const clients = numbers(CLIENTS).map((number) => connect(t, `user-${number}`, proxy));
    const received = clients.map(() => collector());
    for (const client of clients) client.onLost(losses);
    await Promise.all(clients.map((client, index) => client.subscribe(entity, received[index])));
    return { clients, received, losses };
  }

  /** Checks that every client got every event once, in the order of the log. */
  async function assertComplete({ received, losses }) {
    await Promise.all(received.map((pushes) => pushes.count(EVENTS)));
    const [{ values }] = received;
    const order = values.map(({ message }) => message);
    assert.deepEqual(order.toSorted((one, other) => one - other), numbers(EVENTS));
    for (const pushes of received) {
      assert.deepEqual(pushes.values.map(({ message }) => message), order);
      // The server fills an offset whose message takes too long, so there may be gaps.
      const offsets = pushes.values.map(({ offset }) => offset);
      assert.ok(offsets.every((offset, index) => index === 0 || offset > offsets[index - 1]), offsets.join());
    }
    assert.deepEqual(losses.values, []);
  }

  for (const mode of ['swallow', 'strip']) {
    test(`polls behind a proxy that would ${mode} the upgrade, and gets each event once and in order`, async (t) => {
      const proxy = await obstacle(t, mode);
      const entity = `order-${mode}`;
      const all = await subscribeAll(t, proxy, entity);
      assert.deepEqual(all.clients.map(({ transport }) => transport), all.clients.map(() => 'poll'));
      await putAll(entity);
      await assertComplete(all);
    });
  }

  test('polls behind a proxy that kills every socket, and gets each event once and in order', async (t) => {
    const proxy = await obstacle(t, 'kill');
    const all = await subscribeAll(t, proxy, 'order-kill');
    await putAll('order-kill');
    await Promise.all(all.clients.map((client) => opensWith(client, 'poll')));
    await assertComplete(all);
  });

  test('goes from one transport to the other and back while events arrive, and gets each once and in order', async (t) => {
    const proxy = await obstacle(t, 'pass');
    const all = await subscribeAll(t, proxy, 'order-change');
    await putAll('order-change', async (number) => {
      if (number % 20 === 5) proxy.change('swallow');
      if (number % 20 === 12) await Promise.all(all.clients.map((client) => opensWith(client, 'poll')));
      if (number % 20 === 13) proxy.change('pass');
      if (number % 20 === 0) await Promise.all(all.clients.map((client) => opensWith(client, 'websocket')));
    });
    await assertComplete(all);
  });

  test('sends while it polls, and does not receive its own message', async (t) => {
    const proxy = await obstacle(t, 'swallow');
    const [sender, other] = [connect(t, 'alice', proxy), connect(t, 'bob', proxy)];
    const [own, heard] = [collector(), collector()];
    const subscription = await sender.subscribe('room-1', own);
    await other.subscribe('room-1', heard);
    const replies = await Promise.all([1, 2, 3].map((message) => sender.send({ entityId: 'room-1', message })));
    assert.deepEqual(replies.map(({ offset }) => offset), [1, 2, 3]);
    await heard.count(3);
    assert.deepEqual(heard.values.map(({ message }) => message), [1, 2, 3]);
    assert.equal((await sender.send({ message: 'echo' })).message, 'echo');
    await stack.put('room-1', 4);
    await own.count(1);
    assert.deepEqual(own.values.map(({ message }) => message), [4]);
    assert.equal(subscription.position.offset, 4);
  });

  test('receives notifications and broadcasts while it polls', async (t) => {
    const proxy = await obstacle(t, 'swallow');
    const client = connect(t, 'alice', proxy);
    const [notifications, broadcasts] = [collector(), collector()];
    client.onNotification(notifications);
    client.onBroadcast(broadcasts);
    await opensWith(client, 'poll');
    // The client starts at the position of its first poll, which nothing tells. Events before it do not arrive.
    for (let message = 1; notifications.values.length === 0 || broadcasts.values.length === 0; message += 1) {
      await stack.putEvents('Send User Push Notification', { userId: 'alice', message });
      await stack.putEvents('Broadcast', { message });
      await setTimeout(250);
    }
    for (const pushes of [notifications, broadcasts]) {
      const offsets = pushes.values.map(({ offset }) => offset);
      assert.deepEqual(offsets, numbers(offsets.length).map((number) => number + offsets[0] - 1));
    }
  });

  test('is refused what polling does not have', async (t) => {
    const proxy = await obstacle(t, 'swallow');
    const client = connect(t, 'alice', proxy);
    await opensWith(client, 'poll');
    await assert.rejects(client.subscribe('none:1', () => {}), { kind: 'server', code: 'unsupported' });
    await assert.rejects(client.subscribe('order-9', () => {}, { rewind: 3 }), { code: 'unsupported' });
    await assert.rejects(client.history('order-9', { last: 3 }), { code: 'unsupported' });
  });

  test('stops when three polls in a row are refused', async (t) => {
    const proxy = await obstacle(t, 'swallow');
    const client = connect(t, 'alice', proxy, { token: () => 'no-token' });
    const states = collector();
    client.onState(states);
    await states.until((values) => values.at(-1)?.name === 'stopped');
    assert.deepEqual(states.values.at(-1).reason, { kind: 'refused', status: 401 });
  });

  test('keeps to the WebSocket behind a proxy that answers 429, and behind one that answers 503', async (t) => {
    for (const status of [429, 503]) {
      const proxy = await obstacle(t, status);
      const client = connect(t, 'alice', proxy);
      const states = collector();
      client.onState(states);
      await states.until((values) => values.filter(({ name }) => name === 'reconnecting').length >= 6);
      proxy.change('pass');
      await opensWith(client, 'websocket');
      const transports = states.values.filter(({ name }) => name === 'open').map(({ transport }) => transport);
      assert.deepEqual(transports, ['websocket']);
    }
  });
});
