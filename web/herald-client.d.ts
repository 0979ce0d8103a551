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
export type Options = {
    /**
     * asked for a token at every attempt to connect, and before a token's end. Without
     * it the client connects without a token.
     */
    token?: TokenCallback;
    /**
     * whether the events of the page (online, offline, visible again) are heeded; true.
     */
    hints?: boolean;
    /**
     * what to open sockets with; `globalThis.WebSocket`. Node.js 20 has none:
     * give it that of the package `ws`.
     */
    webSocket?: WebSocketConstructor;
    /**
     * token and handshake of one attempt; 45 s.
     */
    connectTimeout?: number;
    /**
     * the bound of the first delay before an attempt; 1 s. It doubles with every failure.
     */
    backoffBase?: number;
    /**
     * the largest bound of a delay; 30 s.
     */
    backoffCap?: number;
    /**
     * how long a connection is open before the delays start small again; 30 s.
     */
    stableAfter?: number;
    /**
     * after how many refused authorisations in a row the client stops; 3.
     */
    refusalLimit?: number;
    /**
     * how far apart refusals are that had to be guessed, to count as several; 10 s.
     */
    refusalSpacing?: number;
    /**
     * how long at most the page's word is believed that it is offline, less a random
     * share of a half; 60 s.
     */
    offlineRetry?: number;
    /**
     * after how long a request without a reply, while nothing else arrives either,
     * makes the client ask whether the connection is there; 10 s.
     */
    unansweredAfter?: number;
    /**
     * after how much silence to ask whether the connection is there; 4 min.
     */
    pingAfter?: number;
    /**
     * how soon anything must arrive after that; 10 s.
     */
    pongTimeout?: number;
    /**
     * how long a reply is waited for; 30 s.
     */
    replyTimeout?: number;
    /**
     * how many requests wait for their reply at once; 32.
     */
    inFlightLimit?: number;
    /**
     * how many messages wait to be sent; 1000.
     */
    outboxLimit?: number;
    /**
     * which message fails when there are more; `refuseNewest`.
     */
    outboxFull?: 'refuseNewest' | 'dropOldest';
    /**
     * how long a message waits to be sent; 5 min.
     */
    timeToLive?: number;
    /**
     * the most bytes of a request as JSON; 32 KiB, API Gateway's limit of a frame, since
     * no WebSocket of a browser lets the frames be chosen.
     */
    messageLimit?: number;
    /**
     * how many `eventId`s are remembered, to drop repeats; 1000.
     */
    repeatWindow?: number;
    /**
     * at which age a connection is replaced, less a random share of a tenth; 110 min.
     */
    renewAfter?: number;
    /**
     * how long the replaced connection stays for late pushes; 10 s.
     */
    lingerFor?: number;
    /**
     * how long before its end a token is replaced; 60 s.
     */
    renewTokenBefore?: number;
};
export type TokenCallback = () => TokenAnswer | Promise<TokenAnswer>;
export type TokenAnswer = string | {
    token: string;
    expiresAt?: number;
} | null | undefined;
export type WebSocketConstructor = new (url: string, protocols: string[]) => WebSocketLike;
export type WebSocketLike = {
    send: (text: string) => void;
    close: (code?: number) => void;
    addEventListener: (type: any, listener: (event: any) => void) => void;
};
export type State = {
    name: 'connecting';
} | {
    name: 'open';
} | {
    name: 'reconnecting';
    attempt: number;
    delay: number | null;
    cause?: unknown;
} | {
    name: 'stopped';
    reason: StopReason;
};
export type StopReason = {
    kind: 'closed';
} | {
    kind: 'refused';
    status: number | null;
} | {
    kind: 'invalid';
    reason: string;
} | {
    kind: 'disconnected';
    code: string | null;
    reason: string | null;
};
export type Push<Message = unknown> = {
    /**
     * `Entity Updated`, `User Push Notification`, `Broadcast`, or `message`, which a client sent.
     */
    type: string;
    message: Message;
    /**
     * the entity it is about.
     */
    entityId?: string;
    /**
     * whom a client's message says it is from.
     */
    name?: string;
    /**
     * what the sender of a notification would have the client do with it.
     */
    callback?: unknown;
    eventId?: string;
    /**
     * RFC 3339.
     */
    time?: string;
};
export type Outgoing = {
    message: unknown;
    name?: string;
};
export type Target = {
    entityId: string;
} | {
    broadcast: true;
};
export type Ack = {
    type: 'ack';
    action: string;
    entityId?: string;
    eventId?: string;
    eventIds?: string[];
};
export type Echo = {
    type: 'message';
    message: unknown;
    name?: string;
};
export type SendOptions = {
    /**
     * the message may be sent twice: if the connection breaks before the reply, it is sent again
     * in place of failing as `unknown`.
     */
    safe?: boolean;
    /**
     * how long it may wait to be sent, in milliseconds.
     */
    timeToLive?: number;
};
export type Failure = {
    kind: 'server';
    code: string;
    message: string;
    retryable: boolean;
    eventIds?: (string | null)[];
} | {
    kind: 'gateway';
    code: GatewayCode;
    message: string;
} | {
    kind: 'outcomeUnknown' | 'expired' | 'outboxFull' | 'tooLarge' | 'stopped';
};
export type GatewayCode = 'internal' | 'timeout' | 'throttled' | 'forbidden' | 'badRequest' | 'other';
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
export declare class HeraldError extends Error {
    /** `unknown` is the one that leaves open whether the request was carried out. */
    kind: "expired" | "gateway" | "outboxFull" | "server" | "stopped" | "tooLarge" | "outcomeUnknown";
    /** Herald's code, or which of API Gateway's errors it is. */
    code: string | undefined;
    /**
     * With the code `partly_sent`, in the order of `messages`: the `eventId` of each, or `null` if it was not sent and
     * may be sent again.
     */
    eventIds: (string | null)[] | undefined;
    /** Whether the same request, made again, may succeed; not whether it was carried out the first time. */
    retryable: boolean;
    /** @param {Failure} failure */
    constructor(failure: Failure);
}
/**
 * Starts a client, which connects at once and stays connected until it is closed or stops.
 *
 * @param {string} url the WebSocket's address, `wss://…/stage`.
 * @param {Options} [options]
 * @returns {HeraldClient}
 * @throws {TypeError} if the address is none of a WebSocket, or there is no WebSocket to open it with.
 */
export declare function connect(url: string, options?: Options): HeraldClient;
/** A running client. `connect` makes one; an application needs no more than one. */
export declare class HeraldClient {
    #private;
    /**
     * @param {string} url
     * @param {Options} options
     */
    constructor(url: string, options: Options);
    /** Where the client is. */
    get state(): State;
    /**
     * Calls `handler` at every change of `state`. `open` after `reconnecting` is the moment to read anew what may have
     * changed meanwhile.
     *
     * @param {(state: State) => void} handler
     * @returns {() => void} ends it.
     */
    onState(handler: (state: State) => void): () => void;
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
    subscribe<Message = unknown>(entityId: string, handler: (push: Push<Message>) => void, onEnded?: (error: HeraldError) => void): Promise<Subscription>;
    /**
     * Calls `handler` with what is pushed to the user of this connection.
     *
     * @template [Message=unknown]
     * @param {(push: Push<Message>) => void} handler
     * @returns {() => void} ends it.
     */
    onNotification<Message = unknown>(handler: (push: Push<Message>) => void): () => void;
    /**
     * Calls `handler` with what is pushed to everyone, by an event or by another client.
     *
     * @template [Message=unknown]
     * @param {(push: Push<Message>) => void} handler
     * @returns {() => void} ends it.
     */
    onBroadcast<Message = unknown>(handler: (push: Push<Message>) => void): () => void;
    /**
     * Calls `handler` with whatever has this `type`, beside those it goes to anyway.
     *
     * @template [Message=unknown]
     * @param {string} type
     * @param {(push: Push<Message>) => void} handler
     * @returns {() => void} ends it.
     */
    onType<Message = unknown>(type: string, handler: (push: Push<Message>) => void): () => void;
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
    send(message: Target & (Outgoing | {
        messages: Outgoing[];
    }), options?: SendOptions): Promise<Ack>;
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
    send(message: Outgoing, options?: SendOptions): Promise<Echo>;
    /**
     * Closes the client: sends what waits, waits for the replies, and stops, within so many milliseconds.
     *
     * @param {{ within?: number }} [options] 5 s if it is not said.
     * @returns {Promise<void>} once the client has stopped.
     */
    close({ within }?: {
        within?: number;
    }): Promise<void>;
}
export type Newcomer = {
    request: number;
    entity: string;
};
export type Subscriber = {
    handler: (push: Push<any>) => void;
    onEnded: (error: HeraldError) => void;
};
/** A subscriber that waits. @typedef {{ request: number, entity: string }} Newcomer */
/** @typedef {{ handler: (push: Push<any>) => void, onEnded: (error: HeraldError) => void }} Subscriber */
/** A subscription that the server has acknowledged. */
export declare class Subscription {
    #private;
    /** The entity it is for. */
    entityId: string;
    /**
     * @param {string} entityId
     * @param {() => void} leave
     */
    constructor(entityId: string, leave: () => void);
    /** Ends it: the handler is not called any more. Does nothing the second time. */
    unsubscribe(): void;
}
export type Frame = Record<string, any>;
export type Destination = 'entity' | 'notifications' | 'broadcasts' | 'other';
export type Input = {
    kind: 'connect';
} | {
    kind: 'token';
    socket: number;
    token: string | null;
    expiresIn?: number;
} | {
    kind: 'tokenFailed';
    socket: number;
} | {
    kind: 'opened';
    socket: number;
} | {
    kind: 'refused';
    socket: number;
    status: number | null;
} | {
    kind: 'failed';
    socket: number;
} | {
    kind: 'invalid';
    socket: number;
    reason: string;
} | {
    kind: 'received';
    socket: number;
    text: string;
} | {
    kind: 'closed';
    socket: number;
} | {
    kind: 'subscribe';
    subscribers: Newcomer[];
} | {
    kind: 'unsubscribe';
    entity: string;
} | {
    kind: 'send';
    request: number;
    frame: Frame;
    safe?: boolean;
    timeToLive?: number;
} | {
    kind: Hint;
} | {
    kind: 'close';
    within: number;
} | {
    kind: 'time';
};
export type Hint = 'networkUp' | 'networkDown' | 'foreground';
export type Effect = {
    kind: 'state';
    state: State;
} | {
    kind: 'askToken';
    socket: number;
} | {
    kind: 'openSocket';
    socket: number;
    token: string | null;
} | {
    kind: 'send';
    socket: number;
    text: string;
} | {
    kind: 'closeSocket';
    socket: number;
} | {
    kind: 'resolve';
    request: number;
    reply?: Frame;
} | {
    kind: 'reject';
    request: number;
    error: Failure;
} | {
    kind: 'deliver';
    to: Destination;
    frame: Frame;
} | {
    kind: 'ended';
    entity: string;
    error: Failure;
};
export type Rules = Required<Omit<Options, 'token' | 'hints' | 'webSocket'>>;
export type Connection = {
    socket: number;
    open: boolean;
    heardAt: number;
    awaitsPong: boolean;
    /**
     * when another is to replace it.
     */
    renewAt: number;
    renewTokenAt?: number;
    tokenBackOff: BackOff;
    /**
     * what the server was asked about entities on it.
     */
    asked: Map<string, Asked>;
    /**
     * entities to look at again.
     */
    unsettled: Set<string>;
    /**
     * when to ask for entities again.
     */
    delayed: Map<string, number>;
    /**
     * whether the server demands a `subscribe` for each entity.
     */
    oneByOne: boolean;
};
export type Asked = {
    state: 'subscribing' | 'subscribed' | 'unsubscribing' | 'delayed' | 'due';
    backOff: BackOff;
};
export type Wanted = {
    subscribers: number;
    waiting: number[];
    established: boolean;
};
export type Queued = {
    request: number;
    body: string;
    safe: boolean;
    expiresAt: number;
};
export type Request = {
    connection: Connection;
} & ({
    action: 'subscribe';
    entities: string[];
} | {
    action: 'unsubscribe';
    entity: string;
} | {
    action: 'sendMessage';
    message: Queued;
} | {
    action: 'authenticate';
});
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
export declare class ClientMachine {
    #private;
    /**
     * @param {Partial<Rules> & { token?: boolean }} options `token`: whether there is a callback to ask.
     * @param {() => number} random at least 0 and less than 1.
     */
    constructor({ token, ...rules }?: Partial<Rules> & {
        token?: boolean;
    }, random?: () => number);
    /** When the machine wants the input `time`, unless another comes first. @returns {number | undefined} */
    get wakeAt(): number | undefined;
    /**
     * Handles what is due, and then the input.
     *
     * @param {number} now milliseconds from any start; never less than before.
     * @param {Input} input
     * @returns {Effect[]}
     */
    handle(now: number, input: Input): Effect[];
}
export type Held = {
    frame: Frame;
    after: number;
};
/** Delays that grow, with full jitter: whoever failed together does not come back together. */
declare class BackOff {
    #private;
    /** @param {Rules} rules @param {() => number} random */
    constructor(rules: Rules, random: () => number);
    /** @param {number} share of the longest delay. @returns {number} milliseconds. */
    next(share?: number): number;
    /** Starts small again. */
    reset(): void;
}
export {};
