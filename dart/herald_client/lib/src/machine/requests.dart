/// Requests: from the outbox to a socket, and from a reply to the application.
library;

import 'dart:convert';

import '../error.dart';
import '../options.dart';
import '../state.dart';
import 'connecting.dart';
import 'continuity.dart';
import 'failures.dart';
import 'frame.dart';
import 'gaps.dart';
import 'keep_alive.dart';
import 'link.dart';
import 'log.dart';
import 'machine.dart';
import 'outbox.dart';
import 'polling.dart';
import 'presence.dart';
import 'pushes.dart';
import 'signals.dart';
import 'subscribing.dart';
import 'syncing.dart';

void send(Machine machine, Send input) {
  if (machine.refusesRequests) return machine.reject(input.request, const StoppedError());
  // The id is not known yet, but no later one is shorter.
  final body = jsonEncode(input.frame);
  final bytes = bytesOf(withId(body, machine.requests + 1));
  if (bytes > machine.rules.messageLimit) return machine.reject(input.request, const TooLargeError());
  final message = QueuedMessage(
    request: input.request,
    isMessage: input.frame['action'] == 'sendMessage',
    body: body,
    target: _targetOf(input.frame),
    safeToRepeat: input.safeToRepeat,
    expiresAt: machine.now + (input.timeToLive ?? machine.rules.timeToLive),
  );
  machine.outbox.put(message);
  sendPending(machine);
  _enforceOutboxLimit(machine);
}

/// Returns the audience of a message. `null` if the frame is none, or its audience has no log that the client follows.
Target? _targetOf(Frame frame) {
  if (frame['action'] != 'sendMessage') return null;
  final entity = frame['entityId'];
  if (entity is String) return Target(Route.entity, entity);
  return frame['broadcast'] == true ? const Target(Route.broadcasts) : null;
}

/// Refuses a message if the outbox is over its limit. It runs after sending, since a message that is sent at once needs
/// no place.
void _enforceOutboxLimit(Machine machine) {
  final Machine(:outbox, :rules) = machine;
  if (outbox.length <= rules.outboxLimit) return;
  final refused = rules.outboxFull == OutboxFull.dropOldest ? outbox.takeFirst() : outbox.takeLast();
  machine.reject(refused.request, const OutboxFullError());
}

/// Sends subscriptions, what logs need, and the outbox, up to the limit of requests in flight.
void sendPending(Machine machine) {
  for (final link in machine.linksInUse) {
    bool hasRoom() => link.inFlight.length < machine.rules.inFlightLimit;
    sendFirstSync(machine, link);
    while (link.toCheck.isNotEmpty && hasRoom()) {
      sendEntityRequest(machine, link);
    }
    if (link != machine.current) continue;
    sendSyncs(machine, link);
    while (machine.toRead.isNotEmpty && hasRoom()) {
      readOn(machine, link, machine.toRead.first);
    }
    if (machine.outboxIsPaused) continue;
    // HTTP requests may overtake each other, so a link that polls sends one message after the other.
    bool maySend() => hasRoom() && !(link.isPolling && link.oldestSend < never);
    while (machine.outbox.length > 0 && maySend()) {
      _sendMessage(machine, link, machine.outbox.takeFirst());
    }
  }
}

void _sendMessage(Machine machine, Link link, QueuedMessage message) {
  if (link.isPolling && !message.isMessage) return machine.reject(message.request, serverError(unsupported));
  sendRequest(machine, link, MessageRequest(message), message.body);
}

void sendRequest(Machine machine, Link link, Request request, String body) {
  final id = ++machine.requests;
  link.inFlight[id] = request;
  final timesOutAt = machine.now + machine.rules.replyTimeout;
  machine.timers.set('reply $id', timesOutAt, () => timeOutRequest(machine, link, id));
  if (link.isPolling) return post(machine, link, id, request, body);
  pingUnlessAnswered(machine, link);
  machine.perform(SendText(link.socket, withId(body, id)));
}

void received(Machine machine, Link link, String text) {
  final awaitsPong = link.awaitsPong;
  noteReceived(machine, link);
  switch (read(text)) {
    case Reply(:final id, :final frame):
      answered(machine, link, id, frame);
    case Failure(:final id, :final error):
      failed(machine, link, id ?? (awaitsPong ? null : _onlyRequest(link)), error);
    case Pushed(frame: {'type': 'presence'} && final frame):
      presenceArrived(machine, frame);
    case Pushed(:final frame):
      pushed(machine, link, frame);
    case Disconnect(reconnect: true):
      disconnect(machine, link);
    case Disconnect(:final code, :final reason):
      stop(machine, StoppedByServer(code: code, reason: reason));
    case Nothing():
  }
}

/// Returns the only request in flight, to which an error without an `id` belongs. `null` if there are others.
int? _onlyRequest(Link link) => link.inFlight.length == 1 ? link.inFlight.keys.first : null;

void answered(Machine machine, Link link, int id, Frame reply) {
  for (final eventId in eventIdsOf(reply)) {
    machine.repeats.insert(eventId);
  }
  switch (takeRequest(machine, link, id)) {
    case final SubscribeRequest request:
      subscribeAnswered(machine, link, request, reply);
    case UnsubscribeRequest(:final entity):
      unsubscribeAnswered(machine, link, entity);
    case SyncRequest(:final asked):
      syncAnswered(machine, link, asked, reply);
    case HistoryRequest(:final of):
      historyAnswered(machine, of, reply);
    case PresenceRequest(:final entity):
      snapshotArrived(machine, entity, reply['presence']);
    case AuthenticateRequest():
      link.authentication.reset();
    case MessageRequest(:final message):
      machine.throttling.reset();
      machine.perform(Resolve(message.request, reply: reply));
      final target = message.target;
      if (target != null) ownAcknowledged(machine, target, reply);
    case OpenRequest() || null:
  }
}

/// Handles the error of a request, or of one that the frame does not name.
void failed(Machine machine, Link link, int? id, HeraldError error) {
  if (error is ServerError) {
    for (final eventId in error.eventIds ?? const <String?>[]) {
      machine.repeats.insert(eventId);
    }
  }
  final request = takeRequest(machine, link, id);
  if (isUnknownConnection(error)) {
    _connectionUnknown(machine, link, request);
  } else if (request != null) {
    _requestFailed(machine, link, request, error);
  }
}

/// Replaces a connection that the server does not know any more. The server did not carry out the request.
void _connectionUnknown(Machine machine, Link link, Request? request) {
  if (request is MessageRequest) machine.outbox.put(request.message);
  disconnect(machine, link);
}

void _requestFailed(Machine machine, Link link, Request request, HeraldError error) {
  switch (request) {
    case SubscribeRequest():
      subscribeFailed(machine, link, request, error);
    case UnsubscribeRequest(:final entity):
      unsubscribeAnswered(machine, link, entity);
    case SyncRequest(:final asked):
      syncFailed(machine, asked, error);
    case HistoryRequest(:final of):
      historyFailed(machine, of, error);
    case PresenceRequest(:final entity):
      presenceFailed(machine, entity, error);
    case AuthenticateRequest():
      if (error.isRetryable) {
        authenticateLater(machine, link);
      } else if (link == machine.current) {
        renew(machine);
      }
    case MessageRequest(:final message):
      if (isThrottled(error)) {
        requeueLater(machine, message);
      } else {
        machine.reject(message.request, error);
      }
    case OpenRequest():
  }
}

/// Requeues a message that was not carried out, or may be repeated, and pauses the outbox.
void requeueLater(Machine machine, QueuedMessage message) {
  machine.outbox.put(message);
  if (machine.outboxIsPaused) return;
  machine.outboxIsPaused = true;
  final delay = machine.throttling.next(machine.rules, machine.random());
  machine.timers.set('outbox', machine.now + delay, () => machine.outboxIsPaused = false);
}

/// Ends a request without a reply, on a link that stays open. One that polls ends, unless the request is a message, or
/// the link lingers.
void timeOutRequest(Machine machine, Link link, int id) {
  final isMessage = link.inFlight[id] is MessageRequest;
  if (link.isPolling && !isMessage && !machine.lingering.contains(link)) return disconnect(machine, link);
  final request = takeRequest(machine, link, id);
  if (request is MessageRequest) {
    _requeueOrReject(machine, request.message);
  } else if (request != null) {
    _requestFailed(machine, link, request, const OutcomeUnknownError());
  }
}

/// Ends the requests of links that ended. The next link subscribes and authenticates again.
void endRequests(Machine machine, List<Link> links) {
  for (final message in takeMessages(machine, links)) {
    _requeueOrReject(machine, message);
  }
}

/// Removes all requests of links. Returns the messages among them, in the order in which they were sent.
List<QueuedMessage> takeMessages(Machine machine, List<Link> links) {
  final all = [
    for (final link in links)
      for (final id in link.inFlight.keys) (link: link, id: id),
  ];
  all.sort((one, other) => one.id.compareTo(other.id));
  final requests = [for (final (:link, :id) in all) takeRequest(machine, link, id)].nonNulls.toList();
  final asked = requests.expand((request) => request.asked);
  final jitter = machine.random();
  for (final Asked(:log) in asked) {
    _askOnNextLink(machine, log, jitter);
  }
  return [
    for (final request in requests)
      if (request is MessageRequest) request.message,
  ];
}

/// Plans anew what a link that ended was asked for. The next one recovers every position, so that only what is known to be
/// missing is asked for, and a first position that no subscription tells.
void _askOnNextLink(Machine machine, Log log, double jitter) {
  if (log.isStarting && log.audience.to != Route.entity) {
    askLater(machine, log, jitter);
  } else {
    watch(machine, log);
  }
}

/// Requeues a message whose outcome is unknown if that is safe, and rejects it otherwise.
void _requeueOrReject(Machine machine, QueuedMessage message) {
  if (message.safeToRepeat) {
    machine.outbox.put(message);
  } else {
    machine.reject(message.request, const OutcomeUnknownError());
  }
}

Request? takeRequest(Machine machine, Link link, int? id) {
  final request = link.inFlight.remove(id);
  if (request != null) machine.timers.cancel('reply $id');
  return request;
}
