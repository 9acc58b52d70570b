//! TLS: how sites are asked for, and the certificates that Caddy is given.

use std::{collections::BTreeSet, ops::RangeInclusive, sync::Arc, time::Duration};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme,
    client::{
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject as _},
    server::ParsedCertificate,
    sign::CertifiedKey,
};
use underpin_route::{Certificate, Protocol};
use webpki::{EndEntityCert, KeyUsage};

use crate::EdgeError;

/// The name in the certificate for unknown hosts; it is nobody's.
const NOBODY: &str = "unknown.invalid";

/// How a site is asked for by a version of HTTP. Where `named`, the certificate must have the name; by whom
/// it is signed is its clients' business.
pub(crate) fn client(protocol: Protocol, named: bool) -> Result<Arc<ClientConfig>, Error> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Name {
        provider: Arc::clone(&provider),
        named,
    };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![match protocol {
        Protocol::One => b"http/1.1".to_vec(),
        Protocol::Two => b"h2".to_vec(),
    }];
    // Each handshake is to show the certificate.
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Arc::new(config))
}

/// Takes a certificate for its name alone.
#[derive(Debug)]
struct Name {
    provider: Arc<CryptoProvider>,
    named: bool,
}

impl ServerCertVerifier for Name {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.named {
            verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// A certificate that has a name and its own key. What is wrong with another one is told without anything
/// that stands in it.
pub(crate) fn usable(chain: String, key: String) -> Result<Certificate, &'static str> {
    let certificates: Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(chain.as_bytes()).collect();
    let certificates = certificates.map_err(|_| "tls.crt is not PEM")?;
    let first = certificates.first().ok_or("tls.crt holds no certificate")?;
    let read = EndEntityCert::try_from(first);
    let read = read.map_err(|_| "tls.crt holds no certificate of X.509")?;
    let (names, valid) = (names(&read)?, valid(&read));
    let private = PrivateKeyDer::from_pem_slice(key.as_bytes());
    let private = private.map_err(|_| "tls.key holds no private key in PEM")?;
    let private = ring::sign::any_supported_type(&private);
    let private = private.map_err(|_| "the private key in tls.key is of an unknown kind")?;
    match CertifiedKey::new(certificates, private).keys_match() {
        Err(Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch)) => {
            Err("tls.key is not the key of tls.crt")
        }
        _ => Ok(Certificate {
            chain,
            key,
            names,
            valid,
        }),
    }
}

/// The hosts that a certificate is for.
fn names(read: &EndEntityCert<'_>) -> Result<BTreeSet<String>, &'static str> {
    let names: BTreeSet<String> = read
        .valid_dns_names()
        .map(str::to_ascii_lowercase)
        .collect();
    if names.is_empty() {
        return Err("the certificate in tls.crt has no name of a host");
    }
    Ok(names)
}

/// When a certificate is valid. Who checks it says so of the times that it is not valid at: it is asked
/// about the first and the last one that there are. What cannot be told is no reason not to use it.
fn valid(read: &EndEntityCert<'_>) -> RangeInclusive<u64> {
    let checked = |second: u64| {
        let at = UnixTime::since_unix_epoch(Duration::from_secs(second));
        // Times are looked at before anything else; that nobody is trusted comes after them.
        let checked = read.verify_for_usage(&[], &[], &[], at, KeyUsage::server_auth(), None, None);
        checked.err()
    };
    let from = match checked(0) {
        Some(webpki::Error::CertNotValidYet { not_before, .. }) => not_before.as_secs(),
        _ => 0,
    };
    let until = match checked(u64::MAX) {
        Some(webpki::Error::CertExpired { not_after, .. }) => not_after.as_secs(),
        _ => u64::MAX,
    };
    from..=until
}

/// A new certificate for hosts that nobody has. No client trusts it; who goes on all the same reads the
/// page.
pub(crate) fn for_nobody() -> Result<Certificate, EdgeError> {
    let made = rcgen::generate_simple_self_signed([NOBODY.to_owned()]);
    let made = made.map_err(|error| EdgeError::Certificate(error.to_string()))?;
    let made = usable(made.cert.pem(), made.signing_key.serialize_pem());
    made.map_err(|why| EdgeError::Certificate(why.to_owned()))
}

/// Whether a handshake failed because there is no certificate for the name.
pub(crate) fn lacks_certificate(error: &std::io::Error) -> bool {
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Error>());
    matches!(
        inner,
        Some(
            Error::AlertReceived(
                rustls::AlertDescription::InternalError
                    | rustls::AlertDescription::UnrecognisedName
                    | rustls::AlertDescription::HandshakeFailure
            ) | Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
            )
        )
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Also of one that is no end of a chain, as people make them for themselves.
    #[test]
    fn the_names_and_times_of_a_certificate_are_read() {
        for is_ca in [
            rcgen::IsCa::NoCa,
            rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained),
        ] {
            let names = ["a.example".to_owned(), "*.B.example".to_owned()];
            let mut described = rcgen::CertificateParams::new(names).unwrap();
            described.not_before = rcgen::date_time_ymd(1970, 1, 2);
            described.not_after = rcgen::date_time_ymd(1970, 1, 3);
            described.is_ca = is_ca;
            let key = rcgen::KeyPair::generate().unwrap();
            let made = described.self_signed(&key).unwrap();
            let read = usable(made.pem(), key.serialize_pem()).unwrap();
            assert_eq!(read.valid, 86_400..=172_800);
            let names: Vec<&str> = read.names.iter().map(String::as_str).collect();
            assert_eq!(names, ["*.b.example", "a.example"]);
        }
    }

    #[test]
    fn what_caddy_cannot_use_is_told_and_never_shown() {
        let (one, two) = (for_nobody().unwrap(), for_nobody().unwrap());
        assert_eq!(
            usable(one.chain.clone(), one.key.clone()).as_ref(),
            Ok(&one)
        );
        // Caddy says of it "certificate has no names", and takes no other one beside it.
        let nameless = rcgen::generate_simple_self_signed(Vec::new()).unwrap();
        let (chain, key) = (nameless.cert.pem(), nameless.signing_key.serialize_pem());
        let wrong = [
            (one.chain.as_str(), two.key.as_str()),
            ("hunter2", &one.key),
            (&one.chain, "hunter2"),
            (&one.key, &one.key),
            (&chain, &key),
        ];
        for (chain, key) in wrong {
            let why = usable(chain.to_owned(), key.to_owned()).unwrap_err();
            assert!(why.contains("tls.") && !why.contains("hunter2"), "{why}");
        }
    }
}
