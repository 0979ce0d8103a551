import 'socket.dart';

/// Returns the connector of the platform.
HeraldConnector platformConnector() =>
    throw UnsupportedError('This platform has no WebSocket: pass a HeraldConnector to HeraldClient.');
