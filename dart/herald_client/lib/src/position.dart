/// A position in the log of an audience: the client has every message up to it.
final class Position {
  const Position(this.offset, {this.epoch});

  /// Returns the position that [json] has. `null` if it has none.
  static Position? fromJson(Map<String, Object?> json) {
    final offset = integerOf(json['offset']);
    if (offset == null || offset < 0) return null;
    final epoch = json['epoch'];
    return Position(offset, epoch: epoch is String ? epoch : null);
  }

  /// The epoch of the log. `null` before its first message.
  final String? epoch;

  /// The offset in the epoch, from 1. 0 is before the first message.
  final int offset;

  Position withOffset(int offset) => Position(offset, epoch: epoch);

  Map<String, Object?> toJson() => {if (epoch != null) 'epoch': epoch, 'offset': offset};

  @override
  bool operator ==(Object other) => other is Position && other.epoch == epoch && other.offset == offset;

  @override
  int get hashCode => Object.hash(epoch, offset);

  @override
  String toString() => 'Position($epoch, $offset)';
}

/// The largest integer that a JSON number holds on every platform.
const _largest = 9007199254740991;

/// Returns the integer that a field of a frame is. `null` if it is none: JSON writes 1 as `1.0`, too.
int? integerOf(Object? field) {
  if (field is! num || field is double && (!field.isFinite || field != field.truncateToDouble())) return null;
  return field.abs() <= _largest ? field.toInt() : null;
}
