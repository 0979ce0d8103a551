/**
 * The clock of the machine, and the detection of a sleep of the computer.
 *
 * @module clock
 */

/** The time between two looks at the clocks. */
export const LOOK_EVERY = 5000;

/** The gain of the wall clock that only a sleep explains. Less is a clock that is being corrected. */
const GAIN = 10_000;

/** The time between two looks that only a sleep explains. Browsers wake a hidden page once a minute. */
const LATE = 65_000;

/**
 * A clock of milliseconds that advances while the computer sleeps, unlike `performance.now()` in some browsers, and
 * when the wall clock is set back, unlike `Date.now()`.
 */
export class Clock {
  #elapsed = 0;
  #looks = new Looks();

  now() {
    const { wall, steady } = this.#looks.next();
    this.#elapsed += wall >= 0 ? wall : steady;
    return this.#elapsed;
  }
}

/**
 * The detection of a sleep of the computer. After a sleep, the wall clock has gained on the steady one; where the
 * steady clock advances as well, a timer is later than a browser ever delays it.
 */
export class SleepWatch {
  #looks = new Looks();

  /** Returns true if the computer slept since the last call. */
  hasSlept() {
    const { wall, steady } = this.#looks.next();
    return wall - steady > GAIN || steady > LATE;
  }
}

/** The time that passed between looks, by both clocks. */
class Looks {
  #wall = Date.now();
  #steady = performance.now();

  next() {
    const [wall, steady] = [Date.now(), performance.now()];
    const passed = { wall: wall - this.#wall, steady: steady - this.#steady };
    [this.#wall, this.#steady] = [wall, steady];
    return passed;
  }
}
