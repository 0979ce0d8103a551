/**
 * Subscriptions of the application, established on every connection.
 *
 * @module subscribing
 */

import { isBadRequest, isRetryable, isThrottled, isUnknownConnection } from '../error.js';
import { breakOff } from './connecting.js';
import { resultsOf } from './frame.js';
import { sendRequest } from './requests.js';
import { bytesOf } from './signals.js';

/** @import { Failure } from '../../herald-client.js' */
/** @import { Machine } from '../machine.js' */
/** @import { Asked, Link } from './link.js' */
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
  if (machine.current?.asked.get(entity)?.state === 'subscribed') resolveSubscribers(machine, entity);
  settleAgain(machine, entity);
}

/** @param {Machine} machine @param {string} entity */
export function unsubscribe(machine, entity) {
  machine.subscriptions.release(entity);
  settleAgain(machine, entity);
}

/**
 * Makes every link compare what is wanted of an entity with what was asked.
 *
 * @param {Machine} machine
 * @param {string} entity
 */
function settleAgain(machine, entity) {
  for (const link of machine.linksInUse) link.toSettle.add(entity);
}

/**
 * Sends the next request about entities, if one is needed: a `subscribe` to as many as fit, or an `unsubscribe`.
 *
 * @param {Machine} machine
 * @param {Link} link
 */
export function settleEntities(machine, link) {
  const batch = new Batch(link.oneByOne);
  for (const entity of link.toSettle) {
    const need = needOf(machine, link, entity);
    const isNext = need === 'unsubscribe' ? batch.isEmpty : batch.hasRoomFor(entity);
    if (need && !isNext) break;
    link.toSettle.delete(entity);
    if (need === 'unsubscribe') return leave(machine, link, entity);
    if (!need) continue;
    link.asked.set(entity, { state: 'subscribing', backOff: link.backOffOf(entity) });
    batch.add(entity);
  }
  const { entities, body } = batch;
  if (!batch.isEmpty) sendRequest(machine, link, { action: 'subscribe', entities }, body);
}

/**
 * Returns the request that an entity needs. `undefined` if it needs none, or one about it is in flight.
 *
 * @param {Machine} machine
 * @param {Link} link
 * @param {string} entity
 * @returns {'subscribe' | 'unsubscribe' | undefined}
 */
function needOf({ subscriptions }, { asked }, entity) {
  const state = asked.get(entity)?.state;
  if (subscriptions.wants(entity)) return state === undefined || state === 'retrying' ? 'subscribe' : undefined;
  return state === undefined || state === 'subscribing' || state === 'unsubscribing' ? undefined : 'unsubscribe';
}

/** @param {Machine} machine @param {Link} link @param {string} entity */
function leave(machine, link, entity) {
  link.retries.delete(entity);
  scheduleRetries(machine, link);
  link.asked.set(entity, { state: 'unsubscribing', backOff: link.backOffOf(entity) });
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
  if (errors.some((error) => error && isUnknownConnection(error))) return breakOff(machine, link);
  entitiesAnswered(machine, link, entities, errors);
}

/**
 * @param {Machine} machine
 * @param {Link} link
 * @param {string[]} entities
 * @param {Failure} error
 */
export function subscribeFailed(machine, link, entities, error) {
  if (entities.length > 1 && isBadRequest(error)) return askOneByOne(machine, link, entities);
  entitiesAnswered(machine, link, entities, entities.map(() => error));
}

/**
 * Asks for each entity alone. The server does not know a `subscribe` to several, or one of the entities is not valid;
 * the replies tell which.
 *
 * @param {Machine} machine
 * @param {Link} link
 * @param {string[]} entities
 */
function askOneByOne(machine, link, entities) {
  if (!machine.linksInUse.includes(link)) return;
  link.oneByOne = true;
  for (const entity of entities) link.asked.set(entity, { state: 'retrying', backOff: link.backOffOf(entity) });
  link.toSettle = new Set([...entities, ...link.toSettle]);
}

/**
 * @param {Machine} machine
 * @param {Link} link
 * @param {string[]} entities
 * @param {(Failure | undefined)[]} errors one for each entity.
 */
function entitiesAnswered(machine, link, entities, errors) {
  // One for all, so that entities that failed together are asked for together.
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
    note(machine, link, entity, 'subscribed');
    return resolveSubscribers(machine, entity);
  }
  // The successor of a link that is not in use has every subscription.
  if (!machine.linksInUse.includes(link)) return;
  if (isWorthARetry(machine, entity, error)) return retryLater(machine, link, entity, jitter);
  subscriptionFailed(machine, link, entity, error);
}

/** @param {Machine} machine @param {string} entity @param {Failure} error */
function isWorthARetry({ subscriptions }, entity, error) {
  const mayRetry = isThrottled(error) || (subscriptions.isEstablished(entity) && isRetryable(error));
  return subscriptions.wants(entity) && mayRetry;
}

/** @param {Machine} machine @param {string} entity */
function resolveSubscribers(machine, entity) {
  for (const request of machine.subscriptions.acknowledged(entity)) machine.perform({ kind: 'resolve', request });
}

/** @param {Machine} machine @param {Link} link @param {string} entity @param {number} jitter */
function retryLater(machine, link, entity, jitter) {
  const { backOff } = note(machine, link, entity, 'waitingToRetry');
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
    note(machine, link, entity, 'retrying');
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
  note(machine, link, entity, error.kind === 'server' ? undefined : 'subscribed');
  const wasEstablished = machine.subscriptions.isEstablished(entity);
  for (const request of machine.subscriptions.remove(entity)) machine.reject(request, error);
  if (wasEstablished) machine.perform({ kind: 'ended', entity, error });
  settleAgain(machine, entity);
}

/** @param {Machine} machine @param {Link} link @param {string} entity */
export function unsubscribeAnswered(machine, link, entity) {
  note(machine, link, entity, undefined);
}

/**
 * Notes the state of an entity on a link, and has it compared with what is wanted.
 *
 * @param {Machine} machine
 * @param {Link} link
 * @param {string} entity
 * @param {Asked['state'] | undefined} state
 * @returns {Asked}
 */
function note(machine, link, entity, state) {
  const asked = { state: state ?? 'retrying', backOff: link.backOffOf(entity) };
  if (state) link.asked.set(entity, asked);
  else link.asked.delete(entity);
  if (machine.linksInUse.includes(link)) link.toSettle.add(entity);
  return asked;
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
