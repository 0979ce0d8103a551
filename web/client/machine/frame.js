/**
 * The meaning of a text from the server.
 *
 * A field of an unexpected type counts as absent: a newer server may send more than this client knows.
 *
 * @module frame
 */

/** @import { Failure, GatewayCode } from '../../herald-client.js' */
/** @import { Frame, Route } from './signals.js' */

/**
 * A text from the server, read: the reply to a request, an error that does not name its request, a push, a goodbye, or
 * nothing to act on, such as a `pong`.
 *
 * @typedef {{ kind: 'reply', id: number, reply: Frame }
 *   | { kind: 'failure', id: number | undefined, error: Failure }
 *   | { kind: 'push', push: Frame }
 *   | { kind: 'disconnect', reconnect: boolean, code: string | null, reason: string | null }
 *   | { kind: 'nothing' }} Meaning
 */

/** @type {Map<unknown, GatewayCode>} */
const GATEWAY_CODES = new Map([
  ['Internal server error', 'internal'],
  ['Endpoint request timed out', 'timeout'],
  ['Too Many Requests', 'throttled'],
  ['Forbidden', 'forbidden'],
  ['Bad request body', 'badRequest'],
]);

/** @param {string} text @returns {Meaning} */
export function read(text) {
  const frame = parse(text) ?? {};
  const id = requestNumber(frame);
  switch (textOf(frame.type)) {
    case undefined: {
      const error = gatewayError(frame);
      return error ? { kind: 'failure', id: undefined, error } : { kind: 'nothing' };
    }
    case 'pong':
      return { kind: 'nothing' };
    case 'ack':
      return id === undefined ? { kind: 'nothing' } : { kind: 'reply', id, reply: frame };
    case 'error':
      return { kind: 'failure', id, error: serverError(frame) };
    case 'disconnect': {
      const [code, reason] = [textOf(frame.code) ?? null, textOf(frame.reason) ?? null];
      return { kind: 'disconnect', reconnect: frame.reconnect !== false, code, reason };
    }
    case 'message':
      return id === undefined ? { kind: 'push', push: frame } : { kind: 'reply', id, reply: frame };
    default:
      return { kind: 'push', push: frame };
  }
}

/** Returns the `eventId`s that a reply names. @param {Frame} reply @returns {unknown[]} */
export function eventIdsOf({ eventId, eventIds }) {
  return [eventId, ...listOf(eventIds)];
}

/**
 * Returns the results of a `subscribe` to several entities: for each the reason it is not subscribed to, or `undefined`
 * if it is. An entity that the reply does not hold has no reply.
 *
 * @param {Frame} reply
 * @param {string[]} entities
 * @returns {(Failure | undefined)[]}
 */
export function resultsOf(reply, entities) {
  const results = objectOf(reply.entities) ?? {};
  return entities.map((entity) => {
    const result = Object.hasOwn(results, entity) ? objectOf(results[entity]) : undefined;
    if (result && !Object.hasOwn(result, 'error')) return undefined;
    const error = objectOf(result?.error);
    return error ? serverError(error) : { kind: 'outcomeUnknown' };
  });
}

/**
 * Returns the milliseconds from one ping to the next that the acknowledgement of a subscription demands. `undefined` if
 * it demands none.
 *
 * @param {Frame} reply
 */
export function keepAliveOf({ keepAlive }) {
  return Number.isInteger(keepAlive) && Number(keepAlive) >= 1 ? Number(keepAlive) * 1000 : undefined;
}

/** @param {Frame} push @returns {Route} */
export function routeOf({ type, entityId }) {
  if (typeof entityId === 'string') return 'entity';
  if (type === 'User Push Notification') return 'notifications';
  return type === 'Broadcast' || type === 'message' ? 'broadcasts' : 'other';
}

/** Returns the object that a text is. `undefined` if it is no JSON, or another value. @param {string} text */
function parse(text) {
  try {
    return objectOf(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/**
 * Returns the number of a request. `undefined` if the `id` is not written as this client writes it.
 *
 * @param {Frame} frame
 */
function requestNumber({ id }) {
  return String(Number(id)) === id ? Number(id) : undefined;
}

/**
 * Returns the error of API Gateway, whose own frames have no `type`.
 *
 * @param {Frame} frame
 * @returns {Failure | undefined}
 */
function gatewayError(frame) {
  const message = textOf(frame.message);
  const isOfTheGateway = (textOf(frame.connectionId) ?? textOf(frame.requestId)) !== undefined;
  if (message === undefined || !isOfTheGateway) return undefined;
  return { kind: 'gateway', code: GATEWAY_CODES.get(message) ?? 'other', message };
}

/** @param {Frame} frame @returns {Failure} */
export function serverError({ code, message, retryable, eventIds }) {
  const ids = listOf(eventIds).map((eventId) => textOf(eventId) ?? null);
  return {
    kind: 'server',
    code: textOf(code) ?? '',
    message: textOf(message) ?? '',
    retryable: retryable === true,
    ...(ids.length > 0 && { eventIds: ids }),
  };
}

/** @param {unknown} field */
function textOf(field) {
  return typeof field === 'string' ? field : undefined;
}

/** @param {unknown} field @returns {unknown[]} */
function listOf(field) {
  return Array.isArray(field) ? field : [];
}

/** @param {unknown} field @returns {Record<string, unknown> | undefined} */
export function objectOf(field) {
  const isObject = typeof field === 'object' && field !== null && !Array.isArray(field);
  return isObject ? /** @type {Record<string, unknown>} */ (field) : undefined;
}
