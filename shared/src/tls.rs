//! The connector of Herald's own HTTP clients.

use std::io;

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;

/// A connector that uses TLS for `https` addresses and plain TCP for `http` addresses.
pub type Connector = HttpsConnector<HttpConnector>;

/// Returns a connector that trusts the certificate authorities that this machine trusts. It speaks only
/// HTTP/1.1: over HTTP/2, a slow answer would hold up the others on its connection.
///
/// # Errors
///
/// Returns an error if the machine trusts no authority.
pub fn connector() -> io::Result<Connector> {
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    tcp.enforce_http(false);
    let builder = HttpsConnectorBuilder::new()
        .with_provider_and_native_roots(rustls::crypto::aws_lc_rs::default_provider())?;
    Ok(builder.https_or_http().enable_http1().wrap_connector(tcp))
}
