/// Positions in logs, as frames have them.
library;

import '../position.dart';
import 'signals.dart';

/// Returns the position of a message in its log. `null` if it has none.
Position? positionOfMessage(Frame frame) {
  final position = Position.fromJson(frame);
  return position != null && position.epoch != null && position.offset > 0 ? position : null;
}
