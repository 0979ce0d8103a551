// Rules of the machine beyond the shared cases: where answers and connections meet.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Machine } from '../client/machine.js';

const epoch = 'k3J9x2Qa';
const at = (offset) => ({ epoch, offset });
const push = (offset) => ({ type: 'Entity Updated', entityId: 'a', message: offset, eventId: `e${offset}`, ...at(offset) });

/** A machine with a clock, which collects the frames it sends and what it tells the application. */
class Run {
  now = 0;
  sent = [];
  told = [];

  constructor(rules = {}) {
    this.machine = new Machine(rules, () => 0);
    this.give({ kind: 'connect' });
    this.give({ kind: 'opened', socket: 1 });
  }

  give(input, now = this.now) {
    this.now = now;
    for (const { kind, ...effect } of this.machine.handle(now, input)) {
      if (kind === 'send') this.sent.push({ socket: effect.socket, ...JSON.parse(effect.text) });
      if (kind === 'deliver') this.told.push(effect.frame.message);
      if (kind === 'lost') this.told.push({ lost: effect.position });
    }
  }

  receive(frame, socket = 1) {
    this.give({ kind: 'received', socket, text: JSON.stringify(frame) });
  }

  /** Answers the last request of an action. */
  answer(action, fields) {
    const { socket, id } = this.sent.findLast((frame) => frame.action === action);
    this.receive({ type: 'ack', action, id, ...fields }, socket);
  }

  subscribe(offset = 4) {
    this.give({ kind: 'subscribe', subscribers: [{ request: 1, entity: 'a' }] });
    this.answer('subscribe', { entityId: 'a', ...at(offset), top: offset });
  }
}

test('what was to be read on a connection that breaks during a renewal is asked for on its successor', () => {
  const run = new Run({ renewAfter: 10_000, inFlightLimit: 1 });
  run.subscribe();
  run.receive(push(6));
  run.give({ kind: 'time' }, 1000);
  run.give({ kind: 'time' }, 10_000);
  run.give({ kind: 'opened', socket: 2 });
  run.answer('subscribe', { entityId: 'a', ...at(4), top: 6, recovered: true });
  run.give({ kind: 'closed', socket: 1 });
  run.give({ kind: 'time' }, 12_000);
  const { socket, action, entities } = run.sent.at(-1);
  assert.deepEqual([socket, action, entities], [2, 'sync', { a: at(4) }]);
});

test('a hundred entities are named in one sync, and the others in the next', () => {
  const run = new Run();
  const ids = Array.from({ length: 150 }, (_, index) => `entity-${String(index).padStart(3, '0')}`);
  run.give({ kind: 'subscribe', subscribers: ids.map((entity, request) => ({ request, entity })) });
  for (const { id, entities } of [...run.sent]) {
    const results = Object.fromEntries(Object.keys(entities).map((entity) => [entity, { ...at(1), top: 1 }]));
    run.receive({ type: 'ack', action: 'subscribe', id, entities: results });
  }
  run.give({ kind: 'foreground' });
  const named = run.sent.filter(({ action }) => action === 'sync').map(({ entities }) => Object.keys(entities));
  assert.deepEqual(named, [ids.slice(0, 100), ids.slice(100)]);
});

test('the messages held for a log are bounded before its first answer as well', () => {
  const run = new Run({ heldWhileAsking: 10 });
  run.give({ kind: 'subscribe', subscribers: [{ request: 1, entity: 'a' }] });
  for (let offset = 2; offset <= 30; offset += 1) run.receive(push(offset));
  assert.equal(run.told.length, 29);
  run.answer('subscribe', { entityId: 'a', ...at(30), top: 30 });
  run.receive(push(31));
  assert.deepEqual(run.told.at(-1), 31);
});
