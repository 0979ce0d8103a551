/**
 * Continuity: every message of a log once and in order, or the news that some are lost.
 *
 * The module `gaps` decides when to ask, and `subscribing` and `syncing` make the requests.
 *
 * @module continuity
 */

import { askNow, isAsked, watch } from './gaps.js';
import { isSame, positionOf, positionOfMessage } from './positions.js';
import { deliverUnlessRepeated } from './pushes.js';

/** @import { Position } from '../../herald-client.js' */
/** @import { Machine } from '../machine.js' */
/** @import { Asked } from './link.js' */
/** @import { HeldPush, Log } from './log.js' */
/** @import { Frame, Target } from './signals.js' */

/**
 * Puts a message in its place: it is delivered, held, or dropped as a repeat.
 *
 * @param {Machine} machine
 * @param {Log} log
 * @param {HeldPush} push
 */
export function arrived(machine, log, push) {
  const { position, frame } = push;
  if (!log.position && !log.isStarting) return frame && adopt(machine, log, position, frame);
  if (frame && wasOvertaken(log, position)) return deliverUnlessRepeated(machine, frame);
  if (frame && isOnItsWay(log, position)) return deliverOnItsWay(machine, log, position, frame);
  if (log.isNext(position)) {
    log.moveTo(position);
    if (frame) deliverUnlessRepeated(machine, frame);
  } else if (log.isBefore(position)) log.hold(push);
  deliverHeld(machine, log);
  if (log.held > machine.rules.heldWhileAsking) giveUp(machine, log);
  else if (log.held > machine.rules.heldLimit && !isAsked(machine, log)) askNow(machine, log);
  else watch(machine, log);
}

/**
 * Adopts the position of a message, since the client has none: the log was switched on.
 *
 * @param {Machine} machine
 * @param {Log} log
 * @param {Position} position
 * @param {Frame} frame
 */
function adopt(machine, log, position, frame) {
  log.isAbsent = false;
  log.moveTo(position);
  log.adoptedAt = position.offset;
  deliverUnlessRepeated(machine, frame);
}

/**
 * Returns true if a message was overtaken by the one whose position the client adopted. It was not delivered yet.
 *
 * @param {Log} log
 * @param {Position} position
 */
function wasOvertaken({ position: current, adoptedAt }, { epoch, offset }) {
  return epoch === current?.epoch && offset < adoptedAt;
}

/**
 * Returns true if a message was on its way when a `sync` told the first position.
 *
 * @param {Log} log
 * @param {Position} position
 */
function isOnItsWay(log, { epoch, offset }) {
  const { deliveredBefore = Infinity, position: current } = log;
  return current !== undefined && epoch === current.epoch && deliveredBefore < offset && offset <= current.offset;
}

/** @param {Machine} machine @param {Log} log @param {Position} position @param {Frame} frame */
function deliverOnItsWay(machine, log, { offset }, frame) {
  log.deliveredBefore = offset;
  deliverUnlessRepeated(machine, frame);
}

/** Delivers the held messages that come next. @param {Machine} machine @param {Log} log */
function deliverHeld(machine, log) {
  if (log.isStarting) return;
  for (let next = log.takeNext(); next; next = log.takeNext()) {
    if (next.frame) deliverUnlessRepeated(machine, next.frame);
  }
}

/**
 * Delivers a message without a position: the audience has no log, or none any more.
 *
 * @param {Machine} machine
 * @param {Log} log
 * @param {Frame} frame
 */
export function arrivedWithoutPosition(machine, log, frame) {
  if (log.position && !log.isStarting) endLog(machine, log);
  deliverUnlessRepeated(machine, frame);
}

/**
 * Moves the position over messages of the application itself.
 *
 * @param {Machine} machine
 * @param {Target} target
 * @param {Frame} reply
 */
export function ownAcknowledged(machine, { to, entity }, reply) {
  const log = machine.logs.at(to, entity);
  for (const sent of [reply, ...listOf(reply.positions)]) {
    const position = positionOfMessage(sent);
    if (log && position) arrived(machine, log, { position });
  }
}

/**
 * Applies the answer of a log to a `subscribe`, a `sync` or a `history`.
 *
 * The connection belonged to an audience without a subscription before its log was asked for the first position. So
 * what arrived before the answer, or was on its way, is delivered.
 *
 * @param {Machine} machine
 * @param {Asked} asked
 * @param {Frame} answer
 * @param {{ isAcknowledgement?: boolean, isRecovery?: boolean, isRead?: boolean, isShared?: boolean }} [request] its
 * kind: the acknowledgement of a subscription, on a connection that replaces a broken one; `history`; or one about
 * several audiences, which share the room for messages.
 */
export function logAnswered(machine, { log, position: asked }, answer, request = {}) {
  if (log.hasEnded) return;
  const position = positionOf(answer);
  if (!position) return endLog(machine, log);
  const wasKnown = log.position !== undefined;
  log.isStarting = false;
  log.rewind = undefined;
  log.backOff.reset();
  if (wasKnown && answer.recovered === false) lose(machine, log, position, asked);
  else if (!wasKnown || (answer.recovered === true && log.continuesWith(position))) {
    if (request.isRecovery && answer.recovered === true) log.recovering = 0;
    const isFirst = !wasKnown && log.audience.to !== 'entity';
    const before = isFirst ? log.positionBefore(position) : undefined;
    advance(machine, log, before ?? position, answer);
    if (isFirst && !before) log.deliveredBefore = 0;
  } else if (!log.continuesWith(position)) log.isDoubtful = true;
  if (log.continuesWith(position)) log.raiseTop(Math.max(position.offset, Number(answer.top) || 0));
  deliverHeld(machine, log);
  if (answer.more === true && log.isMissing && log.continuesWith(position)) return readOn(machine, log, asked, request);
  announceRecovery(machine, log);
  watch(machine, log, request.isAcknowledgement ? machine.rules.gapAfter : undefined);
}

/**
 * Delivers the messages of an answer, and moves to its position.
 *
 * @param {Machine} machine
 * @param {Log} log
 * @param {Position} position
 * @param {Frame} answer
 */
function advance(machine, log, position, { messages }) {
  for (const frame of listOf(messages)) {
    const next = positionOfMessage(frame);
    if (!next || !log.isBefore(next)) continue;
    log.moveTo(next);
    if (deliverUnlessRepeated(machine, frame) && log.recovering !== undefined) log.recovering += 1;
  }
  if (log.isBefore(position)) log.moveTo(position);
  log.confirm();
}

/**
 * Reads on after an answer that had no room for every message. If it had room for none, another request may get one: a
 * `history`, whose reply always has room for a message, or one about this audience alone.
 *
 * @param {Machine} machine
 * @param {Log} log
 * @param {Position | undefined} asked
 * @param {{ isRead?: boolean, isShared?: boolean }} request
 */
function readOn(machine, log, asked, { isRead, isShared }) {
  const mayRead = log.mayRead && !machine.current?.isPolling;
  const mayLackRoom = !isRead && (mayRead || isShared);
  if (isSame(log.position, asked) && !mayLackRoom) return giveUp(machine, log);
  machine.toRead.add(log);
}

/** @param {Machine} machine @param {Log} log */
function announceRecovery(machine, log) {
  if (log.recovering === undefined) return;
  machine.perform({ kind: 'recovered', ...log.audience, messages: log.recovering });
  log.recovering = undefined;
}

/**
 * Tells the application that messages are lost, unless they arrived in the meantime.
 *
 * @param {Machine} machine
 * @param {Log} log
 * @param {Position} position the position from which the client is live.
 * @param {Position | undefined} asked
 */
function lose(machine, log, position, asked) {
  if (log.position?.epoch === position.epoch && !log.isBefore(position)) return log.confirm();
  if (!isSame(log.position, asked)) return void (log.isDoubtful = true);
  tellLost(machine, log, position);
  log.moveTo(position);
  log.confirm();
}

/** @param {Machine} machine @param {Log} log @param {Position | null} position */
function tellLost(machine, log, position) {
  log.recovering = undefined;
  machine.perform({ kind: 'lost', ...log.audience, position });
}

/**
 * Goes on without the missing messages, since the server refuses them or too many others wait for them.
 *
 * @param {Machine} machine
 * @param {Log} log
 */
export function giveUp(machine, log) {
  const position = log.resumesAt;
  const wasKnown = log.position !== undefined;
  log.isStarting = log.isDoubtful = false;
  if (!position || (wasKnown && !log.isMissing)) return;
  if (wasKnown) tellLost(machine, log, position);
  log.moveTo(position);
  deliverHeld(machine, log);
  watch(machine, log);
}

/** Notes that the server found the client current. @param {Machine} machine @param {Log} log */
export function isCurrent(machine, log) {
  log.backOff.reset();
  log.confirm();
  watch(machine, log);
}

/** Goes on without a log, since the server does not keep one. @param {Machine} machine @param {Log} log */
export function endLog(machine, log) {
  const held = log.takeAll();
  if (log.position || log.rewind) tellLost(machine, log, null);
  log.position = log.rewind = undefined;
  log.isStarting = log.isDoubtful = false;
  log.isAbsent = true;
  watch(machine, log);
  for (const { frame } of held) if (frame) deliverUnlessRepeated(machine, frame);
}

/** @param {unknown} field @returns {Frame[]} */
function listOf(field) {
  const isObject = (/** @type {unknown} */ item) => typeof item === 'object' && item !== null;
  return Array.isArray(field) ? field.filter(isObject) : [];
}
