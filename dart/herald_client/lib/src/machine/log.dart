import 'dart:math';

import '../position.dart';
import 'back_off.dart';
import 'signals.dart';

/// The audience of a log, by the readers of its pushes.
final class Audience {
  const Audience(this.to, [this.entity]);

  final Route to;

  /// The entity, if [to] is [Route.entity].
  final String? entity;
}

/// A message ahead of the position. It has no [frame] if it is the application's own, which only moves the position.
final class HeldPush {
  const HeldPush(this.position, [this.frame]);

  final Position position;
  final Frame? frame;
}

/// The log of one audience, during one session: from the first subscriber to the last.
final class Log {
  Log(this.audience);

  final Audience audience;

  /// The client has every message up to here. `null` if no log is known.
  Position? position;

  /// True until the first answer of the log.
  bool isStarting = false;

  /// The number of last messages to ask for at the start.
  int? rewind;

  /// True once the application reads the audience, for those that need no subscription.
  bool isFollowed = false;

  /// True once the server has said that it keeps no such log.
  bool isAbsent = false;

  /// True once the session has ended.
  bool hasEnded = false;

  /// True if the position must be compared: a message of another epoch arrived, or a comparison failed.
  bool isDoubtful = false;

  /// False once the server has refused to read history.
  bool mayRead = true;

  /// The number of messages that a recovery has delivered so far. `null` if there is no recovery.
  int? recovering;

  /// The first offset, if the client adopted it from a push. Messages before it may still be on their way.
  int adoptedAt = 0;

  /// The last offset that was delivered up to the position. `null` unless a `sync` told the position and it has not
  /// moved since: messages up to it may still be on their way.
  int? deliveredBefore;
  final BackOff backOff = BackOff();
  int _top = 0;
  final Map<Position, HeldPush> _held = {};

  /// The number of messages held.
  int get held => _held.length;

  /// True if messages after the position exist, or may exist.
  bool get isBehind => isDoubtful || isMissing;

  /// True if messages after the position exist.
  bool get isMissing {
    final current = position;
    return current != null && (held > 0 || _top > current.offset);
  }

  /// Returns true if a position is of the same epoch. Before the first message, any epoch is.
  bool continuesWith(Position other) {
    final current = position;
    return current != null && (current.epoch == null || current.epoch == other.epoch);
  }

  bool isBefore(Position other) {
    final current = position;
    return current == null || !continuesWith(other) || other.offset > current.offset;
  }

  /// Holds a message that is after the position.
  void hold(HeldPush push) {
    if (position != null && !continuesWith(push.position)) isDoubtful = true;
    _held[push.position] = push;
  }

  /// Notes an offset that was taken in the epoch of the position.
  void raiseTop(int offset) => _top = max(_top, offset);

  /// Moves the position, and drops the held messages up to it.
  void moveTo(Position to) {
    if (!continuesWith(to)) _top = adoptedAt = 0;
    position = to;
    deliveredBefore = null;
    _held.removeWhere((held, _) => continuesWith(held) && held.offset <= to.offset);
  }

  /// Notes that the server compared the position. What is held of another epoch is out of date.
  void confirm() {
    isDoubtful = false;
    _held.removeWhere((held, _) => !continuesWith(held));
  }

  /// Moves the position to the next message if it is held, and returns that.
  HeldPush? takeNext() {
    final next = _next();
    if (next == null) return null;
    _held.remove(next.position);
    position = next.position;
    deliveredBefore = null;
    return next;
  }

  HeldPush? _next() {
    final current = position;
    if (current == null || _held.isEmpty) return null;
    final offset = current.offset + 1;
    if (current.epoch != null) return _held[current.withOffset(offset)];
    for (final push in _held.values) {
      if (push.position.offset == offset) return push;
    }
    return null;
  }

  /// Returns the position before the first message held up to [other], a position of the same epoch. `null` if none is
  /// held.
  Position? positionBefore(Position other) {
    final offsets = _held.keys
        .where((held) => held.epoch == other.epoch && held.offset <= other.offset)
        .map((held) => held.offset - 1);
    return offsets.isEmpty ? null : other.withOffset(offsets.reduce(min));
  }

  /// The first position from which delivery can go on: before the first message held, or the last offset taken.
  Position? get resumesAt {
    final positions = _held.keys;
    if (positions.isEmpty) return position?.withOffset(max(_top, position?.offset ?? 0));
    final of = positions.firstWhere(continuesWith, orElse: () => positions.last);
    final offsets = positions.where((held) => held.epoch == of.epoch).map((held) => held.offset);
    return of.withOffset(offsets.reduce(min) - 1);
  }

  /// Removes all held messages, and returns them in their order.
  List<HeldPush> takeAll() {
    final held = _held.values.toList()..sort((one, other) => one.position.offset.compareTo(other.position.offset));
    _held.clear();
    return held;
  }
}
