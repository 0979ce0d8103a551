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
  #events;
  #address;
  /** True once a worker has answered, so that another one would answer, too. */
  #isKnownToWork = false;

  /** @param {WayEvents} events @param {string | URL} [address] that of the script. */
  constructor(events, address) {
    this.#events = events;
    this.#address = address;
    this.#start();
  }

  #start() {
    const { received, failed } = this.#events;
    try {
      const worker = this.#address ? new SharedWorker(this.#address, { type: 'module', name: NAME }) : startWorker();
      worker.addEventListener('error', failed, { once: true });
      this.#port = worker.port;
      this.#port.onmessage = ({ data }) => {
        this.#isKnownToWork = true;
        received(data);
      };
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

  /** Connects to the worker again. The browser starts another if that one has crashed. */
  unanswered() {
    if (!this.#isKnownToWork) return this.#events.failed();
    this.end();
    this.#start();
    this.#events.replaced();
  }

  end() {
    this.#port?.close();
  }
}

/** Starts the worker of this package, in the form that bundlers recognise. */
function startWorker() {
  return new SharedWorker(new URL('./worker.js', import.meta.url), { type: 'module', name: 'herald 1' });
}
