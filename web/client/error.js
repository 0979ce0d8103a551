/**
 * The errors of requests.
 *
 * @module error
 */

/** @import { Failure } from '../herald-client.js' */

/** @type {Record<string, string>} */
const MESSAGES = {
  outcomeUnknown: 'no reply arrived, and the request may have been carried out or not',
  expired: 'the message expired before it could be sent',
  outboxFull: 'the outbox is full, and the message was not sent',
  tooLarge: 'the message is too large for the gateway',
  stopped: 'the client has stopped',
  notKept: 'the message could not be kept, and was not sent',
};

/** A request that failed, and why. */
export class HeraldError extends Error {
  /** @param {Failure} failure */
  constructor(failure) {
    super(failure.message ?? MESSAGES[failure.kind]);
    this.name = 'HeraldError';
    this.kind = failure.kind;
    this.code = 'code' in failure ? failure.code : undefined;
    this.eventIds = 'eventIds' in failure ? failure.eventIds : undefined;
    this.retryable = isRetryable(failure);
  }
}

/** Returns true if the same request may succeed later. @param {Failure} error */
export function isRetryable(error) {
  return error.kind === 'server' ? error.retryable : error.kind !== 'tooLarge' && error.kind !== 'stopped';
}

/**
 * Returns true if the request exceeded a rate limit, and was not carried out.
 *
 * @param {Failure} error
 */
export function isThrottled(error) {
  return (error.kind === 'server' || error.kind === 'gateway') && error.code === 'throttled';
}

/** Returns true if the server does not know the connection any more. @param {Failure} error */
export function isUnknownConnection(error) {
  return error.kind === 'server' && error.code === 'unknown_connection';
}

/** Returns true if the frame does not have the form that the server demands. @param {Failure} error */
export function isBadRequest(error) {
  return (
    (error.kind === 'server' && error.code === 'bad_request') ||
    (error.kind === 'gateway' && error.code === 'badRequest')
  );
}
