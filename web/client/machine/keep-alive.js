/**
 * Pings: after silence, when the server demands them, and when a request stays without a reply.
 *
 * @module keep-alive
 */

import { disconnect } from './connecting.js';
import { syncAll } from './syncing.js';

/** @import { Machine } from '../machine.js' */
/** @import { Link } from './link.js' */

/**
 * Plans the next ping: after silence on the current link, and whatever arrives after the time that the server demands.
 *
 * @param {Machine} machine
 * @param {Link} link
 */
export function planPing(machine, link) {
  const { current, next, rules, timers } = machine;
  const { socket, receivedAt, pingedAt, keepAlive } = link;
  if (link.isPolling || link.awaitsPong || (link !== current && link !== next)) return;
  const silentAt = link === current ? receivedAt + rules.pingAfter : Infinity;
  timers.set(`ping ${socket}`, Math.min(silentAt, pingedAt + keepAlive), () => ping(machine, link));
}

/**
 * Notes how long after a ping the subscription to an entity demands the next. The shortest time of a link counts.
 *
 * @param {Machine} machine
 * @param {Link} link
 * @param {string} entity
 * @param {number} [keepAlive] milliseconds, unless it demands none, or has ended.
 */
export function noteKeepAlive(machine, link, entity, keepAlive) {
  if (keepAlive === undefined) link.keepAlives.delete(entity);
  else link.keepAlives.set(entity, keepAlive);
  link.keepAlive = Math.min(...link.keepAlives.values());
  planPing(machine, link);
}

/** Sends a ping if nothing arrives for long after a request. @param {Machine} machine @param {Link} link */
export function pingUnlessAnswered(machine, link) {
  const timer = `unanswered ${link.socket}`;
  if (link.awaitsPong || machine.timers.has(timer)) return;
  machine.timers.set(timer, machine.now + machine.rules.unansweredAfter, () => ping(machine, link));
}

/** Sends a ping, or a `sync` if there are positions, unless one is in flight. @param {Machine} machine @param {Link} link */
export function ping(machine, link) {
  const { socket } = link;
  if (link.awaitsPong) return;
  link.awaitsPong = true;
  link.pingedAt = machine.now;
  cancel(machine, link, ['ping', 'unanswered']);
  machine.timers.set(`pong ${socket}`, machine.now + machine.rules.pongTimeout, () => disconnect(machine, link));
  if (!syncAll(machine, link)) machine.perform({ kind: 'send', socket, text: '{"action":"ping"}' });
}

/** Notes that something arrived. @param {Machine} machine @param {Link} link */
export function noteReceived(machine, link) {
  link.receivedAt = machine.now;
  link.awaitsPong = false;
  cancel(machine, link, ['pong', 'unanswered']);
  planPing(machine, link);
}

/** @param {Machine} machine @param {Link} link */
export function stopPings(machine, link) {
  cancel(machine, link, ['ping', 'unanswered', 'pong']);
}

/** @param {Machine} machine @param {Link} link @param {string[]} timers */
function cancel(machine, { socket }, timers) {
  for (const timer of timers) machine.timers.cancel(`${timer} ${socket}`);
}
