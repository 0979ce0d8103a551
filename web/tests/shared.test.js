// One connection for all tabs, with sockets whose other end is the test, and a worker that is no thread of its own.

import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';

import { Entities } from '../shared/entities.js';
import { Host } from '../shared/host.js';
import { connect } from '../shared/index.js';
import { FakeSocket } from './fake-socket.js';

/** Lets messages between tabs and holder arrive. */
const settle = async () => {
  for (let turns = 20; turns > 0; turns -= 1) await new Promise((resolve) => setImmediate(resolve));
};
const URL = 'ws://127.0.0.1/dev';
const push = (eventId, fields) => ({ type: 'Entity Updated', entityId: 'a', message: eventId, eventId, ...fields });

let host;
let ports;

/** A worker of all clients of a test. */
class FakeWorker extends EventTarget {
  constructor() {
    super();
    const { port1, port2 } = new MessageChannel();
    this.port = port1;
    ports.push(port2);
    port2.onmessage = ({ data }) => host.receive(port2, data);
    port2.unref();
    port1.unref();
  }
}

beforeEach(() => {
  FakeSocket.all = [];
  ports = [];
  host = new Host((port, message) => {
    if (port.frozen) port.frozen.push(message);
    else port.postMessage(message);
  }, FakeSocket);
  globalThis.SharedWorker = FakeWorker;
});

function startTab(t, options) {
  const client = connect(URL, { backoffBase: 1, ...options });
  t.after(() => client.close({ within: 0 }));
  return client;
}

async function startTabs(t, count, options) {
  const tabs = Array.from({ length: count }, () => startTab(t, options));
  await settle();
  FakeSocket.last.open();
  await settle();
  return tabs;
}

/** Acknowledges every request of a socket that has no reply yet, with further fields. */
async function acknowledge(socket = FakeSocket.last, fields = {}) {
  for (const { action, id, entityId } of socket.sent.splice(0)) {
    socket.receive({ type: 'ack', action, id, entityId, ...fields[action] });
  }
  await settle();
}

const sent = () => FakeSocket.last.sent.map(({ action, entityId }) => [action, entityId].join(' ').trim());

/** Subscribes a client to `a`. Returns the list of what it hears. */
async function subscribe(client, fields, options = {}) {
  const heard = [];
  const pending = client.subscribe('a', { ...options, onMessage: ({ message }) => heard.push(message) });
  await settle();
  await acknowledge(FakeSocket.last, { subscribe: fields });
  heard.subscription = await pending;
  return heard;
}

describe('tabs that share a connection', () => {
  test('with an invalid address leave nothing that runs', async () => {
    assert.throws(() => connect('https://example.com'), TypeError);
    let hasClosed = false;
    ports[0].on('close', () => (hasClosed = true));
    await settle();
    assert.equal(hasClosed, true);
  });

  test('open one socket, and both get an event', async (t) => {
    const [one, other] = await startTabs(t, 2);
    assert.deepEqual([one.state.name, other.state.name], ['open', 'open']);
    const heard = [await subscribe(one), await subscribe(other)];
    FakeSocket.last.receive(push('e1'));
    await settle();
    assert.deepEqual(heard.map((all) => [...all]), [['e1'], ['e1']]);
    assert.equal(FakeSocket.all.length, 1);
  });

  test('get only the events of their own entities, and all notifications and broadcasts', async (t) => {
    const [one, other] = await startTabs(t, 2);
    const heard = [];
    for (const [name, client] of Object.entries({ one, other })) {
      client.onNotification(({ message }) => heard.push([name, message]));
      client.onBroadcast(({ message }) => heard.push([name, message]));
      client.onType('Entity Updated', ({ message }) => heard.push([name, message]));
    }
    await subscribe(one);
    await acknowledge();
    FakeSocket.last.receive(push('e1'));
    FakeSocket.last.receive({ type: 'User Push Notification', message: 'e2', eventId: 'e2' });
    FakeSocket.last.receive({ type: 'Broadcast', message: 'e3', eventId: 'e3' });
    await settle();
    assert.deepEqual(heard.sort().join(' '), 'one,e1 one,e2 one,e3 other,e2 other,e3');
  });

  test('keep a subscription on the server until the last has left', async (t) => {
    const [one, other] = await startTabs(t, 2);
    const heard = [await subscribe(one), await subscribe(other)];
    heard[0].subscription.unsubscribe();
    await settle();
    assert.deepEqual(sent(), []);
    FakeSocket.last.receive(push('e1'));
    await settle();
    assert.deepEqual(heard.map((all) => [...all]), [[], ['e1']]);
    heard[1].subscription.unsubscribe();
    await settle();
    assert.deepEqual(sent(), ['unsubscribe a']);
  });

  test('send no subscribe of an entity before the reply to its unsubscribe', async (t) => {
    const [one, other] = await startTabs(t, 2);
    (await subscribe(one)).subscription.unsubscribe();
    const pending = other.subscribe('a', () => {});
    await settle();
    assert.deepEqual(sent(), ['unsubscribe a']);
    await acknowledge();
    assert.deepEqual(sent(), ['subscribe a']);
    await acknowledge();
    await pending;
  });

  test('end a subscription on the server whose tab left before the ack', async (t) => {
    const [one] = await startTabs(t, 2);
    const pending = one.subscribe('a', () => {});
    await settle();
    pending.unsubscribe();
    await assert.rejects(pending, { name: 'AbortError' });
    await settle();
    await acknowledge();
    await settle();
    assert.deepEqual(sent(), ['unsubscribe a']);
  });

  test('recover each from its own position', async (t) => {
    const [one, other] = await startTabs(t, 2);
    const heard = await subscribe(one, { epoch: 'k', offset: 5, top: 5 });
    const reply = { epoch: 'k', offset: 5, top: 5, recovered: true, messages: [push('e4', { epoch: 'k', offset: 4 }), push('e5', { epoch: 'k', offset: 5 })] };
    const late = await subscribe(other, reply, { recover: { epoch: 'k', offset: 3 } });
    assert.deepEqual([[...heard], [...late]], [[], ['e4', 'e5']]);
  });

  test('get a message that one of them sends, at its position', async (t) => {
    const [one, other] = await startTabs(t, 2);
    const position = { epoch: 'k', offset: 5, top: 5 };
    const heard = [await subscribe(one, position), await subscribe(other, position)];
    const reply = one.send({ entityId: 'a', message: 'hello', name: 'Ann' });
    await settle();
    await acknowledge(FakeSocket.last, { sendMessage: { eventId: 'e6', epoch: 'k', offset: 6 } });
    assert.equal((await reply).eventId, 'e6');
    FakeSocket.last.receive(push('e7', { epoch: 'k', offset: 7 }));
    await settle();
    assert.deepEqual(heard.map((all) => [...all]), [['e7'], ['hello', 'e7']]);
  });

  test('get each of several messages that one of them sends to everyone', async (t) => {
    const [one, other] = await startTabs(t, 2);
    const heard = [];
    one.onBroadcast(({ message }) => heard.push(['one', message]));
    other.onBroadcast(({ message, name, eventId }) => heard.push([message, name, eventId]));
    await settle();
    await acknowledge();
    void one.send({ broadcast: true, messages: [{ message: 1, name: 'Ann' }, { message: 2 }] });
    await settle();
    await acknowledge(FakeSocket.last, { sendMessage: { eventIds: ['e1', 'e2'] } });
    assert.deepEqual(heard, [[1, 'Ann', 'e1'], [2, undefined, 'e2']]);
  });

  test('get the replies and errors of their own requests', async (t) => {
    const [one, other] = await startTabs(t, 2);
    const replies = [one.send({ message: 1 }), other.send({ message: 2 })];
    await settle();
    const [first, second] = FakeSocket.last.sent.splice(0);
    FakeSocket.last.receive({ type: 'error', id: second.id, code: 'forbidden', message: 'no', retryable: false });
    FakeSocket.last.receive({ type: 'message', id: first.id, message: 1 });
    await assert.rejects(replies[1], { code: 'forbidden' });
    assert.equal((await replies[0]).message, 1);
  });

  test('get the error of the gateway only if it is clear whose request failed', async (t) => {
    const [one] = await startTabs(t, 2);
    const failed = one.send({ message: 1 });
    await settle();
    FakeSocket.last.receive({ message: 'Internal server error', connectionId: 'c', requestId: 'r' });
    await assert.rejects(failed, { kind: 'gateway', code: 'internal' });
  });

  test('all reconnect and recover when the connection breaks', async (t) => {
    const [one, other] = await startTabs(t, 2);
    const position = { epoch: 'k', offset: 5, top: 5 };
    await subscribe(one, position);
    await subscribe(other, position);
    FakeSocket.last.end();
    await settle();
    assert.deepEqual([one.state.name, other.state.name], ['reconnecting', 'reconnecting']);
    while (FakeSocket.all.length < 2) await new Promise((resolve) => setTimeout(resolve, 1));
    FakeSocket.last.open();
    while (FakeSocket.last.sent.length < 2) await new Promise((resolve) => setTimeout(resolve, 1));
    assert.equal(FakeSocket.all.length, 2);
    for (const { recover } of FakeSocket.last.sent) assert.deepEqual(recover, { epoch: 'k', offset: 5 });
  });

  test('all stop when the server disconnects their user', async (t) => {
    const tabs = await startTabs(t, 2);
    FakeSocket.last.receive({ type: 'disconnect', reconnect: false, code: 'user_disconnected', reason: 'bye' });
    await settle();
    for (const { state } of tabs) assert.equal(state.reason.code, 'user_disconnected');
    assert.equal(FakeSocket.last.closed, 1000);
  });

  test('ping as their subscriptions demand, whatever arrives, also after another with the same has left', async (t) => {
    const [one, other] = await startTabs(t, 2);
    await subscribe(one, { keepAlive: 1 });
    await subscribe(other, { keepAlive: 1 });
    await one.close();
    for (let number = 1; sent().length === 0; number += 1) {
      FakeSocket.last.receive(push(`e${number}`));
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.deepEqual(sent(), ['ping']);
  });

  test('close the connection when the last is closed', async (t) => {
    const [one, other] = await startTabs(t, 2);
    await one.close();
    await settle();
    assert.equal(FakeSocket.last.closed, undefined);
    await other.close();
    await settle();
    assert.equal(FakeSocket.last.closed, 1000);
  });
});

test('a tab whose worker cannot be loaded, on a page without Web Locks, has a connection of its own', async (t) => {
  globalThis.SharedWorker = class {
    constructor() {
      throw new DOMException('not of this origin', 'SecurityError');
    }
  };
  const { WebSocket } = globalThis;
  globalThis.WebSocket = FakeSocket;
  t.after(() => (globalThis.WebSocket = WebSocket));
  const client = startTab(t);
  await settle();
  FakeSocket.last.open();
  await settle();
  assert.equal(client.state.name, 'open');
  const heard = await subscribe(client);
  FakeSocket.last.receive(push('e1'));
  await settle();
  assert.deepEqual([...heard], ['e1']);
});

describe('presence of tabs that share a connection', () => {
  const start = () => {
    const requests = [];
    const entities = new Entities((frame, _, answered) => requests.push({ frame, answered }));
    const answer = () => requests.splice(0).map(({ frame, answered }) => {
      answered({ type: 'ack', entities: { a: {}, b: {} } });
      return [frame.presence, frame.entities];
    });
    return { entities, answer, subscribe: { action: 'subscribe', entityId: 'a', id: '1' } };
  };

  test('is left to a tab that asks by one that does not', () => {
    const { entities, answer, subscribe } = start();
    const [asking, other] = [{}, {}];
    entities.subscribe(asking, { ...subscribe, presence: true });
    entities.subscribe(other, subscribe);
    assert.deepEqual(answer(), [[true, undefined], [true, undefined]]);
    entities.subscribe(other, { action: 'subscribe', entities: { a: {}, b: {} }, id: '2' });
    assert.deepEqual(answer(), [[undefined, { a: { presence: true }, b: {} }]]);
    entities.unsubscribe(asking, 'a');
    entities.subscribe(other, subscribe);
    assert.deepEqual(answer(), [[undefined, undefined]]);
  });

  test('is asked for after the reply to a subscribe without, which might overtake it', () => {
    const { entities, answer, subscribe } = start();
    entities.subscribe({}, subscribe);
    entities.subscribe({}, { ...subscribe, presence: true });
    assert.deepEqual(answer(), [[undefined, undefined]]);
    assert.deepEqual(answer(), [[true, undefined]]);
    assert.deepEqual(answer(), []);
  });
});

/** Keeps the messages for the first tab, and looks at the tabs until the holder drops it. */
async function freeze() {
  ports[0].frozen = [];
  for (let looks = 3; looks > 0; looks -= 1) {
    host.look();
    await settle();
  }
}

describe('a tab that does not answer its holder', () => {
  test('recovers on the same connection once it is back', async (t) => {
    const [one] = await startTabs(t, 2);
    const heard = await subscribe(one, { epoch: 'k', offset: 5, top: 5 });
    await freeze();
    await acknowledge();
    for (const message of ports[0].frozen.splice(0)) ports[0].postMessage(message);
    ports[0].frozen = undefined;
    while (sent().length === 0) await settle();
    assert.deepEqual(FakeSocket.last.sent[0].recover, { epoch: 'k', offset: 5 });
    const missed = [push('e6', { epoch: 'k', offset: 6 })];
    await acknowledge(FakeSocket.last, { subscribe: { epoch: 'k', offset: 6, top: 6, recovered: true, messages: missed } });
    assert.deepEqual([[...heard], FakeSocket.all.length], [['e6'], 1]);
  });

  test('leaves no subscription on the server', async (t) => {
    const [one] = await startTabs(t, 2);
    await subscribe(one);
    await freeze();
    assert.deepEqual(sent(), ['unsubscribe a']);
  });

  test('that answers keeps them', async (t) => {
    const [one] = await startTabs(t, 2);
    await subscribe(one);
    for (let looks = 6; looks > 0; looks -= 1) {
      host.look();
      await settle();
    }
    assert.deepEqual(sent(), []);
  });
});

test('tabs that renew their connection share the new one, and the last to leave closes the old one', async (t) => {
  const [one, other] = [startTab(t, { renewAfter: 1, lingerFor: 1 }), startTab(t)];
  await settle();
  const [old] = FakeSocket.all;
  old.open();
  while (FakeSocket.all.length < 2) await settle();
  FakeSocket.last.open();
  await new Promise((resolve) => setTimeout(resolve, 10));
  assert.deepEqual([one.state.name, other.state.name, old.closed], ['open', 'open', undefined]);
  await other.close();
  await settle();
  assert.equal(old.closed, 1000);
});

describe('tokens of tabs that share a connection', () => {
  test('are compared by the server with the user of the connection', async (t) => {
    const one = startTab(t, { token: () => 'first.token' });
    await settle();
    FakeSocket.last.open();
    const other = startTab(t, { token: () => 'second.token' });
    await settle();
    assert.deepEqual(FakeSocket.last.sent, [{ action: 'authenticate', token: 'second.token', id: '1' }]);
    assert.equal(other.state.name, 'connecting');
    await acknowledge();
    assert.deepEqual([one.state.name, other.state.name, FakeSocket.all.length], ['open', 'open', 1]);
  });

  test('of another user get a connection of their own, which their other tabs share', async (t) => {
    const startAs = async (user) => {
      const client = startTab(t, { token: () => `${user}.token.${Math.random()}` });
      await settle();
      const [socket] = FakeSocket.all.filter(({ sent: requests }) => requests.length > 0);
      const [{ id, token } = {}] = socket?.sent.splice(0) ?? [];
      if (token) {
        const isSame = socket.protocols[1].split('.')[0] === user;
        socket.receive(isSame ? { type: 'ack', action: 'authenticate', id } : { type: 'error', id, code: 'forbidden', message: 'no', retryable: false });
      }
      await settle();
      return client;
    };
    const open = async () => {
      FakeSocket.last.open();
      await settle();
    };
    await startAs('ann');
    await open();
    await startAs('bob');
    assert.deepEqual(FakeSocket.all.map(({ protocols }) => protocols[1].split('.')[0]), ['ann', 'bob']);
    await open();
    await startAs('bob');
    assert.equal(FakeSocket.all.length, 2);
    assert.deepEqual(FakeSocket.all.map(({ closed }) => closed), [undefined, undefined]);
  });

  test('that are refused in the handshake do not fail the tabs that wait for it', async (t) => {
    const one = startTab(t, { token: () => 'first.token', backoffBase: 1e6 });
    await settle();
    const other = startTab(t, { token: () => 'second.token' });
    await settle();
    FakeSocket.last.end();
    await settle();
    assert.equal(FakeSocket.last.protocols[1], 'second.token');
    FakeSocket.last.open();
    await settle();
    assert.deepEqual([one.state.name, other.state.name, FakeSocket.all.length], ['reconnecting', 'open', 2]);
  });
});
