// Floods of pushes: so many that work that grew with their square would not end.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Machine } from '../client/machine.js';

const MESSAGES = 200_000;

/** Returns a machine during a renewal: socket 2 has replaced socket 1, and a message is in flight on it. */
function duringRenewal() {
  const rules = { renewAfter: 1000, replyTimeout: 1e9, unansweredAfter: 1e9, repeatWindow: 1e6 };
  const machine = new Machine(rules, () => 0);
  machine.handle(0, { kind: 'connect' });
  machine.handle(0, { kind: 'opened', socket: 1 });
  machine.handle(1000, { kind: 'time' });
  machine.handle(1000, { kind: 'opened', socket: 2 });
  machine.handle(1000, { kind: 'send', request: 1, frame: { action: 'sendMessage', message: 1, broadcast: true } });
  return machine;
}

function flood(machine) {
  for (let number = 0; number < MESSAGES; number += 1) {
    const text = JSON.stringify({ type: 'message', message: number, eventId: `e${number}` });
    assert.deepEqual(machine.handle(1001, { kind: 'received', socket: 1, text }), []);
  }
}

const delivered = (effects) => effects.filter(({ kind }) => kind === 'deliver').map(({ frame }) => frame.message);

test('messages held during a renewal are delivered in order after the reply, without the own', () => {
  const machine = duringRenewal();
  flood(machine);
  const text = JSON.stringify({ type: 'ack', id: '1', eventId: 'e7' });
  const messages = delivered(machine.handle(1002, { kind: 'received', socket: 2, text }));
  assert.equal(messages.length, MESSAGES - 1);
  assert.deepEqual(messages.slice(5, 9), [5, 6, 8, 9]);
});

test('messages held at close are delivered', () => {
  const machine = duringRenewal();
  flood(machine);
  const messages = delivered(machine.handle(1002, { kind: 'close', within: 0 }));
  assert.equal(messages.length, MESSAGES);
});
