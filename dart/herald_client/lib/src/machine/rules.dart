import '../options.dart';

/// The numbers of docs/clients.md, by the names they have there. Times are in milliseconds.
final class Rules {
  /// [token] is true if there is a token callback. [refusalSpacing] depends on the platform.
  Rules(HeraldOptions options, {required this.token, required this.refusalSpacing})
    : poll = options.pollUrl != null,
      connectTimeout = (options.connectTimeout ?? _connectTimeout(options)).inMilliseconds,
      backoffBase = options.backoffBase.inMilliseconds,
      backoffCap = options.backoffCap.inMilliseconds,
      stableAfter = options.stableAfter.inMilliseconds,
      refusalLimit = options.refusalLimit,
      offlineRetry = options.offlineRetry.inMilliseconds,
      unansweredAfter = options.unansweredAfter.inMilliseconds,
      pingAfter = options.pingAfter.inMilliseconds,
      pongTimeout = options.pongTimeout.inMilliseconds,
      replyTimeout = options.replyTimeout.inMilliseconds,
      inFlightLimit = options.inFlightLimit,
      outboxLimit = options.outboxLimit,
      outboxFull = options.outboxFull,
      timeToLive = options.timeToLive.inMilliseconds,
      messageLimit = options.messageLimit,
      repeatWindow = options.repeatWindow,
      renewAfter = options.renewAfter.inMilliseconds,
      lingerFor = options.lingerFor.inMilliseconds,
      renewTokenBefore = options.renewTokenBefore.inMilliseconds,
      gapAfter = options.gapAfter.inMilliseconds,
      gapSpread = options.gapSpread.inMilliseconds,
      heldLimit = options.heldLimit,
      heldWhileAsking = options.heldWhileAsking,
      presenceSpread = options.presenceSpread.inMilliseconds,
      obstacleLimit = options.obstacleLimit,
      obstacleAfter = options.obstacleAfter.inMilliseconds,
      killedWithin = options.killedWithin.inMilliseconds,
      webSocketRetry = options.webSocketRetry.inMilliseconds;

  /// Returns the default. With polls, three handshakes that hang are over within a minute.
  static Duration _connectTimeout(HeraldOptions options) => Duration(seconds: options.pollUrl == null ? 45 : 15);

  final bool token;
  final bool poll;
  final int connectTimeout;
  final int backoffBase;
  final int backoffCap;
  final int stableAfter;
  final int refusalLimit;
  final int refusalSpacing;
  final int offlineRetry;
  final int unansweredAfter;
  final int pingAfter;
  final int pongTimeout;
  final int replyTimeout;
  final int inFlightLimit;
  final int outboxLimit;
  final OutboxFull outboxFull;
  final int timeToLive;
  final int messageLimit;
  final int repeatWindow;
  final int renewAfter;
  final int lingerFor;
  final int renewTokenBefore;
  final int gapAfter;
  final int gapSpread;
  final int heldLimit;
  final int heldWhileAsking;
  final int presenceSpread;
  final int obstacleLimit;
  final int obstacleAfter;
  final int killedWithin;
  final int webSocketRetry;
}
