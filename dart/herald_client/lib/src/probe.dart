/// Returns the address at which the server of a WebSocket answers over HTTP. It has no query, which may hold a token.
///
/// The default port of `wss` is no port of a [Uri], which has 0 in its place.
Uri probeOf(Uri url) => Uri(
  scheme: url.isScheme('wss') ? 'https' : 'http',
  host: url.host,
  port: url.hasPort ? url.port : null,
  path: url.path,
);
