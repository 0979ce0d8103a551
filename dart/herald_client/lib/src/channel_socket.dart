import 'dart:async';

import 'package:web_socket_channel/web_socket_channel.dart';

import 'socket.dart';

/// A socket over a [WebSocketChannel].
final class ChannelSocket implements HeraldSocket {
  /// [explain] finds the reason of a failed handshake, and [abandon] releases what a handshake holds that did not succeed.
  ChannelSocket(this._channel, {required Future<Object> Function(Object) explain, void Function()? abandon})
    : _abandon = abandon {
    ready = _open(explain);
    // The driver reads the failure of `ready` alone: the stream repeats it.
    _channel.stream.listen(_receive, onError: (Object _) {}, onDone: _end);
  }

  final WebSocketChannel _channel;
  final void Function()? _abandon;
  final StreamController<String> _texts = StreamController();
  bool _isOpen = false;
  bool _hasEnded = false;

  @override
  late final Future<void> ready;

  @override
  Stream<String> get texts => _texts.stream;

  @override
  String get ending {
    final reason = _channel.closeReason ?? '';
    return 'the connection was closed with code ${_channel.closeCode}${reason.isEmpty ? '' : ': $reason'}';
  }

  /// 1006 is the code for a connection that was cut, and 1005 that of `dart:io`. A close frame without a code has 1005,
  /// too, but Herald's servers send one with a code.
  @override
  bool get hadCloseFrame => !const {null, 1005, 1006}.contains(_channel.closeCode);

  @override
  void send(String text) {
    if (!_hasEnded) _channel.sink.add(text);
  }

  @override
  void close() {
    if (_hasEnded) return;
    _end();
    _channel.sink.close(1000).ignore();
    if (!_isOpen) _abandon?.call();
  }

  Future<void> _open(Future<Object> Function(Object) explain) async {
    try {
      await _channel.ready;
    } on Object catch (error) {
      _abandon?.call();
      throw await explain(error is WebSocketChannelException ? error.inner ?? error : error);
    }
    _isOpen = true;
  }

  /// A frame that is not text is none of the server's.
  void _receive(Object? data) {
    if (data is String && !_hasEnded) _texts.add(data);
  }

  void _end() {
    _hasEnded = true;
    unawaited(_texts.close());
  }
}
