// Presence around the machine, with sockets whose other end is the test.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { beforeEach, describe, test } from 'node:test';

import { connect } from '../herald-client.js';
import { FakeSocket } from './fake-socket.js';

const [alice, bob, carol] = ['alice', 'bob', 'carol'].map((userId) => ({ userId, connections: 1 }));

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

/** Pushes a change. */
function change(version, count, lists) {
  FakeSocket.last.receive({ type: 'presence', entityId: 'room', version, count, ...lists });
}

/** Subscribes to the room, and acknowledges it with two users. */
async function subscribe(client, options) {
  const pending = client.subscribe('room', () => {}, options);
  await turn();
  answer({ entityId: 'room', presence: { version: 17, count: 2, members: [alice, bob] } });
  return pending;
}

const names = (members) => members && Array.from(members.keys());

beforeEach(() => {
  FakeSocket.all = [];
});

describe('presence', () => {
  test('is told to its handler, first with everybody who is there', async (t) => {
    const client = await startOpen(t);
    const told = [];
    const subscription = await subscribe(client, { presence: (change) => told.push(change) });
    change(18, 2, { joined: [carol], left: [{ userId: 'bob' }] });
    change(19, 300);
    const [first, second, third] = told;
    assert.deepEqual(told.length, 3);
    assert.deepEqual([first.joined, first.left, first.count, names(first.members)], [[alice, bob], [], 2, ['alice', 'bob']]);
    assert.deepEqual([second.joined, second.left, second.count, names(second.members)], [[carol], [bob], 2, ['alice', 'carol']]);
    assert.deepEqual(third, { joined: [], left: [], count: 300, members: null });
    assert.deepEqual(subscription.presence, { count: 300, members: null });
  });

  test('is a live set that outlives the connection', async (t) => {
    const client = await startOpen(t);
    const subscription = await subscribe(client, { presence: true });
    const { presence } = subscription;
    assert.deepEqual([presence.count, presence.members.get('bob')], [2, bob]);
    change(18, 1, { joined: [], left: [{ userId: 'bob' }] });
    assert.deepEqual([presence.count, names(subscription.presence.members)], [2, ['alice']]);
    FakeSocket.last.end();
    assert.deepEqual(names(subscription.presence.members), ['alice']);
  });

  test('is undefined in a subscription that does not ask, and null without a policy', async (t) => {
    const client = await startOpen(t);
    const silent = await subscribe(client, {});
    assert.deepEqual([silent.presence, FakeSocket.last.sent[0].presence], [undefined, undefined]);
    const told = [];
    const pending = client.subscribe('other', { presence: (change) => told.push(change) });
    await turn();
    answer({ entityId: 'other' });
    assert.equal((await pending).presence, null);
    assert.deepEqual(told, [{ joined: [], left: [], count: null, members: null }]);
  });

  test('that is refused is told with the error, and the subscription holds', async (t) => {
    const client = await startOpen(t);
    const told = [];
    const pending = client.subscribe('room', { presence: (change) => told.push(change) });
    await turn();
    const { id } = FakeSocket.last.sent.at(-1);
    FakeSocket.last.receive({ type: 'error', id, code: 'forbidden', message: 'no', retryable: false });
    answer({ entityId: 'room' });
    assert.equal((await pending).presence, null);
    const [{ error, count }] = told;
    assert.deepEqual([error.name, error.code, count, told.length], ['HeraldError', 'forbidden', null, 1]);
  });

  test('of a later subscriber begins with everybody, and is told to it alone', async (t) => {
    const client = await startOpen(t);
    const [first, second] = [[], []];
    await subscribe(client, { presence: ({ joined }) => first.push(joined) });
    const later = await client.subscribe('room', { presence: ({ joined }) => second.push(joined) });
    assert.deepEqual([first, second, later.presence.count], [[[alice, bob]], [[alice, bob]], 2]);
    assert.equal(FakeSocket.last.sent.length, 1);
    change(18, 3, { joined: [carol], left: [] });
    assert.deepEqual([first[1], second[1]], [[carol], [carol]]);
  });

  test('ends with the signal, and the subscription of the other subscriber goes on without', async (t) => {
    const client = await startOpen(t);
    const told = [];
    const page = new AbortController();
    await subscribe(client, { presence: ({ count }) => told.push(count), signal: page.signal });
    await client.subscribe('room', () => {});
    page.abort();
    const { action, presence } = FakeSocket.last.sent.at(-1);
    assert.deepEqual([action, presence], ['subscribe', undefined]);
    change(18, 3, { joined: [carol], left: [] });
    assert.deepEqual(told, [2]);
  });

  test('is read without a subscription', async (t) => {
    const client = await startOpen(t);
    const read = client.presence('room');
    assert.deepEqual(FakeSocket.last.sent, [{ action: 'presence', entityId: 'room', id: '1' }]);
    answer({ entityId: 'room', presence: { version: 17, count: 3, members: [bob, alice] } });
    const { count, members } = await read;
    assert.deepEqual([count, names(members)], [3, ['alice', 'bob']]);
  });

  test('is asked for again after a change was missed', async (t) => {
    const client = await startOpen(t);
    const subscription = await subscribe(client, { presence: true });
    change(19, 3, { joined: [carol], left: [] });
    t.mock.timers.tick(0);
    assert.equal(FakeSocket.last.sent.at(-1).action, 'presence');
    answer({ entityId: 'room', presence: { version: 19, count: 2, members: [alice, carol] } });
    assert.deepEqual(names(subscription.presence.members), ['alice', 'carol']);
  });
});

test('the example of the README tells who is there', async (t) => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const [, example] = readme.match(/^## Presence\n.*?```js\n(.*?)```/ms);
  const AsyncFunction = (async () => {}).constructor;
  const herald = await startOpen(t);
  const [lines, title] = [[], {}];
  const run = new AsyncFunction('herald', 'show', 'log', 'title', example);
  const done = run(herald, () => {}, (line) => lines.push(line), title);
  await turn();
  answer({ entityId: 'room-1', presence: { version: 1, count: 2, members: [{ ...alice, info: { name: 'Alice' } }, bob] } });
  await done;
  FakeSocket.last.receive({ type: 'presence', entityId: 'room-1', version: 2, count: 1, joined: [], left: [{ userId: 'alice' }] });
  assert.deepEqual(lines, ['Alice is here', 'bob is here', 'alice left']);
  assert.equal(title.textContent, 'bob');
  FakeSocket.last.receive({ type: 'presence', entityId: 'room-1', version: 3, count: 500 });
  assert.equal(title.textContent, '500 people');
});

test('a subscription that asks for presence later recovers nothing', async (t) => {
  const client = await startOpen(t);
  const recovered = [];
  const position = { epoch: 'k3J9x2Qa', offset: 4 };
  const first = client.subscribe('room', () => {});
  await turn();
  answer({ entityId: 'room', ...position, top: 4 });
  (await first).on('recovered', (event) => recovered.push(event));
  const second = client.subscribe('room', { presence: true });
  await turn();
  assert.deepEqual(FakeSocket.last.sent.at(-1).recover, position);
  answer({ entityId: 'room', ...position, top: 4, recovered: true, presence: { version: 1, count: 0, members: [] } });
  assert.equal((await second).presence.count, 0);
  assert.deepEqual(recovered, []);
});
