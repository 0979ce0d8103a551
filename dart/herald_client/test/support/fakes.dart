/// A clock that a test moves, and sockets that a test scripts.
library;

import 'dart:async';
import 'dart:convert';

import 'package:herald_client/herald_client.dart';

/// Runs what is ready to run: microtasks and events without a delay.
Future<void> settle() async {
  for (var turn = 0; turn < 20; turn++) {
    await Future<void>(() {});
  }
}

final class FakeClock implements Clock {
  int _now = 0;

  /// The gain of the wall clock on the steady one: the time that the device slept.
  int slept = 0;
  final List<_FakeTimer> _timers = [];

  @override
  int get steady => _now;

  @override
  int get wall => 1700000000000 + _now + slept;

  @override
  Timer timer(Duration delay, void Function() callback) {
    final timer = _FakeTimer(_timers, _now + delay.inMilliseconds, callback);
    _timers.add(timer);
    return timer;
  }

  /// The number of timers that would wake the device.
  int get timers => _timers.length;

  /// Moves the clock, and fires the timers on the way.
  Future<void> advance(Duration by) async {
    final end = _now + by.inMilliseconds;
    while (true) {
      await settle();
      _timers.sort((one, other) => one.at.compareTo(other.at));
      if (_timers.isEmpty || _timers.first.at > end) break;
      final timer = _timers.removeAt(0);
      if (timer.at > _now) _now = timer.at;
      timer.callback();
    }
    _now = end;
    await settle();
  }
}

final class _FakeTimer implements Timer {
  _FakeTimer(this._all, this.at, this.callback);

  final List<_FakeTimer> _all;
  final int at;
  final void Function() callback;

  @override
  void cancel() => _all.remove(this);

  @override
  bool get isActive => _all.contains(this);

  @override
  int get tick => isActive ? 0 : 1;
}

/// Opens scripted sockets.
final class FakeConnector implements HeraldConnector {
  /// The error of each handshake. `null` accepts it.
  Object? Function() refusal = () => null;

  /// True if handshakes stay pending.
  bool isSilent = false;

  /// Handles each frame that the client sends.
  void Function(FakeSocket socket, Map<String, Object?> frame) onFrame = acknowledge;
  final List<FakeSocket> sockets = [];

  /// Answers each HTTP request.
  FutureOr<HttpAnswer> Function(FakePost post) onPost = (_) => throw StateError('no network');

  /// The HTTP requests of the client.
  final List<FakePost> posts = [];

  FakeSocket get last => sockets.last;

  @override
  Duration get refusalSpacing => Duration.zero;

  @override
  HeraldSocket open(Uri url, String? token) {
    if (token == '') throw const HandshakeInvalid('the token is empty');
    final socket = FakeSocket(this, token);
    sockets.add(socket);
    final error = refusal();
    if (error != null) {
      socket._ready.completeError(error);
    } else if (!isSilent) {
      socket._ready.complete();
    }
    return socket;
  }

  @override
  HeraldPoster poster() => _FakePoster(this);
}

/// An HTTP request of the client.
final class FakePost {
  FakePost(this.url, this.token, String text) : frame = jsonDecode(text) as Map<String, Object?>;

  final Uri url;
  final String? token;
  final Map<String, Object?> frame;

  HttpAnswer acknowledge([Map<String, Object?> fields = const {}]) =>
      HttpAnswer(200, jsonEncode({'type': 'ack', 'action': frame['action'], 'id': frame['id'], ...fields}));
}

final class _FakePoster implements HeraldPoster {
  _FakePoster(this._connector);

  final FakeConnector _connector;
  final Completer<HttpAnswer> _closed = Completer();

  @override
  Future<HttpAnswer> post(Uri url, String? token, String text) async {
    final post = FakePost(url, token, text);
    _connector.posts.add(post);
    return Future.any([_closed.future, Future.sync(() => _connector.onPost(post))]);
  }

  @override
  void close() => _closed.completeError(StateError('closed'));
}

/// Acknowledges a request as a server without logs does.
void acknowledge(FakeSocket socket, Map<String, Object?> frame) {
  final {'action': action as String} = frame;
  if (action == 'ping') return socket.push({'type': 'pong'});
  socket.push({
    'type': 'ack',
    'action': action,
    'id': frame['id'],
    if (action == 'sendMessage') 'eventId': 'sent-${frame['id']}',
    if (frame['entities'] case final Map<String, Object?> entities)
      'entities': {for (final entity in entities.keys) entity: const <String, Object?>{}},
  });
}

final class FakeSocket implements HeraldSocket {
  FakeSocket(this._connector, this.token);

  final FakeConnector _connector;
  final String? token;
  final Completer<void> _ready = Completer();
  final StreamController<String> _texts = StreamController();

  /// The frames that the client sent.
  final List<Map<String, Object?>> sent = [];

  /// True once the client has closed the socket.
  bool isClosed = false;

  @override
  Future<void> get ready => _ready.future;

  @override
  Stream<String> get texts => _texts.stream;

  @override
  String get ending => 'dropped by the test';

  @override
  bool hadCloseFrame = false;

  @override
  void send(String text) {
    final frame = jsonDecode(text) as Map<String, Object?>;
    sent.add(frame);
    _connector.onFrame(this, frame);
  }

  @override
  void close() => isClosed = true;

  /// The actions of the frames that the client sent.
  List<Object?> get actions => [for (final frame in sent) frame['action']];

  void accept() => _ready.complete();

  void pushText(String text) => _texts.add(text);

  void push(Map<String, Object?> frame) => pushText(jsonEncode(frame));

  /// Ends the connection.
  void drop() => unawaited(_texts.close());
}
