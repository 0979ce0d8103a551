// The timers of the machine, beside a list that is searched for the earliest.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Timers } from '../client/machine/timers.js';

/** A generator of numbers below a limit, the same at every run. */
function numbers(seed) {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state % limit;
  };
}

/** Timers in the order in which they were first set. */
class Listed {
  #all = [];

  set(name, at) {
    const timer = this.#all.find((other) => other.name === name);
    if (timer) timer.at = at;
    else this.#all.push({ name, at });
  }

  cancel(name) {
    this.#all = this.#all.filter((timer) => timer.name !== name);
  }

  get earliest() {
    return this.#all.toSorted((one, other) => one.at - other.at)[0];
  }
}

for (const seed of [1, 2, 3, 4, 5]) {
  test(`timers fire in the order of their times, and of their first set, with seed ${seed}`, () => {
    const below = numbers(seed);
    const [timers, listed] = [new Timers(), new Listed()];
    const fired = [];
    let now = 0;
    for (let step = 0; step < 5000; step += 1) {
      const name = `timer ${below(40)}`;
      const at = now + below(50);
      if (below(4) === 0) {
        timers.cancel(name);
        listed.cancel(name);
      } else {
        timers.set(name, at, () => fired.push(name));
        listed.set(name, at);
      }
      assert.equal(timers.next, listed.earliest?.at);
      if (below(5) > 0) continue;
      now += below(10);
      for (let run = timers.takeDue(now); run; run = timers.takeDue(now)) {
        run();
        assert.equal(fired.at(-1), listed.earliest.name);
        listed.cancel(fired.at(-1));
      }
      assert.ok((listed.earliest?.at ?? Infinity) > now);
    }
    assert.ok(fired.length > 100);
  });
}

test('a timer that is set again has its last time and callback', () => {
  const timers = new Timers();
  timers.set('a', 10, () => assert.fail('the first callback'));
  timers.set('b', 20, () => 'b');
  timers.set('a', 30, () => 'a');
  assert.deepEqual([timers.has('a'), timers.next], [true, 20]);
  assert.equal(timers.takeDue(30)(), 'b');
  assert.equal(timers.takeDue(29), undefined);
  assert.equal(timers.takeDue(30)(), 'a');
  assert.deepEqual([timers.has('a'), timers.next], [false, undefined]);
});
