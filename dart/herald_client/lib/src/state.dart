/// The state of a client. Each change is announced once, and none follows [ClientStopped].
sealed class ClientState {
  const ClientState();
}

/// The client has had no connection yet.
final class ClientConnecting extends ClientState {
  const ClientConnecting();
}

/// The transport of a connection.
enum Transport {
  webSocket,

  /// HTTP requests, while the network admits no WebSocket.
  poll,
}

/// The client has a connection on which every subscription is established. It is announced again when [transport]
/// changes.
final class ClientOpen extends ClientState {
  const ClientOpen({this.transport = Transport.webSocket});

  final Transport transport;
}

/// The client has lost its connection, and attempts to connect again.
final class ClientReconnecting extends ClientState {
  const ClientReconnecting({required this.attempt, required this.delay, this.cause});

  /// The number of the next attempt, from 1.
  final int attempt;

  /// The delay before it. `null` while the network is reported down.
  final Duration? delay;

  /// The error of the last attempt or connection, if the platform reports one.
  final Object? cause;
}

/// The client has ended.
final class ClientStopped extends ClientState {
  const ClientStopped(this.reason);

  final StopReason reason;
}

/// The reason for which a client stopped.
sealed class StopReason {
  const StopReason();
}

/// The application closed the client.
final class StoppedByClose extends StopReason {
  const StoppedByClose();
}

/// The server refused three authorisations in a row.
final class StoppedByRefusals extends StopReason {
  const StoppedByRefusals(this.status);

  /// The HTTP status of the last refusal. `null` in browsers, which hide it.
  final int? status;
}

/// No attempt can succeed: the token cannot be sent, or the address is invalid.
final class StoppedAsInvalid extends StopReason {
  const StoppedAsInvalid(this.reason);

  final String reason;
}

/// The server forbade to reconnect.
final class StoppedByServer extends StopReason {
  const StoppedByServer({required this.code, required this.reason});

  final String? code;
  final String? reason;
}
