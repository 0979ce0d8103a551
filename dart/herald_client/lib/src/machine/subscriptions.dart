/// The subscribers of one entity.
final class _Wanted {
  int subscribers = 0;

  /// The requests that an acknowledgement resolves, in order: each with true if it asks for presence.
  final Map<int, bool> waiting = {};

  /// True once the server has acknowledged the entity on any connection.
  bool isEstablished = false;
}

/// The entities that the application is subscribed to.
final class Subscriptions {
  /// In the order in which they were first subscribed to.
  final Map<String, _Wanted> _wanted = {};

  /// Adds a subscriber, which waits for an acknowledgement. [presence] is true if it asks for presence.
  void add(String entity, int request, {required bool presence}) {
    final wanted = _wanted.putIfAbsent(entity, _Wanted.new);
    wanted.subscribers += 1;
    wanted.waiting[request] = presence;
  }

  /// Removes a subscriber.
  void release(String entity) {
    final wanted = _wanted[entity];
    if (wanted == null) return;
    wanted.subscribers -= 1;
    if (wanted.subscribers == 0) _wanted.remove(entity);
  }

  bool wants(Object? entity) => _wanted.containsKey(entity);

  /// Returns true if the entity is wanted and the server has acknowledged it before.
  bool isEstablished(String entity) => _wanted[entity]?.isEstablished ?? false;

  /// Marks an entity as acknowledged. Returns the requests that waited for that. [isComplete] is false if those that ask
  /// for presence wait for another acknowledgement.
  List<int> acknowledged(String entity, {required bool isComplete}) {
    final wanted = _wanted[entity];
    if (wanted == null) return const [];
    wanted.isEstablished = true;
    final resolved = [
      for (final MapEntry(key: request, value: presence) in wanted.waiting.entries)
        if (isComplete || !presence) request,
    ];
    resolved.forEach(wanted.waiting.remove);
    return resolved;
  }

  /// Removes an entity with all its subscribers. Returns the requests that still waited.
  List<int> remove(String entity) => [...?_wanted.remove(entity)?.waiting.keys];

  /// The entities, in the order in which they were first subscribed to.
  List<String> get inOrder => _wanted.keys.toList();
}
