/// The errors that the machine treats apart.
library;

import '../error.dart';

/// Returns true if the request exceeded a rate limit, and was not carried out.
bool isThrottled(HeraldError error) => switch (error) {
  ServerError(:final code) => code == 'throttled',
  GatewayError(:final code) => code == GatewayCode.throttled,
  _ => false,
};

/// Returns true if the server does not know the connection any more.
bool isUnknownConnection(HeraldError error) => error is ServerError && error.code == 'unknown_connection';

/// Returns true if the server is older than the request.
bool isUnknownAction(HeraldError error) => error is ServerError && error.code == 'unknown_action';

/// Returns true if a `subscribe` may succeed without presence.
bool mayRefusePresence(HeraldError error) =>
    error is ServerError && (error.code == 'forbidden' || error.code == 'bad_request');

/// Returns true if the frame does not have the form that the server demands.
bool isBadRequest(HeraldError error) => switch (error) {
  ServerError(:final code) => code == 'bad_request',
  GatewayError(:final code) => code == GatewayCode.badRequest,
  _ => false,
};
