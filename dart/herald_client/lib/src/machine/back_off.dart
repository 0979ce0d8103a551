import 'dart:math';

import 'rules.dart';

/// Delays that grow, with full jitter: a random share of an exponential bound, so that clients that failed together do
/// not retry together.
final class BackOff {
  int _delays = 0;

  /// Returns the next delay, in milliseconds. [jitter] is the random share of the bound.
  ///
  /// The bound is a double: an integer would overflow after 53 delays, which is an hour without a network.
  int next(Rules rules, double jitter) {
    final bound = min(rules.backoffCap.toDouble(), rules.backoffBase * pow(2.0, _delays));
    _delays += 1;
    return (jitter * bound).round();
  }

  /// Starts small again.
  void reset() => _delays = 0;
}
