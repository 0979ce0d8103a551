//! The TLS identity of a server on loopback, with the certificate authorities that a function must trust.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use tempfile::TempDir;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
};

/// The certificate authorities of the machine. A function loads as many on Lambda.
const SYSTEM_AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// A self-signed certificate for 127.0.0.1 and localhost, whose files last as long as this value.
#[derive(Debug)]
pub struct TlsIdentity {
    folder: TempDir,
}

impl TlsIdentity {
    /// Makes a certificate.
    ///
    /// # Errors
    ///
    /// Returns an error if a file cannot be written.
    pub fn make() -> anyhow::Result<Self> {
        let identity = Self {
            folder: tempfile::tempdir()?,
        };
        let made =
            rcgen::generate_simple_self_signed(["127.0.0.1", "localhost"].map(str::to_owned))?;
        let system = fs::read_to_string(SYSTEM_AUTHORITIES).unwrap_or_default();
        fs::write(identity.certificate(), made.cert.pem())?;
        fs::write(identity.key(), made.signing_key.serialize_pem())?;
        fs::write(identity.authorities(), system + &made.cert.pem())?;
        Ok(identity)
    }

    /// Returns the path of the certificate.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    /// Returns the path of the certificate's key.
    pub fn key(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }

    /// Returns the path of the authorities, the certificate among them: the value of `SSL_CERT_FILE`.
    pub fn authorities(&self) -> String {
        self.folder
            .path()
            .join("authorities.pem")
            .display()
            .to_string()
    }

    /// Returns the server's side of handshakes.
    ///
    /// # Errors
    ///
    /// Returns an error if a file cannot be read.
    pub fn acceptor(&self) -> anyhow::Result<TlsAcceptor> {
        acceptor(&self.certificate(), &self.key())
    }
}

/// Returns the server's side of handshakes with the certificate and the key in these files.
///
/// # Errors
///
/// Returns an error if a file cannot be read.
pub fn acceptor(certificate: &Path, key: &Path) -> anyhow::Result<TlsAcceptor> {
    let certificate = CertificateDer::from_pem_slice(&fs::read(certificate)?)?;
    let key = PrivateKeyDer::from_pem_slice(&fs::read(key)?)?;
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
