import '../error.dart';
import '../presence.dart';
import 'back_off.dart';
import 'presence_frame.dart';

/// The presence of an entity, from the first subscriber that asks for it to the last.
final class PresenceOfEntity {
  int subscribers = 1;

  /// The set. `null` if there is none, or if the server has not told yet.
  Presence? present;

  /// The set that the application was told.
  Presence? told;

  /// True once the server has told the set, or that there is none.
  bool isKnown = false;

  /// True once the application was told.
  bool wasTold = false;

  /// The version of the set. `null` until the server tells it on the present connection.
  int? version;

  /// The changes that are ahead of the set, by their versions.
  final Map<int, ToldPresence> held = {};

  /// True if an acknowledgement may have had no room for the members.
  bool lacksMembers = false;
  final BackOff backOff = BackOff();

  /// The error with which the server refused to tell it.
  HeraldError? error;

  /// True if the server is to be asked.
  bool get isBehind => held.isNotEmpty || lacksMembers;

  /// True if the application does not know what the client knows.
  bool get hasNews => isKnown && (!wasTold || told != present);

  void moveTo(int version, Presence present) {
    this.version = version;
    this.present = present;
    isKnown = true;
    lacksMembers = false;
    held.removeWhere((held, _) => held <= version);
  }

  /// Applies the held changes that come next. One that tells the count alone needs none of those before it.
  void catchUp() {
    final inOrder = held.values.toList()..sort((one, other) => one.version.compareTo(other.version));
    for (final ToldPresence(version: next, :count, :joined, :left) in inOrder) {
      final members = present?.members;
      if (joined == null) {
        moveTo(next, Presence(count, null));
      } else if (members != null && next - 1 == version) {
        final stayed = members.values.where((member) => !left.contains(member.userId));
        moveTo(next, Presence(count, membersById([...stayed, ...joined])));
      }
    }
  }

  /// Notes that there is no presence.
  void hasNone() {
    forgetVersion();
    present = null;
    isKnown = true;
  }

  /// Forgets the version: the next snapshot replaces the set.
  void forgetVersion() {
    version = null;
    lacksMembers = false;
    held.clear();
  }
}
