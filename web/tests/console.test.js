// The modules of the console that need no document: texts, entries, and lists.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { framePreview, stateText, withoutToken } from '../console/client-text.js';
import { connectCommand, putCommand } from '../console/commands.js';
import { entryOf } from '../console/event-entry.js';
import { bytes, count, duration, indented, shellQuoted, timeOfDay } from '../console/format.js';
import { logOf, rowOf } from '../console/logs.js';
import { logTitle, positionText, recoveryText } from '../console/positions.js';
import { presencesIn, presenceSentence } from '../console/presence-frame.js';
import { PresenceFrames } from '../console/presence-frames.js';
import { infoOf, isPresent, memberOf, namesOf, presentCount, setOf, statesOf, usersOf } from '../console/presence.js';
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
  const command = putCommand('http://127.0.0.1:3030', entry);
  assert.ok(command.endsWith(`--entries '${JSON.stringify([entry])}'`), command);
});

/** Returns the words and the credentials that a program named `name` gets if a shell runs a command with it. */
function runAs(name, command, programs = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'herald-console-'));
  const print = 'printf "%s\\n" "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" "$@"';
  for (const [program, script] of Object.entries({ ...programs, [name]: print })) {
    writeFileSync(join(folder, program), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }
  const output = execFileSync('sh', ['-c', command], { env: { PATH: `${folder}:${process.env.PATH}` }, encoding: 'utf8' });
  rmSync(folder, { recursive: true });
  return output.trimEnd().split('\n');
}

test('pasted command puts its entry without another configuration', () => {
  const entry = { Source: 's', DetailType: 'Broadcast', Detail: `{"message":"it's \\"so\\""}` };
  const words = runAs('aws', putCommand('http://127.0.0.1:3030', entry));
  assert.deepEqual(words.slice(0, 4), ['local', 'local', 'events', 'put-events']);
  assert.equal(words[words.indexOf('--endpoint-url') + 1], 'http://127.0.0.1:3030');
  assert.ok(words.includes('--region'));
  assert.deepEqual(JSON.parse(words.at(-1)), [entry]);
});

test('pasted command connects, with a minted token if the stack needs one', () => {
  const stack = { webSocket: 'ws://127.0.0.1:3030/dev', authentication: 'open' };
  const open = runAs('npx', connectCommand(stack)).slice(2);
  assert.deepEqual(open.slice(0, 3), ['wscat', '-c', stack.webSocket]);
  assert.equal(open.includes('-H'), false);

  const secured = { ...stack, authentication: 'jwks', tokens: 'http://127.0.0.1:3030/auth/token' };
  const curl = `echo '{"token":"eyJ.a.b","expiresAt":1}'`;
  const words = runAs('npx', connectCommand(secured), { curl });
  assert.equal(words[words.indexOf('-H') + 1], 'Authorization: Bearer eyJ.a.b');

  const foreign = connectCommand({ ...secured, tokens: undefined });
  assert.match(foreign, /-H "Authorization: Bearer \$HERALD_TOKEN"$/);
});

test('state text has the next attempt, or the reason the client stopped', () => {
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
    ['{"type":"Broadcast","message":1,"epoch":"k3J9x2Qa","offset":7}', 'Broadcast · 1 · k3J9x2Qa/7'],
    ['{"type":"ack","action":"subscribe","entityId":"a","offset":0,"top":0}', 'ack · subscribe · a · 0'],
    [
      '{"type":"ack","action":"subscribe","entityId":"a","epoch":"k3J9x2Qa","offset":7,"recovered":true,"messages":[1]}',
      'ack · subscribe · a · 1 message recovered · k3J9x2Qa/7',
    ],
    [
      '{"type":"ack","action":"subscribe","entityId":"a","epoch":"k3J9x2Qa","offset":7,"recovered":false}',
      'ack · subscribe · a · messages lost · k3J9x2Qa/7',
    ],
    ['{"type":"presence","entityId":"room-1","version":2,"count":2,"joined":[{"userId":"ann"}],"left":[{"userId":"bob"}]}', 'presence · room-1 · +ann −bob, 2 present'],
    ['{"type":"presence","entityId":"room-1","version":3,"count":5210}', 'presence · room-1 · 5210 present'],
    ['{"type":"ack","action":"subscribe","entityId":"room-1","presence":{"version":2,"count":1,"members":[]}}', 'ack · subscribe · room-1 · 1 present'],
    ['{"type":"ack","action":"subscribe","entities":{"a":{"presence":{"version":2,"count":1}},"b":{}}}', 'ack · subscribe · 1 present'],
    ['{"action":"subscribe","entityId":"room-1","presence":true}', 'subscribe · room-1'],
  ];
  for (const [text, preview] of cases) assert.equal(framePreview(text), preview);
});

test('recovery text has the outcome, the log and both positions', () => {
  const since = { epoch: 'k3J9x2Qa', offset: 5 };
  const recovered = { log: 'entity#a', since, recovered: true, messages: 2, position: { epoch: 'k3J9x2Qa', offset: 7 } };
  const cases = [
    [{}, 'subscribe', 'recovered', '2 messages of a since k3J9x2Qa/5, now at k3J9x2Qa/7 (subscribe)'],
    [{ messages: 0, more: true }, 'sync', 'recovered', '0 messages of a since k3J9x2Qa/5, now at k3J9x2Qa/7, more follow (sync)'],
    [
      { log: 'user', recovered: false, messages: 0, position: { epoch: null, offset: 0 } },
      'sync',
      'lost',
      'messages of the user since k3J9x2Qa/5, now at 0 (sync)',
    ],
    [{ since: null, recovered: null }, 'history', 'read', '2 messages of a, now at k3J9x2Qa/7 (history)'],
  ];
  for (const [change, action, outcome, text] of cases) {
    const shown = recoveryText({ ...recovered, ...change }, action);
    assert.deepEqual([shown.outcome, shown.text], [outcome, text]);
  }
});

test('logs and positions have their names', () => {
  const titles = ['entity#order#1', 'user#alice', 'user', 'everyone'].map(logTitle);
  assert.deepEqual(titles, ['order#1', 'user alice', 'the user', 'everyone']);
  assert.deepEqual([{ epoch: 'k3J9x2Qa', offset: 7 }, { epoch: null, offset: 0 }].map(positionText), ['k3J9x2Qa/7', '0']);
});

test('items of the history table are heads and rows', () => {
  const times = { at: { N: '1764000000123' }, expiresAt: { N: '1764000600' } };
  const head = { pk: { S: 'H#entity#a#b' }, sk: { S: 'H' }, epoch: { S: 'k3J9x2Qa' }, top: { N: '7' }, kept: { N: '600' } };
  assert.deepEqual(logOf({ ...head, ...times, madeAt: { N: '1764000000000' } }), {
    name: 'entity#a#b',
    epoch: 'k3J9x2Qa',
    top: 7,
    kept: 600,
    madeAt: 1_764_000_000_000,
    at: 1_764_000_000_123,
    expiresAt: 1_764_000_600_000,
    frame: null,
  });
  const row = { pk: { S: 'R#entity#a#k3J9x2Qa' }, sk: { S: '0000000000000042' }, ...times };
  const expected = { offset: 42, at: 1_764_000_000_123, expiresAt: 1_764_000_600_000 };
  assert.deepEqual(rowOf({ ...row, frame: { S: '{}' } }), { ...expected, frame: '{}' });
  assert.deepEqual(rowOf({ ...row, gone: { BOOL: true } }), { ...expected, frame: null });
});

test('items of the connection table are sets and members', () => {
  const times = { flushAt: { N: '1764000600' }, endsAt: { N: '1764000600' }, expiresAt: { N: '1764087000' } };
  const set = { pk: { S: 'P#room#1' }, sk: { S: '!' }, version: { N: '3' }, count: { N: '2' }, ...times };
  const first = { entity: 'room#1', version: 3, count: 2, flushAt: 1_764_000_600_000, watchAt: null };
  assert.deepEqual(setOf(set), first);
  assert.deepEqual(setOf({ pk: set.pk, sk: set.sk }), { entity: 'room#1', version: 0, count: 0, flushAt: null, watchAt: null });
  const member = { userId: 'a#b', connectionId: 'c=', info: null, isAnnounced: false, hasLeft: false, endsAt: 1_764_000_600_000 };
  assert.deepEqual(memberOf({ pk: set.pk, sk: { S: 'a#b#c=' }, ...times }), member);
  const marks = { info: { S: '{"name":"Ann"}' }, announced: { BOOL: true }, left: { BOOL: true } };
  assert.deepEqual(memberOf({ pk: set.pk, sk: { S: '#c=' }, ...marks, ...times }), {
    ...member,
    userId: null,
    info: '{"name":"Ann"}',
    isAnnounced: true,
    hasLeft: true,
  });
});

test('members that left or expired are not present', () => {
  const now = 1000;
  const member = (userId, connectionId, fields = {}) => {
    return { userId, connectionId, info: null, isAnnounced: true, hasLeft: false, endsAt: 2000, ...fields };
  };
  const members = [
    member(null, '1'),
    member(null, '2'),
    member('ann', '3', { info: '1' }),
    member('ann', '4', { info: '2', endsAt: 3000 }),
    member('ann', '5', { hasLeft: true }),
    member('bob', '6'),
    member('carol', '7', { endsAt: 1000 }),
  ];
  assert.deepEqual(members.map((each) => isPresent(each, now)), [true, true, true, true, false, true, false]);
  assert.equal(presentCount(members, now), 4);
  assert.equal(namesOf(members, now), 'ann ×2, bob, 2 anonymous');
  const users = usersOf(members);
  assert.deepEqual(users.map(({ userId, members: { length } }) => [userId, length]), [['ann', 3], ['bob', 1], ['carol', 1], [null, 2]]);
  assert.equal(infoOf(users[0].members), '2');
});

test('member has the states that clients do not see', () => {
  const member = { userId: 'ann', connectionId: 'c', info: null, isAnnounced: true, hasLeft: false, endsAt: 2000 };
  const cases = [
    [{}, []],
    [{ isAnnounced: false }, ['joined, not announced']],
    [{ connectionId: 'closed' }, ['not connected']],
    [{ connectionId: 'closed', isAnnounced: false }, ['joined, not announced', 'not connected']],
    [{ hasLeft: true, connectionId: 'closed' }, ['left, not announced']],
    [{ endsAt: 1000 }, ['expired']],
  ];
  for (const [change, texts] of cases) {
    assert.deepEqual(statesOf({ ...member, ...change }, new Set(['c']), 1000).map(({ text }) => text), texts);
  }
});

test('frames have the presence of each entity', () => {
  const presence = { version: 2, count: 3 };
  const ann = { userId: 'ann', connections: 1 };
  const cases = [
    [{ type: 'presence', entityId: 'a', ...presence, joined: [ann], left: [] }, ['a at version 2: 3 present, 1 joined, 0 left.']],
    [{ type: 'ack', action: 'presence', entityId: 'a', presence: { ...presence, members: [ann] } }, ['a at version 2: 3 present, 1 user listed.']],
    [
      { type: 'ack', entities: { a: { presence }, b: { error: { code: 'forbidden' } }, c: {} } },
      ['a at version 2: 3 present. There are too many members for a list, or the list did not fit.'],
    ],
    [{ type: 'ack', action: 'subscribe', entityId: 'a' }, []],
    [{ action: 'subscribe', entityId: 'a', presence: true }, []],
    [{ type: 'message', message: presence }, []],
    [null, []],
  ];
  for (const [frame, sentences] of cases) assert.deepEqual(presencesIn(frame).map(presenceSentence), sentences);
});

test('posts of presence are joined by entity and version', () => {
  const frames = new PresenceFrames();
  const post = (entityId, version, status) => ({ at: version, status, presence: { entityId, version, count: 1 } });
  for (const [entity, version, status] of [['a', 1, 200], ['b', 1, 200], ['a', 2, 410], ['a', 1, 500], ['a', 2, 200]]) {
    frames.add(post(entity, version, status));
  }
  frames.add({ at: 3, status: 200 });
  const counts = frames.of('a').map(({ version, delivered, gone, failed, posts }) => [version, delivered, gone, failed, posts.length]);
  assert.deepEqual(counts, [[2, 1, 1, 0, 2], [1, 1, 0, 1, 2]]);
  for (let version = 3; version <= 60; version += 1) frames.add(post('a', version, 200));
  assert.equal(frames.of('a').length, 20);
  for (let entity = 0; entity < 200; entity += 1) frames.add(post(`e-${entity}`, 1, 200));
  assert.deepEqual([frames.of('a').length, frames.of('e-0').length], [0, 1]);
  frames.clear();
  assert.deepEqual(frames.of('e-0'), []);
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
