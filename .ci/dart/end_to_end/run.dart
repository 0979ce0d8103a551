// The client over real sockets against herald-local, through a proxy that can cut the connection.
//
//     run.dart HERALD_LOCAL TEMPLATE

import 'dart:async';
import 'dart:convert';
import 'dart:io';

import 'package:herald_client/herald_client.dart';

Future<void> main(List<String> arguments) async {
  final [program, template] = arguments;
  final timer = Timer(const Duration(seconds: 90), () => throw TimeoutException('the check has not ended in 90 s'));
  await _withStack(program, template, 'open', (stack) async {
    await _deliversAndRecovers(stack.endpoint);
    await Future.wait([_showsPresence(stack.endpoint), _pollsAndReturns(stack)]);
  });
  await _withStack(program, template, 'secret', (stack) => _stopsAfterRefusedTokens(stack.endpoint));
  timer.cancel();
}

Future<void> _deliversAndRecovers(Uri endpoint) async {
  final proxy = await _Proxy.start(endpoint);
  final client = HeraldClient(proxy.address, options: _options);
  final subscription = await client.subscribe('order-1');
  final events = StreamIterator(subscription.events);
  await _publish(endpoint, 'order-1', 1);
  _check('an event is delivered', _messageOf(await _next(events)), 1);

  _check('a message comes back', (await client.send('你好 👋')).message, '你好 👋');
  final acknowledgement = await client.send(2, entityId: 'order-1');
  _check('the own message has the next offset', acknowledgement.position?.offset, 2);

  final history = await client.history(const HistoryOf.entity('order-1'), HistorySelection.last(10));
  _check('the history is in order', '${[for (final push in history.messages) push.message]}', '[1, 2]');

  proxy.cut();
  await client.states.firstWhere((state) => state is ClientReconnecting);
  await _publish(endpoint, 'order-1', 3);
  // The event has to be stored before the client connects again: otherwise it would arrive as a live push.
  while ((await _top(endpoint)) < 3) {
    await Future<void>.delayed(const Duration(milliseconds: 50));
  }
  proxy.accept();
  Object? recovered;
  while (recovered == null) {
    recovered = switch (await _next(events)) {
      PushEvent(:final push) => push.message,
      RecoveredEvent() => null,
      LostEvent() => 'lost',
    };
  }
  _check('a message sent meanwhile is recovered', recovered, 3);
  await client.close();
  await proxy.close();
}

Future<void> _showsPresence(Uri endpoint) async {
  final client = HeraldClient(_socketAddress(endpoint), options: _options);
  final room = await client.subscribe('room-1', presence: true);
  _check('a subscription has its presence', room.presence != null, true);
  final other = HeraldClient(_socketAddress(endpoint), options: _options);
  await other.subscribe('room-1');
  await room.presenceChanges.firstWhere((change) => change.presence?.count == 2);
  await other.close();
  await room.presenceChanges.firstWhere((change) => change.presence?.count == 1);
  _check('presence is read once', (await client.presence('room-1')).count, 1);
  await client.close();
}

Future<void> _pollsAndReturns(_Stack stack) async {
  final proxy = await _Proxy.start(stack.endpoint)
    ..cut();
  final client = HeraldClient(
    proxy.address,
    options: HeraldOptions(
      pollUrl: stack.pollUrl,
      obstacleLimit: 1,
      obstacleAfter: Duration.zero,
      webSocketRetry: const Duration(milliseconds: 500),
      stableAfter: const Duration(milliseconds: 100),
      backoffBase: const Duration(milliseconds: 50),
      backoffCap: const Duration(milliseconds: 200),
    ),
  );
  final subscription = await client.subscribe('order-2');
  _check('a client without a WebSocket polls', client.transport, Transport.poll);
  final events = StreamIterator(subscription.pushes);
  final states = StreamIterator(client.states);
  await _publish(stack.endpoint, 'order-2', 1);
  await events.moveNext();
  _check('a poll has the event', events.current.message, 1);
  proxy.accept();
  while (client.transport == Transport.poll) {
    await states.moveNext();
  }
  await _publish(stack.endpoint, 'order-2', 2);
  await events.moveNext();
  _check('the WebSocket goes on where the polls ended', events.current.message, 2);
  await client.close();
  await proxy.close();
}

Future<void> _stopsAfterRefusedTokens(Uri endpoint) async {
  final client = HeraldClient(_socketAddress(endpoint), token: () => const Token('a.b.c'), options: _options);
  final stopped = await client.states.firstWhere((state) => state is ClientStopped) as ClientStopped;
  _check('refused tokens stop the client', stopped.reason is StoppedByRefusals, true);
}

const _options = HeraldOptions(backoffBase: Duration(milliseconds: 50), backoffCap: Duration(milliseconds: 200));

Future<SubscriptionEvent> _next(StreamIterator<SubscriptionEvent> events) async {
  if (!await events.moveNext()) throw StateError('the subscription ended');
  return events.current;
}

Object? _messageOf(SubscriptionEvent event) => event is PushEvent ? event.push.message : event;

void _check(String about, Object? actual, Object? expected) {
  if (actual != expected) throw StateError('$about: expected $expected, got $actual');
  stdout.writeln('ok: $about');
}

Uri _socketAddress(Uri endpoint) => endpoint.replace(scheme: 'ws', path: '/dev');

/// Returns the last offset of the entity's log, as another client reads it.
Future<int> _top(Uri endpoint) async {
  final client = HeraldClient(_socketAddress(endpoint));
  final history = await client.history(const HistoryOf.entity('order-1'), HistorySelection.last(1));
  await client.close();
  return history.top;
}

/// Puts an event on the bus.
Future<void> _publish(Uri endpoint, String entityId, Object? message) async {
  final http = HttpClient();
  final request = await http.postUrl(endpoint);
  request.headers
    ..set('X-Amz-Target', 'AWSEvents.PutEvents')
    ..set(HttpHeaders.contentTypeHeader, 'application/x-amz-json-1.1');
  final detail = jsonEncode({'entityId': entityId, 'message': message});
  request.write(
    jsonEncode({
      'Entries': [
        {'Source': 'com.example.orders', 'DetailType': 'Entity Updated', 'Detail': detail},
      ],
    }),
  );
  final response = await request.close();
  final text = await utf8.decodeStream(response);
  http.close();
  if (response.statusCode != HttpStatus.ok) throw StateError('PutEvents answered ${response.statusCode}: $text');
}

typedef _Stack = ({Uri endpoint, Uri pollUrl});

/// Starts herald-local on free ports, and ends it after the check.
Future<void> _withStack(String program, String template, String auth, Future<void> Function(_Stack) check) async {
  final process = await Process.start(program, [
    ...[
      '--port',
      '0',
      '--json',
      '--log',
      'error',
      '--auth',
      auth,
      '--parameter',
      'History={"**":{"messages":100,"seconds":600}}',
      '--parameter',
      'Presence={"room-*":{"interval":1}}',
      '--parameter',
      'Poll=on',
    ],
    ...['--template', template, '--binaries', File(program).parent.path],
  ]);
  final errors = StringBuffer();
  process.stderr.transform(utf8.decoder).listen(errors.write);
  try {
    final line = await process.stdout
        .transform(utf8.decoder)
        .transform(const LineSplitter())
        .firstWhere((_) => true, orElse: () => throw StateError('herald-local ended: $errors'));
    final addresses = jsonDecode(line) as Map<String, Object?>;
    final urls = addresses['functionUrls']! as Map<String, Object?>;
    final endpoint = Uri.parse(addresses['endpoint']! as String);
    await check((endpoint: endpoint, pollUrl: Uri.parse(urls['PollFunctionUrl']! as String)));
  } finally {
    process.kill(ProcessSignal.sigint);
    await process.exitCode;
  }
}

/// A proxy of TCP before the endpoint, which can cut its connections and refuse new ones.
final class _Proxy {
  _Proxy(this._server, this._endpoint) {
    _server.listen(_serve);
  }

  static Future<_Proxy> start(Uri endpoint) async =>
      _Proxy(await ServerSocket.bind(InternetAddress.loopbackIPv4, 0), endpoint);

  final ServerSocket _server;
  final Uri _endpoint;
  final List<Socket> _sockets = [];
  bool _accepts = true;

  Uri get address => _socketAddress(_endpoint).replace(host: '127.0.0.1', port: _server.port);

  void cut() {
    _accepts = false;
    for (final socket in _sockets) {
      socket.destroy();
    }
    _sockets.clear();
  }

  void accept() => _accepts = true;

  Future<void> close() => _server.close();

  Future<void> _serve(Socket client) async {
    if (!_accepts) return client.destroy();
    final server = await Socket.connect(_endpoint.host, _endpoint.port);
    _sockets.addAll([client, server]);
    _forward(client, server);
    _forward(server, client);
  }

  void _forward(Socket from, Socket to) => from.listen(to.add, onDone: to.destroy, onError: (_) => to.destroy());
}
