//! R3.4, R3.6, R3.7: sites over TLS, with the certificates of the Secrets that Ingresses name.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use anyhow::{Context as _, Result, ensure};
use rcgen::{CertificateParams, CustomExtension};
use underpin_tests::{eventually, terminate};

use crate::LIMIT;
use crate::secrets::{
    Certificate, HOST, arguments, certificate, ingress, made, secret, serve, served, staged,
};
use crate::stage::Stage;
use crate::tls_client::{Asked, Version};

const BOTH: [Version; 2] = [Version::One, Version::Two];

/// R3.4: a host is served with its own certificate, and one that nobody has is told so, whatever is asked
/// and however.
#[test]
fn r3_4_sites_over_tls_and_strangers_to_them() -> Result<()> {
    let (stage, made) = staged()?;
    let serve = serve(&stage, &[])?;
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
        let refused = unknown.ask().err().map(|error| format!("{error:#}"));
        let is_alert = |text: &String| text.contains("fatal alert");
        ensure!(
            refused.as_ref().is_some_and(is_alert),
            "{unknown:?}: {refused:?}"
        );
    }
    // `http://` of the host is another address: no redirect.
    stage.on_the_page(HOST)?;
    ensure!(stage.upstreams.probed() == 0, "a probe reached an upstream");
    // R3.6
    let mut render = stage.args("render");
    render.extend(arguments(&stage));
    render.extend(["--output".to_owned(), "json".to_owned()]);
    let rendered = stage.program().run(render)?;
    ensure!(rendered.code == Some(0), "{}", rendered.transcript());
    let mut told = vec![rendered.stdout, rendered.stderr];
    for path in [
        "/metrics",
        "/readyz",
        "/healthz",
        "/ask?domain=tls.example.com",
    ] {
        told.push(stage.question(path)?.1);
    }
    let events = ["get", "events", "--all-namespaces", "-o", "yaml"];
    told.push(stage.kubectl.run(events)?);
    terminate(serve.id()?)?;
    let ended = serve.wait()?;
    told.extend([ended.stdout, ended.stderr]);
    let line = made.key.lines().nth(1).unwrap_or_default();
    ensure!(line.len() > 40, "no line of a key");
    // As it stands in the file, and as it stands in the Secret.
    let encoded = stage.kubectl.run([
        "get",
        "secret",
        "cert",
        "-n",
        "shop",
        "-o",
        "jsonpath={.data.tls\\.key}",
    ])?;
    ensure!(encoded.len() > 100, "no key: {encoded}");
    for text in &told {
        ensure!(
            !text.contains(line) && !text.contains(&encoded),
            "the key is told"
        );
    }
    is_for_its_owner_alone(&stage)
}

/// R3.6: keys are in the folder, and nobody else reads it.
fn is_for_its_owner_alone(stage: &Stage) -> Result<()> {
    let folder = stage.document();
    let files = fs::read_dir(folder.parent().context("a folder")?)?;
    let mut number = 0;
    for file in files {
        let file = file?;
        let mode = file.metadata()?.permissions().mode() & 0o777;
        ensure!(mode == 0o600, "{}: {mode:o}", file.path().display());
        number += 1;
    }
    ensure!(number >= 2, "{number} files");
    Ok(())
}

/// R3.4: hosts that are unknown to TLS are answered with the page where that is asked for.
#[test]
fn r3_4_hosts_that_are_unknown_to_tls_can_be_answered() -> Result<()> {
    let (stage, made) = staged()?;
    let _serve = serve(&stage, &["--answer-unknown"])?;
    ensure!(served(&stage, HOST)? == made.der, "another certificate");
    for version in BOTH {
        let (answer, shown) = Asked::get(stage.ports.https, version, "nobody.example.net").ask()?;
        ensure!(answer.status == 503, "{answer:?}");
        ensure!(answer.header("retry-after") == Some("60"), "{answer:?}");
        ensure!(shown != made.der, "it is shown another's certificate");
    }
    stage.metric_is("ready", |number| number == 1)
}

/// A certificate with an address of five bytes among its names: other readers pass over that.
fn made_for_caddy_alone_to_refuse() -> Result<Certificate> {
    let host = b"odd.example.com";
    let mut names = vec![0x82, u8::try_from(host.len())?];
    names.extend(host);
    names.extend([0x87, 5, 1, 2, 3, 4, 5]);
    let mut content = vec![0x30, u8::try_from(names.len())?];
    content.extend(names);
    let mut described = CertificateParams::default();
    let of_names = CustomExtension::from_oid_content(&[2, 5, 29, 17], content);
    described.custom_extensions.push(of_names);
    made(&described)
}

/// R3.2, R3.3: a Secret that is of no use is told, and takes nothing from the others; one that was read once
/// and is gone goes on.
#[test]
fn r3_3_a_certificate_that_is_of_no_use_is_told() -> Result<()> {
    let (stage, made) = staged()?;
    let kubectl = &stage.kubectl;
    let other = certificate(&["wrong.example.com"])?;
    let odd = made_for_caddy_alone_to_refuse()?;
    for (name, chain, key) in [
        ("wrong", &other.chain, &made.key),
        ("named", &other.chain, &other.key),
        ("odd", &odd.chain, &odd.key),
    ] {
        kubectl.create(&secret(&format!("shop/{name}"), chain, key)?)?;
    }
    for name in ["wrong", "none", "named", "odd"] {
        let host = format!("{name}.example.com");
        kubectl.create(&ingress(&stage, &format!("shop/{name}"), &host, name)?)?;
    }
    let running = serve(&stage, &[])?;
    served(&stage, HOST)?;
    stage.metric_is("routes_unserved", |number| number == 4)?;
    stage.metric_is("ready", |number| number == 1)?;
    ensure!(stage.metric("failures_total")? == 0, "a document failed");
    eventually("an Event", LIMIT, || {
        let text = kubectl.run(["get", "events", "-n", "shop", "-o", "yaml"])?;
        Ok(text.contains("RouteCertificate").then_some(()))
    })?;
    terminate(running.id()?)?;
    let told = running.wait()?.stderr;
    for line in [
        "secret/shop/named is of no use for https://named.example.com: its certificate is not for \
         named.example.com",
        "secret/shop/odd is of no use for https://odd.example.com: Caddy does not take its certificate",
        "secret/shop/wrong is of no use for https://wrong.example.com: tls.key is not the key of",
        "secret/shop/none is of no use for https://none.example.com: there is no such Secret",
    ] {
        ensure!(told.matches(line).count() == 1, "{line}\n{told}");
    }
    kubectl.run(["delete", "secret", "cert", "--namespace", "shop"])?;
    let _serve = serve(&stage, &[])?;
    kubectl.run(["create", "namespace", "other"])?;
    kubectl.create(&stage.service("other", &["b.example.com"])?)?;
    stage.served_from("b.example.com", "other")?;
    ensure!(served(&stage, HOST)? == made.der, "its certificate is lost");
    Ok(())
}
