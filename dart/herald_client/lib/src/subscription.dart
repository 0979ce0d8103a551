import 'dart:async';
import 'dart:collection';

import 'error.dart';
import 'fan.dart';
import 'position.dart';
import 'presence.dart';
import 'push.dart';
import 'state_loader.dart';

/// An event of a subscription.
sealed class SubscriptionEvent {
  const SubscriptionEvent();
}

/// A message arrived.
final class PushEvent extends SubscriptionEvent {
  const PushEvent(this.push);

  final Push push;
}

/// Messages may be lost. It comes before the next message.
final class LostEvent extends SubscriptionEvent {
  const LostEvent(this.position);

  /// The position from which delivery goes on. `null` if the entity has no log, or none any more.
  final Position? position;
}

/// Every message since the position was recovered, after the connection broke or at the start.
final class RecoveredEvent extends SubscriptionEvent {
  const RecoveredEvent(this.messages);

  /// The number of messages recovered.
  final int messages;
}

/// A subscription to an entity.
///
/// It holds the events until the application listens, at most `HeraldOptions.buffer`. It ends when the application
/// cancels it or the listener of its stream, when the client stops, and, with the server's error, when the server ends it.
final class Subscription {
  /// [positionOf] returns the position of the client, and [leave] ends the subscription.
  Subscription(
    this.entityId, {
    required this.asksForPresence,
    required int buffer,
    required Position? Function() positionOf,
    required void Function() leave,
  }) : _buffer = buffer,
       _positionOf = positionOf,
       _leave = leave;

  final String entityId;

  /// True if the application asks for presence.
  final bool asksForPresence;
  final int _buffer;
  final Position? Function() _positionOf;
  final void Function() _leave;
  late final StreamController<SubscriptionEvent> _events = StreamController(onListen: _release, onCancel: cancel);

  /// The events before the application listens.
  final Queue<SubscriptionEvent> _held = Queue();
  bool _hasDropped = false;
  Object? _error;
  int _unread = 0;
  Position? _lastRead;
  bool _hasEnded = false;
  bool _isCancelled = false;
  PresenceChange? _lastChange;
  final Fan<PresenceChange> _presenceChanges = Fan();

  /// True once it has ended.
  bool get hasEnded => _hasEnded;

  /// The number of its request, once that was made. For the client.
  int? request;

  /// The state that is loaded beside the subscription. For the client.
  StateLoader? loader;

  /// The messages, losses and recoveries, in order. It can be listened to once, or else [pushes] can.
  late final Stream<SubscriptionEvent> events = _events.stream.where((_) => !_isCancelled).map(_read);

  /// The messages. They skip losses, which `HeraldClient.losses` reports, too.
  Stream<Push> get pushes => events.where((event) => event is PushEvent).map((event) => (event as PushEvent).push);

  /// The position of the last message that was read, from which a later start of the application recovers. `null` if the
  /// entity has no log.
  Position? get position {
    final isCurrent = _unread == 0 && !_hasEnded && !(loader?.holdsPushes ?? false);
    return isCurrent ? _positionOf() : _lastRead;
  }

  /// The users at the entity, if the subscription asks for presence. It keeps the last known set while there is no
  /// connection. `null` before the acknowledgement, and if there is no presence.
  Presence? get presence => _lastChange?.presence;

  /// The changes of [presence]. Each listener first gets all present users as joined. It may be listened to many times.
  /// A subscription that does not ask for presence has none.
  late final Stream<PresenceChange> presenceChanges = _presenceChanges.stream((controller) {
    final last = _lastChange;
    if (last != null) controller.add(PresenceChange.between(null, last.presence, error: last.error));
  });

  /// Ends the subscription. Events that were not read are dropped.
  void cancel() {
    if (_hasEnded) return;
    _lastRead = position;
    _isCancelled = true;
    _held.clear();
    _hasDropped = false;
    _end();
    _leave();
  }

  /// Notes the position before the first message. For the client.
  void startAt(Position? position) => _lastRead = position;

  /// Takes a message. For the client.
  void receive(Push push) {
    final loader = this.loader;
    if (loader == null) {
      add(PushEvent(push));
    } else {
      loader.receive(push);
    }
  }

  /// Adds an event. For the client.
  void add(SubscriptionEvent event) {
    if (_hasEnded) return;
    _unread += 1;
    if (_events.hasListener) {
      _events.add(event);
    } else {
      _hold(event);
    }
    if (event is LostEvent) loader?.reload(event.position);
  }

  void _hold(SubscriptionEvent event) {
    _held.add(event);
    if (_held.length <= _buffer) return;
    _held.removeFirst();
    _unread -= 1;
    _hasDropped = true;
  }

  /// Passes on what was held, once the application listens.
  void _release() {
    if (_hasDropped) _tellDropped();
    _held.forEach(_events.add);
    _held.clear();
    if (_hasEnded && !_events.isClosed) _close();
  }

  /// Tells of the events that were dropped. A state that is loaded now has what the others say.
  void _tellDropped() {
    final loader = this.loader;
    if (loader == null) return _holdLoss();
    final position = _heldPositions.lastOrNull;
    _unread -= _held.length - 1;
    _held
      ..clear()
      ..add(LostEvent(position));
    loader.reload(position);
  }

  /// Holds the loss before the events that are left, unless they begin with one.
  void _holdLoss() {
    if (_held.first is LostEvent) return;
    final position = _heldPositions.firstOrNull;
    _unread += 1;
    _held.addFirst(LostEvent(position == null ? null : position.withOffset(position.offset - 1)));
  }

  /// The positions of the held events that have one.
  Iterable<Position> get _heldPositions =>
      _held
          .map(
            (event) => switch (event) {
              PushEvent(:final push) => push.position,
              LostEvent(:final position) => position,
              RecoveredEvent() => null,
            },
          )
          .nonNulls;

  /// Takes the presence of the entity, with the error if the server refused it. For the client.
  void presenceTold(Presence? presence, HeraldError? error) {
    final last = _lastChange;
    if (!asksForPresence || last != null && last.presence == presence) return;
    final change = _lastChange = PresenceChange.between(last?.presence, presence, error: error);
    _presenceChanges.add(change);
  }

  /// Ends the stream, with the error if there is one. For the client.
  void endWith([Object? error]) {
    if (_hasEnded) return;
    _error = error;
    _end();
  }

  void _end() {
    _hasEnded = true;
    loader?.end();
    if (_held.isEmpty) _close();
    _presenceChanges.close();
  }

  void _close() {
    final error = _error;
    if (error != null) _events.addError(error);
    unawaited(_events.close());
  }

  SubscriptionEvent _read(SubscriptionEvent event) {
    _unread -= 1;
    switch (event) {
      case PushEvent(:final push):
        _lastRead = push.position ?? _lastRead;
      case LostEvent(:final position):
        _lastRead = position;
      case RecoveredEvent():
    }
    return event;
  }
}
