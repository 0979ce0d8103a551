// The API of the client: subscriptions that are left, the state at once, the log, with sockets whose other end is the test.

import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';

import { connect } from '../herald-client.js';
import { FakeSocket } from './fake-socket.js';

/** Lets pending callbacks run. */
const turn = () => new Promise((resolve) => setImmediate(resolve));
const push = { type: 'Entity Updated', entityId: 'a', message: 1, eventId: 'e1' };

function startOpen(t) {
  const client = connect('ws://127.0.0.1/dev', { webSocket: FakeSocket });
  t.after(() => client.close({ within: 0 }));
  FakeSocket.last.open();
  return client;
}

/** Acknowledges every request that has no reply yet. */
function acknowledge(socket) {
  for (const { action, id, entityId } of socket.sent.splice(0)) socket.receive({ type: 'ack', action, id, entityId });
}

const actions = () => FakeSocket.last.sent.map(({ action }) => action);

beforeEach(() => {
  FakeSocket.all = [];
});

for (const [way, subscribe] of Object.entries({
  'by its signal': (client, handler) => {
    const page = new AbortController();
    return { pending: client.subscribe('a', handler, { signal: page.signal }), leave: () => page.abort() };
  },
  'by its handle': (client, handler) => {
    const pending = client.subscribe('a', handler);
    return { pending, leave: () => pending.unsubscribe() };
  },
})) {
  describe(`a subscription left ${way}`, () => {
    test('before the ack rejects, gets no message and is ended on the server', async (t) => {
      const client = startOpen(t);
      const heard = [];
      const { pending, leave } = subscribe(client, (message) => heard.push(message));
      await turn();
      assert.deepEqual(actions(), ['subscribe']);
      leave();
      await assert.rejects(pending, { name: 'AbortError' });
      acknowledge(FakeSocket.last);
      FakeSocket.last.receive(push);
      assert.deepEqual([heard, actions()], [[], ['unsubscribe']]);
    });

    test('while the client is not connected is not made on the next connection', async (t) => {
      const client = connect('ws://127.0.0.1/dev', { webSocket: FakeSocket });
      t.after(() => client.close({ within: 0 }));
      const { pending, leave } = subscribe(client, () => {});
      await turn();
      leave();
      await assert.rejects(pending, { name: 'AbortError' });
      FakeSocket.last.open();
      await turn();
      assert.deepEqual(actions(), []);
    });

    test('after the ack ends it', async (t) => {
      const client = startOpen(t);
      const { pending, leave } = subscribe(client, () => {});
      await turn();
      acknowledge(FakeSocket.last);
      await pending;
      leave();
      leave();
      assert.deepEqual(actions(), ['unsubscribe']);
    });

    test('before the ack leaves the others of its entity subscribed', async (t) => {
      const client = startOpen(t);
      const heard = [];
      const { pending, leave } = subscribe(client, () => heard.push('left'));
      const other = client.subscribe('a', () => heard.push('other'));
      await turn();
      leave();
      acknowledge(FakeSocket.last);
      await other;
      FakeSocket.last.receive(push);
      assert.deepEqual([heard, actions()], [['other'], []]);
      await assert.rejects(pending, { name: 'AbortError' });
    });

    test('needs no handler of the rejection', async (t) => {
      const unhandled = t.mock.fn();
      process.on('unhandledRejection', unhandled);
      t.after(() => process.off('unhandledRejection', unhandled));
      const { leave } = subscribe(startOpen(t), () => {});
      leave();
      await turn();
      assert.equal(unhandled.mock.callCount(), 0);
    });
  });
}

test('a subscription left while its state loads makes no request', async (t) => {
  const client = startOpen(t);
  const page = new AbortController();
  let loaded;
  const loading = new Promise((resolve) => (loaded = resolve));
  const pending = client.subscribe('a', { state: () => loading, signal: page.signal });
  page.abort();
  loaded({});
  await assert.rejects(pending, { name: 'AbortError' });
  await turn();
  assert.deepEqual(actions(), []);
});

test('a subscription whose signal has aborted makes no request, and rejects with its reason', async (t) => {
  const client = startOpen(t);
  const reason = new Error('the page was left');
  await assert.rejects(client.subscribe('a', () => {}, { signal: AbortSignal.abort(reason) }), reason);
  await turn();
  assert.deepEqual(actions(), []);
});

for (const [end, happens] of Object.entries({
  'was left': (subscription) => subscription.unsubscribe(),
  'ended with its client': (_, client) => client.close({ within: 0 }),
})) {
  test(`a subscription that ${end} does not listen to its signal any more`, async (t) => {
    const client = startOpen(t);
    const { signal } = new AbortController();
    const [added, removed] = [t.mock.method(signal, 'addEventListener'), t.mock.method(signal, 'removeEventListener')];
    const pending = client.subscribe('a', () => {}, { signal });
    await turn();
    acknowledge(FakeSocket.last);
    await happens(await pending, client);
    assert.deepEqual(removed.mock.calls[0].arguments, added.mock.calls[0].arguments);
  });
}

test('a subscription that failed does not listen to its signal any more', async (t) => {
  const client = startOpen(t);
  const { signal } = new AbortController();
  const [added, removed] = [t.mock.method(signal, 'addEventListener'), t.mock.method(signal, 'removeEventListener')];
  const order = [];
  added.mock.mockImplementation(() => order.push('added'));
  removed.mock.mockImplementation(() => order.push('removed'));
  await assert.rejects(client.subscribe('a', () => {}, { signal, recover: 5 }), TypeError);
  assert.deepEqual(order, ['added', 'removed']);
});

test('onState tells the current state before it returns', (t) => {
  const client = connect('ws://127.0.0.1/dev', { webSocket: FakeSocket });
  t.after(() => client.close({ within: 0 }));
  const states = [];
  const remove = client.onState(({ name }) => states.push(name));
  assert.deepEqual(states, ['connecting']);
  FakeSocket.last.open();
  remove();
  client.onState(({ name }) => states.push(name));
  assert.deepEqual(states, ['connecting', 'open', 'open']);
});

test('onState tells the change that the first call of its handler makes', (t) => {
  const client = connect('ws://127.0.0.1/dev', { webSocket: FakeSocket });
  t.after(() => client.close({ within: 0 }));
  const states = [];
  client.onState(({ name }) => {
    states.push(name);
    if (name === 'connecting') client.networkDown();
  });
  assert.deepEqual(states, ['connecting', 'reconnecting']);
});

const LISTENERS = {
  onState: { add: (client, ...all) => client.onState(...all), cause: () => FakeSocket.last.end() },
  onNotification: {
    add: (client, ...all) => client.onNotification(...all),
    cause: () => FakeSocket.last.receive({ type: 'User Push Notification', message: 1, eventId: 'e1' }),
  },
  onBroadcast: {
    add: (client, ...all) => client.onBroadcast(...all),
    cause: () => FakeSocket.last.receive({ type: 'Broadcast', message: 1, eventId: 'e1' }),
  },
  onType: {
    add: (client, ...all) => client.onType('Broadcast', ...all),
    cause: () => FakeSocket.last.receive({ type: 'Broadcast', message: 1, eventId: 'e1' }),
  },
};

for (const [name, { add, cause }] of Object.entries(LISTENERS)) {
  /** Starts a client with one handler, which is added twice. */
  const addTwice = (t) => {
    const client = startOpen(t);
    const handler = t.mock.fn();
    const page = new AbortController();
    const removes = [add(client, handler), add(client, handler, { signal: page.signal })];
    FakeSocket.last.sent.splice(0).forEach(({ id }) => FakeSocket.last.receive({ type: 'ack', action: 'sync', id }));
    handler.mock.resetCalls();
    return { client, handler, page, removes };
  };

  test(`a handler that ${name} gets twice is called once, until both are removed`, (t) => {
    const { handler, removes } = addTwice(t);
    removes[0]();
    removes[0]();
    cause();
    assert.equal(handler.mock.callCount(), 1);
  });

  test(`a handler of ${name} is not called after its removal and the abort of its signal`, (t) => {
    const { handler, page, removes } = addTwice(t);
    removes[0]();
    page.abort();
    cause();
    assert.equal(handler.mock.callCount(), 0);
  });

  test(`a handler that ${name} gets with a signal that has aborted is not called`, (t) => {
    const { client, handler, page, removes } = addTwice(t);
    for (const remove of removes) remove();
    page.abort();
    add(client, handler, { signal: page.signal });
    cause();
    assert.equal(handler.mock.callCount(), 0);
  });
}

test('a log has states and frames, and no token', async (t) => {
  const entries = [];
  const tokens = ['first.secret.token', 'second.secret.token'];
  const token = () => ({ token: tokens.shift(), expiresAt: Date.now() / 1000 + 0.01 });
  const log = (entry) => {
    entries.push(entry);
    throw new Error('a mistake in the log');
  };
  const report = t.mock.method(globalThis, 'queueMicrotask', () => {});
  const client = connect('ws://127.0.0.1/dev?access_token=third.secret', { webSocket: FakeSocket, token, log });
  await turn();
  FakeSocket.last.open();
  while (actions().length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  assert.equal(FakeSocket.last.sent[0].token, 'second.secret.token');
  FakeSocket.last.receive({ type: 'pong' });
  await client.close({ within: 0 });
  FakeSocket.last.end(1000, 'bye');
  assert.doesNotMatch(JSON.stringify(entries), /secret/);
  const told = entries.map((entry) => (entry.kind === 'state' ? entry.state.name : entry));
  assert.deepEqual(told, [
    'connecting',
    { kind: 'connect', url: 'ws://127.0.0.1/dev' },
    'open',
    { kind: 'sent', frame: '{"action":"authenticate","token":"…","id":"1"}' },
    { kind: 'received', frame: '{"type":"pong"}' },
    'stopped',
    { kind: 'closed', code: 1000, reason: 'bye' },
  ]);
  assert.equal(report.mock.callCount(), entries.length);
});
