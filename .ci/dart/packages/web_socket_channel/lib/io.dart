import 'dart:io';

import 'web_socket_channel.dart';

abstract final class IOWebSocketChannel {
  static WebSocketChannel connect(Object url, {Map<String, dynamic>? headers, HttpClient? customClient}) =>
      ChannelOf(WebSocket.connect('$url', headers: headers, customClient: customClient));
}
