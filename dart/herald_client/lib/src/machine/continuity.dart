/// Continuity: every message of a log once and in order, or the news that some are lost.
///
/// `gaps.dart` decides when to ask, and `subscribing.dart` and `syncing.dart` make the requests.
library;

import 'dart:math';

import '../position.dart';
import 'frame.dart';
import 'gaps.dart';
import 'link.dart';
import 'log.dart';
import 'machine.dart';
import 'outbox.dart';
import 'positions.dart';
import 'pushes.dart';
import 'signals.dart';

/// Puts a message in its place: it is delivered, held, or dropped as a repeat.
void arrived(Machine machine, Log log, HeldPush push) {
  final HeldPush(:position, :frame) = push;
  if (log.position == null && !log.isStarting) {
    if (frame != null) _adopt(machine, log, position, frame);
    return;
  }
  if (frame != null && _deliverLate(machine, log, position, frame)) return;
  if (log.isBefore(position)) log.hold(push);
  _deliverHeld(machine, log);
  if (log.held > machine.rules.heldWhileAsking) {
    giveUp(machine, log);
  } else if (log.held > machine.rules.heldLimit && !isAsked(machine, log)) {
    askNow(machine, log);
  } else {
    watch(machine, log);
  }
}

/// Adopts the position of a message, since the client has none: the log was switched on.
void _adopt(Machine machine, Log log, Position position, Frame frame) {
  log.isAbsent = false;
  log.moveTo(position);
  log.adoptedAt = position.offset;
  deliverUnlessRepeated(machine, frame);
}

/// Delivers a message that is not after the position, if it was not delivered yet. Returns false if it was, or is after.
bool _deliverLate(Machine machine, Log log, Position position, Frame frame) {
  final wasOvertaken = _wasOvertaken(log, position);
  if (!wasOvertaken && !_isOnItsWay(log, position)) return false;
  if (!wasOvertaken) log.deliveredBefore = position.offset;
  deliverUnlessRepeated(machine, frame);
  return true;
}

/// Returns true if a message was overtaken by the one whose position the client adopted. It was not delivered yet.
bool _wasOvertaken(Log log, Position position) =>
    position.epoch == log.position?.epoch && position.offset < log.adoptedAt;

/// Returns true if a message was on its way when a `sync` told the first position.
bool _isOnItsWay(Log log, Position position) {
  final Log(:deliveredBefore, position: current) = log;
  return current != null &&
      deliveredBefore != null &&
      position.epoch == current.epoch &&
      deliveredBefore < position.offset &&
      position.offset <= current.offset;
}

/// Delivers the held messages that come next.
void _deliverHeld(Machine machine, Log log) {
  if (log.isStarting) return;
  for (var next = log.takeNext(); next != null; next = log.takeNext()) {
    final frame = next.frame;
    if (frame != null) deliverUnlessRepeated(machine, frame);
  }
}

/// Delivers a message without a position: the audience has no log, or none any more.
void arrivedWithoutPosition(Machine machine, Log log, Frame frame) {
  if (log.position != null && !log.isStarting) endLog(machine, log);
  deliverUnlessRepeated(machine, frame);
}

/// Moves the position over messages of the application itself.
void ownAcknowledged(Machine machine, Target target, Frame reply) {
  final log = machine.logs.at(target.to, target.entity);
  for (final sent in [reply, ...listOf(reply['positions']).map(objectOf)]) {
    final position = sent == null ? null : positionOfMessage(sent);
    if (log != null && position != null) arrived(machine, log, HeldPush(position));
  }
}

/// Applies the answer of a log to a `subscribe`, a `sync` or a `history`.
///
/// [isAcknowledgement] is true for that of a subscription, and [isRecovery] if that replaces a broken one. [isRead] is
/// true for a `history`, and [isShared] for a request about several audiences, which share the room for messages. The
/// connection belonged to an audience without a subscription before its log was asked for the
/// first position. So what arrived before the answer, or was on its way, is delivered.
void logAnswered(
  Machine machine,
  Asked asked,
  Frame answer, {
  bool isAcknowledgement = false,
  bool isRecovery = false,
  bool isRead = false,
  bool isShared = false,
}) {
  final log = asked.log;
  if (log.hasEnded) return;
  final position = Position.fromJson(answer);
  if (position == null) return endLog(machine, log);
  final isRecovered = answer['recovered'] == true;
  final wasKnown = log.position != null;
  log.isStarting = false;
  log.rewind = null;
  log.backOff.reset();
  if (wasKnown && answer['recovered'] == false) {
    _lose(machine, log, position, asked.position);
  } else if (!wasKnown || (isRecovered && log.continuesWith(position))) {
    if (isRecovery && isRecovered) log.recovering = 0;
    final isFirst = !wasKnown && log.audience.to != Route.entity;
    final before = isFirst ? log.positionBefore(position) : null;
    _advance(machine, log, before ?? position, answer);
    if (isFirst && before == null) log.deliveredBefore = 0;
  } else if (!log.continuesWith(position)) {
    log.isDoubtful = true;
  }
  if (log.continuesWith(position)) log.raiseTop(max(position.offset, integerOf(answer['top']) ?? 0));
  _deliverHeld(machine, log);
  if (answer['more'] == true && log.isMissing && log.continuesWith(position)) {
    return _readOn(machine, log, asked.position, isRead: isRead, isShared: isShared);
  }
  _announceRecovery(machine, log);
  watch(machine, log, isAcknowledgement ? machine.rules.gapAfter : null);
}

/// Delivers the messages of an answer, and moves to its position.
void _advance(Machine machine, Log log, Position position, Frame answer) {
  for (final frame in listOf(answer['messages']).map(objectOf)) {
    final next = frame == null ? null : positionOfMessage(frame);
    if (frame == null || next == null || !log.isBefore(next)) continue;
    log.moveTo(next);
    final recovering = log.recovering;
    if (deliverUnlessRepeated(machine, frame) && recovering != null) log.recovering = recovering + 1;
  }
  if (log.isBefore(position)) log.moveTo(position);
  log.confirm();
}

/// Reads on after an answer that had no room for every message. If it had room for none, another request may get one: a
/// `history`, whose reply always has room for a message, or one about this audience alone.
void _readOn(Machine machine, Log log, Position? asked, {required bool isRead, required bool isShared}) {
  final mayRead = log.mayRead && !(machine.current?.isPolling ?? false);
  final mayLackRoom = !isRead && (mayRead || isShared);
  if (log.position == asked && !mayLackRoom) return giveUp(machine, log);
  machine.toRead.add(log);
}

void _announceRecovery(Machine machine, Log log) {
  final recovering = log.recovering;
  if (recovering == null) return;
  machine.perform(TellRecovered(log.audience, recovering));
  log.recovering = null;
}

/// Tells the application that messages are lost, unless they arrived in the meantime. [position] is that from which the
/// client is live.
void _lose(Machine machine, Log log, Position position, Position? asked) {
  if (log.position?.epoch == position.epoch && !log.isBefore(position)) return log.confirm();
  if (log.position != asked) {
    log.isDoubtful = true;
    return;
  }
  _tellLost(machine, log, position);
  log.moveTo(position);
  log.confirm();
}

void _tellLost(Machine machine, Log log, Position? position) {
  log.recovering = null;
  machine.perform(TellLost(log.audience, position));
}

/// Goes on without the missing messages, since the server refuses them or too many others wait for them.
void giveUp(Machine machine, Log log) {
  final position = log.resumesAt;
  final wasKnown = log.position != null;
  log.isStarting = log.isDoubtful = false;
  if (position == null || (wasKnown && !log.isMissing)) return;
  if (wasKnown) _tellLost(machine, log, position);
  log.moveTo(position);
  _deliverHeld(machine, log);
  watch(machine, log);
}

/// Notes that the server found the client current.
void isCurrent(Machine machine, Log log) {
  log.backOff.reset();
  log.confirm();
  watch(machine, log);
}

/// Goes on without a log, since the server does not keep one.
void endLog(Machine machine, Log log) {
  final held = log.takeAll();
  if (log.position != null || log.rewind != null) _tellLost(machine, log, null);
  log.position = null;
  log.rewind = null;
  log.isStarting = log.isDoubtful = false;
  log.isAbsent = true;
  watch(machine, log);
  for (final HeldPush(:frame) in held) {
    if (frame != null) deliverUnlessRepeated(machine, frame);
  }
}
