/// The life of the connection: attempts, breaks, renewal and the end.
library;

import 'dart:convert';
import 'dart:math';

import '../error.dart';
import '../state.dart';
import 'gaps.dart';
import 'keep_alive.dart';
import 'link.dart';
import 'machine.dart';
import 'polling.dart';
import 'presence.dart';
import 'pushes.dart';
import 'requests.dart';
import 'rules.dart';
import 'signals.dart';
import 'transports.dart';

void connect(Machine machine) {
  machine.announce(const ClientConnecting());
  _startAttempt(machine);
}

/// Opens the next socket, for the current link or for its successor.
void _startAttempt(Machine machine) {
  final link = Link(++machine.sockets, isPolling: pollsNext(machine), startedAt: machine.now);
  final socket = link.socket;
  if (machine.current != null) {
    machine.next = link;
  } else {
    machine.current = link;
  }
  machine.timers.set(
    'attempt $socket',
    machine.now + machine.rules.connectTimeout,
    () => _attemptTimedOut(machine, link),
  );
  if (machine.rules.token) {
    machine.perform(AskToken(socket));
  } else {
    _open(machine, link, null);
  }
}

/// Begins the handshake. That of a link that polls is a poll of one log, whose answer has no further use.
void _open(Machine machine, Link link, String? token) {
  link.isOpening = true;
  link.token = token;
  if (!link.isPolling) return machine.perform(OpenSocket(link.socket, token));
  final body = jsonEncode(const {'action': 'sync', 'everyone': <String, Object?>{}});
  sendRequest(machine, link, const OpenRequest(), body);
}

void _attemptTimedOut(Machine machine, Link link) {
  handshakeFailed(machine, link, null);
  disconnect(machine, link);
}

void _retry(Machine machine) {
  machine.timers.cancel('retry');
  machine.retries += 1;
  _startAttempt(machine);
}

void tokenSupplied(Machine machine, Link link, String? token, int? expiresIn) {
  if (expiresIn != null) {
    final delay = max(expiresIn - machine.rules.renewTokenBefore, expiresIn ~/ 2);
    _authenticateAt(machine, link, machine.now + delay);
  } else {
    link.authenticateAt = null;
    machine.timers.cancel('authenticate ${link.socket}');
  }
  if (!link.isOpen) return _open(machine, link, token);
  link.token = token;
  if (link.isPolling) return;
  final body = jsonEncode({'action': 'authenticate', 'token': token});
  sendRequest(machine, link, const AuthenticateRequest(), body);
}

void tokenFailed(Machine machine, Link link) {
  if (link.isOpen) {
    authenticateLater(machine, link);
  } else {
    socketEnded(machine, link);
  }
}

void opened(Machine machine, Link link) {
  final Machine(:now, :rules) = machine;
  link.isOpen = true;
  link.receivedAt = link.pingedAt = link.openedAt = now;
  link.renewAt = now + _renewDelay(machine, link);
  link.toCheck = machine.subscriptions.inOrder.toSet();
  machine.refusals = 0;
  machine.networkIsDown = false;
  machine.timers.cancel('attempt ${link.socket}');
  machine.timers.set('stable ${link.socket}', now + rules.stableAfter, () => _becameStable(machine, link));
  if (!link.isPolling) webSocketOpened(machine);
  if (link == machine.current) _use(machine, link);
}

/// Returns the time after which a link is replaced: by a younger one, or, if it polls, by a WebSocket.
int _renewDelay(Machine machine, Link link) {
  final Machine(:rules, :random) = machine;
  return ((link.isPolling ? rules.webSocketRetry : rules.renewAfter) * (1 - 0.1 * random())).round();
}

void _becameStable(Machine machine, Link link) {
  link.isStable = true;
  machine.backOff.reset();
  if (!link.isPolling) webSocketStable(machine);
}

/// The server could not be reached.
void attemptFailed(Machine machine, Link link) {
  handshakeFailed(machine, link, null);
  socketEnded(machine, link);
}

/// The connection ended. [closeFrame] is true if it ended with a close frame.
void closed(Machine machine, Link link, {required bool closeFrame}) {
  connectionEnded(machine, link, closeFrame: closeFrame);
  socketEnded(machine, link);
}

/// Counts a refused handshake, and stops at the limit.
void refused(Machine machine, Link link, int? status) {
  handshakeFailed(machine, link, status);
  // While the client polls, the polls tell if the token is refused, and a proxy may refuse every WebSocket.
  final isBesidePolls = (machine.current?.isPolling ?? false) && link == machine.next;
  final isLingering = machine.lingering.contains(link);
  if (!isBesidePolls && !isLingering && _countsAsRefusal(machine, status)) machine.refusals += 1;
  if (machine.refusals < machine.rules.refusalLimit) return socketEnded(machine, link);
  _remove(machine, link);
  stop(machine, StoppedByRefusals(status));
}

/// Returns true if a refusal is about the token. Without a status it may have been 429 or 5xx, which are transient, so
/// such refusals count only if they are far enough apart, and not at all if the client may poll: a poll has a status.
bool _countsAsRefusal(Machine machine, int? status) {
  if (status != null) return status == 401 || status == 403;
  if (machine.rules.poll) return false;
  final last = machine.lastGuess;
  final counts = last == null || machine.now >= last + machine.rules.refusalSpacing;
  if (counts) machine.lastGuess = machine.now;
  return counts;
}

/// Stops because no attempt can succeed.
void invalid(Machine machine, Link link, String reason) {
  _remove(machine, link);
  stop(machine, StoppedAsInvalid(reason));
}

/// Closes a socket, and treats it as broken.
void disconnect(Machine machine, Link link) {
  machine.perform(CloseSocket(link.socket));
  socketEnded(machine, link);
}

/// Removes a link that broke, or that never opened.
void socketEnded(Machine machine, Link link) {
  final Machine(:current, :next) = machine;
  _remove(machine, link);
  if (link == next) _renewalFailed(machine);
  if (link == current) _lostCurrent(machine);
}

void _lostCurrent(Machine machine) {
  final next = machine.next;
  if (next == null) return _reconnectLater(machine);
  machine.retries = 1;
  _use(machine, next);
  machine.announce(const ClientReconnecting(attempt: 1, delay: Duration.zero));
}

void _renewalFailed(Machine machine) {
  final delay = _nextDelay(machine);
  final current = machine.current;
  if (current == null) return;
  current.renewAt = machine.now + (current.isPolling ? _renewDelay(machine, current) : delay);
  _use(machine, current);
}

void _remove(Machine machine, Link link) {
  if (link == machine.current) machine.current = null;
  if (link == machine.next) machine.next = null;
  machine.lingering = machine.lingering.where((other) => other != link).toList();
  if (link.isPolling && !link.isOpen) machine.pollFailed = true;
  _stopTimers(machine, link);
  endRequests(machine, [link]);
  if (machine.current == null) postponeRequests(machine);
  presenceLinkEnded(machine);
}

void _reconnectLater(Machine machine) {
  if (machine.isClosing && !machine.hasUnansweredMessages) return;
  final delay = machine.networkIsDown ? null : _nextDelay(machine);
  machine.timers.set('retry', machine.now + (delay ?? _offlineDelay(machine)), () => _retry(machine));
  machine.announce(
    ClientReconnecting(attempt: machine.retries + 1, delay: delay == null ? null : Duration(milliseconds: delay)),
  );
}

int _nextDelay(Machine machine) => machine.backOff.next(machine.rules, machine.random());

/// Returns the delay while the network is reported down, which a wrong hint must not make endless.
int _offlineDelay(Machine machine) => (machine.rules.offlineRetry * (1 - 0.5 * machine.random())).round();

/// Makes a link the current one.
void _use(Machine machine, Link link) {
  machine.current = link;
  if (link == machine.next) machine.next = null;
  if (!link.isOpen) return;
  machine.timers.set('renew ${link.socket}', link.renewAt, () => renew(machine));
  final authenticateAt = link.authenticateAt;
  if (authenticateAt != null) _authenticateAt(machine, link, authenticateAt);
  planPing(machine, link);
}

void _stopUsing(Machine machine, Link link) {
  for (final timer in const ['renew', 'authenticate', 'subscribe', 'poll']) {
    machine.timers.cancel('$timer ${link.socket}');
  }
  stopPings(machine, link);
  link.retries.clear();
}

void _stopTimers(Machine machine, Link link) {
  for (final timer in const ['attempt', 'stable', 'linger']) {
    machine.timers.cancel('$timer ${link.socket}');
  }
  _stopUsing(machine, link);
}

/// Makes the successor the current link once every subscription is established on it, and, if the client polls, once it
/// is stable. The old link stays for late replies and pushes.
void handOverIfEstablished(Machine machine) {
  final Machine(:current, :next) = machine;
  if (next == null || !next.isEstablished) return;
  if (current != null && current.isPolling && !next.isStable) return;
  _use(machine, next);
  if (current != null) {
    _stopUsing(machine, current);
    current.toCheck.clear();
    machine.lingering.add(current);
    machine.timers.set('linger ${current.socket}', machine.now + machine.rules.lingerFor, () {});
  }
  sendPending(machine);
}

void closeLingering(Machine machine) {
  for (final link in machine.lingering) {
    if (machine.timers.has('linger ${link.socket}') || link.inFlight.isNotEmpty) continue;
    machine.perform(CloseSocket(link.socket));
    _remove(machine, link);
  }
}

void announceOpenIfEstablished(Machine machine) {
  final isEstablished = machine.current?.isEstablished ?? false;
  if (machine.state is ClientOpen || !isEstablished) return;
  machine.retries = 0;
  machine.announce(const ClientOpen());
}

/// Starts the next link, unless an attempt is in progress.
void renew(Machine machine) {
  if (!machine.isClosing && machine.next == null) _startAttempt(machine);
}

void _authenticateAt(Machine machine, Link link, int time) {
  link.authenticateAt = time;
  if (link != machine.current || !link.isOpen) return;
  machine.timers.set('authenticate ${link.socket}', time, () {
    // A callback that does not answer in time is asked again.
    final Rules(:connectTimeout) = machine.rules;
    _authenticateAt(machine, link, machine.now + connectTimeout);
    machine.perform(AskToken(link.socket));
  });
}

void authenticateLater(Machine machine, Link link) {
  _authenticateAt(machine, link, machine.now + link.authentication.next(machine.rules, machine.random()));
}

void networkUp(Machine machine) {
  machine.networkIsDown = false;
  foreground(machine);
}

void networkDown(Machine machine) {
  if (machine.networkIsDown || machine.hasStopped) return;
  machine.networkIsDown = true;
  machine.timers.cancel('retry');
  endRequests(machine, _closeAllSockets(machine));
  _reconnectLater(machine);
}

/// Ends the connection, and makes no attempt before a hint.
void suspend(Machine machine) {
  networkDown(machine);
  machine.timers.cancel('retry');
}

/// Ends the delay before the next attempt, or pings an open connection, or polls.
void foreground(Machine machine) {
  if (machine.hasStopped) return;
  final current = machine.current;
  if (current == null) {
    _retry(machine);
  } else if (current.isOpen && current.isPolling) {
    poll(machine, current);
  } else if (current.isOpen) {
    ping(machine, current);
  }
}

void close(Machine machine, int within) {
  if (machine.refusesRequests) return;
  machine.isClosing = true;
  machine.timers.set('close', machine.now + within, () => stop(machine, const StoppedByClose()));
}

void stopIfClosed(Machine machine) {
  if (machine.isClosing && !machine.hasUnansweredMessages) stop(machine, const StoppedByClose());
}

void stop(Machine machine, StopReason reason) {
  deliverAllHeld(machine);
  for (final message in takeMessages(machine, _closeAllSockets(machine))) {
    machine.reject(message.request, const OutcomeUnknownError());
  }
  while (machine.outbox.length > 0) {
    machine.reject(machine.outbox.takeFirst().request, const StoppedError());
  }
  for (final entity in machine.subscriptions.inOrder) {
    for (final request in machine.subscriptions.remove(entity)) {
      machine.reject(request, const StoppedError());
    }
  }
  machine.timers.clear();
  machine.announce(ClientStopped(reason));
}

/// Closes every socket. Returns their links.
List<Link> _closeAllSockets(Machine machine) {
  final links = machine.links;
  for (final link in links) {
    machine.perform(CloseSocket(link.socket));
    _stopTimers(machine, link);
  }
  machine.current = machine.next = null;
  machine.lingering = [];
  postponeRequests(machine);
  presenceLinkEnded(machine);
  return links;
}
