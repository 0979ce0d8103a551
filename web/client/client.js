/**
 * The public API. herald-client.d.ts documents it.
 *
 * @module client
 */

import { Driver } from './driver.js';
import { settingsOf } from './options.js';
import { Subscription } from './subscription.js';

/** @import { Options, Push, SendOptions, State } from '../herald-client.js' */
/** @import { HeraldError } from './error.js' */

/** @param {string} url @param {Options} [options] */
export function connect(url, options) {
  return new HeraldClient(url, options);
}

export class HeraldClient {
  #driver;

  /** @param {string} url @param {Options} [options] */
  constructor(url, options) {
    this.#driver = new Driver(settingsOf(url, options));
  }

  get state() {
    return this.#driver.state;
  }

  /** @param {(state: State) => void} handler @returns {() => void} removes it. */
  onState(handler) {
    return this.#driver.watch(handler);
  }

  /**
   * @template [Message=unknown]
   * @param {string} entityId
   * @param {(push: Push<Message>) => void} handler
   * @param {(error: HeraldError) => void} [onEnded]
   * @returns {Promise<Subscription>}
   */
  async subscribe(entityId, handler, onEnded = () => {}) {
    const subscriber = { handler, onEnded };
    const { readers } = this.#driver;
    readers.subscribe(entityId, subscriber);
    try {
      await this.#driver.subscribe(entityId);
    } catch (error) {
      readers.unsubscribe(entityId, subscriber);
      throw error;
    }
    return new Subscription(entityId, () => {
      if (readers.unsubscribe(entityId, subscriber)) this.#driver.handle({ kind: 'unsubscribe', entity: entityId });
    });
  }

  /**
   * @template [Message=unknown]
   * @param {(push: Push<Message>) => void} handler
   * @returns {() => void} removes it.
   */
  onNotification(handler) {
    return this.#driver.readers.addNotifications(handler);
  }

  /**
   * @template [Message=unknown]
   * @param {(push: Push<Message>) => void} handler
   * @returns {() => void} removes it.
   */
  onBroadcast(handler) {
    return this.#driver.readers.addBroadcasts(handler);
  }

  /**
   * @template [Message=unknown]
   * @param {string} type
   * @param {(push: Push<Message>) => void} handler
   * @returns {() => void} removes it.
   */
  onType(type, handler) {
    return this.#driver.readers.addType(type, handler);
  }

  /**
   * @param {Record<string, any>} message
   * @param {SendOptions} [options]
   * @returns {Promise<any>}
   */
  send(message, { safeToRepeat, timeToLive } = {}) {
    const frame = { ...message, action: 'sendMessage', id: undefined };
    return this.#driver.request((request) => ({ kind: 'send', request, frame, safeToRepeat, timeToLive }));
  }

  /** @param {{ within?: number }} [options] @returns {Promise<void>} */
  close({ within = 5000 } = {}) {
    return new Promise((resolve) => {
      if (this.state.name === 'stopped') return resolve();
      this.onState((state) => {
        if (state.name === 'stopped') resolve();
      });
      this.#driver.handle({ kind: 'close', within });
    });
  }
}
