import 'dart:async';
import 'dart:js_interop';

import 'package:web_socket_channel/web_socket_channel.dart';

import 'channel_socket.dart';
import 'probe.dart';
import 'socket.dart';

/// Returns the connector of the platform.
HeraldConnector platformConnector() => const _WebConnector();

/// Sockets of a browser, which can set no header: the token goes beside the subprotocol.
final class _WebConnector implements HeraldConnector {
  const _WebConnector();

  /// A browser hides the status of a refusal, which may have been 429 or 5xx.
  @override
  Duration get refusalSpacing => const Duration(seconds: 10);

  @override
  HeraldSocket open(Uri url, String? token) {
    if (token != null && (!_subprotocol.hasMatch(token) || token == _herald)) {
      throw const HandshakeInvalid(_unusableToken);
    }
    final channel = WebSocketChannel.connect(url, protocols: [_herald, if (token != null) token]);
    return ChannelSocket(channel, explain: (error) => _explain(url, error));
  }

  @override
  HeraldPoster poster() => _WebPoster();
}

final class _WebPoster implements HeraldPoster {
  final _AbortController _controller = _AbortController();

  @override
  Future<HttpAnswer> post(Uri url, String? token, String text) async {
    final headers = {'Content-Type': 'application/json', if (token != null) 'Authorization': 'Bearer $token'};
    final options = _FetchOptions(
      method: 'POST',
      headers: headers.jsify(),
      body: text,
      cache: 'no-store',
      credentials: 'omit',
      signal: _controller.signal,
    );
    final answer = await _fetch('$url'.toJS, options).toDart;
    return HttpAnswer(answer.status, (await answer.text().toDart).toDart);
  }

  @override
  void close() => _controller.abort();
}

const _herald = 'herald.v1';

/// The characters of a token of RFC 9110, section 5.6.2.
final _subprotocol = RegExp(r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$");
const _unusableToken =
    'no WebSocket subprotocol can carry the token: it must be a non-empty text of ASCII letters, digits and '
    "!#\$%&'*+.^_`|~-, such as a JWT";

/// The time within which a server must show that it can be reached.
const _probeTimeout = Duration(seconds: 5);

/// Tells a refused handshake from a server that was not reached: a server that answers over HTTP counts as having
/// refused.
Future<Object> _explain(Uri url, Object error) async {
  if (error is ArgumentError) return HandshakeInvalid('$error');
  return await _isReachable(url) ? const HandshakeRefused(null) : error;
}

@JS('fetch')
external JSPromise<_Response> _fetch(JSString url, _FetchOptions options);

extension type _FetchOptions._(JSObject _) implements JSObject {
  external factory _FetchOptions({
    String method,
    JSAny? headers,
    String body,
    String mode,
    String cache,
    String credentials,
    JSObject signal,
  });
}

extension type _Response._(JSObject _) implements JSObject {
  external int get status;
  external JSPromise<JSString> text();
}

@JS('AbortController')
extension type _AbortController._(JSObject _) implements JSObject {
  external factory _AbortController();
  external JSObject get signal;
  external void abort();
}

Future<bool> _isReachable(Uri url) async {
  final options = _FetchOptions(mode: 'no-cors', cache: 'no-store', credentials: 'omit');
  try {
    await _fetch('${probeOf(url)}'.toJS, options).toDart.timeout(_probeTimeout);
    return true;
  } on Object {
    return false;
  }
}
