import 'dart:convert';
import 'dart:io';

import 'package:web_socket_channel/io.dart';

import 'channel_socket.dart';
import 'socket.dart';

/// Returns the connector of the platform.
HeraldConnector platformConnector() => const _IOConnector();

/// Sockets of `dart:io`, which send the token in a header.
final class _IOConnector implements HeraldConnector {
  const _IOConnector();

  @override
  Duration get refusalSpacing => Duration.zero;

  @override
  HeraldSocket open(Uri url, String? token) {
    if (token != null && !_visible.hasMatch(token)) throw const HandshakeInvalid(_unusableToken);
    // Its own client, because closing that is the only way to abandon a handshake.
    final client = HttpClient();
    final channel = IOWebSocketChannel.connect(
      url,
      headers: {if (token != null) HttpHeaders.authorizationHeader: 'Bearer $token'},
      customClient: client,
    );
    return ChannelSocket(channel, explain: _explain, abandon: () => client.close(force: true));
  }

  @override
  HeraldPoster poster() => _IOPoster();
}

final class _IOPoster implements HeraldPoster {
  final HttpClient _client = HttpClient();

  @override
  Future<HttpAnswer> post(Uri url, String? token, String text) async {
    final request = await _client.postUrl(url);
    request.headers.contentType = ContentType.json;
    if (token != null) request.headers.set(HttpHeaders.authorizationHeader, 'Bearer $token');
    request.write(text);
    final answer = await request.close();
    return HttpAnswer(answer.statusCode, await utf8.decodeStream(answer));
  }

  @override
  void close() => _client.close(force: true);
}

final _visible = RegExp(r'^[\x21-\x7e]+$');
const _unusableToken =
    'the header Authorization cannot carry the token: it must be a non-empty text of visible ASCII characters without '
    'spaces, such as a JWT';

Future<Object> _explain(Object error) async => switch (error) {
  WebSocketException(httpStatusCode: final status?) => HandshakeRefused(status),
  ArgumentError() || FormatException() => HandshakeInvalid('$error'),
  _ => error,
};
