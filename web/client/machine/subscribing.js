/**
 * Subscriptions of the application, established on every connection.
 *
 * @module subscribing
 */

import { isBadRequest, isRetryable, isThrottled, isUnknownConnection } from '../error.js';
import { Batch } from './batch.js';
import { disconnect } from './connecting.js';
import { endLog, logAnswered } from './continuity.js';
import { keepAliveOf, resultsOf } from './frame.js';
import { endSession } from './gaps.js';
import { noteKeepAlive } from './keep-alive.js';
import { asAcknowledgement } from './polling.js';
import { positionOf, positionOfMessage } from './positions.js';
import { asksForPresence, endPresence, joinPresence, leavePresence, mayRefusePresence, polled, refusePresence, snapshotArrived } from './presence.js';
import { whenOwnAreKnown } from './pushes.js';
import { sendRequest } from './requests.js';

/** @import { Failure, Position } from '../../herald-client.js' */
/** @import { Machine } from '../machine.js' */
/** @import { Asked, EntityState, Link, Request } from './link.js' */
/** @import { Log } from './log.js' */
/** @import { Frame, Subscriber } from './signals.js' */

/** @param {Machine} machine @param {Subscriber} subscriber */
export function subscribe(machine, { request, entity, recover, rewind, presence = false }) {
  if (machine.refusesRequests) return machine.reject(request, { kind: 'stopped' });
  machine.subscriptions.add(entity, request, presence);
  if (presence) joinPresence(machine, entity);
  if (!machine.logs.at('entity', entity)) beginSession(machine, entity, recover, rewind);
  const { current } = machine;
  if (current?.entities.get(entity)?.state === 'subscribed') {
    resolveSubscribers(machine, current, entity, machine.logs.at('entity', entity)?.position);
  }
  recheck(machine, entity);
}

/**
 * Begins the session of an entity's first subscriber. If the last session has not unsubscribed yet, its subscription
 * serves this one too, unless there is a log, which must tell where this session starts.
 *
 * @param {Machine} machine
 * @param {string} entity
 * @param {Position} [recover]
 * @param {number} [rewind]
 */
function beginSession(machine, entity, recover, rewind) {
  const log = machine.logs.insert(entity);
  log.position = recover;
  log.rewind = rewind;
  for (const link of machine.linksInUse) {
    const entry = link.entities.get(entity);
    if (entry?.state === 'subscribed' && (entry.hasLog || recover || rewind)) updateState(machine, link, entity, 'retrying');
    else if (entry?.state === 'subscribed') log.isStarting = false;
  }
}

/** @param {Machine} machine @param {{ entity: string, presence?: boolean }} subscriber */
export function unsubscribe(machine, { entity, presence }) {
  machine.subscriptions.release(entity);
  if (presence) leavePresence(machine, entity);
  if (!machine.subscriptions.wants(entity)) endSession(machine, entity);
  recheck(machine, entity);
}

/**
 * Marks an entity whose state may not be the wanted one, on every link.
 *
 * @param {Machine} machine
 * @param {string} entity
 */
export function recheck(machine, entity) {
  for (const link of machine.linksInUse) link.toCheck.add(entity);
}

/**
 * Sends the next request about entities, if one is needed: a `subscribe` to as many as fit, or an `unsubscribe`.
 *
 * @param {Machine} machine
 * @param {Link} link
 */
export function sendEntityRequest(machine, link) {
  const batch = new Batch(link.oneByOne ? { limit: 1 } : {});
  /** @type {Asked[]} */
  const asked = [];
  for (const entity of link.toCheck) {
    const change = changeOf(machine, link, entity);
    const log = machine.logs.at('entity', entity);
    const presence = asksForPresence(machine, link, entity);
    const start = { ...(log && startOf(link, log)), ...(presence && { presence }) };
    const isNext = change === 'unsubscribe' ? batch.isEmpty : batch.hasRoomFor(entity, start);
    if (change && !isNext) break;
    link.toCheck.delete(entity);
    if (change === 'unsubscribe') return sendUnsubscribe(machine, link, entity);
    if (!change || !log) continue;
    const isSubscribed = link.entities.get(entity)?.state === 'subscribed';
    link.entities.set(entity, { state: 'subscribing', backOff: link.backOffOf(entity) });
    batch.add(entity, start);
    asked.push({ log, position: log.position, presence, isSubscribed });
  }
  if (batch.isEmpty) return;
  const { ids } = batch;
  sendRequest(machine, link, { action: 'subscribe', entities: ids, asked }, bodyOf(link, batch));
}

/** Returns the place from which a `subscribe` starts, or a poll. @param {Link} link @param {Log} log */
function startOf({ isPolling }, { position, rewind }) {
  if (isPolling) return position ?? {};
  if (position) return { recover: position };
  return rewind === undefined ? {} : { rewind };
}

/**
 * Returns the JSON of a `subscribe`, or of a poll, without an id. Every server knows the form for one entity.
 *
 * @param {Link} link
 * @param {Batch} batch
 */
function bodyOf({ isPolling }, { ids, entities }) {
  if (isPolling) return JSON.stringify({ action: 'sync', entities });
  if (ids.length === 1) return requestAbout('subscribe', ids[0], entities[ids[0]]);
  return JSON.stringify({ action: 'subscribe', entities });
}

/**
 * Returns the request that an entity needs. `undefined` if it needs none, or if one about it is in flight.
 *
 * @param {Machine} machine
 * @param {Link} link
 * @param {string} entity
 * @returns {'subscribe' | 'unsubscribe' | undefined}
 */
function changeOf(machine, link, entity) {
  const { state, presence = false } = link.entities.get(entity) ?? {};
  if (machine.subscriptions.wants(entity)) {
    const differs = state === 'subscribed' && presence !== asksForPresence(machine, link, entity);
    return state === undefined || state === 'retrying' || differs ? 'subscribe' : undefined;
  }
  return state === undefined || state === 'subscribing' || state === 'unsubscribing' ? undefined : 'unsubscribe';
}

/** @param {Machine} machine @param {Link} link @param {string} entity */
function sendUnsubscribe(machine, link, entity) {
  link.retries.delete(entity);
  scheduleRetries(machine, link);
  if (link.isPolling) return void link.entities.delete(entity);
  link.entities.set(entity, { state: 'unsubscribing', backOff: link.backOffOf(entity) });
  sendRequest(machine, link, { action: 'unsubscribe', entity }, requestAbout('unsubscribe', entity));
}

/**
 * @param {Machine} machine
 * @param {Link} link
 * @param {Extract<Request, { action: 'subscribe' }>} request
 * @param {Frame} reply
 */
export function subscribeAnswered(machine, link, { entities, asked }, reply) {
  if (link.isPolling) reply = asAcknowledgement(asked, entities, reply);
  const isSingle = entities.length === 1 && !link.isPolling;
  const errors = isSingle ? [undefined] : resultsOf(reply, entities);
  if (errors.some((error) => error && isUnknownConnection(error))) return disconnect(machine, link);
  const answers = isSingle ? [reply] : entities.map((entity) => reply.entities?.[entity]);
  // The same for all, so that entities that failed together are retried together.
  const jitter = machine.random();
  const keepAlive = keepAliveOf(reply);
  errors.forEach((error, index) => {
    if (error) return entityFailed(machine, link, entities[index], asked[index], error, jitter);
    noteKeepAlive(machine, link, entities[index], keepAlive);
    entityAcknowledged(machine, link, entities[index], asked[index], answers[index], entities.length > 1);
  });
}

/**
 * @param {Machine} machine
 * @param {Link} link
 * @param {Extract<Request, { action: 'subscribe' }>} request
 * @param {Failure} error
 */
export function subscribeFailed(machine, link, { entities, asked }, error) {
  if (entities.length > 1 && isBadRequest(error)) return subscribeOneByOne(machine, link, entities);
  const jitter = machine.random();
  entities.forEach((entity, index) => entityFailed(machine, link, entity, asked[index], error, jitter));
}

/**
 * Subscribes to each entity alone, because the server does not support a `subscribe` to several, or because one of the
 * entities is invalid.
 *
 * @param {Machine} machine
 * @param {Link} link
 * @param {string[]} entities
 */
function subscribeOneByOne(machine, link, entities) {
  if (!machine.linksInUse.includes(link)) return;
  link.oneByOne = true;
  for (const entity of entities) link.entities.set(entity, { state: 'retrying', backOff: link.backOffOf(entity) });
  link.toCheck = new Set([...entities, ...link.toCheck]);
}

/**
 * Notes that the server has acknowledged an entity, and applies the answer of its log.
 *
 * @param {Machine} machine
 * @param {Link} link
 * @param {string} entity
 * @param {Asked} asked
 * @param {Frame} answer
 * @param {boolean} isShared true if the request named several entities.
 */
function entityAcknowledged(machine, link, entity, asked, answer, isShared) {
  const position = positionOf(answer);
  const log = machine.logs.at('entity', entity);
  const isOfThisSession = log === asked.log;
  if (log && !isOfThisSession && position && machine.linksInUse.includes(link)) {
    return void updateState(machine, link, entity, 'retrying');
  }
  const entry = updateState(machine, link, entity, 'subscribed');
  entry.hasLog = position !== undefined;
  entry.presence = asked.presence;
  if (link.isPolling) polled(machine, entity);
  else if (asked.presence) snapshotArrived(machine, entity, answer.presence, true);
  if (!log) return;
  resolveSubscribers(machine, link, entity, position && startingPoint(asked, answer, position));
  if (!position) return endLog(machine, log);
  const isRecovery = asked.position !== undefined && !asked.isSubscribed && link === machine.current;
  const request = { isAcknowledgement: true, isRecovery, isShared };
  if (isOfThisSession) whenOwnAreKnown(machine, log, answer, () => logAnswered(machine, asked, answer, request));
}

/**
 * Returns the position before the first message of an answer.
 *
 * @param {Asked} asked
 * @param {Frame} answer
 * @param {Position} position that of the answer.
 */
function startingPoint(asked, { messages }, position) {
  if (asked.position) return asked.position;
  const first = Array.isArray(messages) && messages.length > 0 ? positionOfMessage(messages[0]) : undefined;
  return first ? { ...first, offset: first.offset - 1 } : position;
}

/**
 * @param {Machine} machine
 * @param {Link} link
 * @param {string} entity
 * @param {Asked} asked
 * @param {Failure} error
 * @param {number} jitter the random share of the delay, if there is a retry.
 */
function entityFailed(machine, link, entity, { presence }, error, jitter) {
  // A link that is not in use has a successor with every subscription.
  if (!machine.linksInUse.includes(link)) return;
  if (presence && mayRefusePresence(error)) {
    updateState(machine, link, entity, 'retrying');
    return refusePresence(machine, entity, error);
  }
  if (shouldRetry(machine, entity, error)) return retryLater(machine, link, entity, jitter);
  subscriptionFailed(machine, link, entity, error);
}

/** @param {Machine} machine @param {string} entity @param {Failure} error */
function shouldRetry({ subscriptions }, entity, error) {
  const mayRetry = isThrottled(error) || (subscriptions.isEstablished(entity) && isRetryable(error));
  return subscriptions.wants(entity) && mayRetry;
}

/** @param {Machine} machine @param {Link} link @param {string} entity @param {Position | undefined} position */
function resolveSubscribers(machine, link, entity, position) {
  const isComplete = Boolean(link.entities.get(entity)?.presence) || !asksForPresence(machine, link, entity);
  for (const request of machine.subscriptions.acknowledged(entity, isComplete)) {
    machine.perform({ kind: 'resolve', request, ...(position && { position }) });
  }
}

/** @param {Machine} machine @param {Link} link @param {string} entity @param {number} jitter */
function retryLater(machine, link, entity, jitter) {
  const { backOff } = updateState(machine, link, entity, 'waitingToRetry');
  link.retries.set(entity, machine.now + backOff.next(machine.rules, jitter));
  scheduleRetries(machine, link);
}

/** @param {Machine} machine @param {Link} link */
function scheduleRetries(machine, link) {
  const timer = `subscribe ${link.socket}`;
  if (link.retries.size === 0) return machine.timers.cancel(timer);
  machine.timers.set(timer, Math.min(...link.retries.values()), () => retrySubscriptions(machine, link));
}

/** @param {Machine} machine @param {Link} link */
function retrySubscriptions(machine, link) {
  for (const [entity, at] of link.retries) {
    if (at > machine.now) continue;
    link.retries.delete(entity);
    updateState(machine, link, entity, 'retrying');
  }
  scheduleRetries(machine, link);
}

/**
 * Ends a subscription for all its subscribers.
 *
 * @param {Machine} machine
 * @param {Link} link
 * @param {string} entity
 * @param {Failure} error
 */
export function subscriptionFailed(machine, link, entity, error) {
  // Without a refusal by the server itself, the subscription may have been stored.
  updateState(machine, link, entity, error.kind === 'server' ? undefined : 'subscribed');
  const wasEstablished = machine.subscriptions.isEstablished(entity);
  for (const request of machine.subscriptions.remove(entity)) machine.reject(request, error);
  endSession(machine, entity);
  endPresence(machine, entity);
  if (wasEstablished) machine.perform({ kind: 'ended', entity, error });
  recheck(machine, entity);
}

/** @param {Machine} machine @param {Link} link @param {string} entity */
export function unsubscribeAnswered(machine, link, entity) {
  updateState(machine, link, entity, undefined);
}

/**
 * Sets the state of an entity on a link, or removes it, and marks the entity.
 *
 * @param {Machine} machine
 * @param {Link} link
 * @param {string} entity
 * @param {EntityState['state'] | undefined} state
 * @returns {EntityState}
 */
function updateState(machine, link, entity, state) {
  /** @type {EntityState} */
  const entry = { state: state ?? 'retrying', backOff: link.backOffOf(entity) };
  if (state) link.entities.set(entity, entry);
  else link.entities.delete(entity);
  if (!state) noteKeepAlive(machine, link, entity, undefined);
  if (machine.linksInUse.includes(link)) link.toCheck.add(entity);
  return entry;
}

/** @param {'subscribe' | 'unsubscribe'} action @param {string} entity @param {object} [start] */
function requestAbout(action, entity, start) {
  return JSON.stringify({ action, entityId: entity, ...start });
}
