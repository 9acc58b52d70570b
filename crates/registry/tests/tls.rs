//! Registries behind TLS, with an authority that the machine does not know.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "tests: what is wrong here fails them"
)]

mod support;

use std::{collections::BTreeMap, fs, path::PathBuf, sync::Arc};

use rcgen::{CertificateParams, KeyPair};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use support::{
    memory::{Flavor, Image, Memory},
    server::Server,
    told,
};
use tokio_rustls::TlsAcceptor;
use underpin_registry::{Address, Client, ClientError, ClientOptions, ReadOptions, read};

/// A certificate for a name, in PEM, and who shows it.
fn certificate(name: &str) -> (String, TlsAcceptor) {
    let key = KeyPair::generate().unwrap();
    let parameters = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .unwrap();
    (certificate.pem(), TlsAcceptor::from(Arc::new(config)))
}

fn client(host: &str, authorities: Option<PathBuf>) -> Result<Client, ClientError> {
    Client::new(ClientOptions {
        address: Address::new(&format!("https://{host}"), false).unwrap(),
        credentials: None,
        authorities,
    })
}

#[tokio::test]
async fn a_registry_is_believed_if_somebody_vouches_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("authorities.pem");
    let memory = Memory::new(Flavor::Modern);
    let image = Image::named("web");
    memory.push("web", &["1.0.0"], &image);
    let names = BTreeMap::from([(image.digest, "web".to_owned())]);
    let expect = "web\n  1.0.0 -> web\n  web: Image []";
    for (name, is_believed) in [("127.0.0.1", true), ("registry.example.com", false)] {
        let (pem, tls) = certificate(name);
        fs::write(&file, pem).unwrap();
        let memory = Arc::clone(&memory);
        let server = Server::start_behind(Some(tls), move |asked| memory.answer(asked)).await;
        let trusting = client(&server.host, Some(file.clone())).unwrap();
        let found = told(&read(&trusting, &ReadOptions::default()).await, &names);
        assert_eq!(found == expect, is_believed, "{found}");
        assert!(
            is_believed || found.contains("invalid peer certificate"),
            "{found}"
        );
        let found = read(
            &client(&server.host, None).unwrap(),
            &ReadOptions::default(),
        )
        .await;
        let found = told(&found, &names);
        assert!(
            found.contains("invalid peer certificate: UnknownIssuer"),
            "{found}"
        );
    }
}

#[test]
fn a_file_without_certificates_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("authorities.pem");
    for text in ["", "hunter2"] {
        fs::write(&file, text).unwrap();
        let error = client("127.0.0.1:1", Some(file.clone()))
            .unwrap_err()
            .to_string();
        assert!(
            error.ends_with("authorities.pem: there is no certificate in it"),
            "{error}"
        );
    }
    let missing = folder.path().join("missing");
    assert!(client("127.0.0.1:1", Some(missing)).is_err());
}
