import 'dart:async';

import 'package:herald_client/herald_client.dart';
import 'package:test/test.dart';

import 'support/fakes.dart';
import 'support/harness.dart';

void main() {
  group('connecting', () {
    test('a client opens and announces each state once, the present one first', () async {
      final harness = Harness();
      await harness.advance();
      expect(harness.states, [isA<ClientConnecting>(), isA<ClientOpen>()]);
      final late = <ClientState>[];
      harness.client.states.listen(late.add);
      await settle();
      expect(late, [isA<ClientOpen>()]);
    });

    test('the token callback is asked at every attempt', () async {
      var asked = 0;
      final harness = Harness(token: () => Token('token-${++asked}'));
      await harness.advance();
      harness.socket.drop();
      await harness.advance(seconds: 1);
      expect([for (final socket in harness.connector.sockets) socket.token], ['token-1', 'token-2']);
    });

    test('a token callback that hangs fails the attempt', () async {
      var asked = 0;
      final harness = Harness(
        token: () {
          asked += 1;
          return Completer<Token>().future;
        },
      );
      await harness.advance(seconds: 46);
      expect(asked, 2);
    });

    test('a token callback that hangs during the renewal of a token is asked again', () async {
      var asked = 0;
      final harness = Harness(
        token: () {
          asked += 1;
          if (asked == 2) return Completer<Token>().future;
          return Token('t', expiresAt: DateTime.fromMillisecondsSinceEpoch(1700000000000 + 300000 * asked));
        },
      );
      await harness.advance(minutes: 6);
      expect(asked, 3);
      expect(harness.socket.actions, contains('authenticate'));
    });

    test('a token callback that throws fails the attempt and is the cause', () async {
      final harness = Harness(token: () => throw StateError('no session'));
      await harness.advance(milliseconds: 1);
      final state = harness.client.state as ClientReconnecting;
      expect(state.cause, isA<StateError>());
      expect(harness.connector.sockets, isEmpty);
    });

    test('a token that cannot be sent stops the client', () async {
      final harness = Harness(token: () => const Token(''));
      await harness.advance();
      expect((harness.client.state as ClientStopped).reason, isA<StoppedAsInvalid>());
    });

    test('three refused authorisations stop the client', () async {
      final harness = Harness(script: (connector) => connector.refusal = () => const HandshakeRefused(401));
      await harness.advance(minutes: 1);
      final reason = (harness.client.state as ClientStopped).reason as StoppedByRefusals;
      expect(reason.status, 401);
      expect(harness.connector.sockets, hasLength(3));
      expect(harness.clock.timers, 0);
    });

    test('a client without a network is still trying after two hours', () async {
      final harness = Harness(script: (connector) => connector.refusal = () => StateError('no network'));
      await harness.advance(minutes: 120);
      expect(harness.client.state, isA<ClientReconnecting>());
      final attempts = harness.connector.sockets.length;
      await harness.advance(minutes: 1);
      expect(harness.connector.sockets.length, greaterThan(attempts));
    });

    test('an attempt without an answer is abandoned', () async {
      final harness = Harness(script: (connector) => connector.isSilent = true);
      await harness.advance(seconds: 46);
      expect(harness.connector.sockets, hasLength(2));
      expect(harness.connector.sockets.first.isClosed, isTrue);
    });

    test('an abandoned handshake that succeeds later changes nothing', () async {
      final harness = Harness(script: (connector) => connector.isSilent = true);
      await harness.advance(seconds: 46);
      harness.connector.sockets.first.accept();
      await settle();
      expect(harness.client.state, isA<ClientReconnecting>());
    });

    test('an address that is not a WebSocket address is refused', () {
      expect(() => HeraldClient(Uri.parse('https://example.com')), throwsArgumentError);
    });

    test('a sleep of the device checks the connection', () async {
      final harness = Harness();
      await harness.advance();
      harness.clock.slept += 3600000;
      harness.connector.onFrame = (_, __) {};
      await harness.advance(seconds: 5);
      expect(harness.socket.actions, ['ping']);
    });
  });

  group('closing', () {
    test('close while connecting stops at once', () async {
      final harness = Harness(script: (connector) => connector.isSilent = true);
      await settle();
      await harness.client.close();
      expect((harness.client.state as ClientStopped).reason, isA<StoppedByClose>());
      expect(harness.socket.isClosed, isTrue);
    });

    test('close sends the outbox first', () async {
      final harness = Harness(script: (connector) => connector.isSilent = true);
      final sent = harness.client.send('last words', entityId: 'room-1');
      final closed = harness.client.close();
      await settle();
      harness.socket.accept();
      expect((await sent).eventId, 'sent-1');
      await closed;
      expect(harness.socket.isClosed, isTrue);
    });

    test('close twice resolves twice', () async {
      final harness = Harness();
      await settle();
      await harness.client.close();
      await harness.client.close();
    });

    test('streams end with the client', () async {
      final harness = Harness();
      await settle();
      final subscription = await harness.client.subscribe('order-1');
      final ends = [subscription.pushes.drain<void>(), harness.client.broadcasts.drain<void>()];
      await harness.client.close();
      await Future.wait(ends);
      await harness.client.notifications.drain<void>();
    });

    test('the server ends the client', () async {
      final harness = Harness();
      await settle();
      harness.socket.push({'type': 'disconnect', 'reconnect': false, 'code': 'revoked', 'reason': 'signed out'});
      await harness.advance(minutes: 1);
      final reason = (harness.client.state as ClientStopped).reason as StoppedByServer;
      expect(reason.code, 'revoked');
      expect(harness.connector.sockets, hasLength(1));
    });
  });

  group('subscriptions', () {
    test('subscribers of one turn share a frame, and each push arrives once', () async {
      final harness = Harness();
      await settle();
      final both = await Future.wait([harness.client.subscribe('order-1'), harness.client.subscribe('order-2')]);
      expect(harness.socket.sent, hasLength(1));
      final messages = <Object?>[];
      both.first.pushes.listen((push) => messages.add(push.message));
      harness.socket
        ..push(update('order-1', 1))
        ..push(update('order-1', 1))
        ..push(update('order-2', 2));
      await settle();
      expect(messages, [1]);
    });

    test('pushes that arrive before the application listens are kept', () async {
      final harness = Harness();
      await settle();
      final subscription = await harness.client.subscribe('order-1');
      harness.socket.push(update('order-1', 1));
      await settle();
      expect((await subscription.pushes.first).message, 1);
    });

    test('more events than a subscription holds before the application listens are a loss', () async {
      final harness = Harness(options: const HeraldOptions(buffer: 2));
      await settle();
      final subscription = await harness.client.subscribe('order-1');
      for (final offset in [1, 2, 3, 4]) {
        harness.socket.push(update('order-1', offset, offset: offset));
      }
      await settle();
      final events = <Object?>[];
      subscription.events.listen((event) => events.add(_contentOf(event)));
      await settle();
      expect(events, [const Position(2, epoch: 'e1'), 3, 4]);
      expect(subscription.position, const Position(4, epoch: 'e1'));
    });

    /// Returns a client, and a subscription that holds the second of two messages and has dropped the first.
    Future<(Harness, Subscription)> overflowing() async {
      final harness = Harness(options: const HeraldOptions(buffer: 1));
      await settle();
      final subscription = await harness.client.subscribe('order-1');
      harness.socket
        ..push(update('order-1', 1))
        ..push(update('order-1', 2));
      await settle();
      return (harness, subscription);
    }

    test('a subscription that is cancelled before the application listens has no event, not even a loss', () async {
      final (_, subscription) = await overflowing();
      subscription.cancel();
      expect(await subscription.events.toList(), isEmpty);
    });

    test('events that were held come before the end of the subscription', () async {
      final (harness, subscription) = await overflowing();
      await harness.client.close();
      expect(await subscription.events.map(_contentOf).toList(), [null, 2]);
    });

    test('a state whose messages were dropped before the application listens is loaded again', () async {
      final harness = Harness(options: const HeraldOptions(buffer: 1));
      await settle();
      var loads = 0;
      final subscription = await harness.client.subscribe(
        'order-1',
        loadState: () {
          loads += 1;
          return null;
        },
      );
      expect(loads, 2);
      harness.socket
        ..push(update('order-1', 1))
        ..push(update('order-1', 2));
      await settle();
      final events = <Object?>[];
      subscription.events.listen((event) => events.add(_contentOf(event)));
      await settle();
      harness.socket.push(update('order-1', 3));
      await settle();
      expect(loads, 3);
      expect(events, [null, 3]);
    });

    test('recover and rewind together are an error of the stream, too', () async {
      final harness = Harness();
      await settle();
      final stream = harness.client.pushesOf('order-1', recover: const Position(1, epoch: 'e1'), rewind: 2);
      await expectLater(stream.toList(), throwsArgumentError);
    });

    test('a subscription that the server refuses throws its error', () async {
      final harness = Harness();
      await settle();
      harness.connector.onFrame = (socket, frame) => socket.push(_forbidden(frame));
      await expectLater(harness.client.subscribe('secret'), throwsA(_hasCode('forbidden')));
      await expectLater(harness.client.pushesOf('secret').toList(), throwsA(_hasCode('forbidden')));
    });

    test('a subscription that the server ends has the error at the end of its stream', () async {
      final harness = Harness();
      await settle();
      final subscription = await harness.client.subscribe('order-1');
      final end = expectLater(subscription.pushes, emitsInOrder([emitsError(_hasCode('forbidden')), emitsDone]));
      harness.connector.onFrame = (socket, frame) => socket.push(_forbidden(frame));
      harness.socket.drop();
      await harness.advance(seconds: 1);
      await end;
    });

    test('cancelling a listener unsubscribes', () async {
      final harness = Harness();
      await settle();
      final subscription = await harness.client.subscribe('order-1');
      await subscription.pushes.listen((_) {}).cancel();
      await settle();
      expect(harness.socket.actions, ['subscribe', 'unsubscribe']);
    });

    test('a stream that is cancelled before the acknowledgement leaves nothing behind', () async {
      final harness = Harness();
      await settle();
      harness.connector.onFrame = (_, __) {};
      final listener = harness.client.pushesOf('order-1').listen((_) {});
      await settle();
      await listener.cancel();
      acknowledge(harness.socket, harness.socket.sent.single);
      harness.connector.onFrame = acknowledge;
      await settle();
      expect(harness.socket.actions, ['subscribe', 'unsubscribe']);
    });

    test('a stream that is cancelled while its state loads does not subscribe', () async {
      final harness = Harness();
      await settle();
      await harness.client.subscribe('order-1');
      final loading = Completer<Position?>();
      final listener = harness.client.pushesOf('order-1', loadState: () => loading.future).listen((_) {});
      await settle();
      await listener.cancel();
      loading.complete(null);
      await settle();
      expect(harness.socket.actions, ['subscribe']);
    });

    test('no message follows a cancel in the handler of a message', () async {
      final harness = Harness();
      await settle();
      final subscription = await harness.client.subscribe('order-1');
      final messages = <Object?>[];
      subscription.pushes.listen((push) {
        messages.add(push.message);
        subscription.cancel();
      });
      harness.socket
        ..push(update('order-1', 1))
        ..push(update('order-1', 2));
      await settle();
      expect(messages, [1]);
    });

    test('recover and rewind exclude each other', () {
      final client = Harness().client;
      expect(client.subscribe('order-1', recover: const Position(1), rewind: 1), throwsArgumentError);
    });
  });

  group('continuity', () {
    test('the position is that of the last message that was read', () async {
      final harness = await _withLog(offset: 40);
      final subscription = await harness.client.subscribe('order-1');
      expect(subscription.position, const Position(40, epoch: 'e1'));
      final positions = <Position?>[];
      subscription.pushes.listen((_) => positions.add(subscription.position));
      harness.socket
        ..push(update('order-1', 1, offset: 41))
        ..push(update('order-1', 2, offset: 42));
      await settle();
      expect(positions, const [Position(41, epoch: 'e1'), Position(42, epoch: 'e1')]);
    });

    test('a message that was not read is not in the position', () async {
      final harness = await _withLog(offset: 40);
      final subscription = await harness.client.subscribe('order-1');
      harness.socket.push(update('order-1', 1, offset: 41));
      await settle();
      expect(subscription.position, const Position(40, epoch: 'e1'));
      subscription.cancel();
      expect(subscription.position, const Position(40, epoch: 'e1'));
    });

    test('a reconnect recovers from the position, and says so', () async {
      final harness = await _withLog(offset: 40);
      final subscription = await harness.client.subscribe('order-1');
      final events = <SubscriptionEvent>[];
      subscription.events.listen(events.add);
      harness.connector.onFrame =
          (socket, frame) => socket.push({
            'type': 'ack',
            'action': frame['action'],
            'id': frame['id'],
            'epoch': 'e1',
            'offset': 41,
            'top': 41,
            'recovered': true,
            'messages': [update('order-1', 1, offset: 41)],
          });
      harness.socket.drop();
      await harness.advance(seconds: 1);
      expect(harness.socket.sent.first['recover'], {'epoch': 'e1', 'offset': 40});
      expect(events, [isA<PushEvent>(), isA<RecoveredEvent>()]);
    });

    test('a loss comes before the next message, and loads the state again', () async {
      final harness = await _withLog(offset: 40);
      var loads = 0;
      final subscription = await harness.client.subscribe(
        'order-1',
        loadState: () {
          loads += 1;
          return Position(loads == 1 ? 40 : 90, epoch: 'e1');
        },
      );
      final losses = <Lost>[];
      harness.client.losses.listen(losses.add);
      final events = <SubscriptionEvent>[];
      subscription.events.listen(events.add);
      harness.connector.onFrame =
          (socket, frame) => socket.push({
            'type': 'ack',
            'action': frame['action'],
            'id': frame['id'],
            'epoch': 'e1',
            'offset': 90,
            'top': 90,
            'recovered': false,
          });
      harness.socket.drop();
      await harness.advance(seconds: 1);
      harness.socket.push(update('order-1', 'next', offset: 91));
      await settle();
      expect(loads, 2);
      expect(losses.single.position, const Position(90, epoch: 'e1'));
      expect(losses.single.entityId, 'order-1');
      // The first is that of the start, from the position of the state.
      expect(events, [isA<RecoveredEvent>(), isA<LostEvent>(), isA<PushEvent>()]);
    });

    test('a state without a position is loaded again after the acknowledgement and each reconnect', () async {
      final harness = Harness();
      await settle();
      var loads = 0;
      await harness.client.subscribe(
        'order-1',
        loadState: () {
          loads += 1;
          return null;
        },
      );
      expect(loads, 2);
      harness.socket.drop();
      await harness.advance(seconds: 1);
      expect(loads, 3);
    });

    test('a state before the position at which a later subscriber joins is loaded again', () async {
      final harness = await _withLog(offset: 40);
      final first = await harness.client.subscribe('order-1');
      first.pushes.listen((_) {});
      final messages = <Object?>[];
      var loads = 0;
      final second = await harness.client.subscribe(
        'order-1',
        loadState: () {
          loads += 1;
          return Position(loads == 1 ? 30 : 41, epoch: 'e1');
        },
      );
      second.pushes.listen((push) => messages.add(push.message));
      harness.socket
        ..push(update('order-1', 'in the state', offset: 41))
        ..push(update('order-1', 'after it', offset: 42));
      await harness.advance(seconds: 1);
      expect(loads, 2);
      expect(messages, ['after it']);
    });

    test('a state that fails to load later is loaded again, and its error is printed', () async {
      final printed = <String>[];
      await runZoned(() async {
        final harness = Harness();
        await settle();
        var loads = 0;
        await harness.client.subscribe(
          'order-1',
          loadState: () {
            loads += 1;
            return loads == 3 ? throw StateError('the database is away') : null;
          },
        );
        harness.socket.drop();
        await harness.advance(seconds: 3);
        expect(loads, 4);
      }, zoneSpecification: ZoneSpecification(print: (_, __, ___, line) => printed.add(line)));
      expect(printed.single.contains('the database is away'), isTrue);
    });

    test('a state that cannot be loaded at first is the error of the subscription', () async {
      final harness = Harness();
      await settle();
      expect(harness.client.subscribe('order-1', loadState: () => throw StateError('away')), throwsStateError);
    });

    test('a listener of the notifications follows them, and hears what is lost', () async {
      final harness = Harness();
      await settle();
      harness.client.notifications.listen((_) {});
      await settle();
      expect(harness.socket.sent.single, {'action': 'sync', 'user': <String, Object?>{}, 'id': '1'});
    });

    test('history has the messages and the position', () async {
      final harness = Harness();
      await settle();
      harness.connector.onFrame =
          (socket, frame) => socket.push({
            'type': 'ack',
            'action': 'history',
            'id': frame['id'],
            'epoch': 'e1',
            'offset': 2,
            'top': 3,
            'more': true,
            'messages': [update('order-1', 'one', offset: 1)],
          });
      final history = await harness.client.history(
        const HistoryOf.entity('order-1'),
        HistorySelection.since(const Position(0, epoch: 'e1'), limit: 2),
      );
      expect(harness.socket.sent.single, {
        'action': 'history',
        'entityId': 'order-1',
        'since': {'epoch': 'e1', 'offset': 0},
        'limit': 2,
        'id': '1',
      });
      expect(history.messages.single.message, 'one');
      expect(history.position, const Position(2, epoch: 'e1'));
      expect([history.top, history.hasMore, history.isRecovered], [3, true, null]);
    });
  });

  group('sending', () {
    test('a message resolves with its acknowledgement', () async {
      final harness = Harness();
      await settle();
      final reply = await harness.client.send('Hello', entityId: 'room-1', name: 'Aseem');
      expect(reply.eventId, 'sent-1');
      expect(harness.socket.sent.single, {
        'action': 'sendMessage',
        'entityId': 'room-1',
        'message': 'Hello',
        'name': 'Aseem',
        'id': '1',
      });
    });

    test('a message waits in the outbox without a connection, and expires there', () async {
      final harness = Harness(script: (connector) => connector.isSilent = true);
      await settle();
      final expired = harness.client.send('late', entityId: 'room-1', timeToLive: const Duration(seconds: 10));
      unawaited(expectLater(expired, throwsA(isA<ExpiredError>())));
      final sent = harness.client.send('patient', entityId: 'room-1');
      expect(harness.client.waitingMessages, 2);
      await harness.advance(seconds: 11);
      expect(harness.client.waitingMessages, 1);
      harness.socket.accept();
      expect((await sent).eventId, 'sent-1');
      expect(harness.client.waitingMessages, 0);
    });

    test('an error of the server is typed', () async {
      final harness = Harness();
      await settle();
      harness.connector.onFrame = (socket, frame) => socket.push(_forbidden(frame));
      await expectLater(harness.client.request({'action': 'nonsense'}), throwsA(_hasCode('forbidden')));
    });

    test('a message in flight when the connection breaks has an unknown outcome', () async {
      final harness = Harness();
      await settle();
      harness.connector.onFrame = (_, __) {};
      final sent = harness.client.send('Hello', entityId: 'room-1');
      unawaited(expectLater(sent, throwsA(isA<OutcomeUnknownError>())));
      harness.socket.drop();
      await settle();
    });

    test('a message over the frame of API Gateway is refused', () async {
      final harness = Harness();
      expect(harness.client.send('x' * 33000, entityId: 'room-1'), throwsA(isA<TooLargeError>()));
    });

    test('texts of all scripts arrive as they were sent', () async {
      final harness = Harness();
      await settle();
      final messages = <Object?>[];
      harness.client.broadcasts.listen((push) => messages.add(push.message));
      await settle();
      for (final text in _texts) {
        harness.socket.push({'type': 'Broadcast', 'message': text, 'eventId': text});
        await harness.client.send(text, broadcast: true);
      }
      await settle();
      expect(messages, _texts);
      expect([
        for (final frame in harness.socket.sent)
          if (frame['action'] == 'sendMessage') frame['message'],
      ], _texts);
    });
  });

  group('robustness', () {
    test('a text that is not JSON is ignored', () async {
      final harness = Harness();
      await settle();
      harness.socket.pushText('not json');
      await settle();
      expect(harness.client.state, isA<ClientOpen>());
      expect(harness.socket.isClosed, isFalse);
    });

    test('a listener that throws keeps nothing from the others', () async {
      final errors = <Object>[];
      final messages = <Object?>[];
      await runZonedGuarded(() async {
        final harness = Harness();
        await settle();
        harness.client.broadcasts.listen((_) => throw StateError('a bug of the application'));
        harness.client.broadcasts.listen((push) => messages.add(push.message));
        await settle();
        harness.socket.push({'type': 'Broadcast', 'message': 1, 'eventId': 'b1'});
        await settle();
      }, (error, _) => errors.add(error));
      expect(messages, [1]);
      expect(errors, [isA<StateError>()]);
    });

    test('a callback may call the client again', () async {
      final harness = Harness();
      await settle();
      harness.client.states.listen((state) {
        if (state is ClientReconnecting) harness.client.networkUp();
      });
      harness.socket.drop();
      await settle();
      expect(harness.connector.sockets, hasLength(2));
    });
  });

  group('life cycle', () {
    test('a suspended client has no connection and makes no attempt', () async {
      final harness = Harness();
      await settle();
      harness.client.suspend();
      await settle();
      harness.states.clear();
      expect(harness.clock.timers, 0);
      await harness.advance(minutes: 30);
      harness.client
        ..networkUp()
        ..foreground();
      await harness.advance(minutes: 30);
      expect(harness.connector.sockets, hasLength(1));
      expect(harness.socket.isClosed, isTrue);
      expect(harness.states, isEmpty);
    });

    test('a suspended client with a token callback does not ask it', () async {
      var asked = 0;
      final harness = Harness(
        token: () {
          asked += 1;
          return const Token('t');
        },
      );
      await settle();
      harness.client.suspend();
      await harness.advance(minutes: 30);
      expect(asked, 1);
    });

    test('a resumed client connects at once and recovers', () async {
      final harness = await _withLog(offset: 7);
      await harness.client.subscribe('order-1');
      harness.client.suspend();
      await harness.advance(minutes: 30);
      harness.client.resume();
      await settle();
      expect(harness.connector.sockets, hasLength(2));
      expect(harness.socket.sent.first['recover'], {'epoch': 'e1', 'offset': 7});
    });

    test('a hint that the network is down closes, and that it is up connects', () async {
      final harness = Harness();
      await settle();
      harness.client.networkDown();
      await settle();
      expect((harness.client.state as ClientReconnecting).delay, isNull);
      harness.client.networkUp();
      await settle();
      expect(harness.client.state, isA<ClientOpen>());
    });
  });
}

/// The trap of encodings: each must survive UTF-8, UTF-16 and JSON.
const _texts = ['Grüße', 'Привет', 'שלום', 'مرحبا', 'नमस्ते', '你好', 'こんにちは', '👩‍👩‍👧', '"\\\n\u0000\u2028', ''];

/// A client whose server has a log of each entity.
Future<Harness> _withLog({required int offset}) async {
  final harness = Harness();
  harness.connector.onFrame =
      (socket, frame) => socket.push({
        'type': 'ack',
        'action': frame['action'],
        'id': frame['id'],
        'epoch': 'e1',
        'offset': offset,
        'top': offset,
        if (frame.containsKey('recover')) 'recovered': true,
      });
  await settle();
  return harness;
}

Map<String, Object?> _forbidden(Map<String, Object?> frame) => {
  'type': 'error',
  'code': 'forbidden',
  'message': 'the token does not allow it',
  'retryable': false,
  'id': frame['id'],
};

Matcher _hasCode(String code) => isA<ServerError>().having((error) => error.code, 'code', code);

/// Returns the message of a push, or the position of a loss.
Object? _contentOf(SubscriptionEvent event) => switch (event) {
  PushEvent(:final push) => push.message,
  LostEvent(:final position) => position,
  RecoveredEvent(:final messages) => messages,
};
