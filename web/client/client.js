/**
 * The public API. herald-client.d.ts documents it.
 *
 * @module client
 */

import { Driver } from './driver.js';
import { call } from './driver/readers.js';
import { loggedWebSocket } from './logged-socket.js';
import { positionOf } from './machine/positions.js';
import { snapshotOf } from './machine/presence.js';
import { settingsOf, subscribeOptionsOf } from './options.js';
import { subscribe } from './subscription.js';

/** @import { History, HistoryOf, HistorySelection, ListenOptions, Lost, Options, PendingSubscription, Presence, Push, SendOptions, State, SubscribeOptions } from '../herald-client.js' */
/** @import { HeraldError } from './error.js' */

/** @param {string} url @param {Options} [options] */
export function connect(url, options) {
  return new HeraldClient(url, options);
}

export class HeraldClient {
  #driver;

  /** @param {string} url @param {Options} [options] */
  constructor(url, { log, outbox, ...options } = {}) {
    const settings = settingsOf(url, options);
    if (log) settings.webSocket = loggedWebSocket(settings.webSocket, log);
    this.#driver = new Driver(settings);
    if (log) this.onState((state) => log({ kind: 'state', state }));
    if (outbox) this.send = outbox.attach(this, this.send.bind(this));
  }

  get state() {
    return this.#driver.state;
  }

  get transport() {
    return this.#driver.transport;
  }

  /** @param {(state: State) => void} handler @param {ListenOptions} [options] @returns {() => void} removes it. */
  onState(handler, options) {
    // Added first: its first call may change the state.
    const remove = this.#driver.watchers.add(handler, options);
    if (!options?.signal?.aborted) call(handler, this.state);
    return remove;
  }

  networkUp() {
    this.#driver.handle({ kind: 'networkUp' });
  }

  networkDown() {
    this.#driver.handle({ kind: 'networkDown' });
  }

  foreground() {
    this.#driver.handle({ kind: 'foreground' });
  }

  /**
   * @template [Message=unknown]
   * @param {string} entityId
   * @param {((push: Push<Message>) => void) | SubscribeOptions<Message>} handler
   * @param {((error: HeraldError) => void) | SubscribeOptions<Message>} [options]
   * @returns {PendingSubscription}
   */
  subscribe(entityId, handler, options) {
    return subscribe(this.#driver, entityId, subscribeOptionsOf(handler, options));
  }

  /**
   * @template [Message=unknown]
   * @param {string | HistoryOf} of
   * @param {HistorySelection} selection
   * @returns {Promise<History<Message>>}
   */
  async history(of, selection) {
    const name = typeof of === 'string' ? { entityId: of } : of;
    const frame = { ...selection, ...name, action: 'history' };
    const reply = await this.#driver.request((request) => ({ kind: 'send', request, frame, safeToRepeat: true }));
    const { messages = [], top = 0, recovered, more = false } = reply;
    return { messages, position: positionOf(reply) ?? { offset: 0 }, top, recovered, more };
  }

  /** @param {string} entityId @returns {Promise<Presence>} */
  async presence(entityId) {
    const frame = { action: 'presence', entityId };
    const reply = await this.#driver.request((request) => ({ kind: 'send', request, frame, safeToRepeat: true }));
    return snapshotOf(reply.presence)?.set ?? { count: 0, members: null };
  }

  /**
   * @template [Message=unknown]
   * @param {(push: Push<Message>) => void} handler
   * @param {ListenOptions} [options]
   * @returns {() => void} removes it.
   */
  onNotification(handler, options) {
    this.#driver.follow('notifications');
    return this.#driver.readers.notifications.add(handler, options);
  }

  /**
   * @template [Message=unknown]
   * @param {(push: Push<Message>) => void} handler
   * @param {ListenOptions} [options]
   * @returns {() => void} removes it.
   */
  onBroadcast(handler, options) {
    this.#driver.follow('broadcasts');
    return this.#driver.readers.broadcasts.add(handler, options);
  }

  /**
   * @template [Message=unknown]
   * @param {string} type
   * @param {(push: Push<Message>) => void} handler
   * @param {ListenOptions} [options]
   * @returns {() => void} removes it.
   */
  onType(type, handler, options) {
    return this.#driver.readers.ofType(type).add(handler, options);
  }

  /** @param {(lost: Lost) => void} handler @param {ListenOptions} [options] @returns {() => void} removes it. */
  onLost(handler, options) {
    return this.#driver.readers.losses.add(handler, options);
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
      this.onState((state) => {
        if (state.name === 'stopped') resolve();
      });
      this.#driver.handle({ kind: 'close', within });
    });
  }
}
