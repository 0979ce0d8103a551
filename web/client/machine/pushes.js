/**
 * Delivery of what arrives unasked: where it goes, and what is dropped.
 *
 * @module pushes
 */

import { routeOf } from './frame.js';

/** @import { Machine } from '../machine.js' */
/** @import { Link } from './link.js' */
/** @import { Frame } from './signals.js' */

/**
 * A client's message that may be the application's own, until the replies to what was in flight on other sockets when
 * it came. `after` is the last request that was sent before it.
 *
 * @typedef {{ frame: Frame, after: number }} Held
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
 * Delivers the held messages that wait for no reply any more. The first of each socket decides: what came later waits
 * for the same replies and more.
 *
 * @param {Machine} machine
 */
export function deliverHeld(machine) {
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
 * Returns the first message in flight on other sockets than this one. To the server, the two sockets of a renewal are
 * two clients, so what is sent on one comes back on the other, perhaps before its acknowledgement.
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
  if (machine.repeats.isNew(frame.eventId)) machine.perform({ kind: 'deliver', to, frame });
}
