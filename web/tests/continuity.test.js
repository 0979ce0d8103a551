// Continuity around the machine, with sockets whose other end is the test.

import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';

import { connect } from '../herald-client.js';
import { FakeSocket } from './fake-socket.js';

const epoch = 'k3J9x2Qa';
const at = (offset) => ({ epoch, offset });
const push = (offset) => ({ type: 'Entity Updated', entityId: 'a', message: offset, eventId: `e${offset}`, ...at(offset) });
const pushes = (...offsets) => offsets.map(push);

/** Lets pending callbacks run. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Starts a client with an open connection. */
async function startOpen(t) {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000_000_000_000 });
  t.mock.method(Math, 'random', () => 0);
  const client = connect('ws://127.0.0.1/dev', { webSocket: FakeSocket });
  t.after(() => client.close({ within: 0 }));
  await turn();
  FakeSocket.last.open();
  return client;
}

/** Answers the last request. */
function answer(fields) {
  const { id, action } = FakeSocket.last.sent.at(-1);
  FakeSocket.last.receive({ type: 'ack', action, id, ...fields });
}

/** Breaks the connection, and opens the next one. */
async function reconnect(t) {
  FakeSocket.last.end();
  t.mock.timers.tick(0);
  await turn();
  FakeSocket.last.open();
}

/** Subscribes to the entity, and acknowledges it at a position. */
async function subscribe(client, handler, options, ack = { ...at(4), top: 4 }) {
  const subscription = client.subscribe('a', handler, options);
  await turn();
  answer({ entityId: 'a', ...ack });
  return subscription;
}

beforeEach(() => {
  FakeSocket.all = [];
});

describe('the position of a subscription', () => {
  test('is that of the message whose handler is called', async (t) => {
    const client = await startOpen(t);
    const positions = [];
    let subscription;
    subscription = await subscribe(client, () => positions.push(subscription.position.offset));
    assert.deepEqual(subscription.position, at(4));
    FakeSocket.last.receive(push(6));
    assert.deepEqual(subscription.position, at(4));
    FakeSocket.last.receive(push(5));
    assert.deepEqual(positions, [5, 6]);
    assert.deepEqual(subscription.position, at(6));
    subscription.unsubscribe();
    assert.deepEqual(subscription.position, at(6));
  });

  test('moves with a message of the application', async (t) => {
    const client = await startOpen(t);
    const subscription = await subscribe(client, () => {});
    const sent = client.send({ entityId: 'a', message: 1 });
    answer({ eventId: 'own', ...at(5) });
    assert.equal((await sent).offset, 5);
    assert.deepEqual(subscription.position, at(5));
  });

  test('stays what it was when the server ends the subscription', async (t) => {
    const client = await startOpen(t);
    const saved = [];
    const subscription = await subscribe(client, () => {}, { onEnded: () => saved.push(subscription.position) });
    FakeSocket.last.receive(push(5));
    await reconnect(t);
    const [{ id }] = FakeSocket.last.sent;
    FakeSocket.last.receive({ type: 'error', id, code: 'forbidden', message: 'no', retryable: false });
    assert.deepEqual([...saved, subscription.position], [at(5), at(5)]);
  });

  test('is undefined without a log', async (t) => {
    const client = await startOpen(t);
    const subscription = await subscribe(client, () => {}, {}, {});
    assert.equal(subscription.position, undefined);
  });
});

test('a subscription that a handler leaves and makes again does not get the message twice', async (t) => {
  const client = await startOpen(t);
  const calls = [];
  const first = await subscribe(client, ({ message }) => {
    calls.push(`first ${message}`);
    first.unsubscribe();
    void client.subscribe('a', (push) => calls.push(`second ${push.message}`));
  });
  FakeSocket.last.receive(push(5));
  await turn();
  answer({ entityId: 'a' });
  await turn();
  answer({ entityId: 'a', ...at(5), top: 5 });
  FakeSocket.last.receive(push(5));
  FakeSocket.last.receive(push(6));
  assert.deepEqual(calls, ['first 5', 'second 6']);
});

describe('the events of a subscription', () => {
  test('tell a recovery with its number of messages, and a loss before the next message', async (t) => {
    const client = await startOpen(t);
    const events = [];
    client.onLost((lost) => events.push(['any', lost]));
    const subscription = await subscribe(client, ({ message }) => events.push(message));
    subscription.on('recovered', (event) => events.push(['recovered', event]));
    const remove = subscription.on('lost', (event) => events.push(['lost', event]));

    await reconnect(t);
    assert.deepEqual(FakeSocket.last.sent[0].recover, at(4));
    answer({ entityId: 'a', ...at(6), top: 6, recovered: true, messages: pushes(5, 6) });
    assert.deepEqual(events.splice(0), [5, 6, ['recovered', { messages: 2 }]]);

    await reconnect(t);
    FakeSocket.last.receive(push(10));
    answer({ entityId: 'a', ...at(9), top: 9, recovered: false });
    const lost = { to: 'entity', entityId: 'a', position: at(9) };
    assert.deepEqual(events.splice(0), [['lost', { position: at(9) }], ['any', lost], 10]);

    remove();
    await reconnect(t);
    answer({ entityId: 'a', ...at(12), top: 12, recovered: false });
    assert.deepEqual(events.map(([name]) => name), ['any']);
  });

  test('from before the first listener are heard by it', async (t) => {
    const client = await startOpen(t);
    const options = { recover: at(2) };
    const subscription = await subscribe(client, () => {}, options, { ...at(4), top: 4, recovered: false });
    const events = [];
    subscription.on('lost', ({ position }) => events.push(position));
    subscription.on('lost', ({ position }) => events.push(position));
    assert.deepEqual(events, [at(4)]);
  });

  test('tell a loss of broadcasts to the client', async (t) => {
    const client = await startOpen(t);
    const events = [];
    client.onLost((lost) => events.push(lost));
    client.onBroadcast(() => {});
    answer({ everyone: { ...at(3) } });
    await reconnect(t);
    assert.deepEqual(FakeSocket.last.sent[0].everyone, at(3));
    answer({ everyone: { ...at(9), top: 9, recovered: false } });
    assert.deepEqual(events, [{ to: 'broadcasts', position: at(9) }]);
  });
});

test('a broadcast that arrives before the first position of broadcasts is delivered, and what it overtook as well', async (t) => {
  const client = await startOpen(t);
  const messages = [];
  client.onBroadcast(({ message }) => messages.push(message));
  const broadcast = (offset) => ({ type: 'Broadcast', message: offset, eventId: `b${offset}`, ...at(offset) });
  FakeSocket.last.receive(broadcast(7));
  answer({ everyone: { ...at(8) } });
  assert.deepEqual(messages, [7]);
  t.mock.timers.tick(1000);
  assert.deepEqual(FakeSocket.last.sent.at(-1).everyone, at(7));
  answer({ everyone: { ...at(8), top: 8, recovered: true, messages: [broadcast(8)] } });
  assert.deepEqual(messages, [7, 8]);
});

describe('the start of a subscription', () => {
  test('recovers from a saved position', async (t) => {
    const client = await startOpen(t);
    const messages = [];
    const ack = { ...at(4), top: 4, recovered: true, messages: pushes(3, 4) };
    const subscription = await subscribe(client, ({ message }) => messages.push(message), { recover: at(2) }, ack);
    assert.deepEqual(FakeSocket.last.sent[0].recover, at(2));
    assert.deepEqual(messages, [3, 4]);
    assert.deepEqual(subscription.position, at(4));
  });

  test('rewinds', async (t) => {
    const client = await startOpen(t);
    const messages = [];
    const onMessage = ({ message }) => messages.push(message);
    await subscribe(client, { rewind: 2, onMessage }, undefined, { ...at(4), top: 4, messages: pushes(3, 4) });
    assert.equal(FakeSocket.last.sent[0].rewind, 2);
    assert.deepEqual(messages, [3, 4]);
  });

  test('with an invalid position, or with two starts, throws a TypeError', async (t) => {
    const client = await startOpen(t);
    const message = 'recover must be a position, got {"offset":-1}';
    await assert.rejects(client.subscribe('a', () => {}, { recover: { offset: -1 } }), { name: 'TypeError', message });
    await assert.rejects(client.subscribe('a', () => {}, { recover: at(1), rewind: 1 }), TypeError);
    assert.deepEqual(FakeSocket.last.sent, []);
  });
});

describe('a state loader', () => {
  /** Returns a callback that answers when the test says so. */
  function stateCallback() {
    const waiting = [];
    const state = () => new Promise((resolve, reject) => waiting.push({ resolve, reject }));
    state.answer = async (position) => {
      waiting.shift().resolve({ position });
      await turn();
    };
    state.fail = async (error) => {
      waiting.shift().reject(error);
      await turn();
    };
    state.waiting = waiting;
    return state;
  }

  test('subscribes from the position of the state', async (t) => {
    const client = await startOpen(t);
    const state = stateCallback();
    const messages = [];
    const subscription = client.subscribe('a', ({ message }) => messages.push(message), { state });
    await turn();
    assert.deepEqual(FakeSocket.last.sent, []);
    await state.answer(at(3));
    assert.deepEqual(FakeSocket.last.sent[0].recover, at(3));
    answer({ entityId: 'a', ...at(4), top: 4, recovered: true, messages: pushes(4) });
    await subscription;
    FakeSocket.last.receive(push(5));
    assert.deepEqual(messages, [4, 5]);
    assert.equal(state.waiting.length, 0);
  });

  test('loads again after a loss, and delivers what came after the state', async (t) => {
    const client = await startOpen(t);
    const state = stateCallback();
    const messages = [];
    const subscription = client.subscribe('a', ({ message }) => messages.push(message), { state });
    await turn();
    await state.answer(at(3));
    answer({ entityId: 'a', ...at(9), top: 9, recovered: false });
    await subscription;
    for (const one of pushes(10, 11)) FakeSocket.last.receive(one);
    assert.deepEqual(messages, []);
    await state.answer(at(10));
    assert.deepEqual(messages, [11]);
    FakeSocket.last.receive(push(12));
    assert.deepEqual(messages, [11, 12]);
  });

  test('loads again if the state is older than the position after a loss, or its callback failed, which ends no process', async (t) => {
    const client = await startOpen(t);
    const state = stateCallback();
    const report = t.mock.method(console, 'error', () => {});
    const messages = [];
    const subscription = client.subscribe('a', ({ message }) => messages.push(message), { state });
    await turn();
    await state.answer(at(3));
    answer({ entityId: 'a', ...at(9), top: 9, recovered: false });
    await subscription;
    FakeSocket.last.receive(push(10));
    await state.answer(at(8));
    t.mock.timers.tick(0);
    await state.fail(new Error('no network'));
    assert.match(String(report.mock.calls[0].arguments), /callback `state` failed.*no network/);
    t.mock.timers.tick(0);
    await state.answer(at(9));
    assert.deepEqual(messages, [10]);
  });

  test('of a later subscriber delivers what its state does not have', async (t) => {
    const client = await startOpen(t);
    await subscribe(client, () => {});
    const state = stateCallback();
    const messages = [];
    const subscription = client.subscribe('a', ({ message }) => messages.push(message), { state });
    for (const one of pushes(5, 6)) FakeSocket.last.receive(one);
    await state.answer(at(5));
    await subscription;
    assert.deepEqual(messages, [6]);
  });

  test('of a later subscriber loads again if its state is older than the position it joins at', async (t) => {
    const client = await startOpen(t);
    await subscribe(client, () => {});
    FakeSocket.last.receive(push(5));
    const state = stateCallback();
    const messages = [];
    const subscription = client.subscribe('a', ({ message }) => messages.push(message), { state });
    FakeSocket.last.receive(push(6));
    await state.answer(at(4));
    await subscription;
    assert.deepEqual(messages, []);
    t.mock.timers.tick(0);
    await state.answer(at(5));
    assert.deepEqual(messages, [6]);
  });

  test('loads after the acknowledgement and after a reconnect if the entity has no log', async (t) => {
    const client = await startOpen(t);
    const state = stateCallback();
    const subscription = client.subscribe('a', () => {}, { state });
    await turn();
    await state.answer(undefined);
    answer({ entityId: 'a' });
    await turn();
    await state.answer(undefined);
    await subscription;
    assert.equal(state.waiting.length, 0);
    await reconnect(t);
    answer({ entityId: 'a' });
    assert.equal(state.waiting.length, 1);
    await state.answer(undefined);
  });

  test('whose callback fails first rejects the subscription', async (t) => {
    const client = await startOpen(t);
    const state = () => Promise.reject(new Error('no network'));
    await assert.rejects(client.subscribe('a', () => {}, { state }), /no network/);
    assert.deepEqual(FakeSocket.last.sent, []);
  });

  test('bounds the messages that wait for the state', async (t) => {
    const client = await startOpen(t);
    await subscribe(client, () => {});
    const state = stateCallback();
    const messages = [];
    const subscription = client.subscribe('a', ({ message }) => messages.push(message), { state });
    for (let offset = 5; offset <= 1010; offset += 1) FakeSocket.last.receive(push(offset));
    await state.answer(at(5));
    await state.answer(at(1004));
    await subscription;
    t.mock.timers.tick(0);
    await state.answer(at(1008));
    assert.deepEqual(messages, [1009, 1010]);
  });
});

test('history returns the messages of a log with their position', async (t) => {
  const client = await startOpen(t);
  const reading = client.history('a', { last: 2 });
  const { id, ...request } = FakeSocket.last.sent.at(-1);
  assert.deepEqual(request, { action: 'history', entityId: 'a', last: 2 });
  answer({ entityId: 'a', ...at(4), top: 5, messages: pushes(3, 4) });
  const { messages, position, top, more } = await reading;
  assert.deepEqual([messages, position, top, more], [pushes(3, 4), at(4), 5, false]);

  const broadcasts = client.history({ everyone: true }, { since: { offset: 0 } });
  assert.equal(FakeSocket.last.sent.at(-1).everyone, true);
  answer({ offset: 0, top: 0, recovered: true });
  assert.deepEqual(await broadcasts, { messages: [], position: { offset: 0 }, top: 0, recovered: true, more: false });
});
