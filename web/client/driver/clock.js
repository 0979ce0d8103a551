/**
 * The time that the machine is told, and the notice that the computer slept.
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
 * Milliseconds since the clock was made. They go on while the computer sleeps, which not every browser's
 * `performance.now()` does, and when the wall clock is set back, which `Date.now()` does not.
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
 * The notice that the computer slept. Then the wall clock gains on the steady one, or, where that goes on as well,
 * timers are later than any page is made to wait for them.
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
