/// A client of [Herald](https://github.com/aws-herald/herald), the real-time push service for AWS.
library;

export 'src/client.dart';
export 'src/clock.dart' show Clock, SystemClock;
export 'src/error.dart';
export 'src/options.dart';
export 'src/position.dart' show Position;
export 'src/presence.dart';
export 'src/push.dart';
export 'src/socket.dart';
export 'src/state.dart';
export 'src/state_loader.dart' show LoadState;
export 'src/subscription.dart';
export 'src/token.dart';
