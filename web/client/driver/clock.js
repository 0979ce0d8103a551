/**
 * The clock of the machine, which notices a sleep of the computer.
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
 * when the wall clock is set back, unlike `Date.now()`. It advances with each look at the clocks of the computer.
 */
export class Clock {
  /** The time of the last look. */
  now = 0;
  #wall = Date.now();
  #steady = performance.now();
  #hasSlept = false;

  /**
   * Looks at both clocks. After a sleep of the computer, the wall clock has gained on the steady one; where the steady
   * clock advances as well, a timer is later than a browser ever delays it.
   */
  look() {
    const [wall, steady] = [Date.now() - this.#wall, performance.now() - this.#steady];
    this.#wall += wall;
    this.#steady += steady;
    this.now += wall >= 0 ? wall : steady;
    if (wall - steady > GAIN || steady > LATE) this.#hasSlept = true;
  }

  /** Returns true if a look since the last call showed that the computer slept. */
  takeSleep() {
    const hasSlept = this.#hasSlept;
    this.#hasSlept = false;
    return hasSlept;
  }
}
