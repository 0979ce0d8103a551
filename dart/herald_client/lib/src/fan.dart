import 'dart:async';

/// The listeners of one stream. Each may pause, and then has a buffer of its own.
final class Fan<T> {
  final Set<MultiStreamController<T>> _listeners = {};
  bool _isClosed = false;

  Stream<T> stream([void Function(MultiStreamController<T>)? onListen]) => Stream.multi((controller) {
    onListen?.call(controller);
    if (_isClosed) {
      controller.close();
      return;
    }
    _listeners.add(controller);
    controller.onCancel = () => _listeners.remove(controller);
  }, isBroadcast: true);

  void add(T event) {
    for (final listener in _listeners.toList()) {
      listener.add(event);
    }
  }

  void close() {
    _isClosed = true;
    for (final listener in _listeners.toList()) {
      listener.close();
    }
    _listeners.clear();
  }
}
