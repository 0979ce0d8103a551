// The client against herald-local: real sockets, functions, queues and table.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import WebSocket from 'ws';

import { collector, countedWebSocket, startStack } from './stack.js';

/** A WebSocket that hides the reason of a failed handshake, as a browser does. */
class Silent extends WebSocket {
  addEventListener(event, listener) {
    super.addEventListener(event, event === 'error' ? () => listener({ message: '' }) : listener);
  }
}

describe('a client', { timeout: 600_000 }, () => {
  let stack;
  before(async () => {
    stack = await startStack();
  });
  after(() => stack.end());

  test('receives pushes about its entities until it unsubscribes', async (t) => {
    const client = stack.connect(t);
    const [first, second] = [collector(), collector()];
    const subscription = await client.subscribe('order-1', first);
    await client.subscribe('order-1', second);
    await stack.put('order-1', { state: 'shipped' });
    const [push] = await first.count(1);
    assert.deepEqual([push.type, push.entityId, push.message], ['Entity Updated', 'order-1', { state: 'shipped' }]);

    subscription.unsubscribe();
    await stack.put('order-1', { state: 'delivered' });
    await second.count(2);
    assert.equal(first.values.length, 1);
  });

  test('that sends receives the reply, and others receive the message', async (t) => {
    const [sender, receiver] = [stack.connect(t), stack.connect(t)];
    const [own, heard, broadcasts] = [collector(), collector(), collector()];
    await sender.subscribe('room-1', own);
    await receiver.subscribe('room-1', heard);
    receiver.onBroadcast(broadcasts);

    assert.deepEqual((await sender.send({ message: [1], name: 'Aseem' })).message, [1]);
    const { eventId } = await sender.send({ entityId: 'room-1', message: 'Hello', name: 'Aseem' });
    const [push] = await heard.count(1);
    assert.deepEqual([push.message, push.name, push.eventId], ['Hello', 'Aseem', eventId]);

    const { eventIds } = await sender.send({ entityId: 'room-1', messages: [{ message: 1 }, { message: 2 }] });
    const pushes = await heard.count(3);
    assert.deepEqual(new Set(pushes.slice(1).map((push) => push.eventId)), new Set(eventIds));

    await sender.send({ broadcast: true, message: 'all' });
    assert.equal((await broadcasts.count(1))[0].message, 'all');
    assert.deepEqual(own.values, []);
  });

  test('receives the reason of a failed request', async (t) => {
    const client = stack.connect(t);
    await assert.rejects(client.subscribe('', () => {}), { kind: 'server', code: 'bad_request', retryable: false });
    await assert.rejects(client.send({ entityId: 'room-1', messages: [] }), { kind: 'server', code: 'bad_request' });
    await assert.rejects(client.send({ message: 'x'.repeat(33_000) }), { kind: 'tooLarge' });
  });

  test('restores subscriptions and sends pending messages after a reconnect', async (t) => {
    const proxy = await stack.proxy(t);
    const client = stack.connect(t, {}, proxy.webSocket);
    const watcher = stack.connect(t);
    const [states, pushes, heard] = [collector(), collector(), collector()];
    client.onState(states);
    await client.subscribe('order-2', pushes);
    await watcher.subscribe('room-2', heard);

    await proxy.end();
    await states.until(() => client.state.name === 'reconnecting');
    const sent = [1, 2, 3].map((message) => client.send({ entityId: 'room-2', message }));
    await proxy.listen(proxy.port);
    await states.until(() => client.state.name === 'open' && states.values.length > 2);
    await Promise.all(sent);
    await heard.count(3);
    assert.deepEqual(heard.values.map(({ message }) => message).sort(), [1, 2, 3]);
    await stack.put('order-2', 'again');
    assert.equal((await pushes.count(1))[0].message, 'again');
  });

  test('reconnects when a silent connection is dead', async (t) => {
    const proxy = await stack.proxy(t);
    const client = stack.connect(t, { pingAfter: 200, pongTimeout: 2000 }, proxy.webSocket);
    const [states, pushes] = [collector(), collector()];
    client.onState(states);
    await client.subscribe('order-3', pushes);
    proxy.silence();
    await states.until((values) => values.some(({ name }) => name === 'reconnecting'));
    await states.until(() => client.state.name === 'open');
    await stack.put('order-3', 'alive');
    await pushes.count(1);
  });

  test('rejects a message in flight when the connection breaks, or sends it again if that is safe', async (t) => {
    const proxy = await stack.proxy(t);
    const client = stack.connect(t, {}, proxy.webSocket);
    await client.send({ message: 'connected' });
    proxy.silence();
    const lost = client.send({ message: 'lost' });
    const repeated = client.send({ message: 'repeated' }, { safeToRepeat: true });
    proxy.cut();
    await assert.rejects(lost, { kind: 'outcomeUnknown' });
    assert.equal((await repeated).message, 'repeated');
  });

  test('renews its connection without gaps or repeats', async (t) => {
    const webSocket = countedWebSocket();
    const client = stack.connect(t, { webSocket, renewAfter: 300, lingerFor: 2000 });
    const watcher = stack.connect(t);
    const [pushes, heard] = [collector(), collector()];
    await client.subscribe('order-4', pushes);
    await watcher.subscribe('order-4', heard);
    let events = 0;
    while (webSocket.opened <= 10) {
      await Promise.all([
        stack.put('order-4', ++events, ++events),
        client.send({ entityId: 'order-4', message: `own ${events}` }),
      ]);
    }
    await heard.until((values) => values.length >= events * 1.5);
    await pushes.count(events);
    assert.deepEqual(
      pushes.values.map(({ message }) => message).sort((a, b) => a - b),
      Array.from({ length: events }, (_, index) => index + 1),
    );
  });

  test('sends pending messages before it closes', async (t) => {
    const [client, watcher] = [stack.connect(t), stack.connect(t)];
    const heard = collector();
    await watcher.subscribe('room-5', heard);
    const sent = client.send({ entityId: 'room-5', message: 'goodbye' });
    await client.close();
    await sent;
    await heard.count(1);
    assert.deepEqual(client.state, { name: 'stopped', reason: { kind: 'closed' } });
    await assert.rejects(client.send({ message: 'late' }), { kind: 'stopped' });
  });

  test('counts a failed handshake without a status as a refusal if the server responds', async (t) => {
    const proxy = await stack.proxy(t);
    proxy.refuseWith(403);
    const client = stack.connect(t, { webSocket: Silent, refusalSpacing: 0 }, proxy.webSocket);
    const states = collector();
    client.onState(states);
    await states.until(() => client.state.name === 'stopped');
    assert.deepEqual(client.state, { name: 'stopped', reason: { kind: 'refused', status: null } });
  });

  for (const [condition, webSocket] of Object.entries({ 'with a reason': WebSocket, 'without a reason': Silent })) {
    test(`retries while the server is unreachable, ${condition}`, async (t) => {
      const proxy = await stack.proxy(t);
      await proxy.end();
      const client = stack.connect(t, { webSocket, refusalSpacing: 0 }, proxy.webSocket);
      const states = collector();
      client.onState(states);
      await states.count(6);
      await proxy.listen(proxy.port);
      await client.send({ message: 'here' });
      assert.equal(client.state.name, 'open');
    });
  }

  test('uses the WebSocket of Node.js by default', { skip: !globalThis.WebSocket }, async (t) => {
    const proxy = await stack.proxy(t);
    proxy.refuseWith(401);
    const options = { webSocket: undefined, refusalSpacing: 0, token: () => 'a.b.c' };
    const refused = stack.connect(t, options, proxy.webSocket);
    const states = collector();
    refused.onState(states);
    await states.until(() => refused.state.name === 'stopped');
    assert.deepEqual(refused.state.reason, { kind: 'refused', status: null });

    const client = stack.connect(t, { webSocket: undefined });
    assert.equal((await client.send({ message: 'here' })).message, 'here');
  });

  test('retries after 429', async (t) => {
    const proxy = await stack.proxy(t);
    proxy.refuseWith(429);
    const client = stack.connect(t, {}, proxy.webSocket);
    const states = collector();
    client.onState(states);
    await states.count(6);
    proxy.refuseWith(undefined);
    await client.send({ message: 'here' });
  });
});
