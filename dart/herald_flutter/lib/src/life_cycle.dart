import 'dart:async';

import 'package:herald_client/herald_client.dart';

/// The connection of an application that goes to the background and comes back.
///
/// A phone that shows another application soon stops the timers and sockets of this one, and a radio that is kept awake
/// costs battery. So the client closes its connection after a while in the background. In the foreground it connects at
/// once, and recovers what it missed.
final class HeraldLifeCycle {
  /// [backgroundLimit] is the time in the background after which the connection is closed. [network] tells whether there
  /// is a network, at each change.
  HeraldLifeCycle(
    this._client, {
    this.backgroundLimit = const Duration(minutes: 2),
    Stream<bool>? network,
    Clock? clock,
  }) : _clock = clock ?? SystemClock() {
    _network = network?.listen((isUp) => isUp ? _client.networkUp() : _client.networkDown());
  }

  final HeraldClient _client;
  final Duration backgroundLimit;
  final Clock _clock;
  StreamSubscription<bool>? _network;
  Timer? _limit;

  /// Notes that the application is in the background.
  void hidden() => _limit ??= _clock.timer(backgroundLimit, _client.suspend);

  /// Notes that the application is in the foreground.
  void shown() {
    _limit?.cancel();
    _limit = null;
    _client
      ..resume()
      ..foreground();
  }

  /// Ends the observation. The client stays as it is.
  void dispose() {
    _limit?.cancel();
    unawaited(_network?.cancel());
  }
}
