/**
 * The way to a holder in one of the tabs: the tab that has a lock of the origin. When that tab ends, the browser gives
 * the lock to the next one.
 *
 * @module lock-way
 */

import { Host } from './host.js';
import { LOOK_EVERY, NAME } from './messages.js';

/** @import { Way, WayEvents } from './line.js' */
/** @import { FromTab, ToTab } from './messages.js' */

/**
 * A message on the channel of the tabs: the search for the holder, its answer, and messages between it and a tab.
 *
 * @typedef {{ kind: 'search' }
 *   | { kind: 'holds', from: string }
 *   | { kind: 'toHolder', to: string, from: string, message: FromTab }
 *   | { kind: 'toTab', to: string, from: string, message: ToTab }} OnChannel
 */

/** The host of the tab that has the lock. @typedef {{ host: Host<string>, timer: ReturnType<typeof setInterval>, release: () => void }} Holding */

/** @implements {Way} */
export class LockWay {
  #id = crypto.randomUUID();
  #channel = new BroadcastChannel(NAME);
  #events;
  /** The tab that has the lock. @type {string | undefined} */
  #holder;
  /** Set while this tab has it. @type {Holding | undefined} */
  #holding;
  #waiting = new AbortController();

  /** @param {Omit<WayEvents, 'failed'>} events */
  constructor(events) {
    this.#events = events;
    this.#channel.onmessage = ({ data }) => this.#heard(data);
    this.comeBack();
  }

  static get isPossible() {
    return 'locks' in (globalThis.navigator ?? {}) && 'BroadcastChannel' in globalThis;
  }

  /** @param {FromTab} message */
  post(message) {
    const [to, from] = [this.#holder, this.#id];
    if (this.#holding) queueMicrotask(() => this.#holding?.host.receive(from, message));
    else if (to) this.#tell({ kind: 'toHolder', to, from, message });
  }

  leave() {
    this.post({ kind: 'leave' });
    this.#waiting.abort();
    this.#release();
    this.#holder = undefined;
  }

  comeBack() {
    this.#waiting = new AbortController();
    this.#request({ signal: this.#waiting.signal });
    this.#tell({ kind: 'search' });
  }

  /** Takes the lock from a holder that does not answer, such as a frozen tab. */
  unanswered() {
    this.#waiting.abort();
    this.#waiting = new AbortController();
    this.#request({ steal: true });
  }

  end() {
    this.#channel.close();
  }

  /** @param {LockOptions} options */
  #request(options) {
    navigator.locks.request(NAME, options, () => this.#hold()).catch(() => {
      if (!this.#holding) return;
      // Another tab has stolen the lock.
      this.#release();
      this.comeBack();
    });
  }

  /** Becomes the holder, until `#release`. */
  #hold() {
    // The page left while it took the lock from another.
    if (this.#waiting.signal.aborted) return;
    const host = new Host((to, message) => this.#deliver(to, message), WebSocket);
    const timer = setInterval(() => host.look(), LOOK_EVERY);
    return new Promise((resolve) => {
      this.#holding = { host, timer, release: () => resolve(undefined) };
      this.#holder = this.#id;
      this.#tell({ kind: 'holds', from: this.#id });
      this.#events.replaced();
    });
  }

  #release() {
    if (!this.#holding) return;
    const { host, timer, release } = this.#holding;
    this.#holding = undefined;
    clearInterval(timer);
    host.end();
    release();
  }

  /** Delivers a message of this tab's host. @param {string} to @param {ToTab} message */
  #deliver(to, message) {
    if (to === this.#id) queueMicrotask(() => this.#events.received(message));
    else this.#tell({ kind: 'toTab', to, from: this.#id, message });
  }

  /** @param {OnChannel} message */
  #tell(message) {
    this.#channel.postMessage(message);
  }

  /** @param {OnChannel} message */
  #heard(message) {
    switch (message.kind) {
      case 'search':
        if (this.#holding) this.#tell({ kind: 'holds', from: this.#id });
        return;
      case 'holds':
        if (this.#holding || message.from === this.#holder) return;
        this.#holder = message.from;
        return this.#events.replaced();
      case 'toHolder':
        if (message.to === this.#id) this.#holding?.host.receive(message.from, message.message);
        return;
      case 'toTab':
        if (message.to === this.#id && message.from === this.#holder) this.#events.received(message.message);
    }
  }
}
