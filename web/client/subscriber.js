/**
 * The handlers of one subscription.
 *
 * @module subscriber
 */

import { call, Handlers } from './driver/readers.js';
import { changeBetween, isSame } from './machine/presence.js';
import { StateLoader } from './state-loader.js';

/** @import { ListenOptions, Position, Presence, Push, SubscribeOptions, SubscriptionEvents } from '../herald-client.js' */
/** @import { HeraldError } from './error.js' */
/** @import { Rules } from './machine/rules.js' */

export class Subscriber {
  #onMessage;
  #onEnded;
  #onPresence;
  /** True if the application asks for presence. */
  asksForPresence;
  /** The presence that the application was told last. @type {Presence | null | undefined} */
  presence;
  /** @type {StateLoader | undefined} */
  loader;
  /** @type {{ [Name in keyof SubscriptionEvents]: Handlers<SubscriptionEvents[Name]> }} */
  #listeners = { lost: new Handlers(), recovered: new Handlers() };
  /** The last event of each name, if there was no listener for it. @type {Partial<SubscriptionEvents>} */
  #unheard = {};
  #signal;
  /** @type {() => void} */
  #aborted = () => {};
  #hasEnded = false;

  /** @param {SubscribeOptions<any>} options @param {Rules} rules */
  constructor({ onMessage, onEnded, state, signal, presence = false }, rules) {
    this.#onMessage = onMessage;
    this.#onEnded = onEnded;
    this.#onPresence = typeof presence === 'function' ? presence : undefined;
    this.asksForPresence = Boolean(presence);
    this.#signal = signal;
    if (state) this.loader = new StateLoader(state, (push) => this.#deliver(push), rules);
  }

  /** @param {Push<any>} push */
  receive(push) {
    if (this.loader) this.loader.receive(push);
    else this.#deliver(push);
  }

  /** @param {Push<any>} push */
  #deliver(push) {
    this.#call(this.#onMessage, push);
  }

  /** @param {Position | null} position */
  lost(position) {
    this.#tell('lost', { position });
    this.loader?.reload(position);
  }

  /** @param {number} messages */
  recovered(messages) {
    this.#tell('recovered', { messages });
  }

  /**
   * Tells what differs from the presence that was told last.
   *
   * @param {Presence | null} presence
   * @param {HeraldError} [error] the reason for which there is none.
   */
  presenceChanged(presence, error) {
    if (!this.asksForPresence || isSame(this.presence, presence)) return;
    const change = { ...changeBetween(this.presence, presence), ...(error && { error }) };
    this.presence = presence;
    this.#call(this.#onPresence, change);
  }

  /** @param {HeraldError} error */
  ended(error) {
    this.#call(this.#onEnded, error);
    this.leave();
  }

  /** Ends what goes on for the subscription. */
  leave() {
    this.#hasEnded = true;
    this.loader?.end();
    this.#signal?.removeEventListener('abort', this.#aborted);
  }

  /** Calls `listener` if the signal aborts before the subscription ends. @param {() => void} listener */
  whenAborted(listener) {
    this.#aborted = listener;
    this.#signal?.addEventListener('abort', listener);
  }

  /**
   * Adds a listener, which gets the last event at once if none has heard it.
   *
   * @template {keyof SubscriptionEvents} Name
   * @param {Name} name
   * @param {(event: SubscriptionEvents[Name]) => void} listener
   * @param {ListenOptions} [options]
   * @returns {() => void} removes it.
   */
  on(name, listener, options) {
    const unheard = this.#unheard[name];
    if (!options?.signal?.aborted) {
      delete this.#unheard[name];
      if (unheard) call(listener, unheard);
    }
    return this.#listeners[name].add(listener, options);
  }

  /** @template {keyof SubscriptionEvents} Name @param {Name} name @param {SubscriptionEvents[Name]} event */
  #tell(name, event) {
    if (this.#hasEnded) return;
    if (this.#listeners[name].size === 0) this.#unheard[name] = event;
    this.#listeners[name].call(event);
  }

  /**
   * Calls a handler, unless the handler of another subscriber has ended this subscription meanwhile.
   *
   * @template T
   * @param {((value: T) => void) | undefined} handler
   * @param {T} value
   */
  #call(handler, value) {
    if (handler && !this.#hasEnded) call(handler, value);
  }
}
