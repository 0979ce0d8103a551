import 'dart:async';

import 'clock.dart';
import 'machine/back_off.dart';
import 'machine/rules.dart';
import 'position.dart';
import 'push.dart';

/// Loads the state of an entity: **first** its position, which it returns, and then its data. The data then has every
/// message up to the position, and the subscription delivers those after it.
///
/// The client calls it before the subscription, and again when messages are lost; without a position, after the
/// acknowledgement and after every reconnect, too. It prints the error of a later call that fails, and calls it again.
typedef LoadState = FutureOr<Position?> Function();

/// The state of an entity, which the application loads beside the subscription. The loader holds pushes until then.
final class StateLoader {
  StateLoader(this._load, this._deliver, this._rules, this._clock, this._random);

  final LoadState _load;
  final void Function(Push) _deliver;
  final Rules _rules;
  final Clock _clock;
  final double Function() _random;
  final BackOff _backOff = BackOff();

  /// The messages that wait for the state. `null` if it is loaded.
  List<Push>? _waiting = [];

  /// The position of the state.
  Position? _loaded;

  /// The position that the state must have reached.
  Position? _needed;
  bool _isLoading = false;

  /// True if the state must be loaded once more.
  bool _isStale = false;
  Timer? _retry;
  bool _hasEnded = false;

  /// True if pushes wait for the state.
  bool get holdsPushes => _waiting != null;

  /// Loads the state before the subscription. Returns its position, and throws what the callback throws. [joined] is the
  /// position at which a later subscriber of the entity joins.
  Future<Position?> loadFirst(Position? joined) async {
    _needed = joined;
    return _loaded = await _loadOnce();
  }

  /// Notes that the server has acknowledged the subscription. A state without a position is loaded once more.
  Future<void> subscribed() async {
    if (_isLoading || _retry != null) return;
    if (_loaded == null || _isStale) {
      _isStale = false;
      _loaded = await _loadOnce();
    }
    if (_isStale) return unawaited(_loadUntilCurrent());
    if (_isBehind(_loaded, _needed)) return _loadLater();
    _release();
  }

  void receive(Push push) {
    final waiting = _waiting;
    if (waiting == null) return _deliverIfNew(push);
    waiting.add(push);
    if (waiting.length <= _rules.heldWhileAsking) return;
    _waiting = [];
    _needed = push.position;
    _isStale = true;
  }

  /// Loads the state anew. [needed] is the position that it must have reached, if any.
  void reload(Position? needed) {
    _needed = needed;
    _waiting = [];
    _isStale = true;
    if (!_isLoading && !_hasEnded) unawaited(_loadUntilCurrent());
  }

  void end() {
    _hasEnded = true;
    _retry?.cancel();
  }

  Future<void> _loadUntilCurrent() async {
    _retry?.cancel();
    _retry = null;
    try {
      while (_isStale) {
        _isStale = false;
        _loaded = await _loadOnce();
      }
    } on Object catch (error, trace) {
      // An uncaught error would end a program without Flutter.
      Zone.current.print('herald_client: loadState failed, and is called again: $error\n$trace');
      return _loadLater();
    }
    if (_isBehind(_loaded, _needed)) return _loadLater();
    _backOff.reset();
    _release();
  }

  void _loadLater() {
    _isStale = true;
    if (_hasEnded) return;
    final delay = Duration(milliseconds: _backOff.next(_rules, _random()));
    _retry = _clock.timer(delay, () => unawaited(_loadUntilCurrent()));
  }

  Future<Position?> _loadOnce() async {
    _isLoading = true;
    try {
      return await _load();
    } finally {
      _isLoading = false;
    }
  }

  void _release() {
    final waiting = _waiting ?? const [];
    _waiting = null;
    waiting.forEach(_deliverIfNew);
  }

  /// Delivers a message that the state does not have.
  void _deliverIfNew(Push push) {
    final loaded = _loaded, position = push.position;
    final isKnown = loaded != null && position != null;
    final isInState = isKnown && position.epoch == loaded.epoch && position.offset <= loaded.offset;
    if (!isInState && !_hasEnded) _deliver(push);
  }
}

/// Returns true if a state is known to be older than a position.
bool _isBehind(Position? loaded, Position? needed) {
  if (loaded == null || needed == null) return false;
  return loaded.epoch == needed.epoch ? loaded.offset < needed.offset : needed.offset > 0;
}
