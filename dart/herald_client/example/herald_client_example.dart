// Prints the messages of an entity and sends one, with an outbox while there is no connection.
//
//     dart run example/herald_client_example.dart ws://127.0.0.1:3001

import 'dart:io';

import 'package:herald_client/herald_client.dart';

Future<void> main(List<String> arguments) async {
  final client = HeraldClient(Uri.parse(arguments.firstOrNull ?? 'ws://127.0.0.1:3001'));
  client.states.listen((state) => stdout.writeln('state: ${state.runtimeType}'));
  final subscription = await client.subscribe('order-1');
  subscription.events.listen((event) {
    stdout.writeln(switch (event) {
      PushEvent(:final push) => 'message: ${push.message}',
      LostEvent() => 'messages are lost: read the state again',
      RecoveredEvent(:final messages) => '$messages messages recovered',
    });
  });
  try {
    final reply = await client.send('Hello', entityId: 'order-1');
    stdout.writeln('sent as ${reply.eventId}');
  } on HeraldError catch (error) {
    stdout.writeln('not sent: ${error.message}');
  }
  await ProcessSignal.sigint.watch().first;
  await client.close();
}
