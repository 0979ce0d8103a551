/// The times at which the client asks for missing messages.
library;

import 'dart:math';

import 'log.dart';
import 'machine.dart';

/// Starts the wait after which the client asks for missing messages, or ends it if none is missing. Its delay is random,
/// so that the clients that miss a message do not all ask at once.
void watch(Machine machine, Log log, [int? delay]) {
  final Machine(:gaps, :rules) = machine;
  if (!log.isBehind || log.hasEnded) return _cancelGap(machine, log);
  if (gaps.containsKey(log) || isAsked(machine, log)) return;
  gaps[log] = machine.now + (delay ?? (rules.gapAfter + rules.gapSpread * machine.random()).round());
  _scheduleGaps(machine);
}

void _cancelGap(Machine machine, Log log) {
  if (machine.gaps.remove(log) != null) _scheduleGaps(machine);
}

/// Asks again after a request failed. [jitter] is the random share of the delay.
void askLater(Machine machine, Log log, double jitter) {
  if (log.hasEnded) return;
  log.isDoubtful = log.position != null;
  machine.gaps[log] = machine.now + log.backOff.next(machine.rules, jitter);
  _scheduleGaps(machine);
}

void askNow(Machine machine, Log log) {
  _cancelGap(machine, log);
  machine.toSync.add(log);
}

void _scheduleGaps(Machine machine) {
  final Machine(:gaps, :timers) = machine;
  if (gaps.isEmpty) return timers.cancel('gap');
  timers.set('gap', gaps.values.reduce(min), () => _askForGaps(machine));
}

/// Asks for what is missing. Without a connection, the next one does.
void _askForGaps(Machine machine) {
  for (final MapEntry(key: log, value: at) in machine.gaps.entries.toList()) {
    if (at > machine.now) continue;
    machine.gaps.remove(log);
    final isMissing = log.isBehind || log.isStarting;
    final isOpen = machine.current?.isOpen ?? false;
    if (isMissing && isOpen && !isAsked(machine, log)) machine.toSync.add(log);
  }
  _scheduleGaps(machine);
}

/// Returns true if an answer of the log is on its way.
bool isAsked(Machine machine, Log log) {
  final requests = machine.links.expand((link) => link.inFlight.values);
  final isWaiting = machine.heldAnswers.any((answer) => answer.log == log);
  return isWaiting ||
      machine.toRead.contains(log) ||
      machine.toSync.contains(log) ||
      requests.any((request) => request.asked.any((asked) => asked.log == log));
}

/// Plans anew what was to be asked at once, on a connection that ended.
void postponeRequests(Machine machine) {
  final logs = [...machine.toSync, ...machine.toRead];
  machine.toSync.clear();
  machine.toRead.clear();
  for (final log in logs) {
    watch(machine, log);
  }
}

/// Ends the session of an entity, and forgets what is planned for its log.
void endSession(Machine machine, String entity) {
  final log = machine.logs.remove(entity);
  if (log == null) return;
  machine.toSync.remove(log);
  machine.toRead.remove(log);
  _cancelGap(machine, log);
}
