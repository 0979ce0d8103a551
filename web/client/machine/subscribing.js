/**
 * Subscriptions of the application, established on every connection.
 *
 * @module subscribing
 */

import { isBadRequest, isRetryable, isThrottled, isUnknownConnection } from '../error.js';
import { disconnect } from './connecting.js';
import { resultsOf } from './frame.js';
import { sendRequest } from './requests.js';
import { bytesOf } from './signals.js';

/** @import { Failure } from '../../herald-client.js' */
/** @import { Machine } from '../machine.js' */
/** @import { EntityState, Link } from './link.js' */
/** @import { Frame } from './signals.js' */

/** The most entities of one `subscribe`, and the most bytes of a frame: the server's limits. */
const ENTITIES_AT_ONCE = 100;
const SUBSCRIBE_LIMIT = 32 * 1024;

/** The most bytes of a `subscribe` beside its entities. */
const FRAME_WITHOUT_ENTITIES = 64;

/** @param {Machine} machine @param {string} entity @param {number} request */
export function subscribe(machine, entity, request) {
  if (machine.refusesRequests) return machine.reject(request, { kind: 'stopped' });
  machine.subscriptions.add(entity, request);
  if (machine.current?.entities.get(entity)?.state === 'subscribed') resolveSubscribers(machine, entity);
  recheck(machine, entity);
}

/** @param {Machine} machine @param {string} entity */
export function unsubscribe(machine, entity) {
  machine.subscriptions.release(entity);
  recheck(machine, entity);
}

/**
 * Marks an entity whose state may not be the wanted one, on every link.
 *
 * @param {Machine} machine
 * @param {string} entity
 */
function recheck(machine, entity) {
  for (const link of machine.linksInUse) link.toCheck.add(entity);
}

/**
 * Sends the next request about entities, if one is needed: a `subscribe` to as many as fit, or an `unsubscribe`.
 *
 * @param {Machine} machine
 * @param {Link} link
 */
export function sendEntityRequest(machine, link) {
  const batch = new Batch(link.oneByOne);
  for (const entity of link.toCheck) {
    const change = changeOf(machine, link, entity);
    const isNext = change === 'unsubscribe' ? batch.isEmpty : batch.hasRoomFor(entity);
    if (change && !isNext) break;
    link.toCheck.delete(entity);
    if (change === 'unsubscribe') return sendUnsubscribe(machine, link, entity);
    if (!change) continue;
    link.entities.set(entity, { state: 'subscribing', backOff: link.backOffOf(entity) });
    batch.add(entity);
  }
  const { entities, body } = batch;
  if (!batch.isEmpty) sendRequest(machine, link, { action: 'subscribe', entities }, body);
}

/**
 * Returns the request that an entity needs. `undefined` if it needs none, or if one about it is in flight.
 *
 * @param {Machine} machine
 * @param {Link} link
 * @param {string} entity
 * @returns {'subscribe' | 'unsubscribe' | undefined}
 */
function changeOf({ subscriptions }, link, entity) {
  const state = link.entities.get(entity)?.state;
  if (subscriptions.wants(entity)) return state === undefined || state === 'retrying' ? 'subscribe' : undefined;
  return state === undefined || state === 'subscribing' || state === 'unsubscribing' ? undefined : 'unsubscribe';
}

/** @param {Machine} machine @param {Link} link @param {string} entity */
function sendUnsubscribe(machine, link, entity) {
  link.retries.delete(entity);
  scheduleRetries(machine, link);
  link.entities.set(entity, { state: 'unsubscribing', backOff: link.backOffOf(entity) });
  sendRequest(machine, link, { action: 'unsubscribe', entity }, requestAbout('unsubscribe', entity));
}

/**
 * @param {Machine} machine
 * @param {Link} link
 * @param {string[]} entities
 * @param {Frame} reply
 */
export function subscribeAnswered(machine, link, entities, reply) {
  const errors = entities.length === 1 ? [undefined] : resultsOf(reply, entities);
  if (errors.some((error) => error && isUnknownConnection(error))) return disconnect(machine, link);
  entitiesAnswered(machine, link, entities, errors);
}

/**
 * @param {Machine} machine
 * @param {Link} link
 * @param {string[]} entities
 * @param {Failure} error
 */
export function subscribeFailed(machine, link, entities, error) {
  if (entities.length > 1 && isBadRequest(error)) return subscribeOneByOne(machine, link, entities);
  entitiesAnswered(machine, link, entities, entities.map(() => error));
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
 * @param {Machine} machine
 * @param {Link} link
 * @param {string[]} entities
 * @param {(Failure | undefined)[]} errors one for each entity.
 */
function entitiesAnswered(machine, link, entities, errors) {
  // The same for all, so that entities that failed together are retried together.
  const jitter = machine.random();
  entities.forEach((entity, index) => entityAnswered(machine, link, entity, errors[index], jitter));
}

/**
 * @param {Machine} machine
 * @param {Link} link
 * @param {string} entity
 * @param {Failure | undefined} error
 * @param {number} jitter the random share of the delay, if there is a retry.
 */
function entityAnswered(machine, link, entity, error, jitter) {
  if (!error) {
    updateState(machine, link, entity, 'subscribed');
    return resolveSubscribers(machine, entity);
  }
  // A link that is not in use has a successor with every subscription.
  if (!machine.linksInUse.includes(link)) return;
  if (shouldRetry(machine, entity, error)) return retryLater(machine, link, entity, jitter);
  subscriptionFailed(machine, link, entity, error);
}

/** @param {Machine} machine @param {string} entity @param {Failure} error */
function shouldRetry({ subscriptions }, entity, error) {
  const mayRetry = isThrottled(error) || (subscriptions.isEstablished(entity) && isRetryable(error));
  return subscriptions.wants(entity) && mayRetry;
}

/** @param {Machine} machine @param {string} entity */
function resolveSubscribers(machine, entity) {
  for (const request of machine.subscriptions.acknowledged(entity)) machine.perform({ kind: 'resolve', request });
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
function subscriptionFailed(machine, link, entity, error) {
  // Without a refusal by the server itself, the subscription may have been stored.
  updateState(machine, link, entity, error.kind === 'server' ? undefined : 'subscribed');
  const wasEstablished = machine.subscriptions.isEstablished(entity);
  for (const request of machine.subscriptions.remove(entity)) machine.reject(request, error);
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
  const entry = { state: state ?? 'retrying', backOff: link.backOffOf(entity) };
  if (state) link.entities.set(entity, entry);
  else link.entities.delete(entity);
  if (machine.linksInUse.includes(link)) link.toCheck.add(entity);
  return entry;
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
    const fits = this.entities.length < this.#limit && this.#bytes + bytesOfEntity(entity) <= SUBSCRIBE_LIMIT;
    return this.isEmpty || fits;
  }

  /** @param {string} entity */
  add(entity) {
    this.#bytes += bytesOfEntity(entity);
    this.entities.push(entity);
  }

  /** The JSON of the request, without an id. Every server knows the form for one entity. */
  get body() {
    if (this.entities.length === 1) return requestAbout('subscribe', this.entities[0]);
    const entities = Object.fromEntries(this.entities.map((entity) => [entity, {}]));
    return JSON.stringify({ action: 'subscribe', entities });
  }
}

/** @param {'subscribe' | 'unsubscribe'} action @param {string} entity */
function requestAbout(action, entity) {
  return JSON.stringify({ action, entityId: entity });
}

/** Returns the bytes of `"entity":{},` in a frame. @param {string} entity */
function bytesOfEntity(entity) {
  return bytesOf(JSON.stringify(entity)) + ':{},'.length;
}
