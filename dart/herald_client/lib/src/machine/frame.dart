/// The meaning of a text from the server.
///
/// A field of an unexpected type counts as absent: a newer server may send more than this client knows.
library;

import 'dart:convert';

import '../error.dart';
import '../position.dart';
import 'signals.dart';

/// A text from the server, read.
sealed class Meaning {
  const Meaning();
}

/// The reply to a request.
final class Reply extends Meaning {
  const Reply(this.id, this.frame);

  final int id;
  final Frame frame;
}

/// An error, with the id of its request if it names one.
final class Failure extends Meaning {
  const Failure(this.id, this.error);

  final int? id;
  final HeraldError error;
}

final class Pushed extends Meaning {
  const Pushed(this.frame);

  final Frame frame;
}

final class Disconnect extends Meaning {
  const Disconnect({required this.reconnect, required this.code, required this.reason});

  final bool reconnect;
  final String? code;
  final String? reason;
}

/// Nothing to act on, such as a `pong`.
final class Nothing extends Meaning {
  const Nothing();
}

const _gatewayCodes = {
  'Internal server error': GatewayCode.internal,
  'Endpoint request timed out': GatewayCode.timeout,
  'Too Many Requests': GatewayCode.throttled,
  'Forbidden': GatewayCode.forbidden,
  'Bad request body': GatewayCode.badRequest,
};

Meaning read(String text) {
  final frame = _parse(text);
  final id = _requestNumber(frame['id']);
  switch (_textOf(frame['type'])) {
    case null:
      final error = _gatewayError(frame);
      return error == null ? const Nothing() : Failure(null, error);
    case 'pong':
      return const Nothing();
    case 'ack':
      return id == null ? const Nothing() : Reply(id, frame);
    case 'error':
      return Failure(id, serverError(frame));
    case 'disconnect':
      return Disconnect(
        reconnect: frame['reconnect'] != false,
        code: _textOf(frame['code']),
        reason: _textOf(frame['reason']),
      );
    case 'message':
      return id == null ? Pushed(frame) : Reply(id, frame);
    default:
      return Pushed(frame);
  }
}

/// Returns the `eventId`s that a reply names.
List<Object?> eventIdsOf(Frame reply) => [reply['eventId'], ...listOf(reply['eventIds'])];

/// Returns the results of a `subscribe` to several entities: for each the reason it is not subscribed to, or `null` if
/// it is. An entity that the reply does not hold has no reply.
List<HeraldError?> resultsOf(Frame reply, List<String> entities) {
  final results = objectOf(reply['entities']) ?? const {};
  return [for (final entity in entities) _resultOf(objectOf(results[entity]))];
}

HeraldError? _resultOf(Frame? result) {
  if (result != null && !result.containsKey('error')) return null;
  final error = objectOf(result?['error']);
  return error == null ? const OutcomeUnknownError() : serverError(error);
}

/// Returns the milliseconds from one ping to the next that the acknowledgement of a subscription demands. `null` if it
/// demands none.
int? keepAliveOf(Frame reply) {
  final seconds = integerOf(reply['keepAlive']);
  return seconds == null || seconds < 1 ? null : seconds * 1000;
}

Route routeOf(Frame push) {
  if (push['entityId'] is String) return Route.entity;
  return switch (push['type']) {
    'User Push Notification' => Route.notifications,
    'Broadcast' || 'message' => Route.broadcasts,
    _ => Route.other,
  };
}

/// Returns the object that a text is. It is empty if the text is no JSON, or another value.
Frame _parse(String text) {
  try {
    return objectOf(jsonDecode(text)) ?? const {};
  } on FormatException {
    return const {};
  }
}

/// Returns the number of a request. `null` if the `id` is not written as this client writes it.
int? _requestNumber(Object? id) {
  final number = id is String ? int.tryParse(id) : null;
  return number.toString() == id ? number : null;
}

/// Returns the error of API Gateway, whose own frames have no `type`. `null` if the frame is not the gateway's.
HeraldError? _gatewayError(Frame frame) {
  final message = _textOf(frame['message']);
  final isOfTheGateway = (_textOf(frame['connectionId']) ?? _textOf(frame['requestId'])) != null;
  if (message == null || !isOfTheGateway) return null;
  return GatewayError(_gatewayCodes[message] ?? GatewayCode.other, message);
}

ServerError serverError(Frame frame) {
  final ids = [for (final id in listOf(frame['eventIds'])) _textOf(id)];
  return ServerError(
    code: _textOf(frame['code']) ?? '',
    message: _textOf(frame['message']) ?? '',
    isRetryable: frame['retryable'] == true,
    eventIds: ids.isEmpty ? null : ids,
  );
}

String? _textOf(Object? field) => field is String ? field : null;

List<Object?> listOf(Object? field) => field is List<Object?> ? field : const [];

Frame? objectOf(Object? field) => field is Frame ? field : null;
