/**
 * Requests: from the outbox to a socket, and from a reply to the application.
 *
 * @module requests
 */

import { isRetryable, isThrottled, isUnknownConnection } from '../error.js';
import { authenticateLater, disconnect, renew, stop } from './connecting.js';
import { ownAcknowledged } from './continuity.js';
import { eventIdsOf, read } from './frame.js';
import { askLater, watch } from './gaps.js';
import { noteReceived, pingUnlessAnswered } from './keep-alive.js';
import { post, UNSUPPORTED } from './polling.js';
import { presenceArrived, presenceFailed, snapshotArrived } from './presence.js';
import { pushed } from './pushes.js';
import { bytesOf, withId } from './signals.js';
import { sendEntityRequest, subscribeAnswered, subscribeFailed, unsubscribeAnswered } from './subscribing.js';
import { historyAnswered, historyFailed, readOn, sendFirstSync, sendSyncs, syncAnswered, syncFailed } from './syncing.js';

/** @import { Failure } from '../../herald-client.js' */
/** @import { Machine } from '../machine.js' */
/** @import { Link, Request } from './link.js' */
/** @import { Log } from './log.js' */
/** @import { QueuedMessage } from './outbox.js' */
/** @import { Frame, Input, Target } from './signals.js' */

/** @param {Machine} machine @param {Extract<Input, { kind: 'send' }>} input */
export function send(machine, { request, frame, safeToRepeat = false, timeToLive = machine.rules.timeToLive }) {
  if (machine.refusesRequests) return machine.reject(request, { kind: 'stopped' });
  // The id is not known yet, but no later one is shorter.
  const body = JSON.stringify(frame);
  const bytes = bytesOf(withId(body, machine.requests + 1));
  if (bytes > machine.rules.messageLimit) return machine.reject(request, { kind: 'tooLarge' });
  const target = targetOf(frame);
  const { action } = frame;
  machine.outbox.put({ request, action, body, target, safeToRepeat, expiresAt: machine.now + timeToLive });
  sendPending(machine);
  enforceOutboxLimit(machine);
}

/** Returns the audience of a message. @param {Frame} frame @returns {Target | undefined} */
function targetOf({ action, entityId, broadcast }) {
  if (action !== 'sendMessage') return undefined;
  if (typeof entityId === 'string') return { to: 'entity', entity: entityId };
  return broadcast === true ? { to: 'broadcasts' } : undefined;
}

/**
 * Refuses a message if the outbox is over its limit. It runs after sending, since a message that is sent at once needs
 * no place.
 *
 * @param {Machine} machine
 */
function enforceOutboxLimit(machine) {
  const { outbox, rules } = machine;
  if (outbox.length <= rules.outboxLimit) return;
  const refused = rules.outboxFull === 'dropOldest' ? outbox.takeFirst() : outbox.takeLast();
  machine.reject(refused.request, { kind: 'outboxFull' });
}

/** Sends subscriptions, what logs need, and the outbox, up to the limit of requests in flight. @param {Machine} machine */
export function sendPending(machine) {
  for (const link of machine.linksInUse) {
    const hasRoom = () => link.inFlight.size < machine.rules.inFlightLimit;
    sendFirstSync(machine, link);
    while (link.toCheck.size > 0 && hasRoom()) sendEntityRequest(machine, link);
    if (link !== machine.current) continue;
    sendSyncs(machine, link);
    while (machine.toRead.size > 0 && hasRoom()) readOn(machine, link, first(machine.toRead));
    if (machine.outboxIsPaused) continue;
    // HTTP requests may overtake each other, so a link that polls sends one message after the other.
    const maySend = () => hasRoom() && !(link.isPolling && link.oldestSend < Infinity);
    while (machine.outbox.length > 0 && maySend()) sendMessage(machine, link, machine.outbox.takeFirst());
  }
}

/** @param {Machine} machine @param {Link} link @param {QueuedMessage} message */
function sendMessage(machine, link, message) {
  const isSupported = !link.isPolling || message.action === 'sendMessage';
  if (!isSupported) return machine.reject(message.request, { kind: 'server', ...UNSUPPORTED });
  sendRequest(machine, link, { action: 'sendMessage', message }, message.body);
}

/** Returns the first item of a set that is not empty. @template T @param {Set<T>} items */
function first(items) {
  const [item] = items;
  return item;
}

/** @param {Machine} machine @param {Link} link @param {Request} request @param {string} body */
export function sendRequest(machine, link, request, body) {
  const id = ++machine.requests;
  link.inFlight.set(id, request);
  const timesOutAt = machine.now + machine.rules.replyTimeout;
  machine.timers.set(`reply ${id}`, timesOutAt, () => timeOutRequest(machine, link, id));
  if (link.isPolling) return post(machine, link, id, request.action, body);
  pingUnlessAnswered(machine, link);
  machine.perform({ kind: 'send', socket: link.socket, text: withId(body, id) });
}

/** @param {Machine} machine @param {Link} link @param {string} text */
export function received(machine, link, text) {
  const { awaitsPong } = link;
  noteReceived(machine, link);
  const meaning = read(text);
  switch (meaning.kind) {
    case 'reply':
      return answered(machine, link, meaning.id, meaning.reply);
    case 'failure':
      return failed(machine, link, meaning.id ?? (awaitsPong ? undefined : onlyRequest(link)), meaning.error);
    case 'push':
      if (meaning.push.type === 'presence') return presenceArrived(machine, meaning.push);
      return pushed(machine, link, meaning.push);
    case 'disconnect':
      if (meaning.reconnect) return disconnect(machine, link);
      return stop(machine, { kind: 'disconnected', code: meaning.code, reason: meaning.reason });
  }
}

/** Returns the only request in flight, to which an error without an `id` belongs. @param {Link} link */
function onlyRequest({ inFlight }) {
  const [id] = inFlight.keys();
  return inFlight.size === 1 ? id : undefined;
}

/** @param {Machine} machine @param {Link} link @param {number} id @param {Frame} reply */
export function answered(machine, link, id, reply) {
  for (const eventId of eventIdsOf(reply)) machine.repeats.insert(eventId);
  const request = takeRequest(machine, link, id);
  switch (request?.action) {
    case 'subscribe':
      return subscribeAnswered(machine, link, request, reply);
    case 'unsubscribe':
      return unsubscribeAnswered(machine, link, request.entity);
    case 'sync':
      return syncAnswered(machine, link, request.asked, reply);
    case 'history':
      return historyAnswered(machine, request.asked[0], reply);
    case 'presence':
      return snapshotArrived(machine, request.entity, reply.presence);
    case 'authenticate':
      return link.authentication.reset();
    case 'sendMessage':
      machine.throttling.reset();
      machine.perform({ kind: 'resolve', request: request.message.request, reply });
      if (request.message.target) ownAcknowledged(machine, request.message.target, reply);
  }
}

/**
 * Handles the error of a request, or of one that the frame does not name.
 *
 * @param {Machine} machine
 * @param {Link} link
 * @param {number | undefined} id
 * @param {Failure} error
 */
export function failed(machine, link, id, error) {
  if (error.kind === 'server') for (const eventId of error.eventIds ?? []) machine.repeats.insert(eventId);
  const request = takeRequest(machine, link, id);
  if (isUnknownConnection(error)) connectionUnknown(machine, link, request);
  else if (request) requestFailed(machine, link, request, error);
}

/**
 * Replaces a connection that the server does not know any more. The server did not carry out the request.
 *
 * @param {Machine} machine
 * @param {Link} link
 * @param {Request | undefined} request
 */
function connectionUnknown(machine, link, request) {
  if (request?.action === 'sendMessage') machine.outbox.put(request.message);
  disconnect(machine, link);
}

/** @param {Machine} machine @param {Link} link @param {Request} request @param {Failure} error */
function requestFailed(machine, link, request, error) {
  switch (request.action) {
    case 'subscribe':
      return subscribeFailed(machine, link, request, error);
    case 'unsubscribe':
      return unsubscribeAnswered(machine, link, request.entity);
    case 'sync':
      return syncFailed(machine, request.asked, error);
    case 'history':
      return historyFailed(machine, request.asked[0], error);
    case 'presence':
      return presenceFailed(machine, request.entity, error);
    case 'authenticate':
      if (isRetryable(error)) return authenticateLater(machine, link);
      if (link === machine.current) renew(machine);
      return;
    case 'sendMessage':
      if (isThrottled(error)) return requeueLater(machine, request.message);
      return machine.reject(request.message.request, error);
  }
}

/**
 * Requeues a message that was not carried out, or may be repeated, and pauses the outbox.
 *
 * @param {Machine} machine
 * @param {QueuedMessage} message
 */
export function requeueLater(machine, message) {
  machine.outbox.put(message);
  if (machine.outboxIsPaused) return;
  machine.outboxIsPaused = true;
  machine.timers.set('outbox', machine.now + machine.throttling.next(machine.rules, machine.random()), () => {
    machine.outboxIsPaused = false;
  });
}

/**
 * Ends a request without a reply, on a link that stays open. One that polls ends, unless the request is a message, or
 * the link lingers.
 *
 * @param {Machine} machine
 * @param {Link} link
 * @param {number} id
 */
export function timeOutRequest(machine, link, id) {
  const isMessage = link.inFlight.get(id)?.action === 'sendMessage';
  if (link.isPolling && !isMessage && !machine.lingering.includes(link)) return disconnect(machine, link);
  const request = takeRequest(machine, link, id);
  if (request?.action === 'sendMessage') requeueOrReject(machine, request.message);
  else if (request) requestFailed(machine, link, request, { kind: 'outcomeUnknown' });
}

/**
 * Ends the requests of links that ended. The next link subscribes and authenticates again.
 *
 * @param {Machine} machine
 * @param {Link[]} links
 */
export function endRequests(machine, links) {
  for (const { message } of takeMessages(machine, links)) requeueOrReject(machine, message);
}

/**
 * Removes all requests of links. Returns the messages among them, in the order in which they were sent.
 *
 * @param {Machine} machine
 * @param {Link[]} links
 */
export function takeMessages(machine, links) {
  const all = links.flatMap((link) => Array.from(link.inFlight.keys(), (id) => ({ link, id })));
  all.sort((one, other) => one.id - other.id);
  const requests = all.map(({ link, id }) => takeRequest(machine, link, id));
  const asked = requests.flatMap((request) => (request && 'asked' in request ? request.asked : []));
  const jitter = machine.random();
  for (const { log } of asked) askOnNextLink(machine, log, jitter);
  return requests.filter((request) => request?.action === 'sendMessage');
}

/**
 * Plans anew what a link that ended was asked for. The next one recovers every position, so that only what is known to
 * be missing is asked for, and a first position that no subscription tells.
 *
 * @param {Machine} machine
 * @param {Log} log
 * @param {number} jitter
 */
function askOnNextLink(machine, log, jitter) {
  if (log.isStarting && log.audience.to !== 'entity') askLater(machine, log, jitter);
  else watch(machine, log);
}

/**
 * Requeues a message whose outcome is unknown if that is safe, and rejects it otherwise.
 *
 * @param {Machine} machine
 * @param {QueuedMessage} message
 */
function requeueOrReject(machine, message) {
  if (message.safeToRepeat) machine.outbox.put(message);
  else machine.reject(message.request, { kind: 'outcomeUnknown' });
}

/** @param {Machine} machine @param {Link} link @param {number | undefined} id */
export function takeRequest({ timers }, { inFlight }, id) {
  if (id === undefined) return undefined;
  const request = inFlight.get(id);
  if (inFlight.delete(id)) timers.cancel(`reply ${id}`);
  return request;
}
