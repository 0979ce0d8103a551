import 'dart:async';

/// The clocks and timers of a client. Tests pass their own.
abstract interface class Clock {
  /// Milliseconds from any start, which no correction of the wall clock changes.
  int get steady;

  /// Milliseconds since 1970.
  int get wall;

  Timer timer(Duration delay, void Function() callback);
}

final class SystemClock implements Clock {
  final Stopwatch _stopwatch = Stopwatch()..start();

  @override
  int get steady => _stopwatch.elapsedMilliseconds;

  @override
  int get wall => DateTime.now().millisecondsSinceEpoch;

  @override
  Timer timer(Duration delay, void Function() callback) => Timer(delay, callback);
}

/// The time between two looks at the clocks.
const lookEvery = Duration(seconds: 5);

/// The gain of the wall clock that only a sleep explains. Less is a clock that is being corrected.
const _gain = 10000;

/// The time between two looks that only a sleep explains. Browsers wake a hidden page once a minute.
const _late = 65000;

/// The time of the machine: it advances while the device sleeps, unlike the steady clock, and when the wall clock is set
/// back.
final class ElapsedTime {
  ElapsedTime(Clock clock) : _looks = _Looks(clock);

  final _Looks _looks;
  int _elapsed = 0;

  int get now {
    final (:wall, :steady) = _looks.next();
    return _elapsed += wall >= 0 ? wall : steady;
  }
}

/// The detection of a sleep of the device. After a sleep, the wall clock has gained on the steady one; where the steady
/// clock advances as well, a timer is later than any browser delays it.
final class SleepWatch {
  SleepWatch(Clock clock) : _looks = _Looks(clock);

  final _Looks _looks;

  /// Returns true if the device slept since the last call.
  bool hasSlept() {
    final (:wall, :steady) = _looks.next();
    return wall - steady > _gain || steady > _late;
  }
}

/// The time that passed between looks, by both clocks.
final class _Looks {
  _Looks(this._clock) : _wall = _clock.wall, _steady = _clock.steady;

  final Clock _clock;
  int _wall;
  int _steady;

  ({int wall, int steady}) next() {
    final wall = _clock.wall, steady = _clock.steady;
    final passed = (wall: wall - _wall, steady: steady - _steady);
    _wall = wall;
    _steady = steady;
    return passed;
  }
}
