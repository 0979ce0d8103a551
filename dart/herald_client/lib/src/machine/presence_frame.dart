/// Presence as frames have it.
library;

import '../position.dart';
import '../presence.dart';
import 'frame.dart';
import 'signals.dart';

/// A change of a set, or a snapshot, whose users all joined.
final class ToldPresence {
  const ToldPresence(this.version, this.count, {this.joined, this.left = const {}});

  final int version;
  final int count;

  /// The users that joined. `null` if the count alone is told.
  final List<Member>? joined;

  /// The ids of the users that left.
  final Set<String> left;
}

/// Returns the change that a frame is. `null` if it has no version or no count.
ToldPresence? presenceChangeOf(Frame frame) {
  final version = _countOf(frame['version']), count = _countOf(frame['count']);
  if (version == null || count == null) return null;
  final joined = frame['joined'], left = frame['left'];
  if (joined is! List<Object?> || left is! List<Object?>) return ToldPresence(version, count);
  return ToldPresence(
    version,
    count,
    joined: _membersOf(joined),
    left: {for (final member in _membersOf(left)) member.userId},
  );
}

/// Returns the snapshot that an answer is. `null` if it has no version or no count.
ToldPresence? snapshotOf(Object? answer) {
  final snapshot = objectOf(answer) ?? const {};
  final version = _countOf(snapshot['version']), count = _countOf(snapshot['count']);
  if (version == null || count == null) return null;
  final members = snapshot['members'];
  return ToldPresence(version, count, joined: members is List<Object?> ? _membersOf(members) : null);
}

/// Returns the set that a snapshot is.
Presence presenceOf(ToldPresence snapshot) {
  final joined = snapshot.joined;
  return Presence(snapshot.count, joined == null ? null : membersById(joined));
}

/// Returns users by their ids, in the order of these. The last of an id counts.
Map<String, Member> membersById(Iterable<Member> members) {
  final byId = {for (final member in members) member.userId: member};
  return {for (final userId in byId.keys.toList()..sort(compareAsUtf8)) userId: byId[userId]!};
}

int? _countOf(Object? field) {
  final count = integerOf(field);
  return count == null || count < 0 ? null : count;
}

List<Member> _membersOf(List<Object?> list) => [
  for (final member in list)
    if (member case {'userId': final String userId})
      Member(userId, connections: _countOf(member['connections']) ?? 1, info: member['info']),
];
