import 'dart:async';

import 'package:herald_client/herald_client.dart';
import 'package:herald_flutter/src/action_handlers.dart';
import 'package:herald_flutter/src/life_cycle.dart';
import 'package:test/test.dart';

import '../../herald_client/test/support/fakes.dart';
import '../../herald_client/test/support/harness.dart';

void main() {
  test('a client in the background for long closes, and connects at once in the foreground', () async {
    final harness = Harness();
    await settle();
    final lifeCycle = HeraldLifeCycle(harness.client, clock: harness.clock)..hidden();
    await harness.advance(minutes: 1);
    expect(harness.socket.isClosed, isFalse);
    await harness.advance(minutes: 30);
    expect(harness.connector.sockets, hasLength(1));
    expect(harness.socket.isClosed, isTrue);
    lifeCycle.shown();
    await settle();
    expect(harness.connector.sockets, hasLength(2));
    expect(harness.client.state, isA<ClientOpen>());
  });

  test('a client in the background for a moment keeps its connection and checks it', () async {
    final harness = Harness();
    await settle();
    final lifeCycle = HeraldLifeCycle(harness.client, clock: harness.clock)..hidden();
    await harness.advance(minutes: 1);
    lifeCycle.shown();
    await harness.advance(minutes: 3);
    expect(harness.connector.sockets, hasLength(1));
    expect(harness.socket.actions.first, 'ping');
  });

  test('the network closes and opens the connection', () async {
    final harness = Harness();
    await settle();
    final network = StreamController<bool>();
    final lifeCycle = HeraldLifeCycle(harness.client, clock: harness.clock, network: network.stream);
    network.add(false);
    await settle();
    expect((harness.client.state as ClientReconnecting).delay, isNull);
    network.add(true);
    await settle();
    expect(harness.client.state, isA<ClientOpen>());
    lifeCycle.dispose();
  });

  test('a handler gets the pushes whose message has its action', () async {
    final harness = Harness();
    await settle();
    final messages = <Object?>[];
    harness.client.on('moved', (push) => messages.add(push.message));
    await harness.client.subscribe('car-1');
    harness.socket
      ..push(update('car-1', {'action': 'moved', 'to': 'A'}, eventId: 'e1'))
      ..push(update('car-1', {'action': 'stopped'}, eventId: 'e2'))
      ..push(update('car-1', 'moved', eventId: 'e3'));
    await settle();
    expect(messages, [
      {'action': 'moved', 'to': 'A'},
    ]);
  });
}
