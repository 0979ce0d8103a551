/// A client with fakes.
library;

import 'package:herald_client/herald_client.dart';

import 'fakes.dart';

final class Harness {
  Harness({TokenCallback? token, HeraldOptions options = const HeraldOptions(), void Function(FakeConnector)? script}) {
    script?.call(connector);
    client = HeraldClient(
      Uri.parse('wss://example.com/prod'),
      token: token,
      options: options,
      connector: connector,
      clock: clock,
      random: () => 0.5,
    );
    client.states.listen(states.add);
  }

  final FakeClock clock = FakeClock();
  final FakeConnector connector = FakeConnector();
  final List<ClientState> states = [];
  late final HeraldClient client;

  FakeSocket get socket => connector.last;

  Future<void> advance({int minutes = 0, int seconds = 0, int milliseconds = 0}) =>
      clock.advance(Duration(minutes: minutes, seconds: seconds, milliseconds: milliseconds));
}

/// A push about an entity. [offset] is that in its log, if it has one.
Map<String, Object?> update(String entity, Object? message, {String? eventId, int? offset, String epoch = 'e1'}) => {
  'type': 'Entity Updated',
  'entityId': entity,
  'message': message,
  'eventId': eventId ?? '$entity-$message',
  if (offset != null) ...{'epoch': epoch, 'offset': offset},
};
