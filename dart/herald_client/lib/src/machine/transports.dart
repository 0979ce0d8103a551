/// The choice between a WebSocket and polling.
///
/// A network may admit no WebSocket: its handshakes fail though the server is well, or its connections are cut soon after
/// they opened. The first poll shows that HTTPS does pass.
library;

import '../state.dart';
import 'link.dart';
import 'machine.dart';
import 'signals.dart';

/// Returns true if the next attempt is to poll. After one that failed, a WebSocket is tried.
bool pollsNext(Machine machine) {
  final Machine(:rules, :killed, :pollFailed, :current) = machine;
  machine.pollFailed = false;
  final isObstructed = _isBlocked(machine) || killed >= rules.obstacleLimit;
  return rules.poll && isObstructed && !pollFailed && current == null;
}

/// Returns true if enough handshakes in a row failed, over a long enough time. A browser hides the 429 of a server that
/// throttles many clients, and a throttle lasts for seconds.
bool _isBlocked(Machine machine) {
  final Machine(:rules, :blocked, :blockedFor) = machine;
  return blocked >= rules.obstacleLimit && blockedFor >= rules.obstacleAfter;
}

/// Notes that a handshake failed. A status of the server itself is no obstacle of the network.
void handshakeFailed(Machine machine, Link link, int? status) {
  if (link.isPolling || !link.isOpening) return;
  final isOfTheServer = status != null && (const {401, 403, 429}.contains(status) || status >= 500);
  if (machine.blocked == 0) machine.blockedSince = link.startedAt;
  machine.blocked = isOfTheServer ? 0 : machine.blocked + 1;
  machine.blockedFor = machine.now - machine.blockedSince;
}

/// Notes that a connection ended. [closeFrame] is true if it ended with a close frame.
void connectionEnded(Machine machine, Link link, {required bool closeFrame}) {
  final wasKilled = !closeFrame && machine.now - link.openedAt <= machine.rules.killedWithin;
  machine.killed = wasKilled ? machine.killed + 1 : 0;
}

/// Notes that a WebSocket opened. While the client polls, it counts once it is stable.
void webSocketOpened(Machine machine) {
  if (!(machine.current?.isPolling ?? false)) machine.blocked = 0;
}

void webSocketStable(Machine machine) => machine.blocked = machine.killed = 0;

/// Tells the application which transport the client uses, if that changed.
void announceTransport(Machine machine) {
  final current = machine.current;
  if (current == null || !current.isOpen) return;
  final transport = current.isPolling ? Transport.poll : Transport.webSocket;
  if (transport == machine.transport) return;
  machine.transport = transport;
  machine.perform(ChangeTransport(transport));
}
