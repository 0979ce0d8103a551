import 'dart:async';

import 'package:herald_client/herald_client.dart';

/// Handlers by the field `action`, for backends that label their messages with it.
extension ActionHandlers on HeraldClient {
  /// Calls [handler] with each push whose message is an object with this `action`, whatever its audience. The
  /// application must have subscribed to the entity, or read the notifications or the broadcasts.
  StreamSubscription<Push> on(String action, void Function(Push push) handler) =>
      pushes.where((push) => _actionOf(push) == action).listen(handler);
}

Object? _actionOf(Push push) {
  final message = push.message;
  return message is Map<String, Object?> ? message['action'] : null;
}
