// The cases that every client runs, client/tests/behaviour/*.json, and those of polling, which this client alone has so far.
// The README.md there describes the format. The effect `recovered` is this client's alone.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, test } from 'node:test';

import { Machine } from '../client/machine.js';
import { changeBetween } from '../client/machine/presence.js';

const folders = ['../../client/tests/behaviour/', './behaviour/'].map((folder) => new URL(folder, import.meta.url));
const files = folders.flatMap((folder) => readdirSync(folder).map((name) => new URL(name, folder)));
const caseFiles = files.filter(({ pathname }) => pathname.endsWith('.json'));

test('cases are found', () => assert.notEqual(caseFiles.length, 0));

for (const file of caseFiles) {
  const { about, cases } = JSON.parse(readFileSync(file, 'utf8'));
  describe(`${basename(file.pathname)}: ${about}`, () => {
    for (const { name, options, steps } of cases) test(name, () => run(options, steps));
  });
}

function run({ jitter = 0.5, ...options } = {}, steps) {
  let random = jitter;
  const machine = new Machine(options, () => random);
  const inCaseFormat = caseFormat();
  steps.forEach(({ at, effects = [], jitter: changed, ...step }, index) => {
    const where = `step ${index + 1}, at ${at}`;
    const input = inputOf(step);
    random = changed ?? random;
    if (input.kind === 'time' && effects.length > 0) {
      assert.ok(machine.wakeAt <= at, `${where}: wakeAt is ${machine.wakeAt}`);
    }
    const shared = machine.handle(at, input).filter(({ kind }) => kind !== 'recovered');
    assert.deepEqual(shared.map(inCaseFormat), effects, where);
    const { wakeAt = Infinity } = machine;
    assert.ok(wakeAt > at, `${where}: wakeAt is ${wakeAt}`);
  });
}

function inputOf(step) {
  const [[kind, { frame, ...rest }], ...others] = Object.entries(step);
  assert.deepEqual(others, [], 'a step has one input');
  if (kind === 'subscribe') return { kind, subscribers: rest.several ?? [rest] };
  if (kind === 'send') return { kind, frame, safeToRepeat: rest.safe, ...rest };
  if (kind === 'received' || kind === 'answered') return { kind, text: frame && JSON.stringify(frame), ...rest };
  return { kind, frame, ...rest };
}

/** Returns a function that returns the effects of one machine in the format of the cases. */
function caseFormat() {
  const told = new Map();
  return ({ kind, text, ...rest }) => {
    if (kind === 'state') return rest;
    const effect = text === undefined ? rest : { ...rest, frame: JSON.parse(text) };
    if (kind === 'presence') {
      const { entity, presence, error } = rest;
      const { members, ...change } = changeBetween(told.get(entity), presence);
      told.set(entity, presence);
      const listed = { entity, ...change, members: members && Array.from(members.values()), error };
      return JSON.parse(JSON.stringify({ presence: listed }));
    }
    return JSON.parse(JSON.stringify({ [kind]: effect }));
  };
}
