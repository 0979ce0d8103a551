// The client against a stack with tokens, which herald-local issues.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { collector, countedWebSocket, startStack } from './stack.js';

const permissions = { 'order:*': ['subscribe'] };

describe('a client with tokens', { timeout: 600_000 }, () => {
  let stack;
  before(async () => {
    stack = await startStack('--auth', 'secret');
  });
  after(() => stack.end());

  const tokenOf = (userId) => () => stack.token({ userId, permissions });

  test('has the user and the permissions of its token', async (t) => {
    const client = stack.connect(t, { token: tokenOf('alice') });
    const [pushes, notifications] = [collector(), collector()];
    client.onNotification(notifications);
    await client.subscribe('order:1', pushes);
    await assert.rejects(client.subscribe('room:1', () => {}), { kind: 'server', code: 'forbidden', retryable: false });
    await assert.rejects(client.send({ broadcast: true, message: 1 }), { kind: 'server', code: 'forbidden' });

    await stack.put('order:1', 'shipped');
    await stack.putEvents('Send User Push Notification', { userId: 'alice', message: 'hello' });
    assert.equal((await pushes.count(1))[0].message, 'shipped');
    assert.equal((await notifications.count(1))[0].message, 'hello');
  });

  test('stops after three refused tokens', async (t) => {
    let asked = 0;
    const client = stack.connect(t, { token: () => `${++asked}.not.good` });
    const states = collector();
    client.onState(states);
    await states.until(() => client.state.name === 'stopped');
    assert.deepEqual(client.state.reason, { kind: 'refused', status: 401 });
    assert.equal(asked, 3);
  });

  test('stops when the server disconnects it for good', async (t) => {
    const client = stack.connect(t, { token: tokenOf('bob') });
    const states = collector();
    client.onState(states);
    await client.subscribe('order:1', () => {});
    await stack.putEvents('Disconnect User', { userId: 'bob', reason: 'signed out', reconnect: false });
    await states.until(() => client.state.name === 'stopped');
    assert.deepEqual(client.state.reason, { kind: 'disconnected', code: 'user_disconnected', reason: 'signed out' });
  });

  test('reconnects when the server disconnects it with reconnect', async (t) => {
    const client = stack.connect(t, { token: tokenOf('carol') });
    const [states, pushes] = [collector(), collector()];
    await client.subscribe('order:1', pushes);
    client.onState(states);
    await stack.putEvents('Disconnect User', { userId: 'carol', reconnect: true });
    await states.until((values) => values.map(({ name }) => name).join() === 'open,reconnecting,open');
    await stack.put('order:1', 'again');
    await pushes.count(1);
  });

  test('renews its token on the open connection', async (t) => {
    let asked = 0;
    const enough = collector();
    const token = async () => {
      enough(++asked);
      return stack.token({ userId: 'dave', permissions, expiresIn: 6 });
    };
    const webSocket = countedWebSocket();
    const client = stack.connect(t, { token, webSocket });
    await client.subscribe('order:1', () => {});
    await enough.count(5);
    await client.subscribe('order:2', () => {});
    assert.equal(webSocket.opened, 1);
  });
});
