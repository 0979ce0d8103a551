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

  test('a handshake that the server does not answer is abandoned on close', () async {
    final silent = await ServerSocket.bind(InternetAddress.loopbackIPv4, 0);
    final ended = Completer<void>();
    final arrived = Completer<void>();
    silent.listen((socket) {
      arrived.complete();
      socket.listen((_) {}, onDone: ended.complete, onError: (_) => ended.complete());
    });
    final client = HeraldClient(Uri.parse('ws://127.0.0.1:${silent.port}'));
    await arrived.future;
    await client.close();
    await ended.future;
    await silent.close();
  });
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
  WebSocket? _socket;
  final StreamController<void> _subscriptions = StreamController();
  late final StreamIterator<void> _subscribed = StreamIterator(_subscriptions.stream);

  HeraldClient client({TokenCallback? token}) => HeraldClient(
    Uri.parse('ws://127.0.0.1:${_server.port}/prod'),
    token: token,
    options: const HeraldOptions(backoffBase: Duration(milliseconds: 1)),
  );

  Future<void> nextSubscription() => _subscribed.moveNext();

  void push(Map<String, Object?> frame) => _socket!.add(jsonEncode(frame));

  Future<void> drop() => _socket!.close(1001);

  Future<void> _serve(HttpRequest request) async {
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
