// What the console makes of records: ways of events, what became of them, and their steps.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { groupsOf, lastedFor, outcomeOf, titleOf } from '../console/way-summary.js';
import { STEPS, Ways } from '../console/ways.js';

const isForDeadLetters = (queue) => queue === 'DeadLetters';

let number = 0;
const record = (kind, at, fields) => ({ number: ++number, kind, at, ...fields });
const put = (at, fields = {}) => {
  const detail = { entityId: 'order-1', message: { state: 'shipped' } };
  return record('event', at, { eventId: 'e', detailType: 'Entity Updated', detail, rules: ['Rule'], ...fields });
};
const queued = (at, queue = 'Notifications', fields = {}) => {
  return record('queued', at, { eventIds: ['e'], queue, delay: 0, cause: 'sent', ...fields });
};
const ran = (at, milliseconds, outcome = 'ok') => {
  return record('invocation', at, { eventIds: ['e'], queue: 'Notifications', milliseconds, outcome });
};
const post = (at, status) => record('post', at, { eventIds: ['e'], connectionId: 'c', milliseconds: 1, status });

function wayOf(records, eventId = 'e') {
  const ways = new Ways(10);
  for (const each of records) ways.add(each);
  return ways.find(eventId);
}

describe('what became of an event', () => {
  const delivered = [put(0), queued(1), post(4, 200), ran(5, 3)];
  const cases = [
    ['it has just been put', [put(0)], 'on its way'],
    ['no rule matches', [put(0, { rules: [] })], 'no rule matched'],
    ['it is queued', [put(0), queued(1)], 'on its way'],
    ['it is being posted', [put(0), queued(1), post(4, 200)], 'on its way'],
    ['it is delivered', delivered, 'delivered to 1'],
    ['somebody is gone', [put(0), queued(1), post(4, 200), post(4, 410), ran(5, 3)], 'delivered to 1, 1 gone'],
    ['everybody is gone', [put(0), queued(1), post(4, 410), ran(5, 3)], '1 gone'],
    ['nobody was there', [put(0), queued(1), ran(5, 3)], 'nobody to reach'],
    ['the notifier puts it back', [put(0), queued(1), post(4, 500), queued(4.5), ran(5, 3)], 'to be tried again'],
    [
      'it is delivered at last',
      [put(0), queued(1), post(4, 429), queued(4.5), ran(5, 3), post(8, 200), ran(9, 2)],
      'delivered to 1, 1 failed post',
    ],
    ['the function fails', [put(0), queued(1), ran(5, 3, 'timeout')], 'the function failed'],
    ['it is given up', [put(0), queued(1), queued(4, 'DeadLetters'), ran(5, 3)], 'dead letter'],
    [
      'it is replayed',
      [put(0), queued(1), queued(4, 'DeadLetters'), ran(5, 3), queued(9, 'Notifications', { cause: 'replayed' })],
      'to be tried again',
    ],
    ['only the end is known', [post(4, 200), ran(5, 3)], 'delivered to 1'],
  ];
  for (const [name, records, words] of cases) {
    test(name, () => assert.equal(outcomeOf(wayOf(records), isForDeadLetters).words, words));
  }

  test('a bad end is said in another tone than a good one', () => {
    const tone = (records) => outcomeOf(wayOf(records), isForDeadLetters).tone;
    assert.deepEqual([tone(delivered), tone([...delivered, queued(9, 'DeadLetters')])], ['ok', 'bad']);
  });
});

test('steps stand in the order in which they began, whichever is reported first', () => {
  const way = wayOf([queued(2), put(0), post(6, 200), post(6.5, 200), ran(7, 4)]);
  assert.deepEqual(
    groupsOf(way).map(({ startedAt, steps }) => [startedAt, steps.map((step) => step.record.kind).join()]),
    [[0, 'event'], [2, 'queued'], [3, 'invocation'], [5, 'post,post']],
  );
  assert.equal(lastedFor(way), 7);
});

test('one record can be a step of several ways, and of none', () => {
  const ways = new Ways(10);
  assert.equal(ways.add(queued(0, 'Notifications', { eventIds: ['a', 'b'] })), true);
  assert.equal(ways.add(record('connected', 0, { connectionId: 'c' })), false);
  assert.equal(ways.add(record('invocation', 1, { queue: null, eventIds: ['a'], milliseconds: 1 })), false);
  assert.deepEqual(ways.newestFirst.map(({ eventId }) => eventId), ['b', 'a']);
});

test('a message of a client begins with its request', () => {
  const body = '{"action":"sendMessage","entityId":"room-1","message":"Hello"}';
  const request = record('request', 5, { eventIds: ['e'], milliseconds: 4, body, reply: '{}' });
  const way = wayOf([queued(3), request]);
  assert.deepEqual(titleOf(way), { kind: 'Message of a client', audience: 'room-1', content: '"Hello"' });
  assert.equal(way.steps[0].record, request);
});

test('an event says whom it is for', () => {
  const title = (detailType, detail) => Object.values(titleOf(wayOf([put(0, { detailType, detail })])));
  assert.deepEqual(title('Broadcast', { message: 1 }), ['Broadcast', 'everyone', '1']);
  assert.deepEqual(title('Disconnect User', { userId: 'a', reason: 'r' }), ['Disconnect User', 'user a', '"r"']);
  assert.deepEqual(title('Broadcast', { message: null }), ['Broadcast', 'everyone', 'null']);
  assert.deepEqual(title('Something', 5), ['Something', '', '5']);
  assert.deepEqual(title('Entity Updated', null), ['Entity Updated', '', '']);
  assert.deepEqual(titleOf(wayOf([queued(0)])), { kind: 'Event', audience: '', content: 'e' });
});

test('the oldest ways are forgotten, and so are the steps of a very long one, but for their numbers', () => {
  const ways = new Ways(2);
  for (const eventId of ['a', 'b', 'c']) ways.add(put(0, { eventId }));
  assert.deepEqual(ways.newestFirst.map(({ eventId }) => eventId), ['c', 'b']);

  const long = wayOf(Array.from({ length: STEPS + 5 }, () => post(1, 200)));
  assert.deepEqual([long.steps.length, long.leftOut, long.delivered], [STEPS, 5, STEPS + 5]);
});
