import 'dart:async';

import 'package:herald_client/herald_client.dart';
import 'package:test/test.dart';

import 'support/fakes.dart';
import 'support/harness.dart';

void main() {
  test('a network that admits no WebSocket is polled, and a WebSocket takes over again', () async {
    final harness = _withoutWebSockets();
    await harness.advance(minutes: 1);
    expect(harness.client.transport, Transport.poll);
    expect((harness.client.state as ClientOpen).transport, Transport.poll);
    expect(harness.connector.posts.first.url, Uri.parse('https://poll.example.com/stage/poll'));
    expect(harness.connector.posts.first.token, 'a.b.c');
    harness.connector.refusal = () => null;
    await harness.advance(minutes: 6);
    expect(harness.states.last, isA<ClientOpen>().having((open) => open.transport, 'transport', Transport.webSocket));
    final polls = harness.connector.posts.length;
    await harness.advance(minutes: 1);
    expect(harness.connector.posts, hasLength(polls));
  });

  test('a subscription has its messages from the polls, in order', () async {
    final harness = _withoutWebSockets();
    await harness.advance(minutes: 1);
    final messages = <Object?>[];
    var top = 40;
    harness.connector.onPost = (post) => post.acknowledge({'pollAfter': 1000, 'entities': _logOf(post, ++top)});
    final subscription = await harness.client.subscribe('order-1', recover: const Position(40, epoch: 'e1'));
    subscription.pushes.listen((push) => messages.add(push.message));
    await harness.advance(seconds: 4);
    expect(messages.take(3).toList(), [41, 42, 43]);
  });

  test('a message goes to the path messages, one after the other', () async {
    final harness = _withoutWebSockets();
    await harness.advance(minutes: 1);
    final answers = <Completer<HttpAnswer>>[];
    final messages = <FakePost>[];
    harness.connector.onPost = (post) {
      if (!post.url.path.endsWith('messages')) return post.acknowledge();
      messages.add(post);
      answers.add(Completer());
      return answers.last.future;
    };
    final first = harness.client.send(1, entityId: 'room-1');
    final second = harness.client.send(2, entityId: 'room-1');
    await settle();
    expect(messages, hasLength(1));
    answers.first.complete(messages.first.acknowledge({'eventId': 'm1'}));
    expect((await first).eventId, 'm1');
    await settle();
    answers.last.complete(messages.last.acknowledge({'eventId': 'm2'}));
    expect((await second).eventId, 'm2');
  });

  test('a request that needs a WebSocket is refused while the client polls', () async {
    final harness = _withoutWebSockets();
    await harness.advance(minutes: 1);
    final history = harness.client.history(const HistoryOf.entity('order-1'), HistorySelection.last(1));
    await expectLater(history, throwsA(isA<ServerError>().having((error) => error.code, 'code', 'unsupported')));
  });

  test('a poll without an answer is a broken connection, and its error the cause', () async {
    final harness = _withoutWebSockets();
    await harness.advance(minutes: 1);
    harness.connector.onPost = (_) => throw StateError('cut');
    harness.client.foreground();
    harness.client.notifications.listen((_) {});
    await settle();
    final state = harness.client.state as ClientReconnecting;
    expect(state.cause, isA<StateError>());
  });

  test('a client without pollUrl never polls', () async {
    final harness = Harness(script: (connector) => connector.refusal = () => StateError('no network'));
    await harness.advance(minutes: 10);
    expect(harness.connector.posts, isEmpty);
  });

  test('a suspended client does not poll', () async {
    final harness = _withoutWebSockets();
    await harness.advance(minutes: 1);
    harness.client.suspend();
    final polls = harness.connector.posts.length;
    await harness.advance(minutes: 30);
    expect(harness.connector.posts, hasLength(polls));
  });

  test('a client that was suspended connects with a WebSocket', () async {
    final harness = Harness(options: HeraldOptions(pollUrl: Uri.parse('https://poll.example.com/stage')));
    await harness.advance();
    harness.client.suspend();
    // In this time a client whose network is down makes three attempts.
    await harness.advance(minutes: 2, seconds: 20);
    harness.client.resume();
    await settle();
    expect(harness.client.transport, Transport.webSocket);
    expect(harness.connector.posts, isEmpty);
  });

  test('a pollUrl that is not an HTTP address is refused', () {
    expect(() => Harness(options: HeraldOptions(pollUrl: Uri.parse('wss://example.com'))).client, throwsArgumentError);
  });
}

/// A client whose network admits no WebSocket. The answers to its polls are empty.
Harness _withoutWebSockets() => Harness(
  token: () => const Token('a.b.c'),
  options: HeraldOptions(pollUrl: Uri.parse('https://poll.example.com/stage')),
  script:
      (connector) =>
          connector
            ..refusal = (() => StateError('no network'))
            ..onPost = (post) => post.acknowledge({'pollAfter': 2000}),
);

/// Returns the result of each entity that a poll names: the message with the offset [top].
Map<String, Object?> _logOf(FakePost post, int top) {
  final entities = post.frame['entities'] as Map<String, Object?>? ?? const {};
  return {
    for (final entity in entities.keys)
      entity: {
        'epoch': 'e1',
        'offset': top,
        'top': top,
        'recovered': true,
        'messages': [update(entity, top, offset: top)],
      },
  };
}
