/**
 * Requests about logs: `sync` compares positions, and `history` reads on.
 *
 * @module syncing
 */

import { isRetryable } from '../error.js';
import { Batch } from './batch.js';
import { endLog, giveUp, isCurrent, logAnswered } from './continuity.js';
import { objectOf, serverError } from './frame.js';
import { askLater, askNow } from './gaps.js';
import { whenOwnAreKnown } from './pushes.js';
import { UNSUPPORTED } from './polling.js';
import { sendRequest } from './requests.js';
import { subscriptionFailed } from './subscribing.js';

/** @import { Failure } from '../../herald-client.js' */
/** @import { Machine } from '../machine.js' */
/** @import { Asked, Link } from './link.js' */
/** @import { Audience, Log } from './log.js' */
/** @import { Frame } from './signals.js' */

/**
 * Notes that the application reads an audience that needs no subscription.
 *
 * @param {Machine} machine
 * @param {Audience['to']} to
 */
export function follow(machine, to) {
  const log = machine.logs.at(to);
  if (!log || log.isFollowed) return;
  log.isFollowed = true;
  if (machine.current?.hasSynced && isToBeNamed(log)) askNow(machine, log);
}

/** @param {Log} log */
function isToBeNamed({ position, isFollowed, isAbsent }) {
  return position !== undefined || (isFollowed && !isAbsent);
}

/** Names the audiences that need no subscription, on a connection that is new. @param {Machine} machine @param {Link} link */
export function sendFirstSync(machine, link) {
  if (link.hasSynced) return;
  link.hasSynced = true;
  sendSync(machine, link, machine.logs.unsubscribed.filter(isToBeNamed));
}

/**
 * Compares the positions that are to be compared at once. A log that is read on without `history` has a `sync` of its own.
 *
 * @param {Machine} machine
 * @param {Link} link
 */
export function sendSyncs(machine, link) {
  for (const log of machine.toRead) {
    if (log.mayRead && !link.isPolling) continue;
    machine.toRead.delete(log);
    sendSync(machine, link, [log]);
  }
  for (let left = Array.from(machine.toSync); left.length > 0; ) left = sendSync(machine, link, left);
}

/** Sends a `history` that goes on from the position of a log. @param {Machine} machine @param {Link} link @param {Log} log */
export function readOn(machine, link, log) {
  machine.toRead.delete(log);
  const { audience, position } = log;
  const body = JSON.stringify({ action: 'history', ...nameOf(audience), since: position });
  sendRequest(machine, link, { action: 'history', asked: [{ log, position }] }, body);
}

/** @param {Audience} audience */
function nameOf(audience) {
  if (audience.to === 'entity') return { entityId: audience.entity };
  return audience.to === 'notifications' ? { user: true } : { everyone: true };
}

/**
 * Compares every position, in the place of a ping. It does not wait for room among the requests in flight.
 *
 * @param {Machine} machine
 * @param {Link} link
 * @returns {boolean} false if there is none to compare, or a `sync` is in flight already.
 */
export function syncAll(machine, link) {
  const { known } = machine.logs;
  const isSyncing = Array.from(link.inFlight.values()).some(({ action }) => action === 'sync');
  if (known.length === 0 || link !== machine.current || isSyncing) return false;
  for (let left = known; left.length > 0; ) left = sendSync(machine, link, left);
  return true;
}

/**
 * Sends one `sync` of as many logs as fit. Returns the others.
 *
 * @param {Machine} machine
 * @param {Link} link
 * @param {Log[]} logs
 * @returns {Log[]}
 */
function sendSync(machine, link, logs) {
  /** @type {Record<string, object | number>} */
  const beside = link.isPolling ? { pollAfter: link.pollAfter } : {};
  /** @type {{ entity: string, log: Log }[]} */
  const entities = [];
  for (const log of logs) {
    const { audience, position = {} } = log;
    if (audience.to === 'entity') entities.push({ entity: audience.entity, log });
    else beside[audience.to === 'notifications' ? 'user' : 'everyone'] = position;
  }
  const asked = logs.filter(({ audience }) => audience.to !== 'entity');
  const batch = new Batch({ beside });
  entities.sort((one, other) => compare(one.entity, other.entity));
  for (const { entity, log } of entities) {
    if (!batch.hasRoomFor(entity, log.position ?? {})) break;
    batch.add(entity, log.position ?? {});
    asked.push(log);
  }
  if (asked.length > 0) send(machine, link, asked, { ...(batch.isEmpty ? {} : { entities: batch.entities }), ...beside });
  return logs.filter((log) => !asked.includes(log));
}

/** @param {Machine} machine @param {Link} link @param {Log[]} logs @param {object} fields */
function send(machine, link, logs, fields) {
  for (const log of logs) {
    machine.toSync.delete(log);
    if (!log.position) log.isStarting = true;
  }
  const asked = logs.map((log) => ({ log, position: log.position }));
  sendRequest(machine, link, { action: 'sync', asked }, JSON.stringify({ action: 'sync', ...fields }));
}

/** Compares texts as their UTF-8. @param {string} one @param {string} other */
export function compare(one, other) {
  const [left, right] = [Array.from(one), Array.from(other)];
  const index = left.findIndex((character, place) => character !== right[place]);
  if (index < 0) return left.length - right.length;
  return (left[index].codePointAt(0) ?? 0) - (right[index]?.codePointAt(0) ?? -1);
}

/** @param {Machine} machine @param {Link} link @param {Asked[]} asked @param {Frame} reply */
export function syncAnswered(machine, link, asked, reply) {
  const jitter = machine.random();
  const request = { isShared: asked.length > 1 };
  // A link that lingers has a successor with every subscription.
  const mayEnd = link.isPolling && !machine.lingering.includes(link);
  for (const one of asked) {
    const result = resultOf(reply, one.log);
    if (one.log.hasEnded) continue;
    if (result === undefined) isCurrent(machine, one.log);
    else if (mayEnd && isUnreadable(result)) unreadable(machine, link, one, result);
    else if (result.error) askFailed(machine, one, serverError(objectOf(result.error) ?? {}), jitter);
    else whenOwnAreKnown(machine, one.log, result, () => logAnswered(machine, one, result, request));
  }
}

/** Returns true if no later poll can read the log: it is gone, or the server refuses it. @param {Frame} result */
function isUnreadable({ offset, error }) {
  return error ? !isRetryable(serverError(objectOf(error) ?? {})) : offset === undefined;
}

/**
 * Ends what reads a log that cannot be polled.
 *
 * @param {Machine} machine
 * @param {Link} link
 * @param {Asked} asked
 * @param {Frame} result
 */
function unreadable(machine, link, { log }, result) {
  if (log.audience.to !== 'entity') return endLog(machine, log);
  subscriptionFailed(machine, link, log.audience.entity, serverError(objectOf(result.error) ?? UNSUPPORTED));
}

/** @param {Frame} reply @param {Log} log */
function resultOf({ entities, user, everyone }, { audience }) {
  if (audience.to === 'notifications') return objectOf(user);
  if (audience.to === 'broadcasts') return objectOf(everyone);
  const results = objectOf(entities) ?? {};
  return Object.hasOwn(results, audience.entity) ? objectOf(results[audience.entity]) : undefined;
}

/** @param {Machine} machine @param {Asked[]} asked @param {Failure} error */
export function syncFailed(machine, asked, error) {
  const jitter = machine.random();
  for (const one of asked) askFailed(machine, one, error, jitter);
}

/** @param {Machine} machine @param {Asked} asked @param {Failure} error @param {number} jitter */
function askFailed(machine, { log }, error, jitter) {
  if (log.hasEnded) return;
  if (isRetryable(error)) askLater(machine, log, jitter);
  else if (!log.position || isUnknownAction(error)) endLog(machine, log);
  else do giveUp(machine, log);
  while (log.isMissing);
}

/** Returns true if the server is older than the request. @param {Failure} error */
function isUnknownAction(error) {
  return error.kind === 'server' && error.code === 'unknown_action';
}

/** @param {Machine} machine @param {Asked} asked @param {Frame} reply */
export function historyAnswered(machine, asked, reply) {
  whenOwnAreKnown(machine, asked.log, reply, () => logAnswered(machine, asked, reply, { isRead: true }));
}

/** @param {Machine} machine @param {Asked} asked @param {Failure} error */
export function historyFailed(machine, { log }, error) {
  if (log.hasEnded) return;
  if (isRetryable(error)) return askLater(machine, log, machine.random());
  log.mayRead = false;
  machine.toRead.add(log);
}
