//! The TLS identity of a server on loopback, with the certificate authorities that a function must trust.

use std::{fs, sync::Arc};

use anyhow::Context;
use tempfile::TempDir;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer},
};

/// The certificate authorities of the machine. A function loads as many on Lambda.
const SYSTEM_AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// A self-signed certificate for 127.0.0.1, whose file of authorities lasts as long as this value.
pub(crate) struct TlsIdentity {
    /// The server's side of a handshake.
    pub(crate) acceptor: TlsAcceptor,
    folder: TempDir,
}

impl TlsIdentity {
    /// Makes a certificate.
    pub(crate) fn make() -> anyhow::Result<Self> {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
        let folder = tempfile::tempdir()?;
        let system = fs::read_to_string(SYSTEM_AUTHORITIES).unwrap_or_default();
        fs::write(
            folder.path().join("authorities.pem"),
            system + &made.cert.pem(),
        )?;
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der());
        let key = key.map_err(anyhow::Error::msg).context("the key")?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)?;
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            folder,
        })
    }

    /// Returns the path of the file with the authorities.
    pub(crate) fn authorities(&self) -> String {
        let file = self.folder.path().join("authorities.pem");
        file.display().to_string()
    }
}
