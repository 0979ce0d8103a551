/// Pings: after silence, and when a request stays without a reply.
library;

import 'dart:math';

import 'connecting.dart';
import 'link.dart';
import 'machine.dart';
import 'signals.dart';
import 'syncing.dart';

/// Plans a ping for the time after silence. A client that asks for presence pings whatever arrives, since pings keep its
/// user present.
void pingAfterSilence(Machine machine, Link link) {
  final Link(:socket, :receivedAt, :pingedAt) = link;
  final since = machine.presences.isNotEmpty ? min(receivedAt, pingedAt) : receivedAt;
  machine.timers.set('ping $socket', since + machine.rules.pingAfter, () => ping(machine, link));
}

/// Sends a ping if nothing arrives for long after a request.
void pingUnlessAnswered(Machine machine, Link link) {
  final timer = 'unanswered ${link.socket}';
  if (link.awaitsPong || machine.timers.has(timer)) return;
  machine.timers.set(timer, machine.now + machine.rules.unansweredAfter, () => ping(machine, link));
}

/// Sends a ping, or a `sync` if there are positions, unless one is in flight.
void ping(Machine machine, Link link) {
  if (link.awaitsPong) return;
  link.awaitsPong = true;
  link.pingedAt = machine.now;
  _cancel(machine, link, const ['ping', 'unanswered']);
  machine.timers.set('pong ${link.socket}', machine.now + machine.rules.pongTimeout, () => disconnect(machine, link));
  if (!syncAll(machine, link)) machine.perform(SendText(link.socket, '{"action":"ping"}'));
}

/// Notes that something arrived.
void noteReceived(Machine machine, Link link) {
  link.receivedAt = machine.now;
  link.awaitsPong = false;
  _cancel(machine, link, const ['pong', 'unanswered']);
  if (link == machine.current) pingAfterSilence(machine, link);
}

void stopPings(Machine machine, Link link) => _cancel(machine, link, const ['ping', 'unanswered', 'pong']);

void _cancel(Machine machine, Link link, List<String> timers) {
  for (final timer in timers) {
    machine.timers.cancel('$timer ${link.socket}');
  }
}
