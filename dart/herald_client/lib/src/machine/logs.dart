import 'log.dart';
import 'signals.dart';

/// The logs of the audiences that the client belongs to.
final class Logs {
  final Map<String, Log> _entities = {};
  final Log _user = Log(const Audience(Route.notifications));
  final Log _everyone = Log(const Audience(Route.broadcasts));

  /// The logs of audiences that need no subscription.
  List<Log> get unsubscribed => [_user, _everyone];

  /// The logs with a position.
  List<Log> get known => [_user, _everyone, ..._entities.values].where((log) => log.position != null).toList();

  /// Returns the log of an audience. `null` if it has none.
  Log? at(Route to, [Object? entity]) => switch (to) {
    Route.entity => _entities[entity],
    Route.notifications => _user,
    Route.broadcasts => _everyone,
    Route.other => null,
  };

  /// Inserts the log of an entity, for a new session.
  Log insert(String entity) => _entities[entity] = Log(Audience(Route.entity, entity))..isStarting = true;

  /// Removes the log of an entity, and ends its session.
  Log? remove(String entity) => _entities.remove(entity)?..hasEnded = true;
}
