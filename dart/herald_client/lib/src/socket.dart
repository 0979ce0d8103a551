/// One WebSocket, from the start of its handshake.
abstract interface class HeraldSocket {
  /// Ends with the handshake. It fails with a [HandshakeRefused] if the server refused it, with a [HandshakeInvalid] if
  /// no handshake can succeed, and with any other error if the server was not reached.
  Future<void> get ready;

  /// The texts that arrive after [ready]. The stream ends with the connection.
  Stream<String> get texts;

  /// The reason for which the connection ended, for people.
  String get ending;

  /// True if the connection ended with a close frame, and was not cut.
  bool get hadCloseFrame;

  /// Sends a text. Does nothing after the end of the connection.
  void send(String text);

  /// Closes the connection with 1000, or abandons the handshake.
  void close();
}

/// The server refused a handshake.
final class HandshakeRefused implements Exception {
  const HandshakeRefused(this.status);

  /// The HTTP status. `null` in browsers, which hide it.
  final int? status;

  @override
  String toString() => 'the server refused the handshake with status ${status ?? 'unknown'}';
}

/// No handshake can succeed, such as with an address that the platform rejects.
final class HandshakeInvalid implements Exception {
  const HandshakeInvalid(this.reason);

  final String reason;

  @override
  String toString() => reason;
}

/// The answer to an HTTP request.
final class HttpAnswer {
  const HttpAnswer(this.status, this.text);

  final int status;
  final String text;
}

/// The HTTP requests in the place of one WebSocket, in a network that admits none.
abstract interface class HeraldPoster {
  /// Sends a `POST` with a JSON text, and the token as `Authorization: Bearer`. The future fails without an answer.
  Future<HttpAnswer> post(Uri url, String? token, String text);

  /// Abandons the requests in flight.
  void close();
}

/// Opens the sockets of a client. The platform has one; an application may pass its own.
abstract interface class HeraldConnector {
  /// The default of `HeraldOptions.refusalSpacing`: above 0 where the status of a refusal is hidden.
  Duration get refusalSpacing;

  /// Opens a socket. Throws a [HandshakeInvalid] if the token cannot be sent.
  HeraldSocket open(Uri url, String? token);

  /// Returns what sends HTTP requests in the place of a socket. The client calls it only with `HeraldOptions.pollUrl`.
  HeraldPoster poster();
}
