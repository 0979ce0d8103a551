/// Pings: after silence, when the server demands them, and when a request stays without a reply.
library;

import 'dart:math';

import 'connecting.dart';
import 'link.dart';
import 'machine.dart';
import 'signals.dart';
import 'syncing.dart';

/// Plans the next ping: after silence on the current link, and whatever arrives after the time that the server demands.
void planPing(Machine machine, Link link) {
  final Machine(:current, :next, :rules) = machine;
  if (link.isPolling || link.awaitsPong || (link != current && link != next)) return;
  final Link(:receivedAt, :pingedAt, :keepAlive) = link;
  final silentAt = link == current ? receivedAt + rules.pingAfter : never;
  final at = min(silentAt, keepAlive == null ? never : pingedAt + keepAlive);
  if (at >= never) return _cancel(machine, link, const ['ping']);
  machine.timers.set('ping ${link.socket}', at, () => ping(machine, link));
}

/// Notes how long after a ping the subscription to an entity demands the next: [keepAlive] milliseconds, or `null` if it
/// demands none, or has ended. The shortest time of a link counts.
void noteKeepAlive(Machine machine, Link link, String entity, int? keepAlive) {
  if (keepAlive == null) {
    link.keepAlives.remove(entity);
  } else {
    link.keepAlives[entity] = keepAlive;
  }
  link.keepAlive = link.keepAlives.isEmpty ? null : link.keepAlives.values.reduce(min);
  planPing(machine, link);
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
  planPing(machine, link);
}

void stopPings(Machine machine, Link link) => _cancel(machine, link, const ['ping', 'unanswered', 'pong']);

void _cancel(Machine machine, Link link, List<String> timers) {
  for (final timer in timers) {
    machine.timers.cancel('$timer ${link.socket}');
  }
}
