/**
 * Asks again for what has changed, but not more often than is of use: the answer to one question is waited for before
 * the next, and what happens meanwhile makes one question.
 *
 * @module refresher
 */

/** Between an answer and the next question, in milliseconds. */
const PAUSE = 400;

export class Refresher {
  #ask;
  #wanted = false;
  #asking = false;

  /** @param {() => Promise<void>} ask */
  constructor(ask) {
    this.#ask = ask;
  }

  /** Something has changed. */
  request() {
    this.#wanted = true;
    if (!this.#asking) void this.#run();
  }

  async #run() {
    this.#asking = true;
    while (this.#wanted) {
      this.#wanted = false;
      await this.#ask();
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
    this.#asking = false;
  }
}
