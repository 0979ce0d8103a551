import 'dart:collection';

final class _Timer {
  _Timer(this.name, this.at, this.order, this.run);

  final String name;
  final int at;
  final int order;
  final void Function() run;
}

/// Callbacks that are due at a time. The machine fires them.
final class Timers {
  final Map<String, _Timer> _byName = {};
  final SplayTreeSet<_Timer> _byTime = SplayTreeSet(_compare);
  int _orders = 0;

  static int _compare(_Timer one, _Timer other) =>
      one.at != other.at ? one.at.compareTo(other.at) : one.order.compareTo(other.order);

  /// Sets a timer, in place of another of the same name. Of timers due at the same time, the one whose name was set
  /// first fires first.
  void set(String name, int at, void Function() run) {
    final former = _byName[name];
    if (former != null) _byTime.remove(former);
    final timer = _Timer(name, at, former?.order ?? _orders++, run);
    _byName[name] = timer;
    _byTime.add(timer);
  }

  void cancel(String name) {
    final timer = _byName.remove(name);
    if (timer != null) _byTime.remove(timer);
  }

  bool has(String name) => _byName.containsKey(name);

  void clear() {
    _byName.clear();
    _byTime.clear();
  }

  /// The time of the earliest timer. `null` if there is no timer.
  int? get next => _byTime.isEmpty ? null : _byTime.first.at;

  /// Removes the earliest timer that is due and returns its callback. `null` if none is due.
  void Function()? takeDue(int now) {
    if (_byTime.isEmpty || _byTime.first.at > now) return null;
    final timer = _byTime.first;
    cancel(timer.name);
    return timer.run;
  }
}
