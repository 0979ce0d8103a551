/**
 * The way to a holder in a SharedWorker.
 *
 * @module worker-way
 */

import { NAME } from './messages.js';

/** @import { Way, WayEvents } from './line.js' */
/** @import { FromTab } from './messages.js' */

/** @implements {Way} */
export class WorkerWay {
  /** @type {MessagePort | undefined} */
  #port;
  #failed;

  /** @param {WayEvents} events @param {string | URL} [address] that of the script. */
  constructor({ received, failed }, address) {
    this.#failed = failed;
    try {
      const worker = address ? new SharedWorker(address, { type: 'module', name: NAME }) : startWorker();
      worker.addEventListener('error', failed);
      this.#port = worker.port;
      this.#port.onmessage = ({ data }) => received(data);
    } catch {
      queueMicrotask(failed);
    }
  }

  static get isPossible() {
    return 'SharedWorker' in globalThis;
  }

  /** @param {FromTab} message */
  post(message) {
    this.#port?.postMessage(message);
  }

  leave() {
    this.post({ kind: 'leave' });
  }

  comeBack() {}

  unanswered() {
    this.#failed();
  }

  end() {
    this.#port?.close();
  }
}

/** Starts the worker of this package, in the form that bundlers recognise. */
function startWorker() {
  return new SharedWorker(new URL('./worker.js', import.meta.url), { type: 'module', name: 'herald 1' });
}
