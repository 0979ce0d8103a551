/**
 * A limit on reads: one at a time, with a pause after each. Requests in the meantime make one read.
 *
 * @module refresher
 */

/** The pause after a read, in milliseconds. */
const PAUSE = 400;

export class Refresher {
  #read;
  #isRequested = false;
  #isRunning = false;

  /** @param {() => Promise<void>} read */
  constructor(read) {
    this.#read = read;
  }

  /** Requests a read. */
  request() {
    this.#isRequested = true;
    if (!this.#isRunning) void this.#run();
  }

  async #run() {
    this.#isRunning = true;
    while (this.#isRequested) {
      this.#isRequested = false;
      await this.#read();
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
    this.#isRunning = false;
  }
}
