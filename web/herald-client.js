/**
 * A client of Herald for browsers and Node.js: one WebSocket connection for a whole application.
 *
 * How it behaves, rule by rule, is in docs/clients.md of Herald's repository; the words are the same here. The file has
 * two halves. `ClientMachine` keeps all the rules and has neither a socket nor a clock: it takes inputs with their time
 * and returns what to do. `HeraldClient` does it, with WebSocket, timers and the events of the page.
 *
 * It depends on nothing, and leaves out what is the application's: getting a token, and what a message means.
 *
 * @module herald-client
 */

/**
 * What `connect` can be told. Times are milliseconds.
 *
 * @typedef {object} Options
 * @property {TokenCallback} [token] asked for a token at every attempt to connect, and before a token's end. Without
 *   it the client connects without a token.
 * @property {boolean} [hints] whether the events of the page (online, offline, visible again) are heeded; true.
 * @property {WebSocketConstructor} [webSocket] what to open sockets with; `globalThis.WebSocket`. Node.js 20 has none:
 *   give it that of the package `ws`.
 * @property {number} [connectTimeout] token and handshake of one attempt; 45 s.
 * @property {number} [backoffBase] the bound of the first delay before an attempt; 1 s. It doubles with every failure.
 * @property {number} [backoffCap] the largest bound of a delay; 30 s.
 * @property {number} [stableAfter] how long a connection is open before the delays start small again; 30 s.
 * @property {number} [refusalLimit] after how many refused authorisations in a row the client stops; 3.
 * @property {number} [refusalSpacing] how far apart refusals are that had to be guessed, to count as several; 10 s.
 * @property {number} [offlineRetry] how long at most the page's word is believed that it is offline, less a random
 *   share of a half; 60 s.
 * @property {number} [unansweredAfter] after how long a request without a reply, while nothing else arrives either,
 *   makes the client ask whether the connection is there; 10 s.
 * @property {number} [pingAfter] after how much silence to ask whether the connection is there; 4 min.
 * @property {number} [pongTimeout] how soon anything must arrive after that; 10 s.
 * @property {number} [replyTimeout] how long a reply is waited for; 30 s.
 * @property {number} [inFlightLimit] how many requests wait for their reply at once; 32.
 * @property {number} [outboxLimit] how many messages wait to be sent; 1000.
 * @property {'refuseNewest' | 'dropOldest'} [outboxFull] which message fails when there are more; `refuseNewest`.
 * @property {number} [timeToLive] how long a message waits to be sent; 5 min.
 * @property {number} [messageLimit] the most bytes of a request as JSON; 32 KiB, API Gateway's limit of a frame, since
 *   no WebSocket of a browser lets the frames be chosen.
 * @property {number} [repeatWindow] how many `eventId`s are remembered, to drop repeats; 1000.
 * @property {number} [renewAfter] at which age a connection is replaced, less a random share of a tenth; 110 min.
 * @property {number} [lingerFor] how long the replaced connection stays for late pushes; 10 s.
 * @property {number} [renewTokenBefore] how long before its end a token is replaced; 60 s.
 */

/**
 * Supplies a token: its text, or the text with its end in seconds since 1970 if it is not in the token's own `exp`, or
 * nothing to connect without one. An attempt fails if this throws or rejects, and is tried again.
 *
 * @typedef {() => TokenAnswer | Promise<TokenAnswer>} TokenCallback
 */

/** @typedef {string | { token: string, expiresAt?: number } | null | undefined} TokenAnswer */

/** @typedef {new (url: string, protocols: string[]) => WebSocketLike} WebSocketConstructor */

/**
 * What the client needs of a WebSocket: the browser's has it, and so has that of `ws`.
 *
 * @typedef {object} WebSocketLike
 * @property {(text: string) => void} send
 * @property {(code?: number) => void} close
 * @property {(type: any, listener: (event: any) => void) => void} addEventListener
 */

/**
 * Where the client is. `reconnecting` says which attempt comes next and after how many milliseconds (`null`: once the
 * network is back, or after `offlineRetry`), and what went wrong before, if that is known. Nothing leads out of `stopped`.
 *
 * @typedef {{ name: 'connecting' }
 *   | { name: 'open' }
 *   | { name: 'reconnecting', attempt: number, delay: number | null, cause?: unknown }
 *   | { name: 'stopped', reason: StopReason }} State
 */

/**
 * Why the client stopped: the application closed it, the server refused its authorisation (with the HTTP status, where
 * it can be seen), no attempt can succeed (with what is wrong with the token or the address), or the server told it not
 * to come back.
 *
 * @typedef {{ kind: 'closed' }
 *   | { kind: 'refused', status: number | null }
 *   | { kind: 'invalid', reason: string }
 *   | { kind: 'disconnected', code: string | null, reason: string | null }} StopReason
 */

/**
 * A message from the server: `type` says which kind, `message` is the sender's JSON.
 *
 * @template [Message=unknown]
 * @typedef {object} Push
 * @property {string} type `Entity Updated`, `User Push Notification`, `Broadcast`, or `message`, which a client sent.
 * @property {Message} message
 * @property {string} [entityId] the entity it is about.
 * @property {string} [name] whom a client's message says it is from.
 * @property {unknown} [callback] what the sender of a notification would have the client do with it.
 * @property {string} [eventId]
 * @property {string} [time] RFC 3339.
 */

/** @typedef {{ message: unknown, name?: string }} Outgoing one message; `name` is whom it says it is from. */

/** @typedef {{ entityId: string } | { broadcast: true }} Target an entity's other subscribers, or everyone else. */

/** @typedef {{ type: 'ack', action: string, entityId?: string, eventId?: string, eventIds?: string[] }} Ack */

/** @typedef {{ type: 'message', message: unknown, name?: string }} Echo */

/**
 * @typedef {object} SendOptions
 * @property {boolean} [safe] the message may be sent twice: if the connection breaks before the reply, it is sent again
 *   in place of failing as `unknown`.
 * @property {number} [timeToLive] how long it may wait to be sent, in milliseconds.
 */

/**
 * Why a request failed, as docs/clients.md lists it.
 *
 * @typedef {{ kind: 'server', code: string, message: string, retryable: boolean, eventIds?: (string | null)[] }
 *   | { kind: 'gateway', code: GatewayCode, message: string }
 *   | { kind: 'outcomeUnknown' | 'expired' | 'outboxFull' | 'tooLarge' | 'stopped' }} Failure
 */

/** @typedef {'internal' | 'timeout' | 'throttled' | 'forbidden' | 'badRequest' | 'other'} GatewayCode */

/** Why a request failed. */
export class HeraldError extends Error {
  /** @param {Failure} failure */
  constructor(failure) {
    super('message' in failure ? failure.message : FAILURE_WORDS[failure.kind]);
    this.name = 'HeraldError';
    /** `unknown` is the one that leaves open whether the request was carried out. */
    this.kind = failure.kind;
    /** Herald's code, or which of API Gateway's errors it is. */
    this.code = 'code' in failure ? failure.code : undefined;
    /**
     * With the code `partly_sent`, in the order of `messages`: the `eventId` of each, or `null` if it was not sent and
     * may be sent again.
     */
    this.eventIds = 'eventIds' in failure ? failure.eventIds : undefined;
    /** Whether the same request, made again, may succeed; not whether it was carried out the first time. */
    this.retryable = isRetryable(failure);
  }
}

const FAILURE_WORDS = {
  unknown: 'no reply came: whether the request was carried out is not known',
  expired: 'the message waited longer than its time to live',
  full: 'too many messages wait to be sent',
  tooLarge: 'the message is too large for the gateway',
  stopped: 'the client has stopped',
};

/**
 * Starts a client, which connects at once and stays connected until it is closed or stops.
 *
 * @param {string} url the WebSocket's address, `wss://…/stage`.
 * @param {Options} [options]
 * @returns {HeraldClient}
 * @throws {TypeError} if the address is none of a WebSocket, or there is no WebSocket to open it with.
 */
export function connect(url, options = {}) {
  return new HeraldClient(url, options);
}

/** A running client. `connect` makes one; an application needs no more than one. */
export class HeraldClient {
  #url;
  #options;
  #webSocket;
  #machine;
  #clock = new Clock();
  #sleep = new SleepWatch();
  /** @type {Map<number, WebSocketLike>} */
  #sockets = new Map();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #wake;
  /** @type {Effect[]} */
  #effects = [];
  #performing = false;
  #requests = 0;
  /** Those of this turn, which are asked for together. @type {Newcomer[]} */
  #newcomers = [];
  /** @type {Map<number, { resolve: (reply: any) => void, reject: (error: HeraldError) => void }>} */
  #pending = new Map();
  /** @type {State} */
  #state = { name: 'connecting' };
  /** What went wrong last, for those who watch. @type {unknown} */
  #cause;
  /** @type {Map<string, Set<Subscriber>>} */
  #subscribers = new Map();
  /** @type {Map<string, Set<(push: Push<any>) => void>>} */
  #types = new Map();
  /** @type {Set<(push: Push<any>) => void>} */
  #notifications = new Set();
  /** @type {Set<(push: Push<any>) => void>} */
  #broadcasts = new Set();
  /** @type {Set<(state: State) => void>} */
  #watchers = new Set();
  #leavePage = () => {};

  /**
   * @param {string} url
   * @param {Options} options
   */
  constructor(url, options) {
    this.#url = new URL(url);
    if (!/^wss?:$/.test(this.#url.protocol)) throw new TypeError(`${url} does not start with wss:// or ws://`);
    this.#webSocket = options.webSocket ?? /** @type {any} */ (globalThis).WebSocket;
    if (!this.#webSocket) throw new TypeError('there is no WebSocket here: give one as the option webSocket');
    this.#options = options;
    const { token, hints, webSocket, ...rules } = options;
    this.#machine = new ClientMachine({ ...IN_BROWSERS, ...definedOf(rules), token: token !== undefined });
    if (hints !== false) this.#leavePage = listenToPage((hint) => this.#handle({ kind: hint }));
    this.#handle({ kind: 'connect' });
  }

  /** Where the client is. */
  get state() {
    return this.#state;
  }

  /**
   * Calls `handler` at every change of `state`. `open` after `reconnecting` is the moment to read anew what may have
   * changed meanwhile.
   *
   * @param {(state: State) => void} handler
   * @returns {() => void} ends it.
   */
  onState(handler) {
    return add(this.#watchers, handler);
  }

  /**
   * Subscribes to an entity for as long as the client runs, over every reconnect.
   *
   * @template [Message=unknown]
   * @param {string} entityId
   * @param {(push: Push<Message>) => void} handler gets whatever is pushed about the entity.
   * @param {(error: HeraldError) => void} [onEnded] is told if the server ends the subscription later, because it may
   *   not be had any more.
   * @returns {Promise<Subscription>} once the server has acknowledged; rejects with its error.
   */
  async subscribe(entityId, handler, onEnded = () => {}) {
    /** @type {Subscriber} */
    const subscriber = { handler, onEnded };
    const subscribers = this.#subscribers.get(entityId) ?? new Set();
    this.#subscribers.set(entityId, subscribers.add(subscriber));
    try {
      await this.#acknowledged(entityId);
    } catch (error) {
      this.#forget(entityId, subscriber);
      throw error;
    }
    return new Subscription(entityId, () => {
      if (this.#forget(entityId, subscriber)) this.#handle({ kind: 'unsubscribe', entity: entityId });
    });
  }

  /**
   * Calls `handler` with what is pushed to the user of this connection.
   *
   * @template [Message=unknown]
   * @param {(push: Push<Message>) => void} handler
   * @returns {() => void} ends it.
   */
  onNotification(handler) {
    return add(this.#notifications, handler);
  }

  /**
   * Calls `handler` with what is pushed to everyone, by an event or by another client.
   *
   * @template [Message=unknown]
   * @param {(push: Push<Message>) => void} handler
   * @returns {() => void} ends it.
   */
  onBroadcast(handler) {
    return add(this.#broadcasts, handler);
  }

  /**
   * Calls `handler` with whatever has this `type`, beside those it goes to anyway.
   *
   * @template [Message=unknown]
   * @param {string} type
   * @param {(push: Push<Message>) => void} handler
   * @returns {() => void} ends it.
   */
  onType(type, handler) {
    const handlers = this.#types.get(type) ?? new Set();
    this.#types.set(type, handlers);
    return add(handlers, handler);
  }

  /**
   * Sends a message, once there is a connection. Without a target it comes back as the reply.
   *
   * @overload
   * @param {Target & (Outgoing | { messages: Outgoing[] })} message
   * @param {SendOptions} [options]
   * @returns {Promise<Ack>} once the message is on its way, with its `eventId`, or the `eventIds` of `messages`.
   */
  /**
   * @overload
   * @param {Outgoing} message
   * @param {SendOptions} [options]
   * @returns {Promise<Echo>}
   */
  /**
   * @param {Record<string, any>} message
   * @param {SendOptions} [options]
   * @returns {Promise<any>}
   */
  send(message, { safe, timeToLive } = {}) {
    const frame = { ...message, action: 'sendMessage', id: undefined };
    return this.#request((request) => ({ kind: 'send', request, frame, safe, timeToLive }));
  }

  /**
   * Closes the client: sends what waits, waits for the replies, and stops, within so many milliseconds.
   *
   * @param {{ within?: number }} [options] 5 s if it is not said.
   * @returns {Promise<void>} once the client has stopped.
   */
  close({ within = 5000 } = {}) {
    return new Promise((resolve) => {
      if (this.#state.name === 'stopped') return resolve();
      this.onState((state) => {
        if (state.name === 'stopped') resolve();
      });
      this.#handle({ kind: 'close', within });
    });
  }

  /**
   * @param {(request: number) => Input} input
   * @returns {Promise<any>}
   */
  async #request(input) {
    const { request, reply } = this.#newRequest();
    this.#handle(input(request));
    return reply;
  }

  #newRequest() {
    const request = ++this.#requests;
    const reply = new Promise((resolve, reject) => this.#pending.set(request, { resolve, reject }));
    return { request, reply };
  }

  /** Waits for the server to acknowledge a subscription. @param {string} entity */
  #acknowledged(entity) {
    const { request, reply } = this.#newRequest();
    this.#newcomers.push({ request, entity });
    if (this.#newcomers.length === 1) void Promise.resolve().then(() => this.#welcome());
    return reply;
  }

  /** Subscribes those who came in this turn. */
  #welcome() {
    if (this.#newcomers.length === 0) return;
    this.#handle({ kind: 'subscribe', subscribers: this.#newcomers.splice(0) });
  }

  /** @param {string} entityId @param {Subscriber} subscriber @returns {boolean} whether it was still there. */
  #forget(entityId, subscriber) {
    const subscribers = this.#subscribers.get(entityId);
    if (!subscribers?.delete(subscriber)) return false;
    if (subscribers.size === 0) this.#subscribers.delete(entityId);
    return true;
  }

  /** Handlers may call the client: their effects come after those that are being performed. @param {Input} input */
  #handle(input) {
    this.#welcome();
    if (this.#sleep.hasEnded()) this.#tell({ kind: 'foreground' });
    this.#tell(input);
    if (this.#performing) return;
    this.#performing = true;
    try {
      while (this.#effects.length > 0) for (const effect of this.#effects.splice(0)) this.#perform(effect);
    } finally {
      this.#performing = false;
      this.#wakeInTime();
    }
  }

  /** @param {Input} input */
  #tell(input) {
    for (const effect of this.#machine.handle(this.#clock.now(), input)) this.#effects.push(effect);
  }

  /** Comes back when the machine wants to, and often enough to notice that the computer slept. */
  #wakeInTime() {
    clearTimeout(this.#wake);
    const { wakeAt } = this.#machine;
    if (wakeAt === undefined) return;
    const delay = Math.max(0, wakeAt - this.#clock.now());
    this.#wake = setTimeout(() => this.#handle({ kind: 'time' }), Math.min(delay, LOOK_EVERY));
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
      case 'closeSocket':
        this.#sockets.get(effect.socket)?.close(1000);
        return void this.#sockets.delete(effect.socket);
      case 'resolve':
        return this.#settle(effect.request)?.resolve(effect.reply);
      case 'reject':
        return this.#settle(effect.request)?.reject(new HeraldError(effect.error));
      case 'deliver':
        return this.#deliver(effect.to, effect.frame);
      case 'ended':
        return this.#end(effect.entity, new HeraldError(effect.error));
    }
  }

  /** @param {State} state */
  #enter(state) {
    this.#state = state.name === 'reconnecting' ? { ...state, cause: this.#cause } : state;
    this.#cause = undefined;
    if (state.name === 'stopped') this.#leavePage();
    call(this.#watchers, this.#state);
  }

  /** @param {number} socket */
  async #askToken(socket) {
    try {
      const answer = await this.#options.token?.();
      const token = typeof answer === 'object' ? (answer?.token ?? null) : (answer ?? null);
      const said = typeof answer === 'object' ? answer?.expiresAt : undefined;
      const end = typeof said === 'number' ? said : endOfToken(token);
      const left = end === undefined ? 0 : end * 1000 - Date.now();
      // No time left: this clock is wrong, since nobody supplies such a token. The server will say when it has ended.
      this.#handle({ kind: 'token', socket, token, expiresIn: left > 0 ? left : undefined });
    } catch (error) {
      this.#cause = error;
      this.#handle({ kind: 'tokenFailed', socket });
    }
  }

  /** @param {number} number @param {string | null} token */
  #open(number, token) {
    const protocols = token === null ? [SUBPROTOCOL] : [SUBPROTOCOL, token];
    if (token !== null && !isSubprotocol(token)) {
      return this.#handle({ kind: 'invalid', socket: number, reason: UNUSABLE_TOKEN });
    }
    /** @type {WebSocketLike} */
    let socket;
    try {
      socket = new this.#webSocket(this.#url.href, protocols);
    } catch (error) {
      // It throws for what it was given; what may pass is an event.
      const reason = error instanceof Error ? error.message : String(error);
      return this.#handle({ kind: 'invalid', socket: number, reason });
    }
    this.#sockets.set(number, socket);
    this.#listen(number, socket);
  }

  /** @param {number} number @param {WebSocketLike} socket */
  #listen(number, socket) {
    let opened = false;
    /** @param {string} words */
    const end = (words) => {
      if (!this.#sockets.delete(number)) return;
      this.#cause = new Error(words);
      if (opened) this.#handle({ kind: 'closed', socket: number });
      else void this.#handshakeFailed(number, words);
    };
    socket.addEventListener('open', () => {
      opened = true;
      this.#handle({ kind: 'opened', socket: number });
    });
    socket.addEventListener('message', ({ data }) => {
      if (typeof data === 'string') this.#handle({ kind: 'received', socket: number, text: data });
    });
    socket.addEventListener('error', ({ message }) => {
      // After this there should be a `close`, but the WebSocket of Node.js 22 has none if the handshake failed.
      if (!opened) end(message || 'the handshake failed');
    });
    socket.addEventListener('close', ({ code, reason }) => {
      end(`the connection ended with ${code}${reason && `: ${reason}`}`);
    });
  }

  /**
   * Says whether a handshake was refused, or the server not reached. Only `ws` tells the status. Elsewhere a server
   * that answers over HTTP must have refused, as far as can be known.
   *
   * @param {number} socket
   * @param {string} words
   */
  async #handshakeFailed(socket, words) {
    const status = Number(/^Unexpected server response: (\d+)$/.exec(words)?.[1]);
    if (status) return this.#handle({ kind: 'refused', socket, status });
    if (await isReachable(this.#url)) return this.#handle({ kind: 'refused', socket, status: null });
    this.#handle({ kind: 'failed', socket });
  }

  /** @param {number} request */
  #settle(request) {
    const pending = this.#pending.get(request);
    this.#pending.delete(request);
    return pending;
  }

  /** @param {Destination} to @param {Frame} frame */
  #deliver(to, frame) {
    const push = /** @type {Push<any>} */ (/** @type {unknown} */ (frame));
    if (to === 'entity') {
      const subscribers = this.#subscribers.get(push.entityId ?? '') ?? [];
      call(Array.from(subscribers, ({ handler }) => handler), push);
    }
    if (to === 'notifications') call(this.#notifications, push);
    if (to === 'broadcasts') call(this.#broadcasts, push);
    call(this.#types.get(push.type) ?? [], push);
  }

  /** @param {string} entityId @param {HeraldError} error */
  #end(entityId, error) {
    const subscribers = this.#subscribers.get(entityId) ?? [];
    this.#subscribers.delete(entityId);
    call(Array.from(subscribers, ({ onEnded }) => onEnded), error);
  }
}

/** A subscriber that waits. @typedef {{ request: number, entity: string }} Newcomer */

/** @typedef {{ handler: (push: Push<any>) => void, onEnded: (error: HeraldError) => void }} Subscriber */

/** A subscription that the server has acknowledged. */
export class Subscription {
  #leave;

  /**
   * @param {string} entityId
   * @param {() => void} leave
   */
  constructor(entityId, leave) {
    /** The entity it is for. */
    this.entityId = entityId;
    this.#leave = leave;
  }

  /** Ends it: the handler is not called any more. Does nothing the second time. */
  unsubscribe() {
    this.#leave();
  }
}

/** A frame, as its JSON stands on the wire. @typedef {Record<string, any>} Frame */

/** @typedef {'entity' | 'notifications' | 'broadcasts' | 'other'} Destination */

/**
 * What happens to the machine. Sockets are numbered by the machine, requests by the caller.
 *
 * @typedef {{ kind: 'connect' }
 *   | { kind: 'token', socket: number, token: string | null, expiresIn?: number }
 *   | { kind: 'tokenFailed', socket: number }
 *   | { kind: 'opened', socket: number }
 *   | { kind: 'refused', socket: number, status: number | null }
 *   | { kind: 'failed', socket: number }
 *   | { kind: 'invalid', socket: number, reason: string }
 *   | { kind: 'received', socket: number, text: string }
 *   | { kind: 'closed', socket: number }
 *   | { kind: 'subscribe', subscribers: Newcomer[] }
 *   | { kind: 'unsubscribe', entity: string }
 *   | { kind: 'send', request: number, frame: Frame, safe?: boolean, timeToLive?: number }
 *   | { kind: Hint }
 *   | { kind: 'close', within: number }
 *   | { kind: 'time' }} Input
 */

/** @typedef {'networkUp' | 'networkDown' | 'foreground'} Hint */

/**
 * What the machine wants done, in this order.
 *
 * @typedef {{ kind: 'state', state: State }
 *   | { kind: 'askToken', socket: number }
 *   | { kind: 'openSocket', socket: number, token: string | null }
 *   | { kind: 'send', socket: number, text: string }
 *   | { kind: 'closeSocket', socket: number }
 *   | { kind: 'resolve', request: number, reply?: Frame }
 *   | { kind: 'reject', request: number, error: Failure }
 *   | { kind: 'deliver', to: Destination, frame: Frame }
 *   | { kind: 'ended', entity: string, error: Failure }} Effect
 */

/** @typedef {Required<Omit<Options, 'token' | 'hints' | 'webSocket'>>} Rules */

/** @type {Rules} */
const DEFAULTS = {
  connectTimeout: 45_000,
  backoffBase: 1000,
  backoffCap: 30_000,
  stableAfter: 30_000,
  refusalLimit: 3,
  refusalSpacing: 0,
  offlineRetry: 60_000,
  unansweredAfter: 10_000,
  pingAfter: 4 * 60_000,
  pongTimeout: 10_000,
  replyTimeout: 30_000,
  inFlightLimit: 32,
  outboxLimit: 1000,
  outboxFull: 'refuseNewest',
  timeToLive: 5 * 60_000,
  messageLimit: 128 * 1024,
  repeatWindow: 1000,
  renewAfter: 110 * 60_000,
  lingerFor: 10_000,
  renewTokenBefore: 60_000,
};

/** What is otherwise where frames cannot be chosen, and the status of a refusal is not seen. */
const IN_BROWSERS = { messageLimit: 32 * 1024, refusalSpacing: 10_000 };

/**
 * A connection, from the question for its token to its end.
 *
 * @typedef {object} Connection
 * @property {number} socket
 * @property {boolean} open
 * @property {number} heardAt
 * @property {boolean} awaitsPong
 * @property {number} renewAt when another is to replace it.
 * @property {number} [renewTokenAt]
 * @property {BackOff} tokenBackOff
 * @property {Map<string, Asked>} asked what the server was asked about entities on it.
 * @property {Set<string>} unsettled entities to look at again.
 * @property {Map<string, number>} delayed when to ask for entities again.
 * @property {boolean} oneByOne whether the server demands a `subscribe` for each entity.
 */

/**
 * How an entity stands on a connection. API Gateway handles the frames of one connection concurrently, so there is
 * never more than one request about an entity under way.
 *
 * @typedef {{ state: 'subscribing' | 'subscribed' | 'unsubscribing' | 'delayed' | 'due', backOff: BackOff }} Asked
 */

/**
 * An entity that somebody subscribes to. `waiting` are the requests that an acknowledgement resolves.
 *
 * @typedef {{ subscribers: number, waiting: number[], established: boolean }} Wanted
 */

/**
 * A message of the application's: `body` is its JSON, without an id.
 *
 * @typedef {{ request: number, body: string, safe: boolean, expiresAt: number }} Queued
 */

/**
 * A request that waits for its reply.
 *
 * @typedef {{ connection: Connection } & (
 *   | { action: 'subscribe', entities: string[] }
 *   | { action: 'unsubscribe', entity: string }
 *   | { action: 'sendMessage', message: Queued }
 *   | { action: 'authenticate' })} Request
 */

/**
 * The rules of the client. It is told the time and does nothing itself.
 *
 * For tests and for other shells; applications use `connect`.
 */
export class ClientMachine {
  #rules;
  #hasToken;
  #random;
  #now = 0;
  #timers = new Timers();
  /** @type {Effect[]} */
  #effects = [];
  /** @type {State['name']} */
  #state = 'connecting';
  #closing = false;
  #networkIsDown = false;
  #sockets = 0;
  /** The connection in use, or the attempt at one. @type {Connection | undefined} */
  #current;
  /** The one that is to replace it. @type {Connection | undefined} */
  #next;
  /** Those that were replaced. @type {Connection[]} */
  #lingering = [];
  #backOff;
  /** Attempts since a connection was open, or since the very first. */
  #retries = 0;
  #refusals = 0;
  #lastGuess = -Infinity;
  /** @type {Map<string, Wanted>} */
  #wanted = new Map();
  #lastRequest = 0;
  /** By the number they carry as `id`. @type {Map<number, Request>} */
  #underWay = new Map();
  /** @type {Queued[]} */
  #outbox = [];
  /** Because the server was sent too much. */
  #outboxRests = false;
  #throttling;
  #seen;
  /** Messages that may be the client's own, by the number of their socket. @type {Map<number, Held[]>} */
  #held = new Map();

  /**
   * @param {Partial<Rules> & { token?: boolean }} options `token`: whether there is a callback to ask.
   * @param {() => number} random at least 0 and less than 1.
   */
  constructor({ token = false, ...rules } = {}, random = Math.random) {
    this.#hasToken = token;
    this.#rules = { ...DEFAULTS, ...definedOf(rules) };
    this.#random = random;
    this.#backOff = this.#newBackOff();
    this.#throttling = this.#newBackOff();
    this.#seen = new RecentIds(this.#rules.repeatWindow);
  }

  /** When the machine wants the input `time`, unless another comes first. @returns {number | undefined} */
  get wakeAt() {
    return this.#timers.next;
  }

  /**
   * Handles what is due, and then the input.
   *
   * @param {number} now milliseconds from any start; never less than before.
   * @param {Input} input
   * @returns {Effect[]}
   */
  handle(now, input) {
    this.#now = now;
    this.#runDue();
    this.#take(input);
    this.#settle();
    this.#runDue();
    return this.#effects.splice(0);
  }

  #runDue() {
    for (let run = this.#timers.takeDue(this.#now); run; run = this.#timers.takeDue(this.#now)) {
      run();
      this.#settle();
    }
  }

  /** @param {Input} input */
  #take(input) {
    switch (input.kind) {
      case 'connect':
        this.#enter({ name: 'connecting' });
        return this.#attempt();
      case 'token':
        return this.#gotToken(this.#find(input.socket), input.token, input.expiresIn);
      case 'tokenFailed':
        return this.#gotNoToken(this.#find(input.socket));
      case 'opened':
        return this.#opened(this.#find(input.socket));
      case 'refused':
        return this.#refused(this.#find(input.socket), input.status);
      case 'failed':
      case 'closed':
        return this.#ended(this.#find(input.socket));
      case 'invalid':
        return this.#invalid(this.#find(input.socket), input.reason);
      case 'received':
        return this.#received(this.#find(input.socket), input.text);
      case 'subscribe':
        for (const { entity, request } of input.subscribers) this.#subscribe(entity, request);
        return;
      case 'unsubscribe':
        return this.#unsubscribe(input.entity);
      case 'send':
        return this.#enqueue(input);
      case 'networkUp':
        this.#networkIsDown = false;
        return this.#hurry();
      case 'networkDown':
        return this.#networkWentDown();
      case 'foreground':
        return this.#hurry();
      case 'close':
        return this.#close(input.within);
      case 'time':
    }
  }

  /** What follows from whatever has just happened. */
  #settle() {
    if (this.#state === 'stopped') return;
    this.#sendWhatThereIsRoomFor();
    if (this.#next && isEstablished(this.#next)) this.#handOver(this.#next);
    this.#closeWhatLingered();
    if (this.#state !== 'open' && this.#current && isEstablished(this.#current)) {
      this.#retries = 0;
      this.#enter({ name: 'open' });
    }
    this.#deliverHeld();
    if (this.#closing && !this.#hasUnansweredMessages()) this.#stop({ kind: 'closed' });
  }

  // Attempts

  /** Makes the next socket: for the connection in use, or for the one to replace it. */
  #attempt() {
    const socket = ++this.#sockets;
    const connection = {
      socket,
      open: false,
      heardAt: 0,
      awaitsPong: false,
      renewAt: 0,
      tokenBackOff: this.#newBackOff(),
      asked: new Map(),
      unsettled: new Set(),
      delayed: new Map(),
      oneByOne: false,
    };
    if (this.#current) this.#next = connection;
    else this.#current = connection;
    this.#timers.set(`attempt ${socket}`, this.#now + this.#rules.connectTimeout, () => this.#breakOff(connection));
    if (this.#hasToken) this.#do({ kind: 'askToken', socket });
    else this.#do({ kind: 'openSocket', socket, token: null });
  }

  /** @param {Connection | undefined} connection @param {string | null} token @param {number} [expiresIn] */
  #gotToken(connection, token, expiresIn) {
    if (!connection) return;
    if (expiresIn !== undefined) {
      this.#renewTokenAt(connection, this.#now + Math.max(expiresIn - this.#rules.renewTokenBefore, expiresIn / 2));
    }
    if (!connection.open) return this.#do({ kind: 'openSocket', socket: connection.socket, token });
    this.#ask({ connection, action: 'authenticate' }, JSON.stringify({ action: 'authenticate', token }));
  }

  /** @param {Connection | undefined} connection */
  #gotNoToken(connection) {
    if (connection?.open) this.#renewTokenLater(connection);
    else this.#ended(connection);
  }

  /** @param {Connection | undefined} connection */
  #opened(connection) {
    if (!connection) return;
    const { socket } = connection;
    connection.open = true;
    connection.heardAt = this.#now;
    connection.renewAt = this.#now + Math.round(this.#rules.renewAfter * (1 - 0.1 * this.#random()));
    connection.unsettled = new Set(this.#wanted.keys());
    this.#refusals = 0;
    this.#networkIsDown = false;
    this.#timers.cancel(`attempt ${socket}`);
    this.#timers.set(`stable ${socket}`, this.#now + this.#rules.stableAfter, () => this.#backOff.reset());
    if (connection === this.#current) this.#use(connection);
  }

  /** @param {Connection | undefined} connection @param {number | null} status */
  #refused(connection, status) {
    if (!connection) return;
    if (this.#countsAsRefusal(status)) this.#refusals += 1;
    if (this.#refusals < this.#rules.refusalLimit) return this.#ended(connection);
    this.#forget(connection);
    this.#stop({ kind: 'refused', status });
  }

  /** No attempt can succeed. @param {Connection | undefined} connection @param {string} reason */
  #invalid(connection, reason) {
    if (!connection) return;
    this.#forget(connection);
    this.#stop({ kind: 'invalid', reason });
  }

  /**
   * Without a status it may have been 429 or 5xx, which pass: such refusals count as several only if they are apart.
   *
   * @param {number | null} status
   */
  #countsAsRefusal(status) {
    if (status !== null) return status === 401 || status === 403;
    const counts = this.#now >= this.#lastGuess + this.#rules.refusalSpacing;
    if (counts) this.#lastGuess = this.#now;
    return counts;
  }

  /** Closes a connection, and goes on as if it had broken. @param {Connection} connection */
  #breakOff(connection) {
    this.#do({ kind: 'closeSocket', socket: connection.socket });
    this.#ended(connection);
  }

  /** A connection is no more, or never came to be. @param {Connection | undefined} connection */
  #ended(connection) {
    if (!connection) return;
    const wasCurrent = connection === this.#current;
    const wasNext = connection === this.#next;
    this.#forget(connection);
    if (wasNext) this.#renewAt(this.#backOff.next());
    if (!wasCurrent) return;
    if (!this.#next) return this.#reconnectLater();
    this.#retries = 1;
    this.#use(this.#next);
    this.#enter({ name: 'reconnecting', attempt: 1, delay: 0 });
  }

  /** @param {Connection} connection */
  #forget(connection) {
    const { socket } = connection;
    if (connection === this.#current) this.#current = undefined;
    if (connection === this.#next) this.#next = undefined;
    this.#lingering = this.#lingering.filter((other) => other !== connection);
    for (const timer of ['attempt', 'stable', 'linger']) this.#timers.cancel(`${timer} ${socket}`);
    this.#stopUsing(connection);
    this.#giveUpRequests((request) => request.connection === connection);
  }

  #reconnectLater() {
    if (this.#closing && !this.#hasUnansweredMessages()) return;
    const delay = this.#networkIsDown ? null : this.#backOff.next();
    this.#timers.set('retry', this.#now + (delay ?? this.#offlineDelay()), () => this.#retry());
    this.#enter({ name: 'reconnecting', attempt: this.#retries + 1, delay });
  }

  /** The delay while the network is said to be down, which a wrong hint must not make endless. */
  #offlineDelay() {
    return Math.round(this.#rules.offlineRetry * (1 - 0.5 * this.#random()));
  }

  #retry() {
    this.#timers.cancel('retry');
    this.#retries += 1;
    this.#attempt();
  }

  #networkWentDown() {
    if (this.#networkIsDown || this.#state === 'stopped') return;
    this.#networkIsDown = true;
    this.#timers.cancel('retry');
    this.#closeSockets();
    this.#giveUpRequests(() => true);
    this.#reconnectLater();
  }

  /** The network is back, or the application is looked at again. */
  #hurry() {
    if (this.#state === 'stopped') return;
    if (!this.#current) this.#retry();
    else if (this.#current.open) this.#ping(this.#current);
  }

  #newBackOff() {
    return new BackOff(this.#rules, () => this.#random());
  }

  // The connection in use

  /** @param {Connection} connection that requests go to from now on. */
  #use(connection) {
    this.#current = connection;
    if (connection === this.#next) this.#next = undefined;
    if (!connection.open) return;
    this.#timers.set(`renew ${connection.socket}`, connection.renewAt, () => this.#renew());
    if (connection.renewTokenAt !== undefined) this.#renewTokenAt(connection, connection.renewTokenAt);
    this.#pingAfterSilence(connection);
  }

  /** @param {Connection} connection */
  #stopUsing({ socket, delayed }) {
    for (const timer of ['renew', 'renewToken', 'ping', 'unanswered', 'pong', 'subscribe']) {
      this.#timers.cancel(`${timer} ${socket}`);
    }
    delayed.clear();
  }

  /** @param {Connection} connection */
  #pingAfterSilence(connection) {
    const { socket, heardAt } = connection;
    this.#timers.set(`ping ${socket}`, heardAt + this.#rules.pingAfter, () => this.#ping(connection));
  }

  /** Sends a ping, unless one waits for its answer. @param {Connection} connection */
  #ping(connection) {
    const { socket } = connection;
    if (connection.awaitsPong) return;
    connection.awaitsPong = true;
    for (const timer of ['ping', 'unanswered']) this.#timers.cancel(`${timer} ${socket}`);
    this.#timers.set(`pong ${socket}`, this.#now + this.#rules.pongTimeout, () => this.#breakOff(connection));
    this.#do({ kind: 'send', socket, text: '{"action":"ping"}' });
  }

  /** @param {Connection} connection */
  #heard(connection) {
    connection.heardAt = this.#now;
    connection.awaitsPong = false;
    for (const timer of ['pong', 'unanswered']) this.#timers.cancel(`${timer} ${connection.socket}`);
    if (connection === this.#current) this.#pingAfterSilence(connection);
  }

  /** Sends a ping if nothing arrives for long after a request. @param {Connection} connection */
  #pingUnlessAnswered(connection) {
    const timer = `unanswered ${connection.socket}`;
    if (connection.awaitsPong || this.#timers.has(timer)) return;
    this.#timers.set(timer, this.#now + this.#rules.unansweredAfter, () => this.#ping(connection));
  }

  /** Makes a connection to replace the one in use, unless there is one on its way. */
  #renew() {
    if (!this.#closing && !this.#next) this.#attempt();
  }

  /** @param {number} delay */
  #renewAt(delay) {
    if (!this.#current) return;
    this.#current.renewAt = this.#now + delay;
    this.#use(this.#current);
  }

  /** The next connection replaces the one in use, which stays for late replies and pushes. @param {Connection} next */
  #handOver(next) {
    const old = this.#current;
    this.#use(next);
    if (old) {
      this.#stopUsing(old);
      old.unsettled.clear();
      this.#lingering.push(old);
      this.#timers.set(`linger ${old.socket}`, this.#now + this.#rules.lingerFor, () => {});
    }
    this.#sendWhatThereIsRoomFor();
  }

  #closeWhatLingered() {
    for (const connection of this.#lingering) {
      if (this.#timers.has(`linger ${connection.socket}`) || this.#idsUnderWay(connection).length > 0) continue;
      this.#do({ kind: 'closeSocket', socket: connection.socket });
      this.#forget(connection);
    }
  }

  /** @param {Connection} connection @param {number} time */
  #renewTokenAt(connection, time) {
    connection.renewTokenAt = time;
    if (connection !== this.#current || !connection.open) return;
    this.#timers.set(`renewToken ${connection.socket}`, time, () => {
      connection.renewTokenAt = undefined;
      this.#do({ kind: 'askToken', socket: connection.socket });
    });
  }

  /** @param {Connection} connection */
  #renewTokenLater(connection) {
    this.#renewTokenAt(connection, this.#now + connection.tokenBackOff.next());
  }

  // Subscriptions

  /** @param {string} entity @param {number} request */
  #subscribe(entity, request) {
    if (this.#takesNothing()) return this.#reject(request, { kind: 'stopped' });
    const wanted = this.#wanted.get(entity) ?? { subscribers: 0, waiting: [], established: false };
    this.#wanted.set(entity, wanted);
    wanted.subscribers += 1;
    wanted.waiting.push(request);
    if (this.#current?.asked.get(entity)?.state === 'subscribed') this.#acknowledged(entity);
    this.#lookAgainAt(entity);
  }

  /** @param {string} entity */
  #unsubscribe(entity) {
    const wanted = this.#wanted.get(entity);
    if (!wanted) return;
    wanted.subscribers -= 1;
    if (wanted.subscribers === 0) this.#wanted.delete(entity);
    this.#lookAgainAt(entity);
  }

  /** Has every connection compare what is wanted of an entity with what was asked about it. @param {string} entity */
  #lookAgainAt(entity) {
    for (const connection of this.#inUse()) connection.unsettled.add(entity);
  }

  /**
   * Sends the next request about entities, if one is needed: a `subscribe` to as many as fit, or an `unsubscribe`.
   *
   * @param {Connection} connection
   */
  #settleEntities(connection) {
    const batch = new Batch(connection.oneByOne);
    for (const entity of connection.unsettled) {
      const need = this.#needOf(connection, entity);
      const isNext = need === 'unsubscribe' ? batch.isEmpty : batch.hasRoomFor(entity);
      if (need && !isNext) break;
      connection.unsettled.delete(entity);
      if (need === 'unsubscribe') return this.#giveUp(connection, entity);
      if (!need) continue;
      connection.asked.set(entity, { state: 'subscribing', backOff: this.#backOffOf(connection, entity) });
      batch.add(entity);
    }
    const { entities, body } = batch;
    if (!batch.isEmpty) this.#ask({ connection, action: 'subscribe', entities }, body);
  }

  /**
   * Returns the request that an entity needs, unless it is on its way.
   *
   * @param {Connection} connection
   * @param {string} entity
   * @returns {'subscribe' | 'unsubscribe' | undefined}
   */
  #needOf({ asked }, entity) {
    const state = asked.get(entity)?.state;
    if (this.#wanted.has(entity)) return state === undefined || state === 'due' ? 'subscribe' : undefined;
    return state === undefined || state === 'subscribing' || state === 'unsubscribing' ? undefined : 'unsubscribe';
  }

  /** @param {Connection} connection @param {string} entity */
  #giveUp(connection, entity) {
    connection.delayed.delete(entity);
    this.#wakeForDelayed(connection);
    connection.asked.set(entity, { state: 'unsubscribing', backOff: this.#backOffOf(connection, entity) });
    this.#ask({ connection, action: 'unsubscribe', entity }, requestAbout('unsubscribe', entity));
  }

  /** @param {Connection} connection @param {string} entity */
  #backOffOf(connection, entity) {
    return connection.asked.get(entity)?.backOff ?? this.#newBackOff();
  }

  /**
   * @param {Connection} connection
   * @param {string[]} entities
   * @param {Frame} reply
   */
  #subscribeAnswered(connection, entities, reply) {
    const errors = entities.length === 1 ? [undefined] : resultsOf(reply, entities);
    if (errors.some((error) => error && isUnknownConnection(error))) return this.#breakOff(connection);
    const share = this.#random();
    entities.forEach((entity, index) => {
      const error = errors[index];
      if (error) this.#notSubscribed(connection, entity, error, share);
      else this.#subscribed(connection, entity);
    });
  }

  /**
   * @param {Connection} connection
   * @param {string[]} entities
   * @param {Failure} error
   */
  #subscribeFailed(connection, entities, error) {
    if (entities.length > 1 && isBadRequest(error)) return this.#askOneByOne(connection, entities);
    // One for all, so that those that failed together are asked for together.
    const share = this.#random();
    for (const entity of entities) this.#notSubscribed(connection, entity, error, share);
  }

  /**
   * The server does not know a `subscribe` to several, or one of the entities is not valid: whichever it is, a request
   * for each tells.
   *
   * @param {Connection} connection
   * @param {string[]} entities
   */
  #askOneByOne(connection, entities) {
    if (!this.#inUse().includes(connection)) return;
    connection.oneByOne = true;
    for (const entity of entities) {
      connection.asked.set(entity, { state: 'due', backOff: this.#backOffOf(connection, entity) });
    }
    connection.unsettled = new Set([...entities, ...connection.unsettled]);
  }

  /** @param {Connection} connection @param {string} entity */
  #subscribed(connection, entity) {
    this.#note(connection, entity, 'subscribed');
    this.#acknowledged(entity);
  }

  /** @param {string} entity */
  #acknowledged(entity) {
    const wanted = this.#wanted.get(entity);
    if (!wanted) return;
    wanted.established = true;
    for (const request of wanted.waiting.splice(0)) this.#do({ kind: 'resolve', request });
  }

  /**
   * @param {Connection} connection
   * @param {string} entity
   * @param {Failure} error
   * @param {number} share of the longest delay, if it is tried again.
   */
  #notSubscribed(connection, entity, error, share) {
    if (!this.#inUse().includes(connection)) return;
    const wanted = this.#wanted.get(entity);
    const isWorthAnotherTry = wanted && (isThrottled(error) || (wanted.established && isRetryable(error)));
    if (isWorthAnotherTry) return this.#subscribeLater(connection, entity, share);
    // Without a refusal of the server's own, the subscription may have been stored.
    this.#note(connection, entity, error.kind === 'server' ? undefined : 'subscribed');
    this.#wanted.delete(entity);
    for (const request of wanted?.waiting ?? []) this.#reject(request, error);
    if (wanted?.established) this.#do({ kind: 'ended', entity, error });
    this.#lookAgainAt(entity);
  }

  /** @param {Connection} connection @param {string} entity @param {number} share */
  #subscribeLater(connection, entity, share) {
    const { backOff } = this.#note(connection, entity, 'delayed');
    connection.delayed.set(entity, this.#now + backOff.next(share));
    this.#wakeForDelayed(connection);
  }

  /** @param {Connection} connection */
  #wakeForDelayed(connection) {
    const timer = `subscribe ${connection.socket}`;
    if (connection.delayed.size === 0) return this.#timers.cancel(timer);
    this.#timers.set(timer, Math.min(...connection.delayed.values()), () => this.#askForDelayed(connection));
  }

  /** @param {Connection} connection */
  #askForDelayed(connection) {
    for (const [entity, at] of connection.delayed) {
      if (at > this.#now) continue;
      connection.delayed.delete(entity);
      this.#note(connection, entity, 'due');
    }
    this.#wakeForDelayed(connection);
  }

  /** @param {Connection} connection @param {string} entity */
  #unsubscribed(connection, entity) {
    this.#note(connection, entity, undefined);
  }

  /**
   * Notes how an entity stands on a connection, and has it looked at again.
   *
   * @param {Connection} connection
   * @param {string} entity
   * @param {Asked['state'] | undefined} state
   * @returns {Asked}
   */
  #note(connection, entity, state) {
    const asked = { state: state ?? 'due', backOff: this.#backOffOf(connection, entity) };
    if (state) connection.asked.set(entity, asked);
    else connection.asked.delete(entity);
    if (this.#inUse().includes(connection)) connection.unsettled.add(entity);
    return asked;
  }

  // Requests

  /** @param {{ request: number, frame: Frame, safe?: boolean, timeToLive?: number }} input */
  #enqueue({ request, frame, safe = false, timeToLive = this.#rules.timeToLive }) {
    if (this.#takesNothing()) return this.#reject(request, { kind: 'stopped' });
    // The id that it will have is not known yet, but no later one is shorter.
    const body = JSON.stringify(frame);
    const bytes = bytesOf(withId(body, this.#lastRequest + 1));
    if (bytes > this.#rules.messageLimit) return this.#reject(request, { kind: 'tooLarge' });
    this.#putIntoOutbox([{ request, body, safe, expiresAt: this.#now + timeToLive }], this.#outbox.length);
    this.#sendWhatThereIsRoomFor();
    // Only a message that could not go out at once can be one too many.
    if (this.#outbox.length <= this.#rules.outboxLimit) return;
    const refused = this.#takeFromOutbox(this.#rules.outboxFull === 'dropOldest' ? 0 : this.#outbox.length - 1);
    this.#reject(refused.request, { kind: 'outboxFull' });
  }

  /** @param {Queued[]} messages @param {number} place */
  #putIntoOutbox(messages, place) {
    this.#outbox.splice(place, 0, ...messages);
    for (const message of messages) {
      this.#timers.set(`expire ${message.request}`, message.expiresAt, () => {
        this.#takeFromOutbox(this.#outbox.indexOf(message));
        this.#reject(message.request, { kind: 'expired' });
      });
    }
  }

  /** @param {number} place */
  #takeFromOutbox(place) {
    const [message] = this.#outbox.splice(place, 1);
    this.#timers.cancel(`expire ${message.request}`);
    return message;
  }

  /** Subscriptions first, then the outbox, as many as may be under way. */
  #sendWhatThereIsRoomFor() {
    for (const connection of this.#inUse()) {
      const room = () => this.#rules.inFlightLimit - this.#idsUnderWay(connection).length;
      while (connection.unsettled.size > 0 && room() > 0) this.#settleEntities(connection);
      if (connection !== this.#current || this.#outboxRests) continue;
      for (let left = room(); left > 0 && this.#outbox.length > 0; left -= 1) {
        const message = this.#takeFromOutbox(0);
        this.#ask({ connection, action: 'sendMessage', message }, message.body);
      }
    }
  }

  /** @param {Request} request @param {string} body */
  #ask(request, body) {
    const id = ++this.#lastRequest;
    this.#underWay.set(id, request);
    this.#timers.set(`reply ${id}`, this.#now + this.#rules.replyTimeout, () => this.#unanswered(id));
    this.#pingUnlessAnswered(request.connection);
    this.#do({ kind: 'send', socket: request.connection.socket, text: withId(body, id) });
  }

  /** @param {number} id */
  #takeRequest(id) {
    const request = this.#underWay.get(id);
    this.#underWay.delete(id);
    this.#timers.cancel(`reply ${id}`);
    return request;
  }

  /** @param {number} id @param {Frame} reply */
  #succeeded(id, reply) {
    const request = this.#takeRequest(id);
    switch (request?.action) {
      case 'subscribe':
        return this.#subscribeAnswered(request.connection, request.entities, reply);
      case 'unsubscribe':
        return this.#unsubscribed(request.connection, request.entity);
      case 'authenticate':
        return request.connection.tokenBackOff.reset();
      case 'sendMessage':
        this.#throttling.reset();
        return this.#do({ kind: 'resolve', request: request.message.request, reply });
    }
  }

  /**
   * A request failed, or some request that the frame does not name.
   *
   * @param {Connection} connection
   * @param {number | undefined} id
   * @param {Failure} error
   */
  #toldOfFailure(connection, id, error) {
    if (error.kind === 'server') for (const eventId of error.eventIds ?? []) this.#seen.add(eventId);
    if (isUnknownConnection(error)) return this.#lostByTheServer(connection, id);
    if (id !== undefined) this.#failed(id, error);
  }

  /**
   * The server does not know the connection any more, so it did not carry out the request.
   *
   * @param {Connection} connection
   * @param {number | undefined} id
   */
  #lostByTheServer(connection, id) {
    const request = id === undefined ? undefined : this.#takeRequest(id);
    if (request?.action === 'sendMessage') this.#putBack(request.message);
    this.#breakOff(connection);
  }

  /** @param {number} id @param {Failure} error */
  #failed(id, error) {
    const request = this.#takeRequest(id);
    switch (request?.action) {
      case 'subscribe':
        return this.#subscribeFailed(request.connection, request.entities, error);
      case 'unsubscribe':
        return this.#unsubscribed(request.connection, request.entity);
      case 'authenticate':
        if (isRetryable(error)) return this.#renewTokenLater(request.connection);
        if (request.connection === this.#current) this.#renew();
        return;
      case 'sendMessage':
        if (isThrottled(error)) return this.#sendAgainLater(request.message);
        return this.#reject(request.message.request, error);
    }
  }

  /** It was not carried out, and may be when less is sent. @param {Queued} message */
  #sendAgainLater(message) {
    this.#putBack(message);
    if (this.#outboxRests) return;
    this.#outboxRests = true;
    this.#timers.set('outbox', this.#now + this.#throttling.next(), () => {
      this.#outboxRests = false;
    });
  }

  /** Puts a message back to its place in the outbox. @param {Queued} message */
  #putBack(message) {
    const later = this.#outbox.findIndex(({ request }) => request > message.request);
    this.#putIntoOutbox([message], later < 0 ? this.#outbox.length : later);
  }

  /** No reply came in time. @param {number} id */
  #unanswered(id) {
    if (this.#underWay.get(id)?.action === 'sendMessage') this.#giveUpRequests((_, other) => other === id);
    else this.#failed(id, { kind: 'outcomeUnknown' });
  }

  /**
   * Nobody knows what became of these. A message goes out again only if that is safe; subscriptions and the token are
   * made anew on the next connection.
   *
   * @param {(request: Request, id: number) => boolean} which
   */
  #giveUpRequests(which) {
    const again = [];
    for (const [id, request] of this.#underWay) {
      if (!which(request, id)) continue;
      this.#takeRequest(id);
      if (request.action !== 'sendMessage') continue;
      if (request.message.safe) again.push(request.message);
      else this.#reject(request.message.request, { kind: 'outcomeUnknown' });
    }
    this.#putIntoOutbox(again, 0);
  }

  /** @param {number} request @param {Failure} error */
  #reject(request, error) {
    this.#do({ kind: 'reject', request, error });
  }

  /** @param {Connection} connection @returns {number[]} */
  #idsUnderWay(connection) {
    return Array.from(this.#underWay).flatMap(([id, request]) => (request.connection === connection ? [id] : []));
  }

  #takesNothing() {
    return this.#closing || this.#state === 'stopped';
  }

  #hasUnansweredMessages() {
    const underWay = Array.from(this.#underWay.values()).some(({ action }) => action === 'sendMessage');
    return underWay || this.#outbox.length > 0;
  }

  // What arrives

  /** @param {Connection | undefined} connection @param {string} text */
  #received(connection, text) {
    if (!connection) return;
    const { awaitsPong } = connection;
    this.#heard(connection);
    const frame = parse(text) ?? {};
    const id = requestIdOf(frame);
    // An error that names no request is about the only one under way.
    const theOnly = () => (awaitsPong ? undefined : this.#theOnlyRequest(connection));
    switch (textOf(frame.type)) {
      case undefined: {
        const error = gatewayErrorOf(frame);
        if (error) this.#toldOfFailure(connection, theOnly(), error);
        return;
      }
      case 'ack':
        if (id === undefined) return;
        for (const eventId of [frame.eventId, ...listOf(frame.eventIds)]) this.#seen.add(eventId);
        if (this.#isUnderWay(id, connection)) this.#succeeded(id, frame);
        return;
      case 'error':
        if (id === undefined) return this.#toldOfFailure(connection, theOnly(), serverErrorOf(frame));
        return this.#toldOfFailure(connection, this.#isUnderWay(id, connection) ? id : undefined, serverErrorOf(frame));
      case 'message':
        if (id === undefined) return this.#pushed(connection, frame);
        if (this.#isUnderWay(id, connection)) this.#succeeded(id, frame);
        return;
      case 'disconnect':
        if (frame.reconnect !== false) return this.#breakOff(connection);
        return this.#stop({
          kind: 'disconnected',
          code: textOf(frame.code) ?? null,
          reason: textOf(frame.reason) ?? null,
        });
      case 'pong':
        return;
      default:
        this.#pushed(connection, frame);
    }
  }

  /** @param {number} id @param {Connection} connection */
  #isUnderWay(id, connection) {
    return this.#underWay.get(id)?.connection === connection;
  }

  /** @param {Connection} connection */
  #theOnlyRequest(connection) {
    const ids = this.#idsUnderWay(connection);
    return ids.length === 1 ? ids[0] : undefined;
  }

  /** @param {Connection} connection @param {Frame} frame */
  #pushed({ socket }, frame) {
    const after = this.#lastRequest;
    if (frame.type !== 'message' || this.#oldestSendElsewhere(socket) > after) return this.#deliver(frame);
    const held = this.#held.get(socket) ?? [];
    this.#held.set(socket, held);
    held.push({ frame, after });
  }

  /**
   * The first message under way on other sockets than this one. To the server two connections are two clients, so what
   * is sent on one comes back on the other, perhaps before the reply says that it is the client's own.
   *
   * @param {number} socket
   */
  #oldestSendElsewhere(socket) {
    for (const [id, request] of this.#underWay) {
      if (request.action === 'sendMessage' && request.connection.socket !== socket) return id;
    }
    return Infinity;
  }

  /** Looks at the first of each socket only: what came later waits for the same replies and more. */
  #deliverHeld() {
    for (const socket of Array.from(this.#held.keys()).sort((one, other) => one - other)) {
      const held = this.#held.get(socket) ?? [];
      const oldest = this.#oldestSendElsewhere(socket);
      const first = held[0].after < oldest ? held.findIndex(({ after }) => after >= oldest) : 0;
      const free = held.splice(0, first < 0 ? held.length : first);
      if (held.length === 0) this.#held.delete(socket);
      for (const { frame } of free) this.#deliver(frame);
    }
  }

  /** @param {Frame} frame */
  #deliver(frame) {
    const to = destinationOf(frame);
    if (to === 'entity' && !this.#wanted.has(frame.entityId)) return;
    if (this.#seen.add(frame.eventId)) this.#do({ kind: 'deliver', to, frame });
  }

  // The end

  /** @param {number} within */
  #close(within) {
    if (this.#takesNothing()) return;
    this.#closing = true;
    this.#timers.set('close', this.#now + within, () => this.#stop({ kind: 'closed' }));
  }

  /** @param {StopReason} reason */
  #stop(reason) {
    const held = Array.from(this.#held).sort(([one], [other]) => one - other);
    this.#held.clear();
    for (const { frame } of held.flatMap(([, held]) => held)) this.#deliver(frame);
    this.#closeSockets();
    for (const request of this.#underWay.values()) {
      if (request.action === 'sendMessage') this.#reject(request.message.request, { kind: 'outcomeUnknown' });
    }
    for (const { request } of this.#outbox) this.#reject(request, { kind: 'stopped' });
    for (const { waiting } of this.#wanted.values()) {
      for (const request of waiting) this.#reject(request, { kind: 'stopped' });
    }
    this.#underWay.clear();
    this.#outbox = [];
    this.#wanted.clear();
    this.#timers.clear();
    this.#enter({ name: 'stopped', reason });
  }

  #closeSockets() {
    for (const connection of this.#connections()) {
      this.#do({ kind: 'closeSocket', socket: connection.socket });
      for (const timer of ['attempt', 'stable', 'linger']) this.#timers.cancel(`${timer} ${connection.socket}`);
      this.#stopUsing(connection);
    }
    this.#current = this.#next = undefined;
    this.#lingering = [];
  }

  /** @param {State} state */
  #enter(state) {
    this.#state = state.name;
    this.#do({ kind: 'state', state });
  }

  /** @param {number} socket */
  #find(socket) {
    return this.#connections().find((connection) => connection.socket === socket);
  }

  /** All connections, in the order of their numbers. */
  #connections() {
    return [...this.#lingering, this.#current, this.#next].filter((connection) => connection !== undefined);
  }

  /** The connections that requests go to. */
  #inUse() {
    return [this.#current, this.#next].filter((connection) => connection !== undefined).filter(({ open }) => open);
  }

  /** @param {Effect} effect */
  #do(effect) {
    this.#effects.push(effect);
  }
}

/** @typedef {{ frame: Frame, after: number }} Held `after`: the last request before it. */

/** Whether every subscription is established on a connection. @param {Connection} connection */
function isEstablished({ open, unsettled, asked }) {
  return open && unsettled.size === 0 && Array.from(asked.values()).every(({ state }) => state === 'subscribed');
}

/** Delays that grow, with full jitter: whoever failed together does not come back together. */
class BackOff {
  #rules;
  #random;
  #delays = 0;

  /** @param {Rules} rules @param {() => number} random */
  constructor(rules, random) {
    this.#rules = rules;
    this.#random = random;
  }

  /** @param {number} share of the longest delay. @returns {number} milliseconds. */
  next(share = this.#random()) {
    const { backoffBase, backoffCap } = this.#rules;
    const bound = Math.min(backoffCap, backoffBase * 2 ** this.#delays);
    this.#delays += 1;
    return Math.round(share * bound);
  }

  /** Starts small again. */
  reset() {
    this.#delays = 0;
  }
}

/** The entities of one `subscribe`. */
class Batch {
  #limit;
  #bytes = FRAME_WITHOUT_ENTITIES;
  /** @type {string[]} */
  entities = [];

  /** @param {boolean} oneByOne */
  constructor(oneByOne) {
    this.#limit = oneByOne ? 1 : ENTITIES_AT_ONCE;
  }

  get isEmpty() {
    return this.entities.length === 0;
  }

  /** @param {string} entity */
  hasRoomFor(entity) {
    const fits = this.entities.length < this.#limit && this.#bytes + bytesOfEntity(entity) <= FRAME_LIMIT;
    return this.isEmpty || fits;
  }

  /** @param {string} entity */
  add(entity) {
    this.#bytes += bytesOfEntity(entity);
    this.entities.push(entity);
  }

  /** Its JSON, without an id. The form for one is what every server knows. */
  get body() {
    if (this.entities.length === 1) return requestAbout('subscribe', this.entities[0]);
    const entities = Object.fromEntries(this.entities.map((entity) => [entity, {}]));
    return JSON.stringify({ action: 'subscribe', entities });
  }
}

/** What is to be done at which time. */
class Timers {
  /** @type {Map<string, { at: number, run: () => void }>} */
  #timers = new Map();

  /** @param {string} name @param {number} at @param {() => void} run */
  set(name, at, run) {
    this.#timers.set(name, { at, run });
  }

  /** @param {string} name */
  cancel(name) {
    this.#timers.delete(name);
  }

  /** @param {string} name */
  has(name) {
    return this.#timers.has(name);
  }

  clear() {
    this.#timers.clear();
  }

  /** @returns {number | undefined} */
  get next() {
    return this.#earliest()?.[1].at;
  }

  /** Removes the earliest of those that are due, if any is. @param {number} now */
  takeDue(now) {
    const [name, timer] = this.#earliest() ?? [];
    if (name === undefined || timer === undefined || timer.at > now) return undefined;
    this.#timers.delete(name);
    return timer.run;
  }

  #earliest() {
    let earliest;
    for (const entry of this.#timers) if (!earliest || entry[1].at < earliest[1].at) earliest = entry;
    return earliest;
  }
}

/** The last so many ids. */
class RecentIds {
  #limit;
  /** @type {Set<string>} */
  #ids = new Set();

  /** @param {number} limit */
  constructor(limit) {
    this.#limit = limit;
  }

  /** @param {unknown} id @returns {boolean} whether it is new; what is no id always is. */
  add(id) {
    if (typeof id !== 'string') return true;
    if (this.#ids.has(id)) return false;
    this.#ids.add(id);
    const [oldest] = this.#ids;
    if (this.#ids.size > this.#limit) this.#ids.delete(oldest);
    return true;
  }
}

/**
 * Milliseconds since it was made. They go on while the computer sleeps, which not every browser's `performance.now()`
 * does, and when somebody sets the clock back, which `Date.now()` does not.
 */
class Clock {
  #elapsed = 0;
  #date = Date.now();
  #steady = performance.now();

  now() {
    const [date, steady] = [Date.now(), performance.now()];
    this.#elapsed += date >= this.#date ? date - this.#date : steady - this.#steady;
    [this.#date, this.#steady] = [date, steady];
    return this.#elapsed;
  }
}

/**
 * Notices that the computer slept. Then the clock on the wall gains on the steady one, or, where that goes on as well,
 * timers are later than any page is made to wait for them.
 */
class SleepWatch {
  #date = Date.now();
  #steady = performance.now();

  /** Returns whether the computer slept since this was last asked. */
  hasEnded() {
    const [date, steady] = [Date.now(), performance.now()];
    const [byTheWall, passed] = [date - this.#date, steady - this.#steady];
    [this.#date, this.#steady] = [date, steady];
    return byTheWall - passed > SLEEP_GAIN || passed > SLEEP_LATE;
  }
}

const SUBPROTOCOL = 'herald.v1';

const UNUSABLE_TOKEN =
  'the token is no text, is empty, or holds a space or another character that no subprotocol of a WebSocket can have';

/** The most entities of one `subscribe`, and the most bytes of a frame: the server's limits. */
const ENTITIES_AT_ONCE = 100;
const FRAME_LIMIT = 32 * 1024;

/** The most bytes of a `subscribe` beside its entities. */
const FRAME_WITHOUT_ENTITIES = 64;

/** The time between two looks at the clocks. */
const LOOK_EVERY = 5000;

/** The gain of the clock on the wall that only a sleep explains; less is a clock that is being corrected. */
const SLEEP_GAIN = 10_000;

/** The time between two looks that only a sleep explains; browsers wake a hidden page once a minute. */
const SLEEP_LATE = 65_000;

/** How long a server may take to show that it can be reached. */
const PROBE_WITHIN = 5000;

/** @type {Map<unknown, GatewayCode>} */
const GATEWAY_CODES = new Map([
  ['Internal server error', 'internal'],
  ['Endpoint request timed out', 'timeout'],
  ['Too Many Requests', 'throttled'],
  ['Forbidden', 'forbidden'],
  ['Bad request body', 'badRequest'],
]);

/** API Gateway's own frames have no `type`. @param {Frame} frame @returns {Failure | undefined} */
function gatewayErrorOf(frame) {
  const message = textOf(frame.message);
  const isOfTheGateway = (textOf(frame.connectionId) ?? textOf(frame.requestId)) !== undefined;
  if (message === undefined || !isOfTheGateway) return undefined;
  return { kind: 'gateway', code: GATEWAY_CODES.get(message) ?? 'other', message };
}

/** @param {Frame} frame @returns {Failure} */
function serverErrorOf({ code, message, retryable, eventIds }) {
  const ids = listOf(eventIds).map((eventId) => textOf(eventId) ?? null);
  return {
    kind: 'server',
    code: textOf(code) ?? '',
    message: textOf(message) ?? '',
    retryable: retryable === true,
    ...(ids.length > 0 && { eventIds: ids }),
  };
}

/**
 * Why each of several entities is not subscribed to, or `undefined` if it is. What the reply does not hold has none.
 *
 * @param {Frame} reply
 * @param {string[]} entities
 * @returns {(Failure | undefined)[]}
 */
function resultsOf(reply, entities) {
  const results = objectOf(reply.entities) ?? {};
  return entities.map((entity) => {
    const result = Object.hasOwn(results, entity) ? objectOf(results[entity]) : undefined;
    if (result && !Object.hasOwn(result, 'error')) return undefined;
    const error = objectOf(result?.error);
    return error ? serverErrorOf(error) : { kind: 'outcomeUnknown' };
  });
}

/** A field, if it is a text; one of another kind counts as absent. @param {unknown} field */
function textOf(field) {
  return typeof field === 'string' ? field : undefined;
}

/** @param {unknown} field @returns {unknown[]} */
function listOf(field) {
  return Array.isArray(field) ? field : [];
}

/** @param {unknown} field @returns {Record<string, unknown> | undefined} */
function objectOf(field) {
  const isObject = typeof field === 'object' && field !== null && !Array.isArray(field);
  return isObject ? /** @type {Record<string, unknown>} */ (field) : undefined;
}

/** The number of the request that a frame answers, if it is written as we wrote it. @param {Frame} frame */
function requestIdOf({ id }) {
  return String(Number(id)) === id ? Number(id) : undefined;
}

/** Whether the same request may succeed later. @param {Failure} error */
function isRetryable(error) {
  return error.kind === 'server' ? error.retryable : error.kind !== 'tooLarge' && error.kind !== 'stopped';
}

/** Whether it was too much at once, and was not carried out. @param {Failure} error */
function isThrottled(error) {
  return (error.kind === 'server' || error.kind === 'gateway') && error.code === 'throttled';
}

/** Returns true if the server does not know the connection any more. @param {Failure} error */
function isUnknownConnection(error) {
  return error.kind === 'server' && error.code === 'unknown_connection';
}

/** Returns true if the frame did not have the form that the server demands. @param {Failure} error */
function isBadRequest(error) {
  return (
    (error.kind === 'server' && error.code === 'bad_request') ||
    (error.kind === 'gateway' && error.code === 'badRequest')
  );
}

/** @param {Frame} frame @returns {Destination} */
function destinationOf({ type, entityId }) {
  if (typeof entityId === 'string') return 'entity';
  if (type === 'User Push Notification') return 'notifications';
  return type === 'Broadcast' || type === 'message' ? 'broadcasts' : 'other';
}

/** @param {string} text @returns {Frame | undefined} the frame, if it is a JSON object. */
function parse(text) {
  try {
    return objectOf(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** @param {string} body the JSON of an object that is not empty. @param {number} id */
function withId(body, id) {
  return `${body.slice(0, -1)},"id":"${id}"}`;
}

/** @param {'subscribe' | 'unsubscribe'} action @param {string} entity */
function requestAbout(action, entity) {
  return JSON.stringify({ action, entityId: entity });
}

/** The bytes of `"entity":{},` in a frame. @param {string} entity */
function bytesOfEntity(entity) {
  return bytesOf(JSON.stringify(entity)) + ':{},'.length;
}

/** Returns true if a token can be offered beside our subprotocol: a token of RFC 9110, section 5.6.2. @param {unknown} token */
function isSubprotocol(token) {
  return typeof token === 'string' && /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(token) && token !== SUBPROTOCOL;
}

/** @param {string} text */
function bytesOf(text) {
  return new TextEncoder().encode(text).length;
}

/** The options that were given; `undefined` is none. @template {object} T @param {T} options @returns {Partial<T>} */
function definedOf(options) {
  return /** @type {Partial<T>} */ (
    Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
  );
}

/** The `exp` of a JWT, in seconds since 1970. @param {string | null} token @returns {number | undefined} */
function endOfToken(token) {
  try {
    const claims = (token ?? '').split('.')[1].replace(/-/g, '+').replace(/_/g, '/');
    const { exp } = JSON.parse(atob(claims));
    return typeof exp === 'number' ? exp : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Whether the server of a WebSocket answers over HTTP. What it answers cannot be seen and does not matter.
 *
 * @param {URL} url
 */
async function isReachable({ protocol, host, pathname }) {
  const scheme = protocol === 'wss:' ? 'https:' : 'http:';
  try {
    const answer = await fetch(`${scheme}//${host}${pathname}`, {
      mode: 'no-cors',
      cache: 'no-store',
      credentials: 'omit',
      signal: AbortSignal.timeout(PROBE_WITHIN),
    });
    await answer.body?.cancel();
    return true;
  } catch {
    return false;
  }
}

/**
 * Calls `heed` at every hint of the page, if there is a page.
 *
 * @param {(hint: Hint) => void} heed
 * @returns {() => void} ends it.
 */
function listenToPage(heed) {
  const { window, document } = /** @type {{ window?: Window, document?: Document }} */ (globalThis);
  /** @type {[EventTarget | undefined, string, () => void][]} */
  const listeners = [
    [window, 'online', () => heed('networkUp')],
    [window, 'offline', () => heed('networkDown')],
    [window, 'pageshow', () => heed('foreground')],
    [document, 'resume', () => heed('foreground')],
    [document, 'visibilitychange', () => document?.visibilityState === 'visible' && heed('foreground')],
  ];
  for (const [target, event, listener] of listeners) target?.addEventListener(event, listener);
  return () => {
    for (const [target, event, listener] of listeners) target?.removeEventListener(event, listener);
  };
}

/** @template T @param {Set<T>} handlers @param {T} handler @returns {() => void} removes it. */
function add(handlers, handler) {
  handlers.add(handler);
  return () => void handlers.delete(handler);
}

/**
 * Calls each handler. One that throws is reported, and keeps nothing from the others.
 *
 * @template T
 * @param {Iterable<(value: T) => void>} handlers
 * @param {T} value
 */
function call(handlers, value) {
  for (const handler of Array.from(handlers)) {
    try {
      handler(value);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}
