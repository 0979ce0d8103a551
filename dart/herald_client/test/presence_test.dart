import 'package:herald_client/herald_client.dart';
import 'package:test/test.dart';

import 'support/fakes.dart';
import 'support/harness.dart';

void main() {
  test('a subscription has the users when it resolves, and each listener gets them first', () async {
    final harness = await _withPresence();
    final room = await harness.client.subscribe('room-1', presence: true);
    expect(harness.socket.sent.single['presence'], true);
    expect(room.presence?.members?.keys.toList(), ['alice', 'bob']);
    final changes = _changesOf(room);
    await settle();
    harness.socket.push(_change(version: 2, joined: ['carol'], left: ['bob']));
    await settle();
    expect(changes, ['+alice,bob - of 2', '+carol -bob of 2']);
    expect(room.presence?.members?.keys.toList(), ['alice', 'carol']);
    final late = _changesOf(room);
    await settle();
    expect(late, ['+alice,carol - of 2']);
  });

  test('a subscription that does not ask gets no presence of one that does', () async {
    final harness = await _withPresence();
    final quiet = await harness.client.subscribe('room-1');
    final changes = _changesOf(quiet);
    await harness.client.subscribe('room-1', presence: true);
    await settle();
    expect(quiet.presence, isNull);
    expect(changes, isEmpty);
  });

  test('a later subscription that asks makes the client subscribe again, which is no recovery', () async {
    final harness = Harness();
    harness.connector.onFrame =
        (socket, frame) => socket.push({
          ..._acknowledged(frame, _set(1, ['alice'])),
          ...{'epoch': 'e1', 'offset': 7, 'top': 7},
          if (frame.containsKey('recover')) 'recovered': true,
        });
    await settle();
    final events = <SubscriptionEvent>[];
    final first = await harness.client.subscribe('room-1');
    first.events.listen(events.add);
    await harness.client.subscribe('room-1', presence: true);
    await settle();
    expect(harness.socket.sent.last['recover'], {'epoch': 'e1', 'offset': 7});
    expect(events, isEmpty);
  });

  test('a stack without a policy for the entity has no presence, which is told once', () async {
    final harness = Harness();
    await settle();
    final room = await harness.client.subscribe('room-1', presence: true);
    final changes = _changesOf(room);
    await settle();
    expect(room.presence, isNull);
    expect(changes, ['+ - of null']);
  });

  test('a refusal of presence is the error of a change, and the subscription goes on', () async {
    final harness = Harness();
    await settle();
    harness.connector.onFrame =
        (socket, frame) => frame.containsKey('presence') ? socket.push(_forbidden(frame)) : acknowledge(socket, frame);
    final room = await harness.client.subscribe('room-1', presence: true);
    final change = await room.presenceChanges.first;
    expect(change.presence, isNull);
    expect((change.error as ServerError?)?.code, 'forbidden');
    harness.socket.push(update('room-1', 1));
    expect((await room.pushes.first).message, 1);
  });

  test('the users stay while there is no connection, and what changed meanwhile is one change', () async {
    final harness = await _withPresence();
    final room = await harness.client.subscribe('room-1', presence: true);
    final changes = _changesOf(room);
    harness.connector.onFrame = (socket, frame) => socket.push(_acknowledged(frame, _set(9, ['bob', 'dan'])));
    harness.socket.drop();
    await settle();
    expect(room.presence?.count, 2);
    await harness.advance(seconds: 1);
    expect(changes, ['+alice,bob - of 2', '+dan -alice of 2']);
  });

  test('the last subscription that asks ends the presence, and its changes end', () async {
    final harness = await _withPresence();
    await harness.client.subscribe('room-1');
    final room = await harness.client.subscribe('room-1', presence: true);
    final ended = room.presenceChanges.drain<void>();
    room.cancel();
    await ended;
    await settle();
    expect([for (final frame in harness.socket.sent) frame['presence']], [null, true, null]);
  });

  test('the presence of an entity is read once without a subscription', () async {
    final harness = await _withPresence();
    final presence = await harness.client.presence('room-1');
    expect(harness.socket.sent.single, {'action': 'presence', 'entityId': 'room-1', 'id': '1'});
    expect(
      [presence.count, presence.members?['alice']?.info],
      [
        2,
        {'name': 'Alice'},
      ],
    );
  });
}

/// A client whose server has two users at each entity.
Future<Harness> _withPresence() async {
  final harness = Harness();
  harness.connector.onFrame = (socket, frame) => socket.push(_acknowledged(frame, _set(1, ['alice', 'bob'])));
  await settle();
  return harness;
}

Map<String, Object?> _acknowledged(Map<String, Object?> frame, Map<String, Object?> presence) => {
  'type': 'ack',
  'action': frame['action'],
  'id': frame['id'],
  if (frame['action'] == 'presence' || frame['presence'] == true) 'presence': presence,
};

Map<String, Object?> _set(int version, List<String> users) => {
  'version': version,
  'count': users.length,
  'members': _users(users),
};

Map<String, Object?> _change({required int version, required List<String> joined, required List<String> left}) => {
  'type': 'presence',
  'entityId': 'room-1',
  'version': version,
  'count': 2,
  'joined': _users(joined),
  'left': _users(left),
};

List<Map<String, Object?>> _users(List<String> users) => [
  for (final user in users)
    {
      'userId': user,
      'connections': 1,
      if (user == 'alice') 'info': {'name': 'Alice'},
    },
];

Map<String, Object?> _forbidden(Map<String, Object?> frame) => {
  'type': 'error',
  'code': 'forbidden',
  'message': 'the token does not allow it',
  'retryable': false,
  'id': frame['id'],
};

/// Returns the changes of a subscription as texts, to which later ones are added.
List<String> _changesOf(Subscription subscription) {
  final changes = <String>[];
  String idsOf(List<Member> members) => [for (final member in members) member.userId].join(',');
  subscription.presenceChanges.listen((change) {
    changes.add('+${idsOf(change.joined)} -${idsOf(change.left)} of ${change.presence?.count}');
  });
  return changes;
}
