/**
 * Polling: HTTP requests that read the logs and send messages, in the place of a WebSocket.
 *
 * A link that polls is a link like any other. Its requests are POSTs, `sync` takes the place of `subscribe`, and in the
 * place of pushes there is a `sync` of every position from time to time.
 *
 * @module polling
 */

import { disconnect, opened, refused } from './connecting.js';
import { objectOf, read } from './frame.js';
import { answered, failed, requeueLater, takeRequest, timeOutRequest } from './requests.js';
import { withId } from './signals.js';
import { syncAll } from './syncing.js';

/** @import { Failure } from '../../herald-client.js' */
/** @import { Machine } from '../machine.js' */
/** @import { Asked, Link, Request } from './link.js' */
/** @import { Frame, Input } from './signals.js' */

/** The longest pause between polls that the server demands. */
const LONGEST_PAUSE = 15_000;

/** The error of what a client that polls cannot do. */
export const UNSUPPORTED = /** @type {const} */ ({
  code: 'unsupported',
  message: 'the client polls, and can only read logs from a position: use a WebSocket, or the parameter History',
  retryable: false,
});

/** @type {Failure} */
const THROTTLED = { kind: 'gateway', code: 'throttled', message: 'Too Many Requests' };

/** @param {Machine} machine @param {Link} link @param {number} request @param {Request['action']} action @param {string} body */
export function post(machine, { socket, token }, request, action, body) {
  const path = action === 'sendMessage' ? 'messages' : 'poll';
  machine.perform({ kind: 'post', socket, request, path, token, text: withId(body, request) });
}

/**
 * Handles the answer to a request. Without an answer the link is broken, except for a message: its outcome is unknown.
 *
 * @param {Machine} machine
 * @param {Link} link
 * @param {Extract<Input, { kind: 'answered' }>} input
 */
export function postAnswered(machine, link, { request: id, status, text = '' }) {
  const request = link.inFlight.get(id);
  if (!request) return;
  const isMessage = request.action === 'sendMessage';
  if (status === 401 || (status === 403 && !isMessage)) return unauthorized(machine, link, id, status);
  const meaning = read(text);
  if (meaning.kind === 'reply') {
    if (!isMessage) pollLater(machine, link, Number(meaning.reply.pollAfter));
    return request.action === 'open' ? openedByPoll(machine, link, id) : answered(machine, link, id, meaning.reply);
  }
  const error = meaning.kind === 'failure' ? meaning.error : status === 429 ? THROTTLED : undefined;
  if (!error || request.action === 'open') return unanswered(machine, link, id);
  if (!isMessage) pollLater(machine, link, Math.min(2 * link.pollAfter, LONGEST_PAUSE));
  failed(machine, link, id, error);
}

/** @param {Machine} machine @param {Link} link @param {number} id */
function unanswered(machine, link, id) {
  const request = link.inFlight.get(id);
  if (request?.action !== 'sendMessage' || !request.message.safeToRepeat) return timeOutRequest(machine, link, id);
  takeRequest(machine, link, id);
  requeueLater(machine, request.message);
}

/** @param {Machine} machine @param {Link} link @param {number} id */
function openedByPoll(machine, link, id) {
  takeRequest(machine, link, id);
  opened(machine, link);
}

/**
 * Counts a refused authorisation. The server did not carry out the request, so a message goes back to the outbox.
 *
 * @param {Machine} machine
 * @param {Link} link
 * @param {number} id
 * @param {number} status
 */
function unauthorized(machine, link, id, status) {
  const request = link.inFlight.get(id);
  if (request?.action === 'sendMessage') {
    takeRequest(machine, link, id);
    machine.outbox.put(request.message);
  }
  machine.perform({ kind: 'closeSocket', socket: link.socket });
  refused(machine, link, status);
}

/**
 * Polls after a pause. The random addition keeps clients that started together apart.
 *
 * @param {Machine} machine
 * @param {Link} link
 * @param {number} pause the pause that the server demands. 0, and anything that is no pause, repeats the last one: what
 *   waits on the server is asked for by its own request.
 */
function pollLater(machine, link, pause) {
  if (pause > 0) link.pollAfter = pause;
  const delay = Math.round(link.pollAfter * (1 + 0.1 * machine.random()));
  machine.timers.set(`poll ${link.socket}`, machine.now + delay, () => poll(machine, link));
}

/** Compares every position, unless that is in progress. @param {Machine} machine @param {Link} link */
export function poll(machine, link) {
  if (!syncAll(machine, link)) pollLater(machine, link, link.pollAfter);
}

/**
 * Returns the reply to a `sync` in the form of one to a `subscribe` to several entities.
 *
 * @param {Asked[]} asked
 * @param {string[]} entities
 * @param {Frame} reply
 * @returns {Frame}
 */
export function asAcknowledgement(asked, entities, reply) {
  const results = objectOf(reply.entities) ?? {};
  const acknowledged = entities.map((entity, index) => {
    const result = Object.hasOwn(results, entity) ? objectOf(results[entity]) : undefined;
    return [entity, asResult(asked[index], result)];
  });
  return { entities: Object.fromEntries(acknowledged) };
}

/** @param {Asked} asked @param {Frame | undefined} result absent if the client is current. */
function asResult({ log, position }, result) {
  if (!result) return position && { ...position, top: position.offset, recovered: true };
  const isSupported = result.offset !== undefined && log.rewind === undefined;
  return result.error || isSupported ? result : { error: UNSUPPORTED };
}
