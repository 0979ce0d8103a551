/// Subscriptions of the application, established on every connection.
library;

import 'dart:convert';
import 'dart:math';

import '../error.dart';
import '../position.dart';
import 'batch.dart';
import 'connecting.dart';
import 'continuity.dart';
import 'failures.dart';
import 'frame.dart';
import 'gaps.dart';
import 'keep_alive.dart';
import 'link.dart';
import 'log.dart';
import 'machine.dart';
import 'polling.dart';
import 'positions.dart';
import 'presence.dart';
import 'pushes.dart';
import 'requests.dart';
import 'signals.dart';

void subscribe(Machine machine, Subscriber subscriber) {
  final Subscriber(:request, :entity, :presence) = subscriber;
  if (machine.refusesRequests) return machine.reject(request, const StoppedError());
  machine.subscriptions.add(entity, request, presence: presence);
  if (presence) joinPresence(machine, entity);
  if (machine.logs.at(Route.entity, entity) == null) _beginSession(machine, subscriber);
  final current = machine.current;
  if (current?.entities[entity]?.progress == Progress.subscribed) {
    _resolveSubscribers(machine, current!, entity, machine.positionOf(entity));
  }
  recheck(machine, entity);
}

/// Begins the session of an entity's first subscriber. If the last session has not unsubscribed yet, its subscription
/// serves this one too, unless there is a log, which must tell where this session starts.
void _beginSession(Machine machine, Subscriber subscriber) {
  final Subscriber(:entity, :recover, :rewind) = subscriber;
  final log = machine.logs.insert(entity);
  log.position = recover;
  log.rewind = rewind;
  for (final link in machine.linksInUse) {
    final entry = link.entities[entity];
    if (entry?.progress != Progress.subscribed) continue;
    if (entry!.hasLog || recover != null || rewind != null) {
      _updateState(machine, link, entity, Progress.retrying);
    } else {
      log.isStarting = false;
    }
  }
}

void unsubscribe(Machine machine, Unsubscribe input) {
  final Unsubscribe(:entity, :presence) = input;
  machine.subscriptions.release(entity);
  if (presence) leavePresence(machine, entity);
  if (!machine.subscriptions.wants(entity)) endSession(machine, entity);
  recheck(machine, entity);
}

/// Marks an entity whose state may not be the wanted one, on every link.
void recheck(Machine machine, String entity) {
  for (final link in machine.linksInUse) {
    link.toCheck.add(entity);
  }
}

/// Sends the next request about entities, if one is needed: a `subscribe` to as many as fit, or an `unsubscribe`.
void sendEntityRequest(Machine machine, Link link) {
  final batch = Batch(limit: link.oneByOne ? 1 : entitiesAtOnce);
  final asked = <Asked>[];
  for (final entity in link.toCheck.toList()) {
    final change = _changeOf(machine, link, entity);
    final log = machine.logs.at(Route.entity, entity);
    final presence = asksForPresence(machine, link, entity);
    final start = <String, Object?>{if (log != null) ..._startOf(link, log), if (presence) 'presence': true};
    final isNext = change == _Change.unsubscribe ? batch.isEmpty : batch.hasRoomFor(entity, start);
    if (change != null && !isNext) break;
    link.toCheck.remove(entity);
    if (change == _Change.unsubscribe) return _sendUnsubscribe(machine, link, entity);
    if (change == null || log == null) continue;
    final isSubscribed = link.entities[entity]?.progress == Progress.subscribed;
    link.entities[entity] = EntityState(Progress.subscribing, link.backOffOf(entity));
    batch.add(entity, start);
    asked.add(Asked(log, log.position, presence: presence, isSubscribed: isSubscribed));
  }
  if (batch.isEmpty) return;
  sendRequest(machine, link, SubscribeRequest(batch.ids, asked), _bodyOf(link, batch));
}

/// Returns the place from which a `subscribe` starts, or a poll.
Frame _startOf(Link link, Log log) {
  final Log(:position, :rewind) = log;
  if (link.isPolling) return position?.toJson() ?? const {};
  if (position != null) return {'recover': position.toJson()};
  return {if (rewind != null) 'rewind': rewind};
}

/// Returns the JSON of a `subscribe`, or of a poll, without an id. Every server knows the form for one entity.
String _bodyOf(Link link, Batch batch) {
  final entities = batch.entities;
  if (link.isPolling) return jsonEncode({'action': 'sync', 'entities': entities});
  if (entities.length > 1) return jsonEncode({'action': 'subscribe', 'entities': entities});
  final MapEntry(key: entity, value: start) = entities.entries.first;
  return jsonEncode({'action': 'subscribe', 'entityId': entity, ...start});
}

enum _Change { subscribe, unsubscribe }

/// Returns the request that an entity needs. `null` if it needs none, or if one about it is in flight.
_Change? _changeOf(Machine machine, Link link, String entity) {
  final state = link.entities[entity];
  final progress = state?.progress;
  if (machine.subscriptions.wants(entity)) {
    final differs = progress == Progress.subscribed && state!.hasPresence != asksForPresence(machine, link, entity);
    return progress == null || progress == Progress.retrying || differs ? _Change.subscribe : null;
  }
  return switch (progress) {
    null || Progress.subscribing || Progress.unsubscribing => null,
    Progress.subscribed || Progress.waitingToRetry || Progress.retrying => _Change.unsubscribe,
  };
}

void _sendUnsubscribe(Machine machine, Link link, String entity) {
  link.retries.remove(entity);
  _scheduleRetries(machine, link);
  if (link.isPolling) {
    link.entities.remove(entity);
    return;
  }
  link.entities[entity] = EntityState(Progress.unsubscribing, link.backOffOf(entity));
  final body = jsonEncode({'action': 'unsubscribe', 'entityId': entity});
  sendRequest(machine, link, UnsubscribeRequest(entity), body);
}

void subscribeAnswered(Machine machine, Link link, SubscribeRequest request, Frame reply) {
  final SubscribeRequest(:entities, :asked) = request;
  final isSingle = entities.length == 1 && !link.isPolling;
  final answer = link.isPolling ? asAcknowledgement(request, reply) : reply;
  final errors = isSingle ? const <HeraldError?>[null] : resultsOf(answer, entities);
  if (errors.any((error) => error != null && isUnknownConnection(error))) return disconnect(machine, link);
  final results = objectOf(answer['entities']) ?? const {};
  // The same for all, so that entities that failed together are retried together.
  final jitter = machine.random();
  final keepAlive = keepAliveOf(answer);
  for (var index = 0; index < entities.length; index++) {
    final entity = entities[index];
    final error = errors[index];
    final result = isSingle ? answer : objectOf(results[entity]) ?? const <String, Object?>{};
    if (error != null) {
      _entityFailed(machine, link, entity, asked[index], error, jitter);
    } else {
      noteKeepAlive(machine, link, entity, keepAlive);
      _entityAcknowledged(machine, link, entity, asked[index], result, isShared: entities.length > 1);
    }
  }
}

void subscribeFailed(Machine machine, Link link, SubscribeRequest request, HeraldError error) {
  final SubscribeRequest(:entities, :asked) = request;
  if (entities.length > 1 && isBadRequest(error)) return _subscribeOneByOne(machine, link, entities);
  final jitter = machine.random();
  for (final (index, entity) in entities.indexed) {
    _entityFailed(machine, link, entity, asked[index], error, jitter);
  }
}

/// Subscribes to each entity alone, because the server does not support a `subscribe` to several, or because one of the
/// entities is invalid.
void _subscribeOneByOne(Machine machine, Link link, List<String> entities) {
  if (!machine.linksInUse.contains(link)) return;
  link.oneByOne = true;
  for (final entity in entities) {
    link.entities[entity] = EntityState(Progress.retrying, link.backOffOf(entity));
  }
  link.toCheck = {...entities, ...link.toCheck};
}

/// Notes that the server has acknowledged an entity, and applies the answer of its log. [isShared] is true if the request
/// named several entities.
void _entityAcknowledged(
  Machine machine,
  Link link,
  String entity,
  Asked asked,
  Frame answer, {
  required bool isShared,
}) {
  final position = Position.fromJson(answer);
  final log = machine.logs.at(Route.entity, entity);
  final isOfThisSession = log == asked.log;
  if (log != null && !isOfThisSession && position != null && machine.linksInUse.contains(link)) {
    _updateState(machine, link, entity, Progress.retrying);
    return;
  }
  _updateState(machine, link, entity, Progress.subscribed)
    ..hasLog = position != null
    ..hasPresence = asked.presence;
  if (link.isPolling) {
    polled(machine, entity);
  } else if (asked.presence) {
    snapshotArrived(machine, entity, answer['presence'], isAcknowledgement: true);
  }
  if (log == null) return;
  final start = position == null ? null : _startingPoint(asked, answer, position);
  _resolveSubscribers(machine, link, entity, start);
  if (position == null) return endLog(machine, log);
  if (!isOfThisSession) return;
  final isRecovery = asked.position != null && !asked.isSubscribed && link == machine.current;
  whenOwnAreKnown(
    machine,
    log,
    answer,
    () => logAnswered(machine, asked, answer, isAcknowledgement: true, isRecovery: isRecovery, isShared: isShared),
  );
}

/// Returns the position before the first message of an answer. [position] is that of the answer.
Position _startingPoint(Asked asked, Frame answer, Position position) {
  final recover = asked.position;
  if (recover != null) return recover;
  final message = objectOf(listOf(answer['messages']).firstOrNull);
  final first = message == null ? null : positionOfMessage(message);
  return first == null ? position : first.withOffset(first.offset - 1);
}

/// Retries or ends a subscription. [jitter] is the random share of the delay, if there is a retry.
void _entityFailed(Machine machine, Link link, String entity, Asked asked, HeraldError error, double jitter) {
  // A link that is not in use has a successor with every subscription.
  if (!machine.linksInUse.contains(link)) return;
  if (asked.presence && mayRefusePresence(error)) {
    _updateState(machine, link, entity, Progress.retrying);
    return refusePresence(machine, entity, error);
  }
  if (_shouldRetry(machine, entity, error)) return _retryLater(machine, link, entity, jitter);
  subscriptionFailed(machine, link, entity, error);
}

bool _shouldRetry(Machine machine, String entity, HeraldError error) {
  final subscriptions = machine.subscriptions;
  final mayRetry = isThrottled(error) || (subscriptions.isEstablished(entity) && error.isRetryable);
  return subscriptions.wants(entity) && mayRetry;
}

void _resolveSubscribers(Machine machine, Link link, String entity, Position? position) {
  final hasPresence = link.entities[entity]?.hasPresence ?? false;
  final isComplete = hasPresence || !asksForPresence(machine, link, entity);
  for (final request in machine.subscriptions.acknowledged(entity, isComplete: isComplete)) {
    machine.perform(Resolve(request, position: position));
  }
}

void _retryLater(Machine machine, Link link, String entity, double jitter) {
  final backOff = _updateState(machine, link, entity, Progress.waitingToRetry).backOff;
  link.retries[entity] = machine.now + backOff.next(machine.rules, jitter);
  _scheduleRetries(machine, link);
}

void _scheduleRetries(Machine machine, Link link) {
  final timer = 'subscribe ${link.socket}';
  if (link.retries.isEmpty) return machine.timers.cancel(timer);
  machine.timers.set(timer, link.retries.values.reduce(min), () => _retrySubscriptions(machine, link));
}

void _retrySubscriptions(Machine machine, Link link) {
  for (final MapEntry(key: entity, value: at) in link.retries.entries.toList()) {
    if (at > machine.now) continue;
    link.retries.remove(entity);
    _updateState(machine, link, entity, Progress.retrying);
  }
  _scheduleRetries(machine, link);
}

/// Ends a subscription for all its subscribers.
void subscriptionFailed(Machine machine, Link link, String entity, HeraldError error) {
  // Without a refusal by the server itself, the subscription may have been stored.
  _updateState(machine, link, entity, error is ServerError ? null : Progress.subscribed);
  final wasEstablished = machine.subscriptions.isEstablished(entity);
  for (final request in machine.subscriptions.remove(entity)) {
    machine.reject(request, error);
  }
  endSession(machine, entity);
  endPresence(machine, entity);
  if (wasEstablished) machine.perform(Ended(entity, error));
  recheck(machine, entity);
}

void unsubscribeAnswered(Machine machine, Link link, String entity) => _updateState(machine, link, entity, null);

/// Sets the state of an entity on a link, or removes it, and marks the entity.
EntityState _updateState(Machine machine, Link link, String entity, Progress? progress) {
  final entry = EntityState(progress ?? Progress.retrying, link.backOffOf(entity));
  if (progress == null) {
    link.entities.remove(entity);
    noteKeepAlive(machine, link, entity, null);
  } else {
    link.entities[entity] = entry;
  }
  if (machine.linksInUse.contains(link)) link.toCheck.add(entity);
  return entry;
}
