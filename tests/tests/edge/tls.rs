//! R3.4, R3.6, R3.7: sites over TLS, with the certificates of the Secrets that Ingresses name.

use anyhow::{Result, ensure};
use underpin_tests::{eventually, terminate};

use crate::LIMIT;
use crate::stage::Stage;
use crate::tls_client::{Asked, Version};

const HOST: &str = "tls.example.com";
const BOTH: [Version; 2] = [Version::One, Version::Two];

/// A certificate for a host, and its key.
struct Certificate {
    chain: String,
    key: String,
    der: Vec<u8>,
}

fn certificate(host: &str) -> Result<Certificate> {
    let made = rcgen::generate_simple_self_signed([host.to_owned()])?;
    Ok(Certificate {
        chain: made.cert.pem(),
        key: made.signing_key.serialize_pem(),
        der: made.cert.der().to_vec(),
    })
}

fn secret(name: &str, chain: &str, key: &str) -> String {
    let indented = |text: &str| text.replace('\n', "\n    ");
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{ name: {name}, namespace: shop }}\n\
         type: kubernetes.io/tls\nstringData:\n  tls.crt: |\n    {}\n  tls.key: |\n    {}\n",
        indented(chain.trim_end()),
        indented(key.trim_end()),
    )
}

fn ingress(stage: &Stage, name: &str, host: &str, secret: &str) -> Result<String> {
    let port = stage.upstreams.port("shop")?;
    Ok(format!(
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\n\
         metadata: {{ name: {name}, namespace: shop }}\nspec:\n  ingressClassName: caddy\n  \
         tls: [{{ hosts: [{host}], secretName: {secret} }}]\n  rules:\n  - host: {host}\n    \
         http: {{ paths: [{{ path: /, pathType: Prefix, backend: {{ service: {{ name: web, port: \
         {{ number: {port} }} }} }} }}] }}\n"
    ))
}

/// A Service `web` in `shop`, and an Ingress for [`HOST`] with the certificate of a Secret.
fn staged() -> Result<(Stage, Certificate)> {
    let stage = Stage::new()?;
    let kubectl = &stage.kubectl;
    kubectl.run(["create", "namespace", "shop"])?;
    kubectl.create(&stage.service("shop", &["plain.example.com"])?)?;
    let made = certificate(HOST)?;
    kubectl.create(&secret("cert", &made.chain, &made.key))?;
    kubectl.create(&ingress(&stage, "web", HOST, "cert")?)?;
    Ok((stage, made))
}

fn arguments(stage: &Stage) -> Vec<String> {
    let https = stage.ports.https.to_string();
    let line = [
        "--https-port",
        &https,
        "--ingress-class",
        "caddy",
        "--tls-secrets",
    ];
    line.map(str::to_owned).to_vec()
}

fn served(stage: &Stage, host: &str) -> Result<Vec<u8>> {
    eventually(host, LIMIT, || {
        let (answer, shown) = Asked::get(stage.ports.https, Version::Two, host).ask()?;
        ensure!(answer.status == 200, "{answer:?}");
        Ok(Some(shown))
    })
}

/// R3.4: a host is served with its own certificate, and one that nobody has is told so, whatever is asked
/// and however.
#[test]
fn r3_4_sites_over_tls_and_strangers_to_them() -> Result<()> {
    let (stage, made) = staged()?;
    let arguments = arguments(&stage);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let serve = stage.serve(&arguments)?;
    ensure!(served(&stage, HOST)? == made.der, "another certificate");
    stage.metric_is("routes_live", |number| number == 2)?;
    ensure!(
        stage.metric("routes_unserved")? == 0,
        "it is said not to be served"
    );
    let headers: [&[(&str, &str)]; 5] = [
        &[],
        &[("x-forwarded-proto", "http")],
        &[("x-forwarded-proto", "https")],
        &[("if-none-match", "*")],
        &[("if-modified-since", "Fri, 01 Jan 2100 00:00:00 GMT")],
    ];
    for version in BOTH {
        for method in ["GET", "HEAD", "POST", "OPTIONS"] {
            for headers in headers {
                let live = Asked {
                    method,
                    headers,
                    ..Asked::get(stage.ports.https, version, HOST)
                };
                let (answer, _) = live.ask()?;
                ensure!(answer.status == 200, "{live:?}: {answer:?}");
                let stranger = Asked {
                    host: "nobody.example.net",
                    ..live
                };
                let (answer, _) = stranger.ask()?;
                let what = format!("{stranger:?}: {answer:?}");
                answer.is_the_page(method, &what)?;
            }
        }
        // Without a certificate of its own, a stranger gets no answer at all.
        let unknown = Asked::get(stage.ports.https, version, "nobody.example.net");
        ensure!(unknown.ask().is_err(), "{unknown:?}");
    }
    // `http://` of the host is another address: no redirect.
    stage.on_the_page(HOST)?;
    ensure!(stage.upstreams.probed() == 0, "a probe reached an upstream");
    // R3.6
    let line = made.key.lines().nth(1).unwrap_or_default().to_owned();
    let mut render = stage.args("render");
    render.extend(arguments.iter().map(ToString::to_string));
    render.extend(["--output".to_owned(), "json".to_owned()]);
    let rendered = stage.program().run(render)?;
    ensure!(rendered.code == Some(0), "{}", rendered.transcript());
    terminate(serve.id()?)?;
    let ended = serve.wait()?;
    let told = [
        &rendered.stdout,
        &rendered.stderr,
        &ended.stdout,
        &ended.stderr,
    ];
    ensure!(
        !told.iter().any(|text| text.contains(&line)),
        "the key is told"
    );
    Ok(())
}

/// R3.4: hosts that are unknown to TLS are answered with the page where that is asked for.
#[test]
fn r3_4_hosts_that_are_unknown_to_tls_can_be_answered() -> Result<()> {
    let (stage, made) = staged()?;
    let mut arguments = arguments(&stage);
    arguments.push("--answer-unknown".to_owned());
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let _serve = stage.serve(&arguments)?;
    ensure!(served(&stage, HOST)? == made.der, "another certificate");
    for version in BOTH {
        let (answer, shown) = Asked::get(stage.ports.https, version, "nobody.example.net").ask()?;
        ensure!(answer.status == 503, "{answer:?}");
        ensure!(answer.header("retry-after") == Some("60"), "{answer:?}");
        ensure!(shown != made.der, "it is shown another's certificate");
    }
    stage.metric_is("ready", |number| number == 1)
}

/// R3.2, R3.3: a Secret that is of no use is told, and takes nothing from the others; one that was read once
/// and is gone goes on.
#[test]
fn r3_3_a_certificate_that_is_of_no_use_is_told() -> Result<()> {
    let (stage, made) = staged()?;
    let kubectl = &stage.kubectl;
    let other = certificate("wrong.example.com")?;
    kubectl.create(&secret("wrong", &other.chain, &made.key))?;
    kubectl.create(&ingress(&stage, "wrong", "wrong.example.com", "wrong")?)?;
    kubectl.create(&ingress(&stage, "none", "none.example.com", "none")?)?;
    let arguments = arguments(&stage);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let serve = stage.serve(&arguments)?;
    served(&stage, HOST)?;
    stage.metric_is("routes_unserved", |number| number == 2)?;
    stage.metric_is("ready", |number| number == 1)?;
    ensure!(stage.metric("failures_total")? == 0, "a document failed");
    eventually("an Event", LIMIT, || {
        let text = kubectl.run(["get", "events", "-n", "shop", "-o", "yaml"])?;
        Ok(text.contains("RouteCertificate").then_some(()))
    })?;
    terminate(serve.id()?)?;
    let told = serve.wait()?.stderr;
    for line in [
        "secret/shop/wrong is of no use for https://wrong.example.com: tls.key is not the key of",
        "secret/shop/none is of no use for https://none.example.com: there is no such Secret",
    ] {
        ensure!(told.matches(line).count() == 1, "{line}\n{told}");
    }
    kubectl.run(["delete", "secret", "cert", "--namespace", "shop"])?;
    let _serve = stage.serve(&arguments)?;
    kubectl.run(["create", "namespace", "other"])?;
    kubectl.create(&stage.service("other", &["b.example.com"])?)?;
    stage.served_from("b.example.com", "other")?;
    ensure!(served(&stage, HOST)? == made.der, "its certificate is lost");
    Ok(())
}
