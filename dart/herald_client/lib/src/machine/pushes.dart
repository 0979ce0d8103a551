/// Delivery of pushes, without repeats and without the client's own messages.
library;

import 'dart:math';

import 'continuity.dart';
import 'frame.dart';
import 'link.dart';
import 'log.dart';
import 'machine.dart';
import 'positions.dart';
import 'signals.dart';

/// A message that may be the application's own, until the replies to the messages that were in flight on other sockets
/// when it arrived.
final class HeldMessage {
  const HeldMessage(this.frame, this.after);

  final Frame frame;

  /// The last request that was sent before it.
  final int after;
}

/// The answer of a log with messages that may be the application's own, until the replies to all messages that were in
/// flight when it arrived.
final class HeldAnswer {
  const HeldAnswer(this.log, this.apply, this.after);

  final Log log;
  final void Function() apply;

  /// The last request that was sent before it.
  final int after;
}

void pushed(Machine machine, Link link, Frame frame) {
  final after = machine.requests;
  if (frame['type'] != 'message' || _oldestSendElsewhere(machine, link.socket) > after) return _deliver(machine, frame);
  machine.held.putIfAbsent(link.socket, () => []).add(HeldMessage(frame, after));
}

/// Applies the answer of a log once it is known which of its messages are the application's own.
void whenOwnAreKnown(Machine machine, Log log, Frame answer, void Function() apply) {
  final after = machine.requests;
  final mayHaveOwn = listOf(answer['messages']).any((frame) => objectOf(frame)?['type'] == 'message');
  if (!mayHaveOwn || _oldestSendElsewhere(machine) > after) return apply();
  machine.heldAnswers.add(HeldAnswer(log, apply, after));
}

/// Applies the held answers whose replies have arrived.
void applyReleased(Machine machine) {
  if (machine.heldAnswers.isEmpty) return;
  final oldest = _oldestSendElsewhere(machine);
  final released = machine.heldAnswers.where((answer) => answer.after < oldest).toList();
  machine.heldAnswers.removeWhere((answer) => answer.after < oldest);
  for (final answer in released) {
    answer.apply();
  }
}

/// Delivers the held messages whose replies have arrived. It checks the first of each socket only: later ones wait for
/// the same replies and more.
void deliverReleased(Machine machine) {
  for (final socket in _heldSockets(machine)) {
    final held = machine.held[socket] ?? [];
    final oldest = _oldestSendElsewhere(machine, socket);
    if (held.first.after >= oldest) continue;
    final first = held.indexWhere((message) => message.after >= oldest);
    final free = held.sublist(0, first < 0 ? held.length : first);
    held.removeRange(0, free.length);
    if (held.isEmpty) machine.held.remove(socket);
    for (final message in free) {
      _deliver(machine, message.frame);
    }
  }
}

void deliverAllHeld(Machine machine) {
  final answers = machine.heldAnswers.toList();
  machine.heldAnswers.clear();
  for (final answer in answers) {
    answer.apply();
  }
  final all = [for (final socket in _heldSockets(machine)) ...?machine.held[socket]];
  machine.held.clear();
  for (final message in all) {
    _deliver(machine, message.frame);
  }
}

List<int> _heldSockets(Machine machine) => machine.held.keys.toList()..sort();

/// Returns the oldest message in flight on other sockets than [socket], or on all. To the server, the two sockets of a
/// renewal are two clients, so it delivers a message that was sent on one to the other, perhaps before the
/// acknowledgement.
int _oldestSendElsewhere(Machine machine, [int? socket]) =>
    machine.links.where((link) => link.socket != socket).map((link) => link.oldestSend).fold(never, min);

void _deliver(Machine machine, Frame frame) {
  final to = routeOf(frame);
  final entity = frame['entityId'];
  if (to == Route.entity && !machine.subscriptions.wants(entity)) return;
  final log = machine.logs.at(to, entity);
  final position = positionOfMessage(frame);
  if (log == null) {
    deliverUnlessRepeated(machine, frame);
  } else if (position != null) {
    arrived(machine, log, HeldPush(position, frame));
  } else {
    arrivedWithoutPosition(machine, log, frame);
  }
}

/// Delivers a push. Returns false if it is a repeat, which is not delivered.
bool deliverUnlessRepeated(Machine machine, Frame frame) {
  final isNew = machine.repeats.insert(frame['eventId']);
  if (isNew) machine.perform(Deliver(routeOf(frame), frame));
  return isNew;
}
