import 'dart:convert';

import 'error.dart';

/// A user at an entity.
final class Member {
  const Member(this.userId, {required this.connections, this.info});

  final String userId;

  /// The number of the user's connections when the server counted them last. A change of it alone is not told.
  final int connections;

  /// The claim `heraldInfo` of the user's token. `null` if it has none.
  final Object? info;

  Map<String, Object?> toJson() => {'userId': userId, 'connections': connections, if (info != null) 'info': info};

  @override
  bool operator ==(Object other) => other is Member && jsonEncode(other) == jsonEncode(this);

  @override
  int get hashCode => userId.hashCode;

  @override
  String toString() => 'Member($userId)';
}

/// The users at an entity, at one time.
final class Presence {
  const Presence(this.count, this.members);

  /// The number of users, and of connections without a user.
  final int count;

  /// The users by their ids, in the order of these. `null` if they are unknown, because there are more than the stack
  /// lists.
  final Map<String, Member>? members;

  @override
  bool operator ==(Object other) =>
      other is Presence && other.count == count && jsonEncode(other._list) == jsonEncode(_list);

  @override
  int get hashCode => count;

  @override
  String toString() => 'Presence($count, ${members?.keys})';

  List<Member>? get _list => members?.values.toList();
}

/// A change of the users at an entity. Users that are unknown neither join nor leave.
final class PresenceChange {
  const PresenceChange._({required this.joined, required this.left, required this.presence, required this.error});

  /// Returns what differs between two sets.
  factory PresenceChange.between(Presence? previous, Presence? presence, {HeraldError? error}) {
    final before = previous?.members ?? const {};
    final members = presence?.members;
    return PresenceChange._(
      joined: [
        for (final member in members?.values ?? const <Member>[])
          if (before[member.userId] != member) member,
      ],
      left: [
        if (members != null)
          for (final member in before.values)
            if (!members.containsKey(member.userId)) member,
      ],
      presence: presence,
      error: error,
    );
  }

  /// The users that are new, or of whom something else is known than before.
  final List<Member> joined;

  /// The users that left, as they were known.
  final List<Member> left;

  /// The users now. `null` if there is no presence: the stack has no policy for the entity, the server refused it, or
  /// the client polls.
  final Presence? presence;

  /// The error with which the server refused presence. The subscription goes on without.
  final HeraldError? error;
}
