/**
 * What herald-local reports at `/console/activity`, one record for everything that happens. Times are milliseconds
 * since 1970, with fractions.
 *
 * `eventIds` are Herald's: the id that a client sees in a push, on whatever way it came.
 *
 * @module records
 */

/** @typedef {{ number: number, at: number }} Base */

/** @typedef {Base & { kind: 'connected', connectionId: string, userId: string | null, sourceIp: string }} Connected */

/** An upgrade, or a request of a page elsewhere, that was not let in. @typedef {Base & { kind: 'refused', status: number, sourceIp: string }} Refused */

/**
 * @typedef {Base & { kind: 'disconnected', connectionId: string, code: number, reason: string | null }} Disconnected
 */

/**
 * One message of a client, with what was answered. No route may have taken it, and then no function did.
 *
 * @typedef {Base & { kind: 'request', connectionId: string, routeKey: string, body: string, function: string | null,
 *   milliseconds: number, reply: string | null, eventIds: string[], cut?: boolean }} ClientRequest
 */

/**
 * One entry of PutEvents. `detail` is `null` if it was too long to be kept.
 *
 * @typedef {Base & { kind: 'event', eventId: string, id: string, detailType: string, source: string, detail: any,
 *   bus: string, rules: string[], cut?: boolean }} PutEvent
 */

/**
 * A message came onto a queue. `delay` is in seconds.
 *
 * @typedef {Base & { kind: 'queued', queue: string, messageId: string, eventIds: string[], delay: number,
 *   cause: 'sent' | 'redriven' | 'replayed' }} Queued
 */

/**
 * A function ran, and has ended at `at`; or it was to run, and was `refused`. `records` are those of a queue.
 *
 * @typedef {Base & { kind: 'invocation', requestId: string | null, function: string, milliseconds: number,
 *   outcome: 'ok' | 'error' | 'timeout' | 'crashed' | 'refused', error: string | null, eventIds: string[],
 *   queue: string | null, records: number | null, logs: string[] }} Invocation
 */

/**
 * One POST to `@connections`, answered at `at`.
 *
 * @typedef {Base & { kind: 'post', connectionId: string, eventIds: string[], bytes: number, status: number,
 *   milliseconds: number }} Post
 */

/**
 * @typedef {Connected | Refused | Disconnected | ClientRequest | PutEvent | Queued | Invocation | Post} ActivityRecord
 */

export {};
