/// Presence: the users at an entity, as snapshots and changes of the server tell them.
///
/// A change has the next version and names who joined and who left. One that arrives too early is held, and the client
/// asks for a snapshot if those before it do not arrive soon.
library;

import 'dart:convert';
import 'dart:math';

import '../error.dart';
import 'link.dart';
import 'machine.dart';
import 'presence_frame.dart';
import 'presence_of_entity.dart';
import 'requests.dart';
import 'signals.dart';
import 'subscribing.dart';

/// The most members that any stack lists.
const _membersLimit = 200;

/// Adds a subscriber that asks for presence.
void joinPresence(Machine machine, String entity) {
  final presence = machine.presences[entity];
  if (presence == null) {
    machine.presences[entity] = PresenceOfEntity();
    return;
  }
  presence.subscribers += 1;
  if (presence.wasTold) _tell(machine, entity, presence);
}

/// Removes a subscriber that asked for presence.
void leavePresence(Machine machine, String entity) {
  final presence = machine.presences[entity];
  if (presence == null) return;
  presence.subscribers -= 1;
  if (presence.subscribers == 0) endPresence(machine, entity);
}

/// Forgets the presence of an entity.
void endPresence(Machine machine, String entity) {
  machine.presences.remove(entity);
  machine.timers.cancel(_timerOf(entity));
}

/// Returns true if a subscription on a link is to ask for presence.
bool asksForPresence(Machine machine, Link link, String entity) {
  final presence = machine.presences[entity];
  return presence != null && presence.error == null && !link.isPolling;
}

/// Takes a snapshot, unless a newer version is known. [answer] is no snapshot if the entity has no presence.
/// [isAcknowledgement] is true if it is part of an acknowledgement.
void snapshotArrived(Machine machine, String entity, Object? answer, {bool isAcknowledgement = false}) {
  final presence = machine.presences[entity];
  if (presence == null || presence.error != null) return;
  presence.backOff.reset();
  final snapshot = _pollsAlone(machine) ? null : snapshotOf(answer);
  if (snapshot == null) {
    presence.hasNone();
  } else if (snapshot.version >= (presence.version ?? 0)) {
    presence.moveTo(snapshot.version, presenceOf(snapshot));
    presence.lacksMembers = isAcknowledgement && snapshot.joined == null && snapshot.count <= _membersLimit;
  }
  _proceed(machine, entity, presence);
}

/// Notes that a link that polls acknowledged an entity. Its presence is unknown then, unless a WebSocket tells it.
void polled(Machine machine, String entity) {
  final isTold = machine.linksInUse.any((link) => link.entities[entity]?.hasPresence ?? false);
  if (!isTold) snapshotArrived(machine, entity, null);
}

/// Applies a change, or holds it.
void presenceArrived(Machine machine, Frame frame) {
  final entity = frame['entityId'];
  final presence = machine.presences[entity];
  final told = _pollsAlone(machine) ? null : presenceChangeOf(frame);
  if (entity is! String || presence == null || presence.error != null || told == null) return;
  final version = presence.version;
  if (version != null && told.version <= version) return;
  presence.held[told.version] = told;
  _proceed(machine, entity, presence);
}

void presenceFailed(Machine machine, String entity, HeraldError error) {
  if (!error.isRetryable) return refusePresence(machine, entity, error);
  final presence = machine.presences[entity];
  if (presence == null || !presence.isBehind) return;
  _askAfter(machine, entity, presence.backOff.next(machine.rules, machine.random()));
}

/// Goes on without presence, since the server refuses it.
void refusePresence(Machine machine, String entity, HeraldError error) {
  final presence = machine.presences[entity];
  if (presence == null) return;
  presence.error = error;
  presence.hasNone();
  _proceed(machine, entity, presence);
  recheck(machine, entity);
}

/// Plans anew what a link that ended was asked for. Without another, every set is stale, and unknown if the client polls.
void presenceLinkEnded(Machine machine) {
  final isConnected = _linkOf(machine) != null;
  for (final MapEntry(key: entity, value: presence) in machine.presences.entries) {
    if (!isConnected) presence.forgetVersion();
    if (_pollsAlone(machine)) snapshotArrived(machine, entity, null);
    _watch(machine, entity, presence);
  }
}

void _proceed(Machine machine, String entity, PresenceOfEntity presence) {
  final held = presence.held;
  presence.catchUp();
  if (held.length > machine.rules.heldLimit) held.remove(held.keys.reduce(min));
  if (presence.hasNews) _tell(machine, entity, presence);
  _watch(machine, entity, presence);
}

/// Tells the subscribers of an entity its set.
void _tell(Machine machine, String entity, PresenceOfEntity presence) {
  presence.told = presence.present;
  presence.wasTold = true;
  machine.perform(TellPresence(entity, presence.present, presence.error));
}

/// Asks for a snapshot after a random delay, so that the subscribers of one entity do not ask together. Ends the wait if
/// nothing is missing.
void _watch(Machine machine, String entity, PresenceOfEntity presence) {
  final timer = _timerOf(entity);
  if (!presence.isBehind) return machine.timers.cancel(timer);
  if (machine.timers.has(timer) || _isAsked(machine, entity)) return;
  _askAfter(machine, entity, (machine.rules.presenceSpread * machine.random()).round());
}

void _askAfter(Machine machine, String entity, int delay) {
  machine.timers.set(_timerOf(entity), machine.now + delay, () => _ask(machine, entity));
}

/// Asks for a snapshot, unless an answer is on its way. It does not wait for room among the requests in flight.
void _ask(Machine machine, String entity) {
  final link = _linkOf(machine);
  if (link == null || _isAsked(machine, entity)) return;
  sendRequest(machine, link, PresenceRequest(entity), jsonEncode({'action': 'presence', 'entityId': entity}));
}

bool _isAsked(Machine machine, String entity) => machine.links
    .expand((link) => link.inFlight.values)
    .any(
      (request) => switch (request) {
        PresenceRequest(entity: final asked) => asked == entity,
        SubscribeRequest(:final entities) => entities.contains(entity),
        _ => false,
      },
    );

/// Returns true if the client polls without a WebSocket beside it. One that lingers tells no later change.
bool _pollsAlone(Machine machine) => machine.linksInUse.isNotEmpty && _linkOf(machine) == null;

/// Returns the link whose server tells presence. `null` without a WebSocket.
Link? _linkOf(Machine machine) => machine.linksInUse.where((link) => !link.isPolling).firstOrNull;

String _timerOf(String entity) => 'presence $entity';
