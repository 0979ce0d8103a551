/// The reason for which a request failed.
sealed class HeraldError implements Exception {
  const HeraldError();

  /// The reason, for people.
  String get message;

  /// True if the same request may succeed later.
  bool get isRetryable => true;

  @override
  String toString() => 'HeraldError: $message';
}

/// Herald's own error: the server refused the request.
final class ServerError extends HeraldError {
  const ServerError({required this.code, required this.message, required this.isRetryable, this.eventIds});

  /// One of the codes in docs/protocol.md, such as `forbidden`.
  final String code;
  @override
  final String message;
  @override
  final bool isRetryable;

  /// Of a request with several messages that was sent in part: the id of each message that was sent, and `null` for
  /// each that was not.
  final List<String?>? eventIds;
}

/// An error frame of API Gateway itself. The request was refused; its outcome is unknown for [GatewayCode.internal] and
/// [GatewayCode.timeout].
final class GatewayError extends HeraldError {
  const GatewayError(this.code, this.message);

  final GatewayCode code;
  @override
  final String message;
}

/// The kinds of API Gateway's own error frames.
enum GatewayCode { internal, timeout, throttled, forbidden, badRequest, other }

/// The connection broke, or time passed, before the reply: the request may have been carried out.
final class OutcomeUnknownError extends HeraldError {
  const OutcomeUnknownError();

  @override
  String get message => 'no reply arrived, and the request may have been carried out or not';
}

/// The message expired in the outbox. It was not sent.
final class ExpiredError extends HeraldError {
  const ExpiredError();

  @override
  String get message => 'the message expired before it could be sent';
}

/// The outbox was full. The message was not sent.
final class OutboxFullError extends HeraldError {
  const OutboxFullError();

  @override
  String get message => 'the outbox is full, and the message was not sent';
}

/// The message is too large for the gateway. It was not sent.
final class TooLargeError extends HeraldError {
  const TooLargeError();

  @override
  String get message => 'the message is too large for the gateway';
  @override
  bool get isRetryable => false;
}

/// The client has stopped. The request was not sent.
final class StoppedError extends HeraldError {
  const StoppedError();

  @override
  String get message => 'the client has stopped';
  @override
  bool get isRetryable => false;
}
