/// The policy of an outbox that is full.
enum OutboxFull {
  /// The new message fails.
  refuseNewest,

  /// The oldest message fails, and the new one is accepted.
  dropOldest,
}

/// The options of a client: the numbers of docs/clients.md with their defaults, and the address for polls.
final class HeraldOptions {
  const HeraldOptions({
    this.pollUrl,
    this.buffer = 10000,
    this.connectTimeout,
    this.backoffBase = const Duration(seconds: 1),
    this.backoffCap = const Duration(seconds: 30),
    this.stableAfter = const Duration(seconds: 30),
    this.refusalLimit = 3,
    this.refusalSpacing,
    this.offlineRetry = const Duration(seconds: 60),
    this.unansweredAfter = const Duration(seconds: 10),
    this.pingAfter = const Duration(minutes: 4),
    this.pongTimeout = const Duration(seconds: 10),
    this.replyTimeout = const Duration(seconds: 30),
    this.inFlightLimit = 32,
    this.outboxLimit = 1000,
    this.outboxFull = OutboxFull.refuseNewest,
    this.timeToLive = const Duration(minutes: 5),
    this.messageLimit = 32 * 1024,
    this.repeatWindow = 1000,
    this.renewAfter = const Duration(minutes: 110),
    this.lingerFor = const Duration(seconds: 10),
    this.renewTokenBefore = const Duration(seconds: 60),
    this.gapAfter = const Duration(seconds: 1),
    this.gapSpread = const Duration(seconds: 4),
    this.heldLimit = 256,
    this.heldWhileAsking = 1000,
    this.presenceSpread = const Duration(seconds: 2),
    this.obstacleLimit = 3,
    this.obstacleAfter = const Duration(seconds: 30),
    this.killedWithin = const Duration(seconds: 10),
    this.webSocketRetry = const Duration(minutes: 5),
  });

  /// The address of the function `poll`, the stack's output `PollUrl`. With it, the client polls while the network admits
  /// no WebSocket.
  final Uri? pollUrl;

  /// The events that a subscription holds until the application listens to it. One more drops the oldest, and the
  /// listener gets a `LostEvent` in the place of those that were dropped.
  final int buffer;

  /// The time-out of an attempt to connect: token and handshake. By default 45 s, and 15 s with [pollUrl].
  final Duration? connectTimeout;

  /// The first bound of the delays between attempts, and the largest.
  final Duration backoffBase, backoffCap;

  /// The time after which an open connection is stable, and the delays start small again.
  final Duration stableAfter;

  /// The refused authorisations in a row that stop the client.
  final int refusalLimit;

  /// The time between two refusals of unknown status that count as two. By default 10 s in browsers, which hide the
  /// status, and 0 elsewhere.
  final Duration? refusalSpacing;

  /// The longest wait after the hint that the network is down.
  final Duration offlineRetry;

  /// The wait for a reply before an early ping.
  final Duration unansweredAfter;

  /// The silence before a ping, and the time-out of its answer.
  final Duration pingAfter, pongTimeout;

  /// The time-out of a reply.
  final Duration replyTimeout;

  /// The requests in flight on a connection.
  final int inFlightLimit;

  /// The size of the outbox.
  final int outboxLimit;

  /// The policy of an outbox that is full.
  final OutboxFull outboxFull;

  /// The time of a message in the outbox.
  final Duration timeToLive;

  /// The bytes of a request as JSON. The default is the largest frame that API Gateway accepts: a message is one frame
  /// here, as in browsers.
  final int messageLimit;

  /// The `eventId`s remembered.
  final int repeatWindow;

  /// The age of a connection at its renewal.
  final Duration renewAfter;

  /// The time that the old connection stays after a renewal.
  final Duration lingerFor;

  /// The time before its expiry at which a token is renewed.
  final Duration renewTokenBefore;

  /// The wait for a missing message before a `sync`, and the longest random time added to it.
  final Duration gapAfter, gapSpread;

  /// The pushes of an audience held beyond a gap, and while a reply about it is pending.
  final int heldLimit, heldWhileAsking;

  /// The longest random wait before the client asks for a presence of which it missed a change.
  final Duration presenceSpread;

  /// The handshakes in a row that fail without a status, or the connections in a row that are cut, after which a client
  /// with [pollUrl] polls.
  final int obstacleLimit;

  /// The time for which such handshakes fail before the client polls.
  final Duration obstacleAfter;

  /// The age up to which a connection that ends without a close frame counts as cut.
  final Duration killedWithin;

  /// The time between the WebSockets that a client tries while it polls.
  final Duration webSocketRetry;
}
