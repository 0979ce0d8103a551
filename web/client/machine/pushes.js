/**
 * Delivery of pushes, without repeats and without the client's own messages.
 *
 * @module pushes
 */

import { routeOf } from './frame.js';

/** @import { Machine } from '../machine.js' */
/** @import { Link } from './link.js' */
/** @import { Frame } from './signals.js' */

/**
 * A message that may be the application's own, until the replies to the messages that were in flight on other sockets
 * when it arrived. `after` is the last request that was sent before it.
 *
 * @typedef {{ frame: Frame, after: number }} HeldMessage
 */

/** @param {Machine} machine @param {Link} link @param {Frame} frame */
export function pushed(machine, { socket }, frame) {
  const after = machine.requests;
  if (frame.type !== 'message' || oldestSendElsewhere(machine, socket) > after) return deliver(machine, frame);
  const held = machine.held.get(socket) ?? [];
  machine.held.set(socket, held);
  held.push({ frame, after });
}

/**
 * Delivers the held messages whose replies have arrived. It checks the first of each socket only: later ones wait for
 * the same replies and more.
 *
 * @param {Machine} machine
 */
export function deliverReleased(machine) {
  for (const socket of heldSockets(machine)) {
    const held = machine.held.get(socket) ?? [];
    const oldest = oldestSendElsewhere(machine, socket);
    const first = held[0].after < oldest ? held.findIndex(({ after }) => after >= oldest) : 0;
    const free = held.splice(0, first < 0 ? held.length : first);
    if (held.length === 0) machine.held.delete(socket);
    for (const { frame } of free) deliver(machine, frame);
  }
}

/** @param {Machine} machine */
export function deliverAllHeld(machine) {
  const all = heldSockets(machine).flatMap((socket) => machine.held.get(socket) ?? []);
  machine.held.clear();
  for (const { frame } of all) deliver(machine, frame);
}

/** @param {Machine} machine */
function heldSockets({ held }) {
  return Array.from(held.keys()).sort((one, other) => one - other);
}

/**
 * Returns the oldest message in flight on other sockets than this one. To the server, the two sockets of a renewal are
 * two clients, so it delivers a message that was sent on one to the other, perhaps before the acknowledgement.
 *
 * @param {Machine} machine
 * @param {number} socket
 */
function oldestSendElsewhere({ links }, socket) {
  return Math.min(...links.filter((link) => link.socket !== socket).map(({ oldestSend }) => oldestSend));
}

/** @param {Machine} machine @param {Frame} frame */
function deliver(machine, frame) {
  const to = routeOf(frame);
  if (to === 'entity' && !machine.subscriptions.wants(frame.entityId)) return;
  if (machine.repeats.insert(frame.eventId)) machine.perform({ kind: 'deliver', to, frame });
}
