/// The ids of recent events.
final class Repeats {
  /// [window] is the most ids.
  Repeats(this.window);

  final int window;
  final Set<String> _seen = {};

  /// Inserts an id, and removes the oldest beyond the window. Returns false if the id was present. A value that is not a
  /// string is never present.
  bool insert(Object? id) {
    if (id is! String) return true;
    if (!_seen.add(id)) return false;
    if (_seen.length > window) _seen.remove(_seen.first);
    return true;
  }
}
