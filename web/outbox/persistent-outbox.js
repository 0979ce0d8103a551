/**
 * The outbox: it keeps messages, and sends one after the other.
 *
 * @module persistent-outbox
 */

import { HeraldError } from '../herald-client.js';
import { Pages } from './pages.js';
import { Store } from './store.js';

/** @import { HeraldClient, SendOptions } from '../herald-client.js' */
/** @import { PendingMessage, PersistentOutbox, PersistentOutboxOptions } from './index.js' */
/** @import { Stored } from './store.js' */

/** @typedef {(message: any, options?: SendOptions) => Promise<any>} Send */

const A_DAY = 24 * 60 * 60_000;

/** @param {string} name @param {PersistentOutboxOptions} [options] @returns {PersistentOutbox} */
export function indexedDbOutbox(name, options = {}) {
  const store = new Store(`herald outbox ${name}`);
  return {
    attach: (client, send) => {
      const outbox = new AttachedOutbox(name, store, options, client, send);
      return (message, sendOptions) => outbox.send(message, sendOptions);
    },
    pending: async () => (await store.all()).map(({ text, isInFlight }) => ({ message: JSON.parse(text), isInFlight })),
  };
}

/** The outbox of one client. */
class AttachedOutbox {
  #lock;
  #store;
  #options;
  #client;
  #send;
  /** @type {Pages | undefined} */
  #pages;
  #hasEntered;
  /** The callers of this page that wait for a result, by the keys of their messages. @type {Map<number, { resolve: (ack: any) => void, reject: (error: unknown) => void }>} */
  #callers = new Map();
  /** The key of the message that the client has. @type {number | undefined} */
  #sending;
  #hasEnded = false;
  #isRunning = false;
  /** True if there may be a message that the current run has not seen. */
  #mustRunAgain = false;

  /**
   * @param {string} name
   * @param {Store} store
   * @param {PersistentOutboxOptions} options
   * @param {HeraldClient} client
   * @param {Send} send sends a message without keeping it.
   */
  constructor(name, store, options, client, send) {
    this.#lock = `herald outbox ${name}`;
    this.#store = store;
    this.#options = options;
    this.#client = client;
    this.#send = send;
    this.#pages = supportsLocks() ? new Pages(this.#lock) : undefined;
    this.#hasEntered = this.#pages?.enter();
    this.#hasEntered?.catch(() => {});
    client.onState(({ name: state }) => {
      if (state === 'open') void this.#run();
      if (state === 'stopped') this.#end();
    });
  }

  /** Keeps a message and sends it in its turn. Resolves to the acknowledgement. @type {Send} */
  async send(message, { keep = true, ...options } = {}) {
    if (!keep) return this.#send(message, options);
    if (this.#hasEnded) throw new HeraldError({ kind: 'stopped' });
    const key = await this.#keep(message, options);
    if (key === undefined) throw new HeraldError({ kind: 'outboxFull' });
    const result = new Promise((resolve, reject) => this.#callers.set(key, { resolve, reject }));
    if (this.#hasEnded) this.#rejectStopped(key);
    void this.#run();
    return result;
  }

  /** Returns the key of the message, or `undefined` if the outbox is full. @param {object} message @param {SendOptions} options */
  async #keep(message, { safeToRepeat = false, timeToLive = this.#options.timeToLive ?? A_DAY }) {
    const text = JSON.stringify(message);
    try {
      const missing = missingHere();
      if (missing || !this.#pages) throw new Error(`this environment has no ${missing}`);
      await this.#hasEntered;
      const kept = { owner: this.#pages.own, text, safeToRepeat, expiresAt: Date.now() + timeToLive, isInFlight: false };
      return await this.#store.add(kept, this.#options.limit ?? 1000);
    } catch (error) {
      const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      throw new HeraldError({ kind: 'notKept', message: `the outbox cannot keep the message, and it was not sent: ${reason}` });
    }
  }

  /** Sends what is to be sent, while the client is open. */
  async #run() {
    this.#mustRunAgain = true;
    if (this.#isRunning || !this.#pages || missingHere()) return;
    this.#isRunning = true;
    try {
      await this.#hasEntered;
      while (this.#mustRunAgain) {
        this.#mustRunAgain = false;
        for (let sent = true; sent && this.#client.state.name === 'open'; ) sent = await this.#sendNext(this.#pages);
      }
    } catch (error) {
      // The messages are kept. The next `send`, or the next connection, tries again.
      report(error);
    } finally {
      this.#isRunning = false;
    }
  }

  /** Sends the first message of this page or of one that is gone. Returns false if there is none. @param {Pages} pages */
  async #sendNext(pages) {
    const present = await pages.present();
    const message = await this.#store.first(({ owner }) => {
      if (owner === pages.own || !present.has(owner)) return true;
      pages.watch(owner, () => void this.#run());
      return false;
    });
    if (!message) return false;
    if (message.owner === pages.own) return this.#sendKept(message);
    // One page at a time sends what others have left, or their order would be lost.
    return navigator.locks.request(this.#lock, async () => {
      const first = await this.#store.first(({ owner }) => !present.has(owner));
      return first ? this.#sendKept(first) : true;
    });
  }

  /** Sends a message, and removes it. Returns false if the client has stopped before. @param {Stored} message */
  async #sendKept(message) {
    const { key, text, safeToRepeat, expiresAt } = message;
    const timeToLive = expiresAt - Date.now();
    // It was in flight when its page ended.
    if (message.isInFlight && !safeToRepeat) return this.#fail(message, new HeraldError({ kind: 'outcomeUnknown' }));
    if (timeToLive <= 0) return this.#fail(message, new HeraldError({ kind: 'expired' }));
    await this.#store.put({ ...message, owner: this.#pages?.own ?? '', isInFlight: true });
    this.#sending = key;
    try {
      const ack = await this.#send(JSON.parse(text), { safeToRepeat, timeToLive });
      await this.#store.delete(key);
      this.#settle(message, (caller) => caller.resolve(ack), () => this.#options.onSent?.(JSON.parse(text), ack));
    } catch (error) {
      if (!(error instanceof HeraldError)) throw error;
      if (error.kind !== 'stopped') return this.#fail(message, error);
      await this.#store.put({ ...message, isInFlight: false });
      this.#rejectStopped(key);
      return false;
    } finally {
      this.#sending = undefined;
    }
    return true;
  }

  /** @param {Stored} message @param {HeraldError} error */
  async #fail(message, error) {
    await this.#store.delete(message.key);
    this.#settle(message, (caller) => caller.reject(error), () => {
      const { onFailed } = this.#options;
      if (!onFailed) throw error;
      onFailed(JSON.parse(message.text), error);
    });
    return true;
  }

  /**
   * Tells the result of a message to its caller, or to the application if the caller's page is gone.
   *
   * @param {Stored} message
   * @param {(caller: { resolve: (ack: any) => void, reject: (error: unknown) => void }) => void} tellCaller
   * @param {() => void} tellApplication
   */
  #settle({ key }, tellCaller, tellApplication) {
    const caller = this.#callers.get(key);
    this.#callers.delete(key);
    if (caller) return tellCaller(caller);
    try {
      tellApplication();
    } catch (error) {
      report(error);
    }
  }

  /** Leaves the messages to the next client. */
  #end() {
    this.#hasEnded = true;
    for (const key of Array.from(this.#callers.keys())) if (key !== this.#sending) this.#rejectStopped(key);
    this.#pages?.leave();
  }

  /** @param {number} key */
  #rejectStopped(key) {
    const message = 'the client has stopped; the outbox keeps the message, and the next client sends it';
    this.#callers.get(key)?.reject(new HeraldError({ kind: 'stopped', message }));
    this.#callers.delete(key);
  }
}

function supportsLocks() {
  return 'locks' in (globalThis.navigator ?? {});
}

/** Returns the name of what the environment lacks. `undefined` if it has everything. */
function missingHere() {
  if (!globalThis.indexedDB) return 'IndexedDB';
  return supportsLocks() ? undefined : 'Web Locks, which need a page from HTTPS or from localhost';
}

/** Reports an error as uncaught. @param {unknown} error */
function report(error) {
  queueMicrotask(() => {
    throw error;
  });
}
