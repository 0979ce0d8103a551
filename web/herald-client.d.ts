/**
 * The public API of herald-client, and the home of its types: the modules in `client/` import them from here.
 *
 * docs/clients.md of Herald's repository describes the behaviour, rule by rule.
 */

/**
 * Starts a client, which connects at once and stays connected until it is closed or stops.
 *
 * @param url the address of the WebSocket, `wss://…/stage`.
 * @throws {TypeError} if the address is not a WebSocket address, `pollUrl` is not an HTTP
 *   address, or the environment has no WebSocket.
 */
export function connect(url: string, options?: Options): HeraldClient;

/** A running client. An application needs one. */
export class HeraldClient {
  /** Starts a client, like {@link connect}. */
  constructor(url: string, options?: Options);

  /** The state of the connection. */
  get state(): State;

  /** The transport of the connection, or of the last one: `websocket`, or `poll` while the network admits none. */
  get transport(): Transport;

  /**
   * Calls `handler` at every change of `state`, which includes the transport while it is `open`. Reload the data of entities without a log at `open` after
   * `reconnecting`: pushes in between are lost.
   *
   * @param handler is also called at once, with the current state, before `onState` returns.
   * @returns a function that removes the handler.
   */
  onState(handler: (state: State) => void, options?: ListenOptions): () => void;

  /**
   * Subscribes to an entity for as long as the client runs, over every reconnect.
   *
   * @example
   * const pending = client.subscribe('order-1', show);
   * // Ends it, whether the server has acknowledged it or not:
   * pending.unsubscribe();
   *
   * @param handler is called with every push about the entity.
   * @param onEnded is called if the server ends the subscription later, with its reason.
   * @returns a promise that resolves once the server has acknowledged the subscription, and rejects with its error.
   */
  subscribe<Message = unknown>(
    entityId: string,
    handler: (push: Push<Message>) => void,
    onEnded?: (error: HeraldError) => void,
  ): PendingSubscription;

  /** Subscribes with options, which tell where to start. */
  subscribe<Message = unknown>(
    entityId: string,
    handler: (push: Push<Message>) => void,
    options: SubscribeOptions<Message>,
  ): PendingSubscription;

  /** Subscribes with the handler among the options. */
  subscribe<Message = unknown>(entityId: string, options: SubscribeOptions<Message>): PendingSubscription;

  /**
   * Reads messages of a log: that of an entity by its id, that of the user of this connection, or that of everyone.
   * They are not delivered to handlers, and no position moves.
   */
  history<Message = unknown>(of: string | HistoryOf, selection: HistorySelection): Promise<History<Message>>;

  /** Reads the presence of an entity, once and without a subscription. Needs the permission `presence`. */
  presence(entityId: string): Promise<Presence>;

  /**
   * Calls `handler` with every push to the user of this connection.
   *
   * @returns a function that removes the handler.
   */
  onNotification<Message = unknown>(handler: (push: Push<Message>) => void, options?: ListenOptions): () => void;

  /**
   * Calls `handler` with every push to everyone, from an event or from another client.
   *
   * @returns a function that removes the handler.
   */
  onBroadcast<Message = unknown>(handler: (push: Push<Message>) => void, options?: ListenOptions): () => void;

  /**
   * Calls `handler` when messages of any audience may be lost, once for each loss and before the next message of that
   * audience.
   *
   * @returns a function that removes the handler.
   */
  onLost(handler: (lost: Lost) => void, options?: ListenOptions): () => void;

  /**
   * Calls `handler` with every push of a `type`, in addition to the handlers above.
   *
   * @returns a function that removes the handler.
   */
  onType<Message = unknown>(
    type: string,
    handler: (push: Push<Message>) => void,
    options?: ListenOptions,
  ): () => void;

  /** Sends a message to the other subscribers of an entity, or to everyone else, once there is a connection. */
  send(message: Target & Outgoing & { messages?: never }, options?: SendOptions): Promise<Ack>;

  /** Sends several messages in one frame, at least one and at most 25. */
  send<const Messages extends readonly Outgoing[]>(
    message: Target & {
      messages: Messages & (Messages extends readonly [] ? never : unknown);
      message?: never;
      name?: never;
    },
    options?: SendOptions,
  ): Promise<AckOfSeveral>;

  /** Sends a message that comes back as the reply. */
  send(
    message: Outgoing & { [Field in 'entityId' | 'broadcast' | 'messages']?: never },
    options?: SendOptions,
  ): Promise<Echo>;

  /** Hints that the network is up: the client ends the delay before the next attempt, or checks its connection. */
  networkUp(): void;

  /** Hints that the network is down: the client closes its connection, and waits for another hint or `offlineRetry`. */
  networkDown(): void;

  /** Hints that the application is in the foreground: the client ends the delay, or checks its connection. */
  foreground(): void;

  /**
   * Closes the client: it sends pending messages, waits for the replies, and stops.
   *
   * @param options `within` bounds that, in milliseconds; 5000 by default.
   * @returns a promise that resolves once the client has stopped.
   */
  close(options?: { within?: number }): Promise<void>;
}

/**
 * A subscription that can be left before the server has acknowledged it. It resolves to the acknowledged one, and
 * rejects with the server's error, or with an `AbortError` once it is left.
 */
export interface PendingSubscription extends Promise<Subscription> {
  /** Ends the subscription, acknowledged or not. Its handler is not called any more. */
  unsubscribe(): void;
}

/** A subscription that the server has acknowledged. */
export interface Subscription {
  /** The entity of the subscription. */
  readonly entityId: string;

  /**
   * The position in the entity's log. It moves to a message before its handler is called. Saved, and passed as
   * `recover` after a reload of the page, it makes the client go on from there. It stays when the subscription ends.
   * `undefined` if the entity has no log.
   */
  readonly position: Position | undefined;

  /**
   * The users at the entity, if the subscription asks for `presence`. It keeps the last known set while there is no
   * connection. `undefined` until the server has told it. `null` if there is none: the stack has no policy for the
   * entity, the token lacks the permission, or the client polls.
   */
  readonly presence: Presence | null | undefined;

  /**
   * Calls `listener` at every event of a name. The first listener of a name gets the last event from before it, too.
   *
   * - `lost`: messages may be lost. It comes before the next message.
   * - `recovered`: after a reconnect, or from the position `recover`, every message was delivered.
   *
   * @returns a function that removes the listener.
   */
  on<Name extends keyof SubscriptionEvents>(
    name: Name,
    listener: (event: SubscriptionEvents[Name]) => void,
    options?: ListenOptions,
  ): () => void;

  /** Ends the subscription. Its handler is not called any more. */
  unsubscribe(): void;
}

/** The error of a request. */
export class HeraldError extends Error {
  constructor(failure: Failure);

  /** The reason. Only `outcomeUnknown` leaves open whether the request was carried out. */
  readonly kind: Failure['kind'];

  /** The code of Herald's error, or of API Gateway's. `undefined` for other kinds. */
  readonly code: string | undefined;

  /**
   * With the code `partly_sent`, in the order of `messages`: the `eventId` of each, or `null` if it was not sent and
   * may be sent again.
   */
  readonly eventIds: (string | null)[] | undefined;

  /** True if the same request, made again, may succeed. It may have been carried out the first time. */
  readonly retryable: boolean;
}

/**
 * The reason a request failed.
 *
 * - `server`: Herald refused it.
 * - `gateway`: API Gateway answered in Herald's place.
 * - `outcomeUnknown`: the connection broke, or time passed, before the reply.
 * - `expired`: it waited in the outbox for longer than its time to live, and was not sent.
 * - `outboxFull`: the outbox was full, and it was not sent.
 * - `tooLarge`: it is larger than the gateway accepts, and was not sent.
 * - `stopped`: the client was closed, or stopped, and it was not sent.
 * - `notKept`: the option `outbox` could not keep the message, and it was not sent.
 */
export type Failure =
  | { kind: 'server'; code: string; message: string; retryable: boolean; eventIds?: (string | null)[] }
  | { kind: 'gateway'; code: GatewayCode; message: string }
  | { kind: 'outcomeUnknown' | 'expired' | 'outboxFull' | 'tooLarge' | 'stopped' | 'notKept'; message?: string };

/** The meaning of an error frame of API Gateway. */
export type GatewayCode = 'internal' | 'timeout' | 'throttled' | 'forbidden' | 'badRequest' | 'other';

/**
 * The state of the connection.
 *
 * - `connecting`: it is being made for the first time.
 * - `open`: it is open, and every subscription is established. It is announced again when the `transport` changed.
 * - `reconnecting`: it is lost, or could not be made. `attempt` is the next one, `delay` its delay in milliseconds
 *   (`null`: once the network is back, or after `offlineRetry`), `cause` the last failure, if it is known.
 * - `stopped`: it has ended, and the client with it.
 */
export type State =
  | StateOf<{ name: 'connecting' }>
  | StateOf<{ name: 'open'; transport: Transport }>
  | StateOf<{ name: 'reconnecting'; attempt: number; delay: number | null; cause?: unknown }>
  | StateOf<{ name: 'stopped'; reason: StopReason }>;

/** A state, in which the fields of the others are `undefined`: a handler may read each field of any state. */
type StateOf<Fields> = Fields & {
  [Other in Exclude<'transport' | 'attempt' | 'delay' | 'cause' | 'reason', keyof Fields>]?: undefined;
};

/** A way to the server: a WebSocket, or HTTP requests from time to time. */
export type Transport = 'websocket' | 'poll';

/**
 * The reason the client stopped.
 *
 * - `closed`: the application closed it.
 * - `refused`: the server refused several authorisations in a row. `status` is the last HTTP status, or `null` if the
 *   environment hides it.
 * - `invalid`: no attempt can succeed. `reason` names the problem with the token or the address.
 * - `disconnected`: the server disconnected the client for good, with its `code` and `reason`.
 */
export type StopReason =
  | { kind: 'closed' }
  | { kind: 'refused'; status: number | null }
  | { kind: 'invalid'; reason: string }
  | { kind: 'disconnected'; code: string | null; reason: string | null };

/** A message from the server. */
export interface Push<Message = unknown> {
  /** `Entity Updated`, `User Push Notification`, `Broadcast`, or `message`, which a client sent. */
  type: string;
  /** The JSON of its sender. */
  message: Message;
  /** The entity that it is about. */
  entityId?: string;
  /** The sender's name, as a client gave it. */
  name?: string;
  /** The callback of a notification, as its sender gave it. */
  callback?: unknown;
  eventId?: string;
  /** RFC 3339. */
  time?: string;
  /** The epoch and the offset of the message in the log of its audience, if that has one. */
  epoch?: string;
  offset?: number;
}

/** The options of a handler. One that is added twice is called once for each value, until both are removed. */
export interface ListenOptions {
  /** Removes the handler when it aborts. */
  signal?: AbortSignal;
}

/** The other subscribers of an entity, or everyone else. */
export type Target = { entityId: string; broadcast?: never } | { broadcast: true; entityId?: never };

/** One message to send. */
export interface Outgoing {
  /** Any value with a JSON form. `undefined` has none. */
  message: {} | null;
  /** The name that the sender gives itself. The server does not check it. */
  name?: string;
}

export interface SendOptions {
  /**
   * True if the message may arrive twice: when the connection breaks before its reply, it is sent again, and does not
   * fail as `outcomeUnknown`.
   */
  safeToRepeat?: boolean;
  /** The longest time in the outbox, in milliseconds. */
  timeToLive?: number;
  /** False to send the message without the option `outbox`: it does not survive a reload. */
  keep?: boolean;
}

/** A place for the messages of a client until they are acknowledged. */
export interface Outbox {
  /**
   * Is called by a new client. `send` sends a message without keeping it; the client's own `send` becomes the function
   * that is returned.
   */
  attach(client: HeraldClient, send: OutboxSend): OutboxSend;
}

export type OutboxSend = (message: any, options?: SendOptions) => Promise<any>;

/** The acknowledgement of one message. */
export interface Ack {
  type: 'ack';
  action: string;
  entityId?: string;
  eventId: string;
  /** The position of the message in the log of its audience, if that has one. */
  epoch?: string;
  offset?: number;
}

/** The acknowledgement of several messages. */
export interface AckOfSeveral {
  type: 'ack';
  action: string;
  entityId?: string;
  /** In the order of `messages`. */
  eventIds: string[];
  /** The positions of the messages, if the log of their audience has any. */
  positions?: Position[];
}

/** A message that came back. */
export interface Echo {
  type: 'message';
  message: unknown;
  name?: string;
}

/** The events of a subscription. */
export interface SubscriptionEvents {
  /** The position from which the subscription goes on. `null` if the entity has no log any more. */
  lost: { position: Position | null };
  /** The number of messages that were recovered. */
  recovered: { messages: number };
}

/** The options of a subscription. A later subscriber of an entity in the same client starts where the client is. */
export interface SubscribeOptions<Message = unknown> {
  /** Is called with every push about the entity. */
  onMessage?: (push: Push<Message>) => void;
  /** Is called if the server ends the subscription later, with its reason. */
  onEnded?: (error: HeraldError) => void;
  /** The position to go on from. Excludes `rewind`. */
  recover?: Position | null;
  /** The number of last messages to start with, at most 300. Needs the permission `history`. */
  rewind?: number;
  /** Loads the state of the entity. Excludes `recover` and `rewind`. */
  state?: StateCallback;
  /**
   * Asks for the users at the entity, which needs the permission `presence`. True keeps `presence` of the subscription
   * up to date. A function is called with each change as well, first with all users as joined.
   */
  presence?: boolean | ((change: PresenceChange) => void);
  /** Ends the subscription when it aborts, acknowledged or not. */
  signal?: AbortSignal;
}

/** A user at an entity. */
export interface Member {
  readonly userId: string;
  /** The number of the user's connections when the server counted them last. A change of it alone is not told. */
  readonly connections: number;
  /** What the user's token tells of the user: its claim `heraldInfo`. */
  readonly info?: unknown;
}

/** The users at an entity. */
export interface Presence {
  /** The number of users, and of connections without a user. */
  readonly count: number;
  /** The users by their ids, in order. `null` if there are more than the stack lists. */
  readonly members: ReadonlyMap<string, Member> | null;
}

/** A change of the users at an entity. Without a known set, `joined` and `left` are empty. */
export interface PresenceChange {
  /** The users that are new, or of whom something else is known than before. */
  joined: Member[];
  /** The users that left, as they were known. */
  left: Member[];
  /** The number of users now, and of connections without a user. `null` if there is no presence. */
  count: number | null;
  /** The users now. `null` if they are unknown, because there are more than the stack lists or there is no presence. */
  members: ReadonlyMap<string, Member> | null;
  /** The error with which the server refused presence. The subscription goes on without. */
  error?: HeraldError;
}

/**
 * Loads the state of an entity: **first** its position, and then its data. The data then has every message up to the
 * position, and the handler gets those after it. It is called before the subscription, and again when messages are
 * lost; without a position it is also called after the acknowledgement and after every reconnect. A call that fails
 * later is logged with `console.error` and retried, and so is one whose position is before that of the loss.
 */
export type StateCallback = () => StateAnswer | Promise<StateAnswer>;

export interface StateAnswer {
  position?: Position | null;
}

/** Messages that may be lost. */
export interface Lost {
  /** The audience: an entity, the user of the connection, or everyone. */
  to: 'entity' | 'notifications' | 'broadcasts';
  /** The entity, if that is the audience. */
  entityId?: string;
  /** The position from which the client goes on. `null` if the audience has no log any more. */
  position: Position | null;
}

/** The log of an audience that is not an entity. */
export type HistoryOf = { user: true } | { everyone: true };

/** The messages to read: the last ones, those since a position, or those before an offset. */
export type HistorySelection = { last: number } | { since: Position; limit?: number } | { before: number; limit?: number };

/** Messages of a log, in order. */
export interface History<Message = unknown> {
  messages: Push<Message>[];
  /** The position after the last message. */
  position: Position;
  /** The last offset of the log. */
  top: number;
  /** With `since`: false if messages after that position are lost, and then there are none here. */
  recovered?: boolean;
  /** True if further messages are to be read since `position`. */
  more: boolean;
}

/** A place in the log of an audience: every message up to `offset` is known. An empty log has no `epoch`. */
export interface Position {
  epoch?: string;
  offset: number;
}

/** The options of a client, all with defaults. Times are in milliseconds. */
export interface Options {
  /** Supplies a token for every attempt to connect, and before a token ends. No token by default. */
  token?: TokenCallback;
  /**
   * The address of the function `poll`, the stack's output `PollUrl`. With it, the client polls while the network admits
   * no WebSocket.
   */
  pollUrl?: string;
  /** False to ignore the events of the page: online, offline, visible again. True by default. */
  hints?: boolean;
  /** The class that opens sockets; `globalThis.WebSocket` by default. Node.js 20 needs that of the package `ws`. */
  webSocket?: WebSocketConstructor;
  /** The longest time of one attempt, token and handshake together; 45 s by default, 15 s with `pollUrl`. */
  connectTimeout?: number;
  /** The bound of the first delay between attempts, which doubles with every failure; 1 s by default. */
  backoffBase?: number;
  /** The bound of the longest delay; 30 s by default. */
  backoffCap?: number;
  /** The time after which an open connection counts as stable, so that the back-off starts over; 30 s by default. */
  stableAfter?: number;
  /** The number of refused authorisations in a row after which the client stops; 3 by default. */
  refusalLimit?: number;
  /** The time between two refusals of unknown status that count as two; 10 s by default. */
  refusalSpacing?: number;
  /**
   * The longest time for which the client trusts an `offline` event of the page, less a random share of a half; 60 s
   * by default.
   */
  offlineRetry?: number;
  /**
   * The time after which a request without a reply makes the client send a ping, if nothing else arrived either;
   * 10 s by default.
   */
  unansweredAfter?: number;
  /** The silence after which the client sends a ping; 4 minutes by default. */
  pingAfter?: number;
  /** The time within which anything must arrive after a ping; 10 s by default. */
  pongTimeout?: number;
  /** The longest wait for a reply; 30 s by default. */
  replyTimeout?: number;
  /** The most requests in flight; 32 by default. */
  inFlightLimit?: number;
  /** Keeps messages until they are acknowledged, over reloads of the page: `indexedDbOutbox` of `herald-client/outbox`. */
  outbox?: Outbox;
  /** The most messages in the outbox; 1000 by default. */
  outboxLimit?: number;
  /** The message that fails when the outbox is full: the newest, which is the default, or the oldest. */
  outboxFull?: 'refuseNewest' | 'dropOldest';
  /** The longest time of a message in the outbox; 5 minutes by default. */
  timeToLive?: number;
  /**
   * The most bytes of a request as JSON; 32 KiB by default. That is API Gateway's limit of a frame, and a browser's
   * WebSocket sends a message as one frame.
   */
  messageLimit?: number;
  /** The number of `eventId`s that are remembered, so that repeats are dropped; 1000 by default. */
  repeatWindow?: number;
  /** The age at which a connection is renewed, less a random share of a tenth; 110 minutes by default. */
  renewAfter?: number;
  /** The time for which the old connection stays after a renewal, for late pushes; 10 s by default. */
  lingerFor?: number;
  /** Is called with every change of state and every frame of a WebSocket, for a log. Tokens are left out. */
  log?: (entry: LogEntry) => void;
  /** The time before its end at which a token is renewed; 60 s by default. */
  renewTokenBefore?: number;
  /** The shortest wait for a message that is missing in a log, before the client asks for it; 1 s by default. */
  gapAfter?: number;
  /** The random addition to that wait; 4 s by default. */
  gapSpread?: number;
  /** The most messages of a log that wait for a missing one before the client asks for it at once; 256 by default. */
  heldLimit?: number;
  /** The most messages of a log that wait in all. With more, the missing one counts as lost; 1000 by default. */
  heldWhileAsking?: number;
  /** The longest random wait before the client asks for a presence of which it missed a change; 2 s by default. */
  presenceSpread?: number;
  /**
   * The number of handshakes in a row that fail without a status, or of connections in a row that are cut, after which
   * the client polls; 3 by default.
   */
  obstacleLimit?: number;
  /**
   * The shortest time between the start of the first of those handshakes and the failure of the last; 30 s by default.
   * Connections that are cut need none.
   */
  obstacleAfter?: number;
  /** The age up to which a connection that ends without a close frame counts as cut; 10 s by default. */
  killedWithin?: number;
  /** The time between the WebSockets that a client tries while it polls, less a random share of a tenth; 5 minutes by default. */
  webSocketRetry?: number;
}

/**
 * What the client did. `frame` is the text of a frame; in an `authenticate` its token is replaced by `…`.
 *
 * - `state`: the state changed.
 * - `connect`: a socket was opened to `url`, which has no query.
 * - `sent`, `received`: a frame.
 * - `closed`: the socket has ended, with its code and reason.
 */
export type LogEntry =
  | { kind: 'state'; state: State }
  | { kind: 'connect'; url: string }
  | { kind: 'sent' | 'received'; frame: string }
  | { kind: 'closed'; code: number; reason: string };

/**
 * Supplies a token. An attempt to connect fails if the callback throws or rejects, and is retried. A callback that does
 * not answer within `connectTimeout` is called again.
 */
export type TokenCallback = () => TokenAnswer | Promise<TokenAnswer>;

/**
 * The text of a token, or a token with its end in seconds since 1970, for tokens without a readable `exp`. `null` or
 * `undefined` to connect without a token.
 */
export type TokenAnswer = string | { token: string; expiresAt?: number } | null | undefined;

export type WebSocketConstructor = new (url: string, protocols: string[]) => WebSocketLike;

/** The part of a WebSocket that the client uses. */
export interface WebSocketLike {
  send(text: string): void;
  close(code?: number): void;
  addEventListener(type: any, listener: (event: any) => void): void;
}
