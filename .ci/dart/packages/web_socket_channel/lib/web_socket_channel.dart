/// A stand-in for package:web_socket_channel 3.0, which the registries that CI reaches do not have: the part of its API
/// that herald_client uses, over `dart:io`.
library;

import 'dart:async';
import 'dart:io';

abstract interface class WebSocketChannel {
  static WebSocketChannel connect(Uri uri, {Iterable<String>? protocols}) =>
      ChannelOf(WebSocket.connect('$uri', protocols: protocols));

  Future<void> get ready;
  Stream<dynamic> get stream;
  WebSocketSink get sink;
  int? get closeCode;
  String? get closeReason;
}

abstract interface class WebSocketSink implements StreamSink<dynamic> {
  @override
  Future<dynamic> close([int? closeCode, String? closeReason]);
}

class WebSocketChannelException implements Exception {
  WebSocketChannelException.from(this.inner);

  final Object? inner;
}

/// The adapter of a socket. As in the package, a failed handshake fails `ready` and is an error of the stream, and a sink
/// that is closed before the handshake closes the socket after it.
class ChannelOf implements WebSocketChannel {
  ChannelOf(Future<WebSocket> opening) {
    opening.then(_opened, onError: _failed);
  }

  final Completer<void> _ready = Completer();
  final StreamController<dynamic> _incoming = StreamController(sync: true);
  final StreamController<dynamic> _outgoing = StreamController(sync: true);
  WebSocket? _socket;
  int? _code;

  @override
  Future<void> get ready => _ready.future;
  @override
  Stream<dynamic> get stream => _incoming.stream;
  @override
  late final WebSocketSink sink = _Sink(this);
  @override
  int? get closeCode => _socket?.closeCode;
  @override
  String? get closeReason => _socket?.closeReason;

  void _opened(WebSocket socket) {
    _socket = socket;
    socket.listen(_incoming.add, onDone: _incoming.close);
    _outgoing.stream.listen(socket.add, onDone: () => socket.close(_code));
    _ready.complete();
  }

  void _failed(Object error) {
    final failure = WebSocketChannelException.from(error);
    _ready.completeError(failure);
    _incoming.addError(failure);
    _incoming.close();
  }
}

class _Sink implements WebSocketSink {
  _Sink(this._channel);

  final ChannelOf _channel;

  @override
  void add(dynamic event) => _channel._outgoing.add(event);
  @override
  void addError(Object error, [StackTrace? trace]) => _channel._outgoing.addError(error, trace);
  @override
  Future<dynamic> addStream(Stream<dynamic> stream) => _channel._outgoing.addStream(stream);
  @override
  Future<dynamic> close([int? closeCode, String? closeReason]) {
    _channel._code = closeCode;
    return _channel._outgoing.close();
  }

  @override
  Future<dynamic> get done => _channel._outgoing.done;
}
