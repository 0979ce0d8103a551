/**
 * Delivery of pushes, without repeats and without the client's own messages.
 *
 * @module pushes
 */

import { arrived, arrivedWithoutPosition } from './continuity.js';
import { routeOf } from './frame.js';
import { positionOfMessage } from './positions.js';

/** @import { Machine } from '../machine.js' */
/** @import { Link } from './link.js' */
/** @import { Log } from './log.js' */
/** @import { Frame } from './signals.js' */

/**
 * A message that may be the application's own, until the replies to the messages that were in flight on other sockets
 * when it arrived. `after` is the last request that was sent before it.
 *
 * @typedef {{ frame: Frame, after: number }} HeldMessage
 */

/**
 * The answer of a log with messages that may be the application's own, until the replies to all messages that were in
 * flight when it arrived.
 *
 * @typedef {{ log: Log, apply: () => void, after: number }} HeldAnswer
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
 * Applies the answer of a log once it is known which of its messages are the application's own.
 *
 * @param {Machine} machine
 * @param {Log} log
 * @param {Frame} answer
 * @param {() => void} apply
 */
export function whenOwnAreKnown(machine, log, { messages }, apply) {
  const after = machine.requests;
  const mayHaveOwn = Array.isArray(messages) && messages.some((frame) => frame?.type === 'message');
  if (!mayHaveOwn || oldestSendElsewhere(machine) > after) return apply();
  machine.heldAnswers.push({ log, apply, after });
}

/** Applies the held answers whose replies have arrived. @param {Machine} machine */
export function applyReleased(machine) {
  if (machine.heldAnswers.length === 0) return;
  const oldest = oldestSendElsewhere(machine);
  const released = machine.heldAnswers.filter(({ after }) => after < oldest);
  machine.heldAnswers = machine.heldAnswers.filter(({ after }) => after >= oldest);
  for (const { apply } of released) apply();
}

/**
 * Delivers the held messages whose replies have arrived. It checks the first of each socket only: later ones wait for
 * the same replies and more.
 *
 * @param {Machine} machine
 */
export function deliverReleased(machine) {
  if (machine.held.size === 0) return;
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
  for (const { apply } of machine.heldAnswers.splice(0)) apply();
  const all = heldSockets(machine).flatMap((socket) => machine.held.get(socket) ?? []);
  machine.held.clear();
  for (const { frame } of all) deliver(machine, frame);
}

/** @param {Machine} machine */
function heldSockets({ held }) {
  return Array.from(held.keys()).sort((one, other) => one - other);
}

/**
 * Returns the oldest message in flight on other sockets than this one, or on all. To the server, the two sockets of a renewal are
 * two clients, so it delivers a message that was sent on one to the other, perhaps before the acknowledgement.
 *
 * @param {Machine} machine
 * @param {number} [socket]
 */
function oldestSendElsewhere({ links }, socket) {
  return Math.min(...links.filter((link) => link.socket !== socket).map(({ oldestSend }) => oldestSend));
}

/** @param {Machine} machine @param {Frame} frame */
function deliver(machine, frame) {
  const to = routeOf(frame);
  if (to === 'entity' && !machine.subscriptions.wants(frame.entityId)) return;
  const log = machine.logs.at(to, frame.entityId);
  const position = positionOfMessage(frame);
  if (!log) deliverUnlessRepeated(machine, frame);
  else if (position) arrived(machine, log, { position, frame });
  else arrivedWithoutPosition(machine, log, frame);
}

/** @param {Machine} machine @param {Frame} frame @returns {boolean} false if it is a repeat. */
export function deliverUnlessRepeated(machine, frame) {
  const isNew = machine.repeats.insert(frame.eventId);
  if (isNew) machine.perform({ kind: 'deliver', to: routeOf(frame), frame });
  return isNew;
}
