import 'dart:async';

import 'error.dart';
import 'fan.dart';
import 'machine/log.dart';
import 'machine/signals.dart';
import 'position.dart';
import 'presence.dart';
import 'push.dart';
import 'state.dart';
import 'subscription.dart';

/// The streams of the application.
final class Readers {
  final Map<String, Set<Subscription>> _subscriptions = {};
  final Fan<Push> _pushes = Fan();
  final Fan<Push> _notifications = Fan();
  final Fan<Push> _broadcasts = Fan();
  final Fan<Lost> _losses = Fan();
  final Fan<ClientState> _states = Fan();

  void subscribe(Subscription subscription) =>
      _subscriptions.putIfAbsent(subscription.entityId, () => {}).add(subscription);

  /// Removes a subscription. Returns false if it failed or ended before.
  bool unsubscribe(Subscription subscription) {
    final subscriptions = _subscriptions[subscription.entityId];
    if (subscriptions == null || !subscriptions.remove(subscription)) return false;
    if (subscriptions.isEmpty) _subscriptions.remove(subscription.entityId);
    return true;
  }

  Stream<Push> get pushes => _pushes.stream();

  /// [onListen] is called when the application listens.
  Stream<Push> notifications(void Function() onListen) => _notifications.stream((_) => onListen());

  /// [onListen] is called when the application listens.
  Stream<Push> broadcasts(void Function() onListen) => _broadcasts.stream((_) => onListen());

  Stream<Lost> get losses => _losses.stream();

  /// Each listener gets the present state first.
  Stream<ClientState> states(ClientState Function() present) =>
      _states.stream((controller) => controller.add(present()));

  void deliver(Route to, Push push) {
    switch (to) {
      case Route.entity:
        for (final subscription in _subscriptionsOf(push.entityId)) {
          subscription.receive(push);
        }
      case Route.notifications:
        _notifications.add(push);
      case Route.broadcasts:
        _broadcasts.add(push);
      case Route.other:
    }
    _pushes.add(push);
  }

  /// Ends the subscriptions to an entity.
  void end(String entity, HeraldError error) {
    for (final subscription in _subscriptionsOf(entity)) {
      subscription.endWith(error);
    }
    _subscriptions.remove(entity);
  }

  /// Tells that messages are lost.
  void lose(Audience audience, Position? position) {
    for (final subscription in _subscriptionsOf(audience.entity)) {
      subscription.add(LostEvent(position));
    }
    final to = switch (audience.to) {
      Route.notifications => AudienceKind.notifications,
      Route.broadcasts => AudienceKind.broadcasts,
      Route.entity || Route.other => AudienceKind.entity,
    };
    _losses.add(Lost(to, entityId: audience.entity, position: position));
  }

  /// Tells that every message was recovered.
  void recover(Audience audience, int messages) {
    for (final subscription in _subscriptionsOf(audience.entity)) {
      subscription.add(RecoveredEvent(messages));
    }
  }

  /// Tells the presence of an entity.
  void tellPresence(String entity, Presence? presence, HeraldError? error) {
    for (final subscription in _subscriptionsOf(entity)) {
      subscription.presenceTold(presence, error);
    }
  }

  /// Loads the state of entities without a log anew: what they missed is not known.
  void reload(bool Function(String entity) hasLog) {
    for (final entity in _subscriptions.keys.toList()) {
      if (hasLog(entity)) continue;
      for (final subscription in _subscriptionsOf(entity)) {
        subscription.loader?.reload(null);
      }
    }
  }

  void announce(ClientState state) {
    _states.add(state);
    if (state is ClientStopped) _stop();
  }

  void _stop() {
    for (final entity in _subscriptions.keys.toList()) {
      for (final subscription in _subscriptionsOf(entity)) {
        subscription.endWith();
      }
    }
    for (final fan in <Fan<Object?>>[_pushes, _notifications, _broadcasts, _losses, _states]) {
      fan.close();
    }
  }

  List<Subscription> _subscriptionsOf(String? entity) => [...?_subscriptions[entity]];
}
