/**
 * Pings: after silence, and when a request stays without a reply.
 *
 * @module keep-alive
 */

import { disconnect } from './connecting.js';
import { syncAll } from './syncing.js';

/** @import { Machine } from '../machine.js' */
/** @import { Link } from './link.js' */

/**
 * Plans a ping for the time after silence. A client that asks for presence pings whatever arrives, since pings keep its
 * user present.
 *
 * @param {Machine} machine
 * @param {Link} link
 */
export function pingAfterSilence(machine, link) {
  const { socket, receivedAt, pingedAt } = link;
  const since = machine.presences.size > 0 ? Math.min(receivedAt, pingedAt) : receivedAt;
  machine.timers.set(`ping ${socket}`, since + machine.rules.pingAfter, () => ping(machine, link));
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
  if (link === machine.current) pingAfterSilence(machine, link);
}

/** @param {Machine} machine @param {Link} link */
export function stopPings(machine, link) {
  cancel(machine, link, ['ping', 'unanswered', 'pong']);
}

/** @param {Machine} machine @param {Link} link @param {string[]} timers */
function cancel(machine, { socket }, timers) {
  for (const timer of timers) machine.timers.cancel(`${timer} ${socket}`);
}
