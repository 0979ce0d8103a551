// The client around its machine: sockets, tokens, events of the page, and the application's handlers.

import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';

import { connect } from '../herald-client.js';
import { FakeSocket } from './fake-socket.js';

const URL = 'ws://127.0.0.1/dev';
const push = { type: 'Entity Updated', entityId: 'order-1', message: 1, eventId: 'e1', time: 't' };

/** Lets pending callbacks run. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Advances the time in steps of 5 s: a larger one is a sleep of the computer. */
function pass(t, milliseconds) {
  for (let left = milliseconds; left > 0; left -= 5000) t.mock.timers.tick(Math.min(left, 5000));
}

function start(t, options = {}) {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000_000_000_000 });
  const client = connect(URL, { webSocket: FakeSocket, ...options });
  t.after(() => client.close({ within: 0 }));
  return client;
}

async function startOpen(t, options) {
  const client = start(t, options);
  await turn();
  FakeSocket.last.open();
  return client;
}

/** Returns a JWT that ends this many seconds from now. Its signature is not checked. */
function tokenFor(seconds) {
  const claims = { sub: 'träume?>', exp: Date.now() / 1000 + seconds };
  return `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2ln`;
}

async function subscribe(client, ...handlers) {
  const subscription = client.subscribe('order-1', ...handlers);
  await turn();
  const { id } = FakeSocket.last.sent.at(-1);
  FakeSocket.last.receive({ type: 'ack', action: 'subscribe', entityId: 'order-1', id });
  return subscription;
}

beforeEach(() => {
  FakeSocket.all = [];
});

describe('a new client', () => {
  test('offers the subprotocol of Herald and the token', async (t) => {
    await startOpen(t, { token: async () => 'a.b.c' });
    assert.equal(FakeSocket.last.url, URL);
    assert.deepEqual(FakeSocket.last.protocols, ['herald.v1', 'a.b.c']);
  });

  for (const answer of [undefined, null]) {
    test(`connects without a token if the callback returns ${answer}`, async (t) => {
      await startOpen(t, { token: () => answer });
      assert.deepEqual(FakeSocket.last.protocols, ['herald.v1']);
    });
  }

  test('that reconnects has the last failure as its cause', async (t) => {
    const token = () => Promise.reject(new Error('the user is signed out'));
    const signedOut = connect(URL, { webSocket: FakeSocket, token });
    await turn();
    assert.equal(signedOut.state.name, 'reconnecting');
    assert.equal(signedOut.state.cause.message, 'the user is signed out');
    await signedOut.close({ within: 0 });
    const client = await startOpen(t);
    FakeSocket.last.end(1001, 'Going away');
    assert.equal(client.state.cause.message, 'the connection was closed with code 1001: Going away');
  });

  for (const token of ['', 'no token', 'träume', 'line\nbreak', 'a,b', 'a=', 'herald.v1', 5, { token: 5 }]) {
    test(`stops as invalid if no subprotocol can carry the token ${JSON.stringify(token)}`, async (t) => {
      const client = start(t, { token: () => token });
      await turn();
      assert.equal(client.state.name, 'stopped');
      assert.equal(client.state.reason.kind, 'invalid');
      assert.match(client.state.reason.reason, /^no WebSocket subprotocol can carry the token/);
      assert.deepEqual(FakeSocket.all, []);
    });
  }

  test('stops as invalid if the WebSocket refuses the address', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
    const client = connect(`${URL}#part`, { webSocket: FakeSocket });
    const reason = { kind: 'invalid', reason: 'the address has a fragment' };
    assert.deepEqual(client.state, { name: 'stopped', reason });
  });

  test('with an invalid address throws a TypeError', () => {
    for (const address of ['https://example.com', 'example', 'wss://', undefined]) {
      const message = `the address must start with wss:// or ws:// and have a host, got ${address}`;
      assert.throws(() => connect(address, { webSocket: FakeSocket }), { name: 'TypeError', message });
    }
    const message = 'pollUrl must start with https:// or http:// and have a host, got ';
    assert.throws(() => connect(URL, { webSocket: FakeSocket, pollUrl: '' }), { name: 'TypeError', message });
  });

  test('in an environment without WebSocket throws a TypeError', (t) => {
    const { WebSocket } = globalThis;
    t.after(() => Object.assign(globalThis, { WebSocket }));
    globalThis.WebSocket = undefined;
    assert.throws(() => connect(URL), { name: 'TypeError', message: /^this environment has no WebSocket/ });
  });
});

describe('token renewal', () => {
  for (const [where, answer] of Object.entries({
    'its own exp': () => tokenFor(600),
    'expiresAt of the callback': () => ({ token: 'opaque', expiresAt: Date.now() / 1000 + 600 }),
  })) {
    test(`starts a minute before the end, known from ${where}`, async (t) => {
      await startOpen(t, { token: answer, pingAfter: 3_600_000 });
      pass(t, 539_999);
      await turn();
      assert.deepEqual(FakeSocket.last.sent, []);
      t.mock.timers.tick(1);
      await turn();
      const [{ action, token }] = FakeSocket.last.sent;
      assert.equal(action, 'authenticate');
      assert.ok(token);
    });
  }

  for (const [condition, answer] of Object.entries({
    'has ended by this clock': () => tokenFor(-10),
    'is not a JWT': () => 'opaque',
    'has claims that are not JSON': () => 'e30.e30x.c2ln',
    'has no end': () => 'e30.e30.c2ln',
  })) {
    test(`never starts for a token that ${condition}`, async (t) => {
      let asked = 0;
      await startOpen(t, { token: () => (asked++, answer()), pingAfter: 7_000_000 });
      pass(t, 3_600_000);
      await turn();
      assert.equal(asked, 1);
    });
  }
});

describe('a page', () => {
  function openPage(t) {
    globalThis.window = new EventTarget();
    globalThis.document = Object.assign(new EventTarget(), { visibilityState: 'visible' });
    t.after(() => {
      delete globalThis.window;
      delete globalThis.document;
    });
  }

  test('that goes offline closes the connection, and reconnects once it is online', async (t) => {
    openPage(t);
    const client = await startOpen(t);
    const first = FakeSocket.last;
    window.dispatchEvent(new Event('offline'));
    assert.equal(first.closed, 1000);
    assert.deepEqual([client.state.name, client.state.delay], ['reconnecting', null]);
    pass(t, 29_999);
    assert.equal(FakeSocket.all.length, 1);
    window.dispatchEvent(new Event('online'));
    assert.equal(FakeSocket.all.length, 2);
  });

  for (const [condition, happens] of Object.entries({
    'is shown again': () => window.dispatchEvent(new Event('pageshow')),
    'becomes visible': () => document.dispatchEvent(new Event('visibilitychange')),
    'waits for a minute': (t) => pass(t, 60_000),
    'was asleep': (t) => t.mock.timers.tick(20_000),
  })) {
    test(`that went offline without an online event reconnects when it ${condition}`, async (t) => {
      openPage(t);
      await startOpen(t);
      window.dispatchEvent(new Event('offline'));
      happens(t);
      assert.equal(FakeSocket.all.length, 2);
    });
  }

  test('that becomes visible ends the delay, and pings an open connection', async (t) => {
    openPage(t);
    await startOpen(t);
    document.visibilityState = 'hidden';
    document.dispatchEvent(new Event('visibilitychange'));
    assert.deepEqual(FakeSocket.last.sent, []);
    document.visibilityState = 'visible';
    document.dispatchEvent(new Event('visibilitychange'));
    assert.deepEqual(FakeSocket.last.sent, [{ action: 'ping' }]);

    for (const [target, event] of [[window, 'pageshow'], [document, 'resume'], [document, 'visibilitychange']]) {
      const sockets = FakeSocket.all.length;
      FakeSocket.last.open();
      FakeSocket.last.end();
      target.dispatchEvent(new Event(event));
      assert.equal(FakeSocket.all.length, sockets + 1, event);
    }
  });

  test('has no effect without hints', async (t) => {
    openPage(t);
    await startOpen(t, { hints: false });
    document.dispatchEvent(new Event('visibilitychange'));
    assert.deepEqual(FakeSocket.last.sent, []);
  });

  test('has no listeners after the client stopped', async (t) => {
    openPage(t);
    const removed = t.mock.method(window, 'removeEventListener');
    const client = connect(URL, { webSocket: FakeSocket });
    await client.close();
    assert.deepEqual(removed.mock.calls.map((call) => call.arguments[0]), ['online', 'offline', 'pageshow']);
  });
});

describe('handlers', () => {
  test('are called for their entity and type until they are removed', async (t) => {
    const client = await startOpen(t);
    const calls = [];
    const note = (name) => () => calls.push(name);
    const subscription = await subscribe(client, note('entity'));
    client.onNotification(note('notification'));
    const removeBroadcast = client.onBroadcast(note('broadcast'));
    client.onType('Broadcast', note('type'));
    client.onType('News', note('news'));

    const socket = FakeSocket.last;
    socket.receive(push);
    socket.receive({ ...push, entityId: 'order-2', eventId: 'e2' });
    socket.receive({ type: 'User Push Notification', message: 1, eventId: 'e3' });
    socket.receive({ type: 'Broadcast', message: 1, eventId: 'e4' });
    socket.receive({ type: 'News', eventId: 'e5' });
    socket.receiveData(new ArrayBuffer(8));
    assert.deepEqual(calls.splice(0), ['entity', 'notification', 'broadcast', 'type', 'news']);

    removeBroadcast();
    subscription.unsubscribe();
    subscription.unsubscribe();
    socket.receive({ ...push, eventId: 'e6' });
    socket.receive({ type: 'Broadcast', message: 1, eventId: 'e7' });
    assert.deepEqual(calls, ['type']);
    assert.deepEqual(socket.sent.map(({ action }) => action), ['subscribe', 'sync', 'sync', 'unsubscribe']);
  });

  test('that throw are reported, and the others are still called', async (t) => {
    const client = await startOpen(t);
    await subscribe(client, () => {
      throw new Error('a mistake');
    });
    const heard = [];
    await client.subscribe('order-1', (push) => heard.push(push));
    const report = t.mock.method(globalThis, 'queueMicrotask', () => {});
    FakeSocket.last.receive(push);
    assert.deepEqual(heard, [push]);
    assert.throws(report.mock.calls[0].arguments[0], { message: 'a mistake' });
  });

  test('that another handler removes are not called with the present push any more', async (t) => {
    const client = await startOpen(t);
    const heard = [];
    await subscribe(client, () => later.unsubscribe());
    const later = client.subscribe('order-1', (push) => heard.push(push));
    await later;
    client.onBroadcast(() => remove());
    const remove = client.onBroadcast((push) => heard.push(push));
    FakeSocket.last.receive(push);
    FakeSocket.last.receive({ type: 'Broadcast', message: 1, eventId: 'e2' });
    assert.deepEqual(heard, []);
  });

  test('that leave a subscription whose end is being told keep it from its handler', async (t) => {
    const client = await startOpen(t);
    const ended = [];
    await subscribe(client, () => {}, () => later.unsubscribe());
    const later = client.subscribe('order-1', () => {}, (error) => ended.push(error));
    await later;
    FakeSocket.last.end();
    t.mock.timers.tick(1000);
    FakeSocket.last.open();
    const [{ id }] = FakeSocket.last.sent;
    FakeSocket.last.receive({ type: 'error', id, code: 'forbidden', message: 'no', retryable: false });
    assert.deepEqual(ended, []);
  });

  test('that call the client see the effects after the current event', async (t) => {
    const client = await startOpen(t);
    const states = [];
    client.onState(({ name }) => name === 'reconnecting' && client.close());
    client.onState(({ name }) => states.push(name));
    FakeSocket.last.end();
    assert.deepEqual(states, ['open', 'reconnecting', 'stopped']);
  });

  test('are told when the server ends their subscription', async (t) => {
    const client = await startOpen(t);
    const ended = [];
    const subscription = await subscribe(client, () => {}, (error) => ended.push(error.code));
    FakeSocket.last.end();
    t.mock.timers.tick(1000);
    FakeSocket.last.open();
    const [{ id }] = FakeSocket.last.sent;
    FakeSocket.last.receive({ type: 'error', id, code: 'forbidden', message: 'no', retryable: false });
    assert.deepEqual(ended, ['forbidden']);
    subscription.unsubscribe();
    assert.equal(FakeSocket.last.sent.length, 1);
  });
});

describe('a message', () => {
  test('that changes after send is sent unchanged', async (t) => {
    const client = start(t);
    const message = { text: 'before' };
    void client.send({ entityId: 'room-1', message }).catch(() => {});
    message.text = 'after';
    FakeSocket.last.open();
    assert.deepEqual(FakeSocket.last.sent, [
      { action: 'sendMessage', entityId: 'room-1', message: { text: 'before' }, id: '1' },
    ]);
  });

  test('that is not JSON is refused at once, and the next one is sent', async (t) => {
    const client = await startOpen(t);
    await assert.rejects(client.send({ message: 1n }), TypeError);
    void client.send({ message: 1 }).catch(() => {});
    assert.equal(FakeSocket.last.sent.length, 1);
  });
});

describe('errors', () => {
  for (const [reply, error] of [
    [
      { type: 'error', code: 'internal', message: 'try again', retryable: true },
      { kind: 'server', code: 'internal', message: 'try again', retryable: true },
    ],
    [
      { message: 'Endpoint request timed out', connectionId: 'c', requestId: 'r' },
      { kind: 'gateway', code: 'timeout', message: 'Endpoint request timed out', retryable: true },
    ],
    [
      { message: 'Bad request body', connectionId: 'c', messageId: 'm' },
      { kind: 'gateway', code: 'badRequest', message: 'Bad request body' },
    ],
  ]) {
    test(`have the fields of ${JSON.stringify(reply)}`, async (t) => {
      const client = await startOpen(t);
      const sent = client.send({ message: 1 });
      FakeSocket.last.receive(reply);
      await assert.rejects(sent, { name: 'HeraldError', ...error });
    });
  }

  test('of a request that was not answered have a message', async (t) => {
    const client = await startOpen(t, { outboxLimit: 0, inFlightLimit: 1 });
    const message = /^[a-z ,]+$/;
    const lost = client.send({ message: 1 });
    await assert.rejects(client.send({ message: 2 }), { kind: 'outboxFull', message });
    await assert.rejects(client.send({ message: 'x'.repeat(33_000) }), { kind: 'tooLarge', message });
    FakeSocket.last.end();
    await assert.rejects(lost, { kind: 'outcomeUnknown', message });
    await client.close({ within: 0 });
    await assert.rejects(client.send({ message: 3 }), { kind: 'stopped', message });
  });

  test('of a message that expired have a message', async (t) => {
    const client = start(t);
    const sent = client.send({ message: 1 }, { timeToLive: 1000 });
    t.mock.timers.tick(1000);
    await assert.rejects(sent, { kind: 'expired', message: /^[a-z ]+$/ });
  });
});

describe('subscribers', () => {
  test('of one turn are subscribed in one frame, before later messages', async (t) => {
    const client = await startOpen(t);
    const subscribed = Promise.all(['a', 'b', 'a'].map((entity) => client.subscribe(entity, () => {})));
    void client.send({ message: 1 }).catch(() => {});
    assert.deepEqual(FakeSocket.last.sent, [
      { action: 'subscribe', entities: { a: {}, b: {} }, id: '1' },
      { action: 'sendMessage', message: 1, id: '2' },
    ]);
    FakeSocket.last.receive({ type: 'ack', action: 'subscribe', id: '1', entities: { a: {}, b: {} } });
    assert.equal((await subscribed).length, 3);
    await turn();
    assert.equal(FakeSocket.last.sent.length, 2);
  });

  test('of a hundred entities are subscribed in one frame after a reconnect', async (t) => {
    const client = await startOpen(t);
    const entities = Array.from({ length: 100 }, (_, number) => `entity-${number}`);
    const subscribed = Promise.all(entities.map((entity) => client.subscribe(entity, () => {})));
    await turn();
    const acknowledge = () => {
      const [frame, ...others] = FakeSocket.last.sent;
      assert.deepEqual([Object.keys(frame.entities), others], [entities, []]);
      FakeSocket.last.receive({ type: 'ack', action: 'subscribe', ...frame });
    };
    acknowledge();
    await subscribed;
    FakeSocket.last.end();
    pass(t, 1000);
    FakeSocket.last.open();
    acknowledge();
    assert.equal(client.state.name, 'open');
  });
});

describe('the clock', () => {
  for (const [condition, steadyGain] of Object.entries({ 'stands still': 0, 'goes on': 3_600_000 })) {
    test(`shows a sleep in which the steady clock ${condition}, and the client pings at once`, async (t) => {
      t.mock.timers.enable({ apis: ['setTimeout'] });
      let [date, steady] = [1_000_000_000_000, 0];
      t.mock.method(Date, 'now', () => date);
      t.mock.method(performance, 'now', () => steady);
      const awake = (milliseconds) => {
        date += milliseconds;
        steady += milliseconds;
        t.mock.timers.tick(milliseconds);
      };
      const client = connect(URL, { webSocket: FakeSocket, pingAfter: 86_400_000 });
      t.after(() => client.close({ within: 0 }));
      FakeSocket.last.open();
      const [socket] = FakeSocket.all;
      awake(5000);
      date += 3_600_000;
      steady += steadyGain;
      assert.deepEqual(socket.sent, []);
      awake(5000);
      assert.deepEqual(socket.sent, [{ action: 'ping' }]);
      awake(5000);
      awake(5000);
      assert.equal(socket.closed, 1000);
    });
  }

  test('that is set back keeps the ping after silence', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    let [date, steady] = [1_000_000_000_000, 0];
    t.mock.method(Date, 'now', () => date);
    t.mock.method(performance, 'now', () => steady);
    const pass = (milliseconds) => {
      for (let left = milliseconds; left > 0; left -= 5000) {
        date += 5000;
        steady += 5000;
        t.mock.timers.tick(5000);
      }
    };
    const client = connect(URL, { webSocket: FakeSocket });
    t.after(() => client.close({ within: 0 }));
    FakeSocket.last.open();
    pass(100_000);
    date -= 3_600_000;
    pass(140_000);
    assert.deepEqual(FakeSocket.last.sent, [{ action: 'ping' }]);
  });
});

describe('a handshake that failed', () => {
  for (const [events, fail] of Object.entries({
    'an error and a close': (socket) => {
      socket.fail('no');
      socket.end();
    },
    'an error alone': (socket) => socket.fail(''),
    'a close alone': (socket) => socket.end(),
  })) {
    test(`is noticed by ${events}`, async (t) => {
      t.mock.method(globalThis, 'fetch', () => Promise.reject(new TypeError('fetch failed')));
      const client = start(t);
      const states = [];
      client.onState(({ name, attempt }) => states.push([name, attempt]));
      fail(FakeSocket.last);
      await turn();
      assert.deepEqual(states, [['connecting', undefined], ['reconnecting', 1]]);
    });
  }

  for (const [environment, message] of Object.entries({
    ws: 'Unexpected server response: 403',
    Bun: "WebSocket connection to 'ws://127.0.0.1/dev' failed: Expected 101 status code: 403",
    Deno: 'NetworkError: failed to connect to WebSocket: Invalid status code: 403',
    'React Native on iOS': 'Received bad response code from server: 403.',
    'an older React Native on iOS': 'received bad response code from server 403',
    'React Native on Android': "Expected HTTP 101 response but was '403 Forbidden'",
  })) {
    test(`is refused with the status that ${environment} reports`, async (t) => {
      const client = start(t, { refusalLimit: 1 });
      FakeSocket.last.fail(message);
      await turn();
      assert.deepEqual(client.state.reason, { kind: 'refused', status: 403 });
    });
  }

  test('is probed over HTTP without the query, which may hold a token', async (t) => {
    const asked = t.mock.method(globalThis, 'fetch', async () => new Response());
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const url = 'wss://example.com:8443/prod?access_token=secret';
    const client = connect(url, { webSocket: FakeSocket, refusalLimit: 1 });
    FakeSocket.last.end();
    await turn();
    const [address, { mode, credentials }] = asked.mock.calls[0].arguments;
    assert.deepEqual([address, mode, credentials], ['https://example.com:8443/prod', 'no-cors', 'omit']);
    assert.deepEqual(client.state.reason, { kind: 'refused', status: null });
  });
});

describe('refusals without a status', () => {
  test('that come together count as one', async (t) => {
    t.mock.method(globalThis, 'fetch', async () => new Response());
    const client = start(t, { backoffBase: 1, refusalSpacing: 10_000 });
    const refuse = async () => {
      FakeSocket.last.end();
      await turn();
      await turn();
      assert.equal(client.state.name, 'reconnecting');
      t.mock.timers.tick(client.state.delay);
    };
    for (let refusals = 0; refusals < 5; refusals += 1) await refuse();
    t.mock.timers.tick(10_000);
    await refuse();
    t.mock.timers.tick(10_000);
    FakeSocket.last.end();
    await turn();
    await turn();
    assert.deepEqual(client.state, { name: 'stopped', reason: { kind: 'refused', status: null } });
  });
});
