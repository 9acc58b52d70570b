//! Certificates in Secrets, and the Ingresses that name them.

use anyhow::{Context as _, Result, ensure};
use rcgen::{CertificateParams, KeyPair};
use underpin_tests::{Running, eventually};

use crate::LIMIT;
use crate::stage::Stage;
use crate::tls_client::{Asked, Version};

/// The host of the Ingress that every scenario has.
pub(crate) const HOST: &str = "tls.example.com";

/// A certificate with its key.
pub(crate) struct Certificate {
    pub(crate) chain: String,
    pub(crate) key: String,
    pub(crate) der: Vec<u8>,
}

/// A new certificate for these hosts.
pub(crate) fn certificate(hosts: &[&str]) -> Result<Certificate> {
    let names: Vec<String> = hosts.iter().map(ToString::to_string).collect();
    made(&CertificateParams::new(names)?)
}

/// A new certificate as it is described.
pub(crate) fn made(described: &CertificateParams) -> Result<Certificate> {
    let key = KeyPair::generate()?;
    let made = described.self_signed(&key)?;
    Ok(Certificate {
        chain: made.pem(),
        key: key.serialize_pem(),
        der: made.der().to_vec(),
    })
}

/// A Secret `NAMESPACE/NAME`.
pub(crate) fn secret(name: &str, chain: &str, key: &str) -> Result<String> {
    let (namespace, name) = name.split_once('/').context("NAMESPACE/NAME")?;
    let indented = |text: &str| text.replace('\n', "\n    ");
    Ok(format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{ name: {name}, namespace: {namespace} }}\n\
         type: kubernetes.io/tls\nstringData:\n  tls.crt: |\n    {}\n  tls.key: |\n    {}\n",
        indented(chain.trim_end()),
        indented(key.trim_end()),
    ))
}

/// An Ingress `NAMESPACE/NAME` for a host, with the certificate of a Secret beside it.
pub(crate) fn ingress(stage: &Stage, name: &str, host: &str, secret: &str) -> Result<String> {
    let (namespace, name) = name.split_once('/').context("NAMESPACE/NAME")?;
    let port = stage.upstreams.port(namespace)?;
    Ok(format!(
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\n\
         metadata: {{ name: {name}, namespace: {namespace} }}\nspec:\n  ingressClassName: caddy\n  \
         tls: [{{ hosts: [{host}], secretName: {secret} }}]\n  rules:\n  - host: {host}\n    \
         http: {{ paths: [{{ path: /, pathType: Prefix, backend: {{ service: {{ name: web, port: \
         {{ number: {port} }} }} }} }}] }}\n"
    ))
}

/// A Service `web` in `shop`, and an Ingress for [`HOST`] with the certificate of a Secret.
pub(crate) fn staged() -> Result<(Stage, Certificate)> {
    let stage = Stage::new()?;
    let kubectl = &stage.kubectl;
    kubectl.run(["create", "namespace", "shop"])?;
    kubectl.create(&stage.service("shop", &["plain.example.com"])?)?;
    let made = certificate(&[HOST])?;
    kubectl.create(&secret("shop/cert", &made.chain, &made.key)?)?;
    kubectl.create(&ingress(&stage, "shop/web", HOST, "cert")?)?;
    Ok((stage, made))
}

/// The arguments that have sites over TLS served, with certificates of Secrets.
pub(crate) fn arguments(stage: &Stage) -> Vec<String> {
    let https = stage.ports.https;
    let line = format!("--https-port {https} --ingress-class caddy --tls-secrets");
    line.split_whitespace().map(str::to_owned).collect()
}

/// Runs `underpin routes serve` with these, and more.
pub(crate) fn serve(stage: &Stage, more: &[&str]) -> Result<Running> {
    let arguments = arguments(stage);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    stage.serve(&[&arguments, more].concat())
}

/// Waits until a host is answered by its upstream; the certificate that it shows.
pub(crate) fn served(stage: &Stage, host: &str) -> Result<Vec<u8>> {
    eventually(host, LIMIT, || {
        let (answer, shown) = Asked::get(stage.ports.https, Version::Two, host).ask()?;
        ensure!(answer.status == 200, "{answer:?}");
        Ok(Some(shown))
    })
}
