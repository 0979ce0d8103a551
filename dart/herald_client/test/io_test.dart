@TestOn('vm')
library;

import 'dart:async';
import 'dart:convert';
import 'dart:io';

import 'package:herald_client/herald_client.dart';
import 'package:test/test.dart';

void main() {
  test('the token is in the header, and a message comes back', () async {
    final server = await _Server.start();
    final client = server.client(token: () => const Token('a.b.c'));
    final reply = await client.send('你好 👋');
    expect(reply.message, '你好 👋');
    expect(server.authorizations, ['Bearer a.b.c']);
    await client.close();
  });

  test('three handshakes refused with 401 stop the client', () async {
    final server =
        await _Server.start()
          ..status = HttpStatus.unauthorized;
    final client = server.client(token: () => const Token('expired'));
    final stopped = await client.states.firstWhere((state) => state is ClientStopped) as ClientStopped;
    expect((stopped.reason as StoppedByRefusals).status, 401);
    expect(server.authorizations, hasLength(3));
  });

  test('handshakes refused with 500 do not stop the client', () async {
    final server =
        await _Server.start()
          ..status = HttpStatus.internalServerError;
    final client = server.client();
    while (server.authorizations.length < 5) {
      await client.states.firstWhere((state) => state is ClientReconnecting);
      await Future<void>.delayed(const Duration(milliseconds: 5));
    }
    final state = client.state;
    expect(state, isA<ClientReconnecting>());
    await client.close(within: Duration.zero);
  });

  test('a token that a header cannot carry stops the client before a handshake', () async {
    final server = await _Server.start();
    final client = server.client(token: () => const Token('two words'));
    final stopped = await client.states.firstWhere((state) => state is ClientStopped) as ClientStopped;
    expect(stopped.reason, isA<StoppedAsInvalid>());
    expect(server.authorizations, isEmpty);
  });

  test('a client that the server drops comes back with its subscription', () async {
    final server = await _Server.start();
    final client = server.client();
    final messages = StreamIterator(client.pushesOf('order-1'));
    // The iterator listens, and so subscribes, when it is first moved.
    final first = messages.moveNext();
    await server.nextSubscription();
    server.push({'type': 'Entity Updated', 'entityId': 'order-1', 'message': 1, 'eventId': 'e1'});
    expect(await first, isTrue);
    await server.drop();
    await server.nextSubscription();
    server.push({'type': 'Entity Updated', 'entityId': 'order-1', 'message': 2, 'eventId': 'e2'});
    expect(await messages.moveNext(), isTrue);
    expect(messages.current.message, 2);
    await messages.cancel();
    await client.close();
  });

  test('a network that refuses WebSockets is polled with the token in the header', () async {
    final server =
        await _Server.start()
          ..status = HttpStatus.notFound;
    final client = server.client(token: () => const Token('a.b.c'), pollPort: server.port);
    await client.states.firstWhere((state) => state is ClientOpen && state.transport == Transport.poll);
    final reply = await client.send('你好 👋');
    expect(reply.message, '你好 👋');
    expect(server.posts.take(2).toList(), ['/poll Bearer a.b.c', '/messages Bearer a.b.c']);
    await client.close();
  });

  test('a connection that is cut is an obstacle, and one that the server closes is none', () async {
    final server = await _Server.start();
    final proxy = await _Proxy.start(server.port);
    final client = server.client(port: proxy.port, pollPort: server.port);
    final states = StreamIterator(client.states);
    expect((await _next<ClientOpen>(states)).transport, Transport.webSocket);
    await server.drop();
    await _next<ClientReconnecting>(states);
    expect((await _next<ClientOpen>(states)).transport, Transport.webSocket);
    proxy.cut();
    await _next<ClientReconnecting>(states);
    expect((await _next<ClientOpen>(states)).transport, Transport.poll);
    await client.close();
  });

  test('a poll that the server does not answer is abandoned on close', () async {
    final server =
        await _Server.start()
          ..status = HttpStatus.notFound;
    final silent = await _Silent.start();
    final client = server.client(pollPort: silent.port);
    await silent.arrived;
    await client.close(within: Duration.zero);
    await silent.abandoned;
  });

  test('a handshake that the server does not answer is abandoned on close', () async {
    final silent = await _Silent.start();
    final client = HeraldClient(Uri.parse('ws://127.0.0.1:${silent.port}'));
    await silent.arrived;
    await client.close();
    await silent.abandoned;
  });
}

Future<T> _next<T extends ClientState>(StreamIterator<ClientState> states) async {
  while (await states.moveNext()) {
    if (states.current case final T state) return state;
  }
  throw StateError('the client has stopped');
}

/// A server that accepts connections and never answers.
final class _Silent {
  _Silent(this._server) {
    _server.listen((socket) {
      if (!_arrived.isCompleted) _arrived.complete();
      socket.listen((_) {}, onDone: _end, onError: (_) => _end());
    });
  }

  static Future<_Silent> start() async {
    final silent = _Silent(await ServerSocket.bind(InternetAddress.loopbackIPv4, 0));
    addTearDown(silent._server.close);
    return silent;
  }

  final ServerSocket _server;
  final Completer<void> _arrived = Completer();
  final Completer<void> _abandoned = Completer();

  int get port => _server.port;

  Future<void> get arrived => _arrived.future;

  /// Completes when the client has closed a connection.
  Future<void> get abandoned => _abandoned.future;

  void _end() {
    if (!_abandoned.isCompleted) _abandoned.complete();
  }
}

/// A proxy of TCP that can cut its connections.
final class _Proxy {
  _Proxy(this._server, this._port) {
    _server.listen(_serve);
  }

  static Future<_Proxy> start(int port) async {
    final proxy = _Proxy(await ServerSocket.bind(InternetAddress.loopbackIPv4, 0), port);
    addTearDown(proxy._server.close);
    return proxy;
  }

  final ServerSocket _server;
  final int _port;
  final List<Socket> _sockets = [];

  int get port => _server.port;

  void cut() {
    for (final socket in _sockets) {
      socket.destroy();
    }
  }

  Future<void> _serve(Socket client) async {
    final server = await Socket.connect(InternetAddress.loopbackIPv4, _port);
    _sockets.addAll([client, server]);
    _forward(client, server);
    _forward(server, client);
  }

  void _forward(Socket from, Socket to) => from.listen(to.add, onDone: to.destroy, onError: (_) => to.destroy());
}

/// A server on the loopback address that answers as Herald does.
final class _Server {
  _Server(this._server) {
    _server.listen(_serve);
  }

  static Future<_Server> start() async {
    final server = _Server(await HttpServer.bind(InternetAddress.loopbackIPv4, 0));
    addTearDown(() => server._server.close(force: true));
    return server;
  }

  final HttpServer _server;

  /// The status of a refusal. `null` accepts.
  int? status;

  /// The header of each handshake.
  final List<String?> authorizations = [];

  /// The path and the token of each HTTP request.
  final List<String> posts = [];
  WebSocket? _socket;
  final StreamController<void> _subscriptions = StreamController();
  late final StreamIterator<void> _subscribed = StreamIterator(_subscriptions.stream);

  /// With [pollPort], the client polls there after one obstacle.
  HeraldClient client({TokenCallback? token, int? port, int? pollPort}) => HeraldClient(
    Uri.parse('ws://127.0.0.1:${port ?? _server.port}/prod'),
    token: token,
    options: HeraldOptions(
      pollUrl: pollPort == null ? null : Uri.parse('http://127.0.0.1:$pollPort'),
      obstacleLimit: 1,
      obstacleAfter: Duration.zero,
      backoffBase: const Duration(milliseconds: 1),
    ),
  );

  Future<void> nextSubscription() => _subscribed.moveNext();

  void push(Map<String, Object?> frame) => _socket!.add(jsonEncode(frame));

  Future<void> drop() => _socket!.close(1001);

  int get port => _server.port;

  Future<void> _answer(HttpRequest request) async {
    posts.add('${request.uri.path} ${request.headers.value(HttpHeaders.authorizationHeader)}');
    final frame = jsonDecode(await utf8.decodeStream(request)) as Map<String, Object?>;
    final isMessage = frame['action'] == 'sendMessage';
    request.response
      ..headers.contentType = ContentType.json
      ..write(jsonEncode({...frame, 'type': isMessage ? 'message' : 'ack'}));
    await request.response.close();
  }

  Future<void> _serve(HttpRequest request) async {
    if (request.method == 'POST') return _answer(request);
    authorizations.add(request.headers.value(HttpHeaders.authorizationHeader));
    final status = this.status;
    if (status != null) {
      request.response.statusCode = status;
      return request.response.close().then((_) {});
    }
    final socket = _socket = await WebSocketTransformer.upgrade(request);
    socket.listen((text) {
      final frame = jsonDecode(text as String) as Map<String, Object?>;
      final isMessage = frame['action'] == 'sendMessage';
      socket.add(jsonEncode({...frame, 'type': isMessage ? 'message' : 'ack'}));
      if (frame['action'] == 'subscribe') _subscriptions.add(null);
    });
  }
}
