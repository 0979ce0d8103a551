/// The connector of the platform.
export 'connector_stub.dart' if (dart.library.io) 'connector_io.dart' if (dart.library.js_interop) 'connector_web.dart';
