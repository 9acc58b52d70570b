//! The certificate that the server shows, self-signed: clients are told to trust it and no other.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use rcgen::{CertificateParams, DnType, KeyPair, SanType};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

use super::ServeError;

/// What proves to clients that they talk to this server. A server that is started again with the
/// same identity is trusted by the clients of the first.
#[derive(Clone)]
pub struct Identity {
    pub(super) acceptor: TlsAcceptor,
    certificate: String,
}

impl Identity {
    /// A new key, with a certificate for the loopback address and `localhost`.
    ///
    /// # Errors
    ///
    /// If this machine's randomness fails.
    pub fn generate() -> Result<Self, ServeError> {
        make(IpAddr::V4(Ipv4Addr::LOCALHOST))
    }

    /// The certificate, PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }
}

fn make(address: IpAddr) -> Result<Identity, ServeError> {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()])?;
    params.subject_alt_names.push(SanType::IpAddress(address));
    let name = &mut params.distinguished_name;
    name.push(DnType::CommonName, "underpin-sandbox");
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    // Named here, for a program may have installed another provider, or none.
    let provider = Arc::new(ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from(certificate.der().to_vec())],
            private,
        )?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Identity {
        acceptor: TlsAcceptor::from(Arc::new(config)),
        certificate: certificate.pem(),
    })
}
