/// Requests about logs: `sync` compares positions, and `history` reads on.
library;

import 'dart:convert';

import '../error.dart';
import 'batch.dart';
import 'continuity.dart';
import 'failures.dart';
import 'frame.dart';
import 'gaps.dart';
import 'link.dart';
import 'log.dart';
import 'machine.dart';
import 'polling.dart';
import 'pushes.dart';
import 'requests.dart';
import 'signals.dart';
import 'subscribing.dart';

/// Notes that the application reads an audience that needs no subscription.
void follow(Machine machine, Route to) {
  final log = machine.logs.at(to);
  if (log == null || log.isFollowed) return;
  log.isFollowed = true;
  final hasSynced = machine.current?.hasSynced ?? false;
  if (hasSynced && _isToBeNamed(log)) askNow(machine, log);
}

bool _isToBeNamed(Log log) => log.position != null || (log.isFollowed && !log.isAbsent);

/// Names the audiences that need no subscription, on a connection that is new.
void sendFirstSync(Machine machine, Link link) {
  if (link.hasSynced) return;
  link.hasSynced = true;
  _sendSync(machine, link, machine.logs.unsubscribed.where(_isToBeNamed).toList());
}

/// Compares the positions that are to be compared at once. A log that is read on without `history` has a `sync` of its
/// own.
void sendSyncs(Machine machine, Link link) {
  for (final log in machine.toRead.where((log) => !log.mayRead || link.isPolling).toList()) {
    machine.toRead.remove(log);
    _sendSync(machine, link, [log]);
  }
  _sendAll(machine, link, machine.toSync.toList());
}

/// Sends a `history` that goes on from the position of a log.
void readOn(Machine machine, Link link, Log log) {
  machine.toRead.remove(log);
  final body = jsonEncode({'action': 'history', ..._nameOf(log.audience), 'since': log.position?.toJson()});
  sendRequest(machine, link, HistoryRequest(Asked(log, log.position)), body);
}

Frame _nameOf(Audience audience) => switch (audience.to) {
  Route.entity => {'entityId': audience.entity},
  Route.notifications => const {'user': true},
  Route.broadcasts || Route.other => const {'everyone': true},
};

/// Compares every position, in the place of a ping. It does not wait for room among the requests in flight. Returns
/// false if there is none to compare, or a `sync` is in flight already.
bool syncAll(Machine machine, Link link) {
  final known = machine.logs.known;
  final isSyncing = link.inFlight.values.any((request) => request is SyncRequest);
  if (known.isEmpty || link != machine.current || isSyncing) return false;
  _sendAll(machine, link, known);
  return true;
}

void _sendAll(Machine machine, Link link, List<Log> logs) {
  var left = logs;
  while (left.isNotEmpty) {
    left = _sendSync(machine, link, left);
  }
}

/// Sends one `sync` of as many logs as fit. Returns the others.
List<Log> _sendSync(Machine machine, Link link, List<Log> logs) {
  final beside = <String, Object?>{if (link.isPolling) 'pollAfter': link.pollAfter};
  final asked = <Log>[];
  final entities = <(String, Log)>[];
  for (final log in logs) {
    final entity = log.audience.entity;
    if (entity != null) {
      entities.add((entity, log));
    } else {
      beside[log.audience.to == Route.notifications ? 'user' : 'everyone'] = _positionIn(log);
      asked.add(log);
    }
  }
  final batch = Batch(beside: beside);
  entities.sort((one, other) => compareAsUtf8(one.$1, other.$1));
  for (final (entity, log) in entities) {
    if (!batch.hasRoomFor(entity, _positionIn(log))) break;
    batch.add(entity, _positionIn(log));
    asked.add(log);
  }
  if (asked.isNotEmpty) _send(machine, link, asked, {if (!batch.isEmpty) 'entities': batch.entities, ...beside});
  final sent = asked.toSet();
  return logs.where((log) => !sent.contains(log)).toList();
}

/// Returns the position of a log as a `sync` has it: without one, it asks for the present one.
Frame _positionIn(Log log) => log.position?.toJson() ?? const {};

void _send(Machine machine, Link link, List<Log> logs, Frame fields) {
  for (final log in logs) {
    machine.toSync.remove(log);
    if (log.position == null) log.isStarting = true;
  }
  final asked = [for (final log in logs) Asked(log, log.position)];
  sendRequest(machine, link, SyncRequest(asked), jsonEncode({'action': 'sync', ...fields}));
}

void syncAnswered(Machine machine, Link link, List<Asked> asked, Frame reply) {
  final jitter = machine.random();
  // A link that lingers has a successor with every subscription.
  final mayEnd = link.isPolling && !machine.lingering.contains(link);
  for (final one in asked) {
    final result = _resultOf(reply, one.log.audience);
    if (one.log.hasEnded) continue;
    if (result == null) {
      isCurrent(machine, one.log);
    } else if (mayEnd && _isUnreadable(result)) {
      _unreadable(machine, link, one.log, result);
    } else if (result['error'] != null) {
      _askFailed(machine, one.log, serverError(objectOf(result['error']) ?? const {}), jitter);
    } else {
      whenOwnAreKnown(machine, one.log, result, () => logAnswered(machine, one, result, isShared: asked.length > 1));
    }
  }
}

/// Returns true if no later poll can read the log: it is gone, or the server refuses it.
bool _isUnreadable(Frame result) {
  if (result['error'] == null) return result['offset'] == null;
  return !serverError(objectOf(result['error']) ?? const {}).isRetryable;
}

/// Ends what reads a log that cannot be polled.
void _unreadable(Machine machine, Link link, Log log, Frame result) {
  final entity = log.audience.entity;
  if (entity == null) return endLog(machine, log);
  subscriptionFailed(machine, link, entity, serverError(objectOf(result['error']) ?? unsupported));
}

Frame? _resultOf(Frame reply, Audience audience) => switch (audience.to) {
  Route.notifications => objectOf(reply['user']),
  Route.broadcasts => objectOf(reply['everyone']),
  Route.entity || Route.other => objectOf(objectOf(reply['entities'])?[audience.entity]),
};

void syncFailed(Machine machine, List<Asked> asked, HeraldError error) {
  final jitter = machine.random();
  for (final one in asked) {
    _askFailed(machine, one.log, error, jitter);
  }
}

void _askFailed(Machine machine, Log log, HeraldError error, double jitter) {
  if (log.hasEnded) return;
  if (error.isRetryable) {
    askLater(machine, log, jitter);
  } else if (log.position == null || isUnknownAction(error)) {
    endLog(machine, log);
  } else {
    do {
      giveUp(machine, log);
    } while (log.isMissing);
  }
}

void historyAnswered(Machine machine, Asked asked, Frame reply) {
  whenOwnAreKnown(machine, asked.log, reply, () => logAnswered(machine, asked, reply, isRead: true));
}

void historyFailed(Machine machine, Asked asked, HeraldError error) {
  final log = asked.log;
  if (log.hasEnded) return;
  if (error.isRetryable) return askLater(machine, log, machine.random());
  log.mayRead = false;
  machine.toRead.add(log);
}
