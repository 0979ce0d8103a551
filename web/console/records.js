/**
 * The activity records of herald-local. Times are milliseconds since 1970, with fractions.
 *
 * `eventIds` are Herald's own, which clients see in pushes.
 *
 * @module records
 */

/** @typedef {{ number: number, at: number }} Base */

/** @typedef {Base & { kind: 'connected', connectionId: string, userId: string | null, sourceIp: string }} Connected */

/**
 * A WebSocket upgrade, or a request of a foreign page, that was refused.
 *
 * @typedef {Base & { kind: 'refused', status: number, sourceIp: string }} Refused
 */

/**
 * @typedef {Base & { kind: 'disconnected', connectionId: string, code: number, reason: string | null }} Disconnected
 */

/** A position in a log. `epoch` is `null` before its first message. @typedef {{ epoch: string | null, offset: number }} LogPosition */

/**
 * The answer of a log to a client that asked for what it missed, or for a part of the log. `since` and `recovered` are
 * `null` for a part.
 *
 * @typedef {{ log: string, since: LogPosition | null, recovered: boolean | null, messages: number,
 *   position: LogPosition | null, more: boolean }} Recovery
 */

/**
 * A message of a client, with its reply. `function` is `null` if no route matched.
 *
 * @typedef {Base & { kind: 'request', connectionId: string, routeKey: string, body: string, function: string | null,
 *   milliseconds: number, reply: string | null, eventIds: string[], recoveries?: Recovery[], cut?: boolean }} ClientRequest
 */

/**
 * An entry of PutEvents. `detail` is `null` if it was too long to keep.
 *
 * @typedef {Base & { kind: 'event', eventId: string, id: string, detailType: string, source: string, detail: any,
 *   bus: string, rules: string[], cut?: boolean }} PutEvent
 */

/**
 * A message that was put on a queue. `delay` is in seconds.
 *
 * @typedef {Base & { kind: 'queued', queue: string, messageId: string, eventIds: string[], delay: number,
 *   cause: 'sent' | 'redriven' | 'replayed' }} Queued
 */

/**
 * An invocation that ended at `at`, or was `refused`. `records` counts those of a queue.
 *
 * @typedef {Base & { kind: 'invocation', requestId: string | null, function: string, milliseconds: number,
 *   outcome: 'ok' | 'error' | 'timeout' | 'crashed' | 'refused', error: string | null, eventIds: string[],
 *   queue: string | null, records: number | null, logs: string[] }} Invocation
 */

/**
 * A POST to `@connections` that was answered at `at`. `userId` is `null` for a connection that is anonymous or gone.
 * `position` is that of the frame in the log of its audience, and `presence` the change that a frame of presence tells.
 *
 * @typedef {Base & { kind: 'post', connectionId: string, userId: string | null, eventIds: string[], bytes: number, status: number,
 *   milliseconds: number, position?: LogPosition & { log: string },
 *   presence?: { entityId: string, version: number, count: number } }} Post
 */

/**
 * @typedef {Connected | Refused | Disconnected | ClientRequest | PutEvent | Queued | Invocation | Post} ActivityRecord
 */

export {};
