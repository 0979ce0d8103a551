import 'position.dart';

/// A push, as its JSON stands on the wire. `json` has every field, those that a newer server adds included.
extension type const Push(Map<String, Object?> json) {
  /// `Entity Updated`, `User Push Notification`, `Broadcast`, or `message`, which a client sent.
  String get type => _textOf(json['type']) ?? '';

  /// The JSON of its sender.
  Object? get message => json['message'];

  /// The entity that it is about.
  String? get entityId => _textOf(json['entityId']);

  /// The sender's name, as a client gave it.
  String? get name => _textOf(json['name']);

  /// The callback of a notification, as its sender gave it.
  Object? get callback => json['callback'];

  String? get eventId => _textOf(json['eventId']);

  /// The time of the event.
  DateTime? get time => DateTime.tryParse(_textOf(json['time']) ?? '');

  /// The position of the message in the log of its audience. `null` if that has none.
  Position? get position => Position.fromJson(json);
}

/// The reply to a message, as its JSON stands on the wire: an acknowledgement, or the message itself if it has no
/// target.
extension type const Acknowledgement(Map<String, Object?> json) {
  String? get eventId => _textOf(json['eventId']);

  /// The ids of several `messages`, in their order.
  List<String> get eventIds => [
    for (final id in json['eventIds'] as List<Object?>? ?? const [])
      if (id is String) id,
  ];

  /// The position of the message in the log of its audience. `null` if that has none.
  Position? get position => Position.fromJson(json);

  /// The message, if it had no target and came back.
  Object? get message => json['message'];
}

/// The recipients of a push, other than the readers of its type.
enum AudienceKind { entity, notifications, broadcasts }

/// Messages of an audience that may be lost. The application reads its state again.
final class Lost {
  const Lost(this.to, {this.entityId, this.position});

  final AudienceKind to;

  /// The entity, if [to] is [AudienceKind.entity].
  final String? entityId;

  /// The position from which delivery goes on. `null` if the audience has no log any more.
  final Position? position;
}

/// The log to read: that of an entity, of the user of this connection, or of everyone.
final class HistoryOf {
  const HistoryOf.entity(String entityId) : this._('entityId', entityId);
  const HistoryOf.user() : this._('user', true);
  const HistoryOf.everyone() : this._('everyone', true);
  const HistoryOf._(this._name, this._value);

  final String _name;
  final Object _value;

  Map<String, Object?> toJson() => {_name: _value};
}

/// The messages to read.
final class HistorySelection {
  /// The last [count] messages.
  HistorySelection.last(int count) : _fields = {'last': count};

  /// The messages after a position.
  HistorySelection.since(Position position, {int? limit})
    : _fields = {'since': position.toJson(), if (limit != null) 'limit': limit};

  /// The messages before an offset.
  HistorySelection.before(int offset, {int? limit}) : _fields = {'before': offset, if (limit != null) 'limit': limit};

  final Map<String, Object?> _fields;

  Map<String, Object?> toJson() => _fields;
}

/// Messages of a log, the oldest first.
final class History {
  History(Map<String, Object?> reply)
    : messages = [
        for (final message in reply['messages'] as List<Object?>? ?? const [])
          if (message is Map<String, Object?>) Push(message),
      ],
      position = Position.fromJson(reply) ?? const Position(0),
      top = integerOf(reply['top']) ?? 0,
      isRecovered = reply['recovered'] as bool?,
      hasMore = reply['more'] == true;

  final List<Push> messages;

  /// The position up to which [messages] goes.
  final Position position;

  /// The last offset of the log.
  final int top;

  /// With [HistorySelection.since]: false if messages after that position are lost, and then there are none here.
  final bool? isRecovered;

  /// True if further messages are to be read since [position].
  final bool hasMore;
}

String? _textOf(Object? field) => field is String ? field : null;
