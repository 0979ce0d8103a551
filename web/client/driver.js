/**
 * The driver: it passes the time and the inputs to the machine, and performs its effects. It decides nothing.
 *
 * @module driver
 */

import { Clock, LOOK_EVERY } from './driver/clock.js';
import { listenToPage } from './driver/page.js';
import { Poster } from './driver/poster.js';
import { Handlers, Readers } from './driver/readers.js';
import { handshakeFailure, listen } from './driver/socket.js';
import { HeraldError } from './error.js';
import { Machine } from './machine.js';
import { DEFAULTS } from './machine/rules.js';
import { isSubprotocol, readToken, SUBPROTOCOL, UNUSABLE_TOKEN } from './token.js';

/** @import { Position, Push, State, TokenCallback, Transport, WebSocketConstructor, WebSocketLike } from '../herald-client.js' */
/** @import { Rules } from './machine/rules.js' */
/** @import { Audience, Log } from './machine/log.js' */
/** @import { Effect, Input, MachineState, Subscriber } from './machine/signals.js' */

/**
 * The settings of a driver.
 *
 * @typedef {object} Settings
 * @property {URL} url
 * @property {WebSocketConstructor} webSocket
 * @property {URL} [pollUrl]
 * @property {TokenCallback} [token]
 * @property {boolean} hints
 * @property {Partial<Rules>} rules
 */

export class Driver {
  readers = new Readers();
  /** @type {State} */
  state = { name: 'connecting' };
  /** @type {Transport} */
  transport = 'websocket';
  #settings;
  #machine;
  #clock = new Clock();
  /** @type {Map<number, WebSocketLike>} */
  #sockets = new Map();
  /** @type {Poster | undefined} */
  #poster;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #wake;
  /** The time for which the next wake-up is set. */
  #wakesAt = Infinity;
  /** @type {Effect[]} */
  #effects = [];
  #isPerforming = false;
  #requests = 0;
  /** The subscribers of this turn of the event loop, which become one input. @type {Subscriber[]} */
  #subscribers = [];
  /** @type {Map<number, { resolve: (reply: any) => void, reject: (error: HeraldError) => void }>} */
  #waiting = new Map();
  /** The last failure, for the next state. @type {unknown} */
  #cause;
  /** @type {Handlers<State>} */
  watchers = new Handlers();
  #leavePage = () => {};
  /** The positions up to which the effects that are being performed have delivered. @type {Map<string, Position>} */
  #delivered = new Map();

  /** @param {Settings} settings */
  constructor(settings) {
    this.#settings = settings;
    this.#machine = new Machine(settings.rules, Math.random);
    if (settings.pollUrl) this.#poster = new Poster(settings.pollUrl, this.rules.replyTimeout);
    if (settings.hints) this.#leavePage = listenToPage((hint) => this.handle({ kind: hint }));
    this.handle({ kind: 'connect' });
  }

  /**
   * Makes a request, and waits for its reply.
   *
   * @param {(request: number) => Input} input
   * @returns {Promise<any>}
   */
  async request(input) {
    const { request, reply } = this.#newRequest();
    this.handle(input(request));
    return reply;
  }

  /** @returns {Rules} */
  get rules() {
    return { ...DEFAULTS, ...this.#settings.rules };
  }

  /**
   * Subscribes, and waits for the acknowledgement.
   *
   * @param {string} entity
   * @param {{ recover?: Position, rewind?: number, presence?: boolean }} [start]
   * @returns {{ request: number, reply: Promise<void> }}
   */
  subscribe(entity, start) {
    const { request, reply } = this.#newRequest();
    this.#subscribers.push({ request, entity, ...start });
    if (this.#subscribers.length === 1) void Promise.resolve().then(() => this.#flushSubscribers());
    return { request, reply };
  }

  /** Forgets a request whose caller does not wait any more. @param {number} request */
  forget(request) {
    this.#waiting.delete(request);
  }

  /** Asks for the position of an audience that needs no subscription. @param {Exclude<Audience['to'], 'entity'>} to */
  follow(to) {
    this.handle({ kind: 'follow', to });
  }

  /** Returns the log of an entity. `undefined` if nothing subscribes to the entity. @param {string} entity */
  logOf(entity) {
    return this.#machine.logs.at('entity', entity);
  }

  /**
   * Returns the position of an entity. During the delivery of a message it is that of the message.
   *
   * @param {string} entity
   * @param {Log} [log] that of the session, which outlives its subscription.
   * @returns {Position | undefined}
   */
  positionOf(entity, log = this.logOf(entity)) {
    return this.#delivered.get(entity) ?? log?.position;
  }

  /** @returns {{ request: number, reply: Promise<any> }} */
  #newRequest() {
    const request = ++this.#requests;
    const reply = new Promise((resolve, reject) => this.#waiting.set(request, { resolve, reject }));
    return { request, reply };
  }

  /** Gives the machine the subscribers of this turn. */
  #flushSubscribers() {
    if (this.#subscribers.length === 0) return;
    this.handle({ kind: 'subscribe', subscribers: this.#subscribers.splice(0) });
  }

  /**
   * Gives the machine an input, and performs the effects. A handler may call this: its effects come after those
   * that are being performed.
   *
   * @param {Input} input
   */
  handle(input) {
    this.#flushSubscribers();
    this.#clock.look();
    if (this.#clock.takeSleep()) this.#give({ kind: 'foreground' });
    this.#give(input);
    if (this.#isPerforming) return;
    this.#isPerforming = true;
    try {
      while (this.#effects.length > 0) for (const effect of this.#effects.splice(0)) this.#perform(effect);
    } finally {
      this.#isPerforming = false;
      this.#delivered.clear();
      this.#wakeInTime();
    }
  }

  /** @param {Input} input */
  #give(input) {
    for (const effect of this.#machine.handle(this.#clock.now, input)) this.#effects.push(effect);
  }

  /**
   * Sets the timer for the next wake-up, at most `LOOK_EVERY` from now, to notice a sleep of the computer. A timer that
   * is due before stays: setting one costs more than a push, and a wake-up that is too early does nothing.
   */
  #wakeInTime() {
    const { wakeAt = Infinity } = this.#machine;
    const at = Math.min(wakeAt, this.#clock.now + LOOK_EVERY);
    if (wakeAt < Infinity && this.#wakesAt <= at && this.#wakesAt > this.#clock.now) return;
    clearTimeout(this.#wake);
    this.#wakesAt = Infinity;
    if (wakeAt === Infinity) return;
    this.#clock.look();
    this.#wakesAt = at;
    this.#wake = setTimeout(() => {
      this.#wakesAt = Infinity;
      this.handle({ kind: 'time' });
    }, Math.max(0, at - this.#clock.now));
  }

  /** @param {Effect} effect */
  #perform(effect) {
    switch (effect.kind) {
      case 'state':
        return this.#enter(effect.state);
      case 'askToken':
        return void this.#askToken(effect.socket);
      case 'openSocket':
        return this.#open(effect.socket, effect.token);
      case 'send':
        return this.#sockets.get(effect.socket)?.send(effect.text);
      case 'transport':
        return this.#changeTransport(effect.transport);
      case 'post':
        return void this.#post(effect);
      case 'closeSocket':
        this.#poster?.abort(effect.socket);
        this.#sockets.get(effect.socket)?.close(1000);
        return void this.#sockets.delete(effect.socket);
      case 'resolve':
        return this.#settle(effect.request)?.resolve(effect.reply);
      case 'reject':
        return this.#settle(effect.request)?.reject(new HeraldError(effect.error));
      case 'deliver':
        return this.#deliver(effect);
      case 'lost':
        if (effect.to === 'entity') this.#delivered.delete(effect.entity);
        return this.readers.lose(effect, effect.position);
      case 'recovered':
        return this.readers.recover(effect, effect.messages);
      case 'presence':
        return this.readers.tellPresence(effect.entity, effect.presence, effect.error && new HeraldError(effect.error));
      case 'ended':
        return this.readers.end(effect.entity, new HeraldError(effect.error));
    }
  }

  /** @param {Extract<Effect, { kind: 'deliver' }>} effect */
  #deliver({ to, frame }) {
    const { entityId, epoch, offset } = frame;
    if (to === 'entity' && offset !== undefined) this.#delivered.set(entityId, { epoch, offset });
    this.readers.deliver(to, /** @type {Push<any>} */ (frame));
  }

  /** @param {Transport} transport */
  #changeTransport(transport) {
    this.transport = transport;
    if (this.state.name === 'open') this.#enter({ name: 'open' });
  }

  /** @param {Extract<Effect, { kind: 'post' }>} effect */
  async #post(effect) {
    const { socket, request } = effect;
    const answer = await this.#poster?.post(effect);
    if (!answer) return;
    const { cause, ...rest } = answer;
    if (cause) this.#cause = cause;
    this.handle({ kind: 'answered', socket, request, ...rest });
  }

  /** @param {MachineState} state */
  #enter(state) {
    const wasReconnecting = this.state.name === 'reconnecting';
    if (state.name === 'reconnecting') this.state = { ...state, cause: this.#cause };
    else this.state = state.name === 'open' ? { ...state, transport: this.transport } : state;
    this.#cause = undefined;
    if (state.name === 'stopped') {
      this.#leavePage();
      this.readers.stop();
    }
    if (state.name === 'open' && wasReconnecting) this.readers.reload((entity) => Boolean(this.positionOf(entity)));
    this.watchers.call(this.state);
  }

  /** @param {number} socket */
  async #askToken(socket) {
    try {
      const answer = await this.#settings.token?.();
      this.handle({ kind: 'token', socket, ...readToken(answer) });
    } catch (error) {
      this.#cause = error;
      this.handle({ kind: 'tokenFailed', socket });
    }
  }

  /** @param {number} socket @param {string | null} token */
  #open(socket, token) {
    if (token !== null && !isSubprotocol(token)) {
      return this.handle({ kind: 'invalid', socket, reason: UNUSABLE_TOKEN });
    }
    const protocols = token === null ? [SUBPROTOCOL] : [SUBPROTOCOL, token];
    try {
      const webSocket = new this.#settings.webSocket(this.#settings.url.href, protocols);
      this.#sockets.set(socket, webSocket);
      this.#listen(socket, webSocket);
    } catch (error) {
      // The constructor throws only for invalid arguments. Transient failures are events.
      const reason = error instanceof Error ? error.message : String(error);
      this.handle({ kind: 'invalid', socket, reason });
    }
  }

  /** @param {number} socket @param {WebSocketLike} webSocket */
  #listen(socket, webSocket) {
    listen(webSocket, {
      opened: () => this.handle({ kind: 'opened', socket }),
      received: (text) => this.handle({ kind: 'received', socket, text }),
      ended: (reason, wasOpen, closeFrame) => {
        if (!this.#sockets.delete(socket)) return;
        this.#cause = new Error(reason);
        if (wasOpen) this.handle({ kind: 'closed', socket, closeFrame });
        else void this.#handshakeFailed(socket, reason);
      },
    });
  }

  /** @param {number} socket @param {string} reason */
  async #handshakeFailed(socket, reason) {
    this.handle({ socket, ...(await handshakeFailure(this.#settings.url, reason)) });
  }

  /** @param {number} request */
  #settle(request) {
    const waiting = this.#waiting.get(request);
    this.#waiting.delete(request);
    return waiting;
  }
}
