import 'signals.dart';
import 'timers.dart';

/// The audience of a message of the application.
final class Target {
  const Target(this.to, [this.entity]);

  final Route to;
  final String? entity;
}

/// A request of the application, in the outbox or in flight.
final class QueuedMessage {
  const QueuedMessage({
    required this.request,
    required this.isMessage,
    required this.body,
    required this.target,
    required this.safeToRepeat,
    required this.expiresAt,
  });

  final int request;

  /// True if it is a `sendMessage`.
  final bool isMessage;

  /// Its JSON, without an id.
  final String body;

  /// The audience of a message with a log.
  final Target? target;
  final bool safeToRepeat;
  final int expiresAt;
}

/// The messages that wait to be sent, in order.
final class Outbox {
  Outbox(this._timers, this._expired);

  final Timers _timers;
  final void Function(QueuedMessage) _expired;

  /// In the order of their requests.
  final List<QueuedMessage> _waiting = [];

  int get length => _waiting.length;

  /// Inserts a message in its place. A new one is the last.
  void put(QueuedMessage message) {
    final before = _waiting.lastIndexWhere((other) => other.request < message.request);
    _waiting.insert(before + 1, message);
    _timers.set('expire ${message.request}', message.expiresAt, () {
      _take(_waiting.indexOf(message));
      _expired(message);
    });
  }

  /// Removes the first message. The outbox must not be empty.
  QueuedMessage takeFirst() => _take(0);

  /// Removes the last message. The outbox must not be empty.
  QueuedMessage takeLast() => _take(_waiting.length - 1);

  QueuedMessage _take(int place) {
    final message = _waiting.removeAt(place);
    _timers.cancel('expire ${message.request}');
    return message;
  }
}
