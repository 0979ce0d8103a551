/**
 * The rules of docs/clients.md as a state machine. It receives inputs with their time and returns effects; it owns no
 * socket and no clock.
 *
 * The files in `machine/` have the names of the Rust client's, and both machines run the same cases.
 *
 * @module machine
 */

import { BackOff } from './machine/back-off.js';
import * as connecting from './machine/connecting.js';
import { Logs } from './machine/logs.js';
import { applyReleased, deliverReleased } from './machine/pushes.js';
import { Outbox } from './machine/outbox.js';
import { postAnswered } from './machine/polling.js';
import { Repeats } from './machine/repeats.js';
import { received, send, sendPending } from './machine/requests.js';
import { DEFAULTS } from './machine/rules.js';
import { subscribe, unsubscribe } from './machine/subscribing.js';
import { Subscriptions } from './machine/subscriptions.js';
import { follow } from './machine/syncing.js';
import { Timers } from './machine/timers.js';
import { announceTransport } from './machine/transports.js';

/** @import { Failure, State, Transport } from '../herald-client.js' */
/** @import { Link } from './machine/link.js' */
/** @import { Log } from './machine/log.js' */
/** @import { PresenceOfEntity } from './machine/presence.js' */
/** @import { HeldAnswer, HeldMessage } from './machine/pushes.js' */
/** @import { Rules } from './machine/rules.js' */
/** @import { Effect, Input, MachineState } from './machine/signals.js' */

/** The state of a client. Its fields are for the modules in `machine/`. */
export class Machine {
  /** @type {Rules} */
  rules;
  now = 0;
  timers = new Timers();
  /** @type {State['name']} */
  state = 'connecting';
  isClosing = false;
  networkIsDown = false;
  /** The number of the last socket. */
  sockets = 0;
  /** The number of the last request. */
  requests = 0;
  /** The link that requests are sent on, or the attempt to open one. @type {Link | undefined} */
  current;
  /** The link that will become the current one. @type {Link | undefined} */
  next;
  /** Former current links, kept for late replies and pushes. @type {Link[]} */
  lingering = [];
  backOff = new BackOff();
  /** The number of attempts since a connection was open, or since the start. Omits the very first one. */
  retries = 0;
  refusals = 0;
  /** The time of the last refusal without a status that counted. */
  lastGuess = -Infinity;
  /** The transport that was announced. @type {Transport} */
  transport = 'websocket';
  /** The handshakes in a row that failed without a status. */
  blocked = 0;
  /** The time at which the first attempt of that row started. */
  blockedSince = 0;
  /** The time from then to the last failure of the row. */
  blockedFor = 0;
  /** The connections in a row that ended soon after they opened, without a close frame. */
  killed = 0;
  /** True if the last attempt was to poll, and failed. */
  pollFailed = false;
  subscriptions = new Subscriptions();
  outbox = new Outbox(this.timers, ({ request }) => this.reject(request, { kind: 'expired' }));
  /** True while messages wait because the server throttled one, or the answer to one that was posted is missing. */
  outboxIsPaused = false;
  throttling = new BackOff();
  repeats;
  /** The messages held back, by the socket that they arrived on. @type {Map<number, HeldMessage[]>} */
  held = new Map();
  /** @type {HeldAnswer[]} */
  heldAnswers = [];
  logs = new Logs();
  /** The presence of the entities for which a subscriber asks for it. @type {Map<string, PresenceOfEntity>} */
  presences = new Map();
  /** The logs to ask for missing messages, with the times. @type {Map<Log, number>} */
  gaps = new Map();
  /** The logs whose position is to be compared at once. @type {Set<Log>} */
  toSync = new Set();
  /** The logs that are to be read on at once. @type {Set<Log>} */
  toRead = new Set();
  /** @type {Effect[]} */
  #effects = [];

  /**
   * @param {Partial<Rules>} rules the rules that differ from the defaults.
   * @param {() => number} random returns at least 0 and less than 1.
   */
  constructor(rules, random) {
    this.rules = { ...DEFAULTS, ...rules };
    this.random = random;
    this.repeats = new Repeats(this.rules.repeatWindow);
  }

  /** The latest time for the next input. `undefined` if the machine waits for nothing. @returns {number | undefined} */
  get wakeAt() {
    return this.timers.next;
  }

  /**
   * Fires the timers that are due, and then handles the input.
   *
   * @param {number} now milliseconds from any start; never less than before.
   * @param {Input} input
   * @returns {Effect[]}
   */
  handle(now, input) {
    this.now = now;
    this.#fireDue();
    this.#apply(input);
    this.#settle();
    // A delay may be 0.
    this.#fireDue();
    return this.#effects.splice(0);
  }

  #fireDue() {
    for (let run = this.timers.takeDue(this.now); run; run = this.timers.takeDue(this.now)) {
      run();
      this.#settle();
    }
  }

  /** @param {Input} input */
  #apply(input) {
    if ('socket' in input) {
      const link = this.#linkOf(input.socket);
      return link && this.#applyTo(link, input);
    }
    switch (input.kind) {
      case 'connect':
        return connecting.connect(this);
      case 'subscribe':
        for (const subscriber of input.subscribers) subscribe(this, subscriber);
        return;
      case 'unsubscribe':
        return unsubscribe(this, input);
      case 'follow':
        return follow(this, input.to);
      case 'send':
        return send(this, input);
      case 'networkUp':
        return connecting.networkUp(this);
      case 'networkDown':
        return connecting.networkDown(this);
      case 'foreground':
        return connecting.foreground(this);
      case 'close':
        return connecting.close(this, input.within);
      case 'time':
    }
  }

  /** @param {Link} link @param {Extract<Input, { socket: number }>} input */
  #applyTo(link, input) {
    switch (input.kind) {
      case 'token':
        return connecting.tokenSupplied(this, link, input.token, input.expiresIn);
      case 'tokenFailed':
        return connecting.tokenFailed(this, link);
      case 'opened':
        return connecting.opened(this, link);
      case 'refused':
        return connecting.refused(this, link, input.status);
      case 'failed':
        return connecting.failed(this, link);
      case 'closed':
        return connecting.closed(this, link, input.closeFrame);
      case 'invalid':
        return connecting.invalid(this, link, input.reason);
      case 'received':
        return received(this, link, input.text);
      case 'answered':
        return postAnswered(this, link, input);
    }
  }

  /** Performs what follows from the last input or timer. */
  #settle() {
    if (this.hasStopped) return;
    applyReleased(this);
    sendPending(this);
    connecting.handOverIfEstablished(this);
    connecting.closeLingering(this);
    announceTransport(this);
    connecting.announceOpenIfEstablished(this);
    deliverReleased(this);
    connecting.stopIfClosed(this);
  }

  get hasStopped() {
    return this.state === 'stopped';
  }

  /** True if the client accepts no new requests. */
  get refusesRequests() {
    return this.isClosing || this.hasStopped;
  }

  /** @param {number} socket */
  #linkOf(socket) {
    if (this.current?.socket === socket) return this.current;
    return this.links.find((link) => link.socket === socket);
  }

  /** All links, in the order of their sockets. */
  get links() {
    return [...this.lingering, this.current, this.next].filter((link) => link !== undefined);
  }

  /** The links that requests go to. */
  get linksInUse() {
    return [this.current, this.next].filter((link) => link !== undefined).filter(({ isOpen }) => isOpen);
  }

  /** True if messages of the application wait to be sent, or for their replies. */
  get hasUnansweredMessages() {
    return this.outbox.length > 0 || this.links.some(({ oldestSend }) => oldestSend < Infinity);
  }

  /** @param {Effect} effect */
  perform(effect) {
    this.#effects.push(effect);
  }

  /** @param {number} request @param {Failure} error */
  reject(request, error) {
    this.perform({ kind: 'reject', request, error });
  }

  /** @param {MachineState} state */
  announce(state) {
    this.state = state.name;
    this.perform({ kind: 'state', state });
  }
}
