import '../position.dart';
import 'back_off.dart';
import 'log.dart';
import 'outbox.dart';
import 'signals.dart';

/// A log that a request names, with the position that it names. Of a `subscribe`, [presence] is true if it asks for
/// presence, and [isSubscribed] if the link was subscribed to the entity before.
final class Asked {
  const Asked(this.log, this.position, {this.presence = false, this.isSubscribed = false});

  final Log log;
  final Position? position;
  final bool presence;
  final bool isSubscribed;
}

/// A request without a reply.
sealed class Request {
  const Request();

  /// The logs that it names.
  List<Asked> get asked => const [];
}

final class SubscribeRequest extends Request {
  const SubscribeRequest(this.entities, this.asked);

  final List<String> entities;
  @override
  final List<Asked> asked;
}

final class UnsubscribeRequest extends Request {
  const UnsubscribeRequest(this.entity);

  final String entity;
}

final class MessageRequest extends Request {
  const MessageRequest(this.message);

  final QueuedMessage message;
}

final class SyncRequest extends Request {
  const SyncRequest(this.asked);

  @override
  final List<Asked> asked;
}

final class HistoryRequest extends Request {
  const HistoryRequest(this.of);

  final Asked of;
  @override
  List<Asked> get asked => [of];
}

final class PresenceRequest extends Request {
  const PresenceRequest(this.entity);

  final String entity;
}

final class AuthenticateRequest extends Request {
  const AuthenticateRequest();
}

/// The first poll of a link, which shows that HTTPS passes.
final class OpenRequest extends Request {
  const OpenRequest();
}

/// The progress of an entity on a link.
enum Progress { subscribing, subscribed, unsubscribing, waitingToRetry, retrying }

/// The state of an entity on a link. API Gateway handles the frames of one connection concurrently, so at most one
/// request about an entity is in flight.
final class EntityState {
  EntityState(this.progress, this.backOff);

  final Progress progress;
  final BackOff backOff;

  /// True if the acknowledgement had a position.
  bool hasLog = false;

  /// True if the subscription asked for presence.
  bool hasPresence = false;
}

/// One socket of the machine, from the request for its token to its end.
final class Link {
  Link(this.socket, {required this.isPolling, required this.startedAt});

  final int socket;

  /// True if HTTP requests take the place of its socket.
  final bool isPolling;

  /// The time at which its attempt started.
  final int startedAt;

  /// True once the handshake has begun.
  bool isOpening = false;
  bool isOpen = false;

  /// True once it has been open for long enough.
  bool isStable = false;
  int openedAt = 0;

  /// The token of the requests of a link that polls.
  String? token;

  /// The pause between polls.
  int pollAfter = 2000;
  int receivedAt = 0;

  /// The time of the last ping, or of the `sync` in its place, or at which it opened.
  int pingedAt = 0;

  /// The longest time from one ping to the next, whatever arrives. `null` if the server demands none.
  int? keepAlive;

  /// The same time of each subscription whose acknowledgement had one.
  final Map<String, int> keepAlives = {};
  bool awaitsPong = false;

  /// True once it has named the audiences that need no subscription.
  bool hasSynced = false;

  /// The time at which another link is to replace this one.
  int renewAt = 0;

  /// The time at which its token is to be renewed.
  int? authenticateAt;
  final BackOff authentication = BackOff();

  /// Requests without a reply, by their `id`.
  final Map<int, Request> inFlight = {};

  /// The states of entities on this link.
  final Map<String, EntityState> entities = {};

  /// Entities whose state may not be the wanted one.
  Set<String> toCheck = {};

  /// Entities to subscribe to again, with the times.
  final Map<String, int> retries = {};

  /// True once the server has rejected a `subscribe` to several entities.
  bool oneByOne = false;

  /// True if every wanted entity is subscribed to on it.
  bool get isEstablished =>
      isOpen && toCheck.isEmpty && entities.values.every((entity) => entity.progress == Progress.subscribed);

  /// The id of the first of the application's messages in flight on it. [never] if there is none.
  int get oldestSend {
    for (final MapEntry(key: id, value: request) in inFlight.entries) {
      if (request is MessageRequest) return id;
    }
    return never;
  }

  BackOff backOffOf(String entity) => entities[entity]?.backOff ?? BackOff();
}
