/// Returns the address at which the server of a WebSocket answers over HTTP. It has no query, which may hold a token.
///
/// A [Uri] without a port has the port 0 with the scheme `wss`, whose default port it does not know.
Uri probeOf(Uri url) => Uri(
  scheme: url.isScheme('wss') ? 'https' : 'http',
  host: url.host,
  port: url.hasPort ? url.port : null,
  path: url.path,
);
