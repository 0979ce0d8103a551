//! How an HTTP client of Herald's own reaches a server.

use std::io;

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;

/// Connects over TLS where the address says `https`, and in the clear where it says `http`.
pub type Connector = HttpsConnector<HttpConnector>;

/// A connector that trusts the authorities this machine trusts. It speaks HTTP/1.1 alone: over HTTP/2
/// a slow answer would hold up the others on its connection.
///
/// Errs if the machine trusts no authority.
pub fn connector() -> io::Result<Connector> {
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    tcp.enforce_http(false);
    let builder = HttpsConnectorBuilder::new()
        .with_provider_and_native_roots(rustls::crypto::aws_lc_rs::default_provider())?;
    Ok(builder.https_or_http().enable_http1().wrap_connector(tcp))
}
