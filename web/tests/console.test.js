// The modules of the console that need no document: texts, entries, and lists.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { framePreview, stateText, withoutToken } from '../console/client-text.js';
import { commandOf, entryOf } from '../console/event-entry.js';
import { bytes, count, duration, indented, shellQuoted, timeOfDay } from '../console/format.js';
import { Recent } from '../console/recent.js';

test('duration has three digits at most', () => {
  const cases = [
    [0, '0.0 ms'],
    [0.44, '0.4 ms'],
    [9.94, '9.9 ms'],
    [9.97, '10 ms'],
    [123.4, '123 ms'],
    [999.6, '1.00 s'],
    [1240, '1.24 s'],
    [59_994, '59.99 s'],
    [59_999, '1 min 0 s'],
    [125_000, '2 min 5 s'],
  ];
  for (const [milliseconds, text] of cases) assert.equal(duration(milliseconds), text);
});

test('times, counts and sizes are formatted', () => {
  const at = new Date(2026, 10, 21, 9, 5, 7, 42).getTime();
  assert.equal(timeOfDay(at + 0.6), '09:05:07.042');
  assert.deepEqual([count(1, 'event'), count(1200, 'event')], ['1 event', '1,200 events']);
  assert.deepEqual([bytes(1023), bytes(1536)], ['1023 B', '1.5 KiB']);
});

describe('indented JSON keeps the text of its tokens', () => {
  const cases = [
    ['{"a":1}', '{\n  "a": 1\n}'],
    ['{ "a" : [ 1 , {"b":null} ] }', '{\n  "a": [\n    1,\n    {\n      "b": null\n    }\n  ]\n}'],
    ['12345678901234567890', '12345678901234567890'],
    ['1.50', '1.50'],
    ['{"b":1,"a":2,"a":3}', '{\n  "b": 1,\n  "a": 2,\n  "a": 3\n}'],
    [String.raw`["{\"a\": [1, 2]}\\"]`, String.raw`[` + '\n  ' + String.raw`"{\"a\": [1, 2]}\\"` + '\n]'],
    ['{ }', '{}'],
    ['[{},[ ]]', '[\n  {},\n  []\n]'],
    ['not JSON, {at all}', 'not JSON, {at all}'],
    ['', ''],
  ];
  for (const [text, expected] of cases) test(text || 'empty text', () => assert.equal(indented(text), expected));
});

test('indenting JSON changes only its space', () => {
  const value = { list: [1, 'a  b', { nested: { empty: [], text: '",:{}[]\n\\' } }], none: null, yes: true };
  for (const text of [JSON.stringify(value), JSON.stringify(value, null, 3)]) {
    assert.equal(indented(text), JSON.stringify(value, null, 2));
  }
});

describe('valid form becomes an entry', () => {
  const userType = 'Send User Push Notification';
  const fields = { entity: 'order-1', user: 'alice', format: 'json', message: '{"n":1.50}', source: 's' };
  const rest = { reason: '', callback: '', key: '' };
  const cases = [
    ['entity', {}, 'Entity Updated', '{"entityId":"order-1","message":{"n":1.50}}'],
    ['entity', { format: 'text' }, 'Entity Updated', String.raw`{"entityId":"order-1","message":"{\"n\":1.50}"}`],
    ['entity', { key: 'k' }, 'Entity Updated', '{"entityId":"order-1","message":{"n":1.50},"idempotencyKey":"k"}'],
    ['user', {}, userType, '{"userId":"alice","message":{"n":1.50}}'],
    ['user', { callback: '[1]' }, userType, '{"userId":"alice","message":{"n":1.50},"callback":[1]}'],
    ['broadcast', { message: ' null ' }, 'Broadcast', '{"message":null}'],
    ['disconnect', {}, 'Disconnect User', '{"userId":"alice"}'],
    ['disconnect', { reason: 'r', message: '{' }, 'Disconnect User', '{"userId":"alice","reason":"r"}'],
  ];
  for (const [kind, change, DetailType, Detail] of cases) {
    test(`${kind} ${JSON.stringify(change)}`, () => {
      assert.deepEqual(entryOf({ ...fields, ...rest, kind, ...change }).entry, { Source: 's', DetailType, Detail });
    });
  }

});

describe('invalid form has errors by field', () => {
  const fields = { entity: 'order-1', user: 'alice', format: 'json', message: '1', source: 's' };
  const rest = { reason: '', callback: '', key: '' };
  const invalid = [
    ['entity', { entity: '' }, ['entity']],
    ['entity', { message: '{"n":' }, ['message']],
    ['entity', { message: '' }, ['message']],
    ['user', { user: '', callback: '{' }, ['user', 'callback']],
    ['broadcast', { source: '', user: '' }, ['source']],
  ];
  for (const [kind, change, names] of invalid) {
    test(`${kind} ${JSON.stringify(change)}`, () => {
      const { entry, errors } = entryOf({ ...fields, ...rest, kind, ...change });
      assert.deepEqual([entry, Object.keys(errors)], [undefined, names]);
    });
  }
});

test('command of an entry is quoted for a shell', () => {
  assert.equal(shellQuoted(`it's`), String.raw`'it'\''s'`);
  const entry = { Source: 's', DetailType: 'Broadcast', Detail: '{"message":1}' };
  const command = commandOf(entry, 'http://127.0.0.1:3030');
  assert.ok(command.endsWith(`--entries '${JSON.stringify([entry])}'`), command);
});

test('state text tells the next attempt, or the reason the client stopped', () => {
  const text = (state) => stateText(state).text;
  assert.equal(text({ name: 'reconnecting', attempt: 2, delay: 1240 }), 'Reconnecting: attempt 2 in 1.24 s');
  assert.equal(text({ name: 'reconnecting', attempt: 1, delay: null }), 'Reconnecting: waiting for the network');
  const cause = new Error('the connection was closed with code 1006');
  assert.match(text({ name: 'reconnecting', attempt: 1, delay: 5, cause }), /closed with code 1006/);
  const disconnected = { kind: 'disconnected', code: 'user_disconnected', reason: 'password changed' };
  assert.match(text({ name: 'stopped', reason: disconnected }), /user_disconnected: password changed/);
  assert.match(text({ name: 'stopped', reason: { kind: 'refused', status: null } }), /refused/);
  const invalid = { kind: 'invalid', reason: 'no text' };
  assert.match(text({ name: 'stopped', reason: invalid }), /no connection is possible \(no text\)/);
});

test('frame preview has type, entity and content', () => {
  const cases = [
    ['{"type":"ack","action":"subscribe","entityId":"order-1","id":"1"}', 'ack · subscribe · order-1'],
    ['{"type":"Entity Updated","entityId":"order-1","message":{"a":1}}', 'Entity Updated · order-1 · {"a":1}'],
    ['{"action":"sendMessage","broadcast":true,"message":null}', 'sendMessage · null'],
    ['{"type":"error","code":"forbidden","message":"No"}', 'error · forbidden · "No"'],
    ['{"message": "Forbidden", "requestId":"r"}', '{"message": "Forbidden", "requestId":"r"}'],
    ['null', 'null'],
    ['hello', 'hello'],
  ];
  for (const [text, preview] of cases) assert.equal(framePreview(text), preview);
});

test('token of a frame is hidden', () => {
  const cases = [
    ['{"action":"authenticate","token":"eyJ.a.b","id":"1"}', '{"action":"authenticate","token":"…","id":"1"}'],
    ['{"token" : "with \\" quote"}', '{"token" : "…"}'],
    ['{"action":"sendMessage","message":{"token":1}}', '{"action":"sendMessage","message":{"token":1}}'],
    ['"token":"a"', '"token":"a"'],
  ];
  for (const [text, shown] of cases) assert.equal(withoutToken(text), shown);
});

test('full list drops the oldest items', () => {
  const recent = new Recent(3);
  for (const number of [1, 2, 3, 4, 5, 6, 7]) {
    recent.add(number);
    assert.deepEqual(recent.newestFirst, [number, number - 1, number - 2].filter((kept) => kept > 0));
  }
  recent.clear();
  assert.deepEqual(recent.newestFirst, []);
});
