// Continuity against herald-local: real sockets, functions, queues and logs.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { collector, countedWebSocket, startStack } from './stack.js';

const policy = { messages: 100, seconds: 600 };
const HISTORY = { '**': policy, $user: policy, $everyone: { messages: 20, seconds: 600 } };

const permissions = { '**': ['subscribe', 'publish', 'history'] };

const messagesOf = ({ values }) => values.map(({ message }) => message);
const numbers = (from, to) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

describe('continuity', { timeout: 600_000 }, () => {
  let stack;
  before(async () => {
    stack = await startStack('--auth', 'secret', '--parameter', `History=${JSON.stringify(HISTORY)}`);
  });
  after(() => stack.end());

  const tokenOf = (userId) => () => stack.token({ userId, permissions });
  const connect = (t, user, url, options) => stack.connect(t, { token: tokenOf(user), ...options }, url);

  /** Puts events one after the other, so that their order is known. */
  async function putInOrder(entity, ...messages) {
    const observer = stack.connect({ after() {} }, { token: tokenOf('observer') });
    try {
      const seen = collector();
      await observer.subscribe(entity, seen);
      for (const message of messages) {
        await stack.put(entity, message);
        await seen.until((values) => values.some((push) => push.message === message));
      }
    } finally {
      await observer.close({ within: 0 });
    }
  }

  /** Ends the connections of a client, and waits until it notices. */
  async function breakConnection(client, proxy) {
    const states = collector();
    const remove = client.onState(states);
    await proxy.end();
    await states.until((values) => values.some(({ name }) => name === 'reconnecting'));
    remove();
  }

  test('delivers what a client missed while it was away, in order and once', async (t) => {
    const proxy = await stack.proxy(t);
    const client = connect(t, 'alice', proxy.webSocket);
    const [pushes, recoveries, losses] = [collector(), collector(), collector()];
    client.onLost(losses);
    const subscription = await client.subscribe('order-1', pushes);
    subscription.on('recovered', recoveries);
    await putInOrder('order-1', 1, 2);
    await pushes.count(2);
    await breakConnection(client, proxy);
    await putInOrder('order-1', 3, 4, 5);
    await proxy.listen(proxy.port);
    await pushes.count(5);
    await putInOrder('order-1', 6);
    await pushes.count(6);
    assert.deepEqual(messagesOf(pushes), numbers(1, 6));
    assert.deepEqual(recoveries.values, [{ messages: 3 }]);
    assert.deepEqual(losses.values, []);
    assert.equal(subscription.position.offset, 6);
  });

  test('delivers every message in one order to clients whose sockets are cut again and again', async (t) => {
    const proxy = await stack.proxy(t);
    const clients = [connect(t, 'alice', proxy.webSocket), connect(t, 'bob', proxy.webSocket), connect(t, 'carol')];
    const received = clients.map(() => collector());
    const losses = collector();
    for (const [index, client] of clients.entries()) {
      client.onLost(losses);
      await client.subscribe('room-1', received[index]);
    }
    const sender = connect(t, 'dave');
    for (let round = 0; round < 10; round += 1) {
      const sent = [1, 2, 3].map((number) => sender.send({ entityId: 'room-1', message: `${round}.${number}` }));
      proxy.cut();
      await Promise.all([...sent, stack.put('room-1', `${round}.event`)]);
    }
    await Promise.all(received.map((pushes) => pushes.count(40)));
    const [first, ...others] = received.map(messagesOf);
    assert.equal(new Set(first).size, 40);
    for (const other of others) assert.deepEqual(other, first);
    assert.deepEqual(received[0].values.map(({ offset }) => offset), numbers(1, 40));
    assert.deepEqual(losses.values, []);
  });

  test('goes on from a saved position after a reload of the page', async (t) => {
    const first = connect(t, 'alice');
    const before = collector();
    const subscription = await first.subscribe('order-2', before);
    await putInOrder('order-2', 1, 2);
    await before.count(2);
    const saved = JSON.parse(JSON.stringify(subscription.position));
    await first.close();
    await putInOrder('order-2', 3, 4);

    const second = connect(t, 'alice');
    const after = collector();
    const reloaded = await second.subscribe('order-2', after, { recover: saved });
    await after.count(2);
    await putInOrder('order-2', 5);
    await after.count(3);
    assert.deepEqual(messagesOf(after), [3, 4, 5]);
    assert.equal(reloaded.position.offset, 5);
  });

  test('tells once that a saved position is lost', async (t) => {
    await putInOrder('order-3', 1);
    const client = connect(t, 'alice');
    const [pushes, lost] = [collector(), collector()];
    const recover = { epoch: 'Aaaaaaaa', offset: 7 };
    const subscription = await client.subscribe('order-3', pushes, { recover });
    subscription.on('lost', lost);
    await putInOrder('order-3', 2);
    await pushes.count(1);
    assert.deepEqual(messagesOf(pushes), [2]);
    assert.deepEqual(lost.values.map(({ position }) => position.offset), [1]);
  });

  test('loads a state and delivers what comes after it', async (t) => {
    await putInOrder('order-4', 1, 2);
    const client = connect(t, 'alice');
    const pushes = collector();
    const state = async () => {
      const { position } = await client.history('order-4', { last: 0 });
      await putInOrder('order-4', 3);
      return { position };
    };
    await client.subscribe('order-4', pushes, { state });
    await putInOrder('order-4', 4);
    await pushes.count(2);
    assert.deepEqual(messagesOf(pushes), [3, 4]);
  });

  test('rewinds, and reads history', async (t) => {
    await putInOrder('order-5', ...numbers(1, 5));
    const client = connect(t, 'alice');
    const pushes = collector();
    await client.subscribe('order-5', pushes, { rewind: 2 });
    await pushes.count(2);
    assert.deepEqual(messagesOf(pushes), [4, 5]);
    const { messages, position } = await client.history('order-5', { before: 4, limit: 2 });
    assert.deepEqual(messages.map(({ message }) => message), [2, 3]);
    const { messages: since, top } = await client.history('order-5', { since: position });
    assert.deepEqual([since.map(({ message }) => message), top], [[4, 5], 5]);
  });

  test('recovers a log that does not fit into one reply', async (t) => {
    const proxy = await stack.proxy(t);
    const client = connect(t, 'alice', proxy.webSocket);
    const pushes = collector();
    await client.subscribe('order-6', pushes);
    await breakConnection(client, proxy);
    const padding = 'x'.repeat(15_000);
    for (const number of numbers(1, 10)) await stack.put('order-6', { number, padding });
    await putInOrder('order-6', 'last');
    await proxy.listen(proxy.port);
    await pushes.count(11);
    assert.deepEqual(pushes.values.map(({ offset }) => offset), numbers(1, 11));
  });

  test('recovers notifications and broadcasts', async (t) => {
    const proxy = await stack.proxy(t);
    const client = connect(t, 'erin', proxy.webSocket);
    const witness = connect(t, 'erin');
    const [notifications, broadcasts] = [collector(), collector()];
    const [seen, heard] = [collector(), collector()];
    client.onNotification(notifications);
    client.onBroadcast(broadcasts);
    witness.onNotification(seen);
    witness.onBroadcast(heard);
    for (const one of [client, witness]) await one.send({ message: 'connected' });
    await stack.putEvents('Send User Push Notification', { userId: 'erin', message: 1 });
    await stack.putEvents('Broadcast', { message: 1 });
    await Promise.all([notifications, broadcasts, seen, heard].map((collect) => collect.count(1)));
    await breakConnection(client, proxy);
    await stack.putEvents('Send User Push Notification', { userId: 'erin', message: 2 });
    await stack.putEvents('Broadcast', { message: 2 });
    await Promise.all([seen, heard].map((collect) => collect.count(2)));
    await proxy.listen(proxy.port);
    await Promise.all([notifications, broadcasts].map((collect) => collect.count(2)));
    assert.deepEqual([notifications, broadcasts].map(messagesOf), [[1, 2], [1, 2]]);
    for (const of of [{ user: true }, { everyone: true }]) {
      const { messages, position, top } = await client.history(of, { last: 1 });
      assert.deepEqual([messages.map(({ message }) => message), position.offset, top], [[2], 2, 2]);
    }
  });

  test('renews connections without a gap, a repeat or a change of order', async (t) => {
    const webSocket = countedWebSocket();
    const client = connect(t, 'alice', undefined, { webSocket, renewAfter: 300, lingerFor: 2000 });
    const watcher = connect(t, 'bob');
    const [pushes, heard] = [collector(), collector()];
    await client.subscribe('order-7', pushes);
    await watcher.subscribe('order-7', heard);
    let events = 0;
    while (webSocket.opened <= 5) {
      await Promise.all([
        stack.put('order-7', ++events, ++events),
        client.send({ entityId: 'order-7', message: 'own' }),
      ]);
    }
    await heard.count(events * 1.5);
    await pushes.count(events);
    assert.deepEqual(heard.values.map(({ offset }) => offset), numbers(1, events * 1.5));
    const others = heard.values.filter(({ message }) => message !== 'own');
    assert.deepEqual(messagesOf(pushes), others.map(({ message }) => message));
  });
});
