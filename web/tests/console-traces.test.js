// The traces that the console makes of activity records: their titles, outcomes and steps.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { groupsOf, durationOf, outcomeOf, titleOf } from '../console/trace-summary.js';
import { STEPS, Traces } from '../console/traces.js';

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

function traceOf(records) {
  const traces = new Traces(10);
  for (const each of records) traces.add(each);
  const [trace] = traces.newestFirst;
  return trace;
}

test('trace has the position of its posts', () => {
  const position = { log: 'entity#order-1', epoch: 'k3J9x2Qa', offset: 7 };
  assert.equal(traceOf([put(0), post(4, 200)]).position, undefined);
  assert.equal(traceOf([put(0), { ...post(4, 200), position }]).position, position);
});

describe('outcome of an event', () => {
  const delivered = [put(0), queued(1), post(4, 200), ran(5, 3)];
  const cases = [
    ['put', [put(0)], 'in flight'],
    ['matched by no rule', [put(0, { rules: [] })], 'no rule matched'],
    ['queued', [put(0), queued(1)], 'in flight'],
    ['posted before the invocation ends', [put(0), queued(1), post(4, 200)], 'in flight'],
    ['delivered', delivered, 'delivered to 1'],
    ['delivered, one gone', [put(0), queued(1), post(4, 200), post(4, 410), ran(5, 3)], 'delivered to 1, 1 gone'],
    ['posted to a gone connection only', [put(0), queued(1), post(4, 410), ran(5, 3)], '1 gone'],
    ['posted to no connection', [put(0), queued(1), ran(5, 3)], 'no recipients'],
    ['requeued by the notifier', [put(0), queued(1), post(4, 500), queued(4.5), ran(5, 3)], 'retry pending'],
    [
      'delivered by a retry',
      [put(0), queued(1), post(4, 429), queued(4.5), ran(5, 3), post(8, 200), ran(9, 2)],
      'delivered to 1, 1 failed post',
    ],
    ['handled by a function that failed', [put(0), queued(1), ran(5, 3, 'timeout')], 'function failed'],
    ['moved to a dead-letter queue', [put(0), queued(1), queued(4, 'DeadLetters'), ran(5, 3)], 'dead letter'],
    [
      'replayed',
      [put(0), queued(1), queued(4, 'DeadLetters'), ran(5, 3), queued(9, 'Notifications', { cause: 'replayed' })],
      'retry pending',
    ],
    ['delivered, with the beginning unknown', [post(4, 200), ran(5, 3)], 'delivered to 1'],
  ];
  for (const [name, records, text] of cases) {
    test(name, () => assert.equal(outcomeOf(traceOf(records), isForDeadLetters).text, text));
  }

  test('dead letter has another tone than a delivery', () => {
    const tone = (records) => outcomeOf(traceOf(records), isForDeadLetters).tone;
    assert.deepEqual([tone(delivered), tone([...delivered, queued(9, 'DeadLetters')])], ['ok', 'bad']);
  });
});

test('steps are in the order in which they began, whichever is reported first', () => {
  const trace = traceOf([queued(2), put(0), post(6, 200), post(6.5, 200), ran(7, 4)]);
  assert.deepEqual(
    groupsOf(trace).map(({ startedAt, steps }) => [startedAt, steps.map((step) => step.record.kind).join()]),
    [[0, 'event'], [2, 'queued'], [3, 'invocation'], [5, 'post,post']],
  );
  assert.equal(durationOf(trace), 7);
});

test('record is a step of every trace that it names', () => {
  const traces = new Traces(10);
  assert.equal(traces.add(queued(0, 'Notifications', { eventIds: ['a', 'b'] })), true);
  assert.equal(traces.add(record('connected', 0, { connectionId: 'c' })), false);
  assert.equal(traces.add(record('invocation', 1, { queue: null, eventIds: ['a'], milliseconds: 1 })), false);
  assert.deepEqual(traces.newestFirst.map(({ eventId }) => eventId), ['b', 'a']);
});

test('trace of a client message begins with its request', () => {
  const body = '{"action":"sendMessage","entityId":"room-1","message":"Hello"}';
  const request = record('request', 5, { eventIds: ['e'], milliseconds: 4, body, reply: '{}' });
  const trace = traceOf([queued(3), request]);
  assert.deepEqual(titleOf(trace), { kind: 'Client message', audience: 'room-1', content: '"Hello"' });
  assert.equal(trace.steps[0].record, request);
});

test('title has the audience of an event', () => {
  const title = (detailType, detail) => Object.values(titleOf(traceOf([put(0, { detailType, detail })])));
  assert.deepEqual(title('Broadcast', { message: 1 }), ['Broadcast', 'everyone', '1']);
  assert.deepEqual(title('Disconnect User', { userId: 'a', reason: 'r' }), ['Disconnect User', 'user a', '"r"']);
  assert.deepEqual(title('Broadcast', { message: null }), ['Broadcast', 'everyone', 'null']);
  assert.deepEqual(title('Something', 5), ['Something', '', '5']);
  assert.deepEqual(title('Entity Updated', null), ['Entity Updated', '', '']);
  assert.deepEqual(titleOf(traceOf([queued(0)])), { kind: 'Event', audience: '', content: 'e' });
});

test('title of a trace without its beginning has the audience of its posts', () => {
  const position = { log: 'entity#order-1', epoch: 'k3J9x2Qa', offset: 7 };
  const title = (...records) => Object.values(titleOf(traceOf(records)));
  assert.deepEqual(title(queued(0), { ...post(4, 200), position }), ['Event', 'order-1', 'e']);
  assert.deepEqual(title(queued(0), post(4, 200)), ['Event', '', 'e']);
});

test('full list drops the oldest traces', () => {
  const traces = new Traces(2);
  for (const eventId of ['a', 'b', 'c']) traces.add(put(0, { eventId }));
  assert.deepEqual(traces.newestFirst.map(({ eventId }) => eventId), ['c', 'b']);
});

test('long trace keeps its first steps and all counts', () => {
  const long = traceOf(Array.from({ length: STEPS + 5 }, () => post(1, 200)));
  assert.deepEqual([long.steps.length, long.leftOut, long.delivered], [STEPS, 5, STEPS + 5]);
});
