//! R3.1, R3.2: whose certificate a host is shown, and what of a Secret goes on when it changes or cannot be
//! read.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rcgen::{CertificateParams, date_time_ymd};
use underpin_tests::{Action, Kubectl, Proxy, Underpin, caddy, eventually, terminate};

use crate::LIMIT;
use crate::secrets::{
    Certificate, HOST, certificate, ingress, made, secret, serve, served, staged,
};
use crate::stage::Stage;

/// A Secret is looked at again within a minute; on a busy machine that is seen later.
const RENEWED: Duration = Duration::from_mins(2);

/// What is said where a right is missing.
const DENIED: [&str; 2] = ["orbidden", "may not"];

/// Puts another certificate into the Secret `cert`.
fn replace(kubectl: &Kubectl, other: &Certificate) -> Result<()> {
    kubectl.run(["delete", "secret", "cert", "--namespace", "shop"])?;
    kubectl.create(&secret("shop/cert", &other.chain, &other.key)?)
}

/// Waits until a certificate is the one of [`HOST`].
fn is_shown(stage: &Stage, made: &Certificate) -> Result<()> {
    eventually("the new certificate", RENEWED, || {
        Ok((served(stage, HOST)? == made.der).then_some(()))
    })
}

/// Waits until an Event in `shop` says one of these.
fn is_told(kubectl: &Kubectl, lines: &[&str]) -> Result<()> {
    eventually("an Event", LIMIT, || {
        let events = kubectl.run(["get", "events", "-n", "shop", "-o", "yaml"])?;
        // Lines of YAML are broken.
        let words: Vec<&str> = events.split_whitespace().collect();
        let words = words.join(" ");
        Ok(lines.iter().any(|line| words.contains(line)).then_some(()))
    })
}

/// R3.1: a Secret with another's host among its names is shown for its own hosts alone, whichever comes first.
#[test]
fn r3_1_a_secret_takes_over_no_host_of_another() -> Result<()> {
    let (stage, made) = staged()?;
    let kubectl = &stage.kubectl;
    let own = "own.example.com";
    let taking = certificate(&[own, HOST, "*.example.com"])?;
    // Before and behind `shop`.
    for (namespace, host) in [("one", own), ("two", "its.own.example.com")] {
        kubectl.run(["create", "namespace", namespace])?;
        kubectl.create(&stage.service(namespace, &[&format!("{namespace}.example.com")])?)?;
        let name = format!("{namespace}/cert");
        kubectl.create(&secret(&name, &taking.chain, &taking.key)?)?;
        let name = format!("{namespace}/web");
        kubectl.create(&ingress(&stage, &name, host, "cert")?)?;
    }
    let _serve = serve(&stage, &[])?;
    ensure!(
        served(&stage, own)? == taking.der,
        "not its own certificate"
    );
    ensure!(
        served(&stage, HOST)? == made.der,
        "it is shown another's certificate"
    );
    stage.metric_is("ready", |number| number == 1)
}

/// R3.2: a Secret that is renewed is shown; one that is renewed for another host is not, and the one before
/// goes on; so it does when Secrets may not be read any more. Each is told.
#[test]
fn r3_2_what_a_secret_was_goes_on_until_it_is_renewed_for_its_host() -> Result<()> {
    let (mut stage, made) = staged()?;
    let proxy = Proxy::start(&stage.cluster)?;
    let program = Underpin::new(stage.folder(), &proxy.kubeconfig())?;
    stage.use_program(program.env("UNDERPIN_CADDY", caddy::find()?));
    let kubectl = &stage.kubectl;
    let running = serve(&stage, &[])?;
    ensure!(served(&stage, HOST)? == made.der, "another certificate");
    terminate(running.id()?)?;
    running.wait()?;
    let wrong = certificate(&["elsewhere.example.com"])?;
    replace(kubectl, &wrong)?;
    let running = serve(&stage, &[])?;
    stage.metric_is("ready", |number| number == 1)?;
    let line = "its certificate is not for tls.example.com; the one before goes on";
    is_told(kubectl, &[line])?;
    ensure!(served(&stage, HOST)? == made.der, "it is lost");
    ensure!(
        stage.metric("routes_unserved")? == 0,
        "it is said to be lost"
    );
    let renewed = certificate(&[HOST])?;
    replace(kubectl, &renewed)?;
    is_shown(&stage, &renewed)?;
    terminate(running.id()?)?;
    let told = running.wait()?.stderr;
    ensure!(told.matches(line).count() == 1, "{told}");
    proxy.policy(|request| {
        if request.path.contains("/secrets/") {
            Action::FORBIDDEN
        } else {
            Action::Pass
        }
    });
    let running = serve(&stage, &[])?;
    stage.metric_is("ready", |number| number == 1)?;
    kubectl.run(["create", "namespace", "other"])?;
    kubectl.create(&stage.service("other", &["b.example.com"])?)?;
    stage.served_from("b.example.com", "other")?;
    ensure!(served(&stage, HOST)? == renewed.der, "it is lost");
    is_told(kubectl, &DENIED)?;
    terminate(running.id()?)?;
    let told = running.wait()?.stderr;
    let line = "secret/shop/cert is of no use for https://tls.example.com:";
    let denied = told
        .lines()
        .find(|told| told.contains(line))
        .unwrap_or_default();
    ensure!(DENIED.iter().any(|words| denied.contains(words)), "{told}");
    Ok(())
}

/// R3.7: a renewal is shown although another host that names the Secret never had a certificate of it.
#[test]
fn r3_7_a_renewal_is_not_taken_back_for_a_host_that_it_never_was_for() -> Result<()> {
    let (stage, first) = staged()?;
    let kubectl = &stage.kubectl;
    kubectl.create(&ingress(&stage, "shop/other", "other.example.com", "cert")?)?;
    let running = serve(&stage, &[])?;
    is_shown(&stage, &first)?;
    stage.metric_is("routes_unserved", |number| number == 1)?;
    terminate(running.id()?)?;
    running.wait()?;
    let renewed = certificate(&[HOST])?;
    replace(kubectl, &renewed)?;
    let _serve = serve(&stage, &[])?;
    is_shown(&stage, &renewed)?;
    // What is taken back is so within a moment.
    stage.metric_is("generation", |number| number >= 2)?;
    ensure!(stage.metric("failures_total")? == 0, "it was taken back");
    ensure!(served(&stage, HOST)? == renewed.der, "it was taken back");
    Ok(())
}

/// R3.2: a renewal that has expired is told, and does not take the place of a certificate that has not.
#[test]
fn r3_2_a_renewal_that_has_expired_takes_the_place_of_nothing() -> Result<()> {
    let (stage, first) = staged()?;
    let kubectl = &stage.kubectl;
    let running = serve(&stage, &[])?;
    is_shown(&stage, &first)?;
    stage.metric_is("routes_live", |number| number == 2)?;
    terminate(running.id()?)?;
    running.wait()?;
    let mut described = CertificateParams::new([HOST.to_owned()])?;
    described.not_after = date_time_ymd(2020, 1, 1);
    replace(kubectl, &made(&described)?)?;
    let _serve = serve(&stage, &[])?;
    is_told(
        kubectl,
        &["its certificate expired at 2020-01-01T00:00:00Z; the one before goes on"],
    )?;
    kubectl.run(["create", "namespace", "other"])?;
    kubectl.create(&stage.service("other", &["b.example.com"])?)?;
    stage.served_from("b.example.com", "other")?;
    ensure!(
        served(&stage, HOST)? == first.der,
        "an expired one is shown"
    );
    Ok(())
}

/// R3.2: an Ingress that names a Secret that is not there yet keeps the certificate that it had.
#[test]
fn r3_2_a_secret_that_is_named_anew_is_used_once_it_is_there() -> Result<()> {
    let (stage, first) = staged()?;
    let kubectl = &stage.kubectl;
    let _serve = serve(&stage, &[])?;
    is_shown(&stage, &first)?;
    stage.metric_is("routes_live", |number| number == 2)?;
    let other = r#"[{"op": "replace", "path": "/spec/tls/0/secretName", "value": "later"}]"#;
    let of_web = ["ingress", "web", "--namespace", "shop", "--type", "json"];
    let patch = ["patch", "--patch", other];
    kubectl.run(patch.iter().chain(&of_web))?;
    let line =
        "secret/shop/later is of no use for https://tls.example.com: there is no such Secret";
    is_told(kubectl, &[line])?;
    kubectl.run(["create", "namespace", "other"])?;
    kubectl.create(&stage.service("other", &["b.example.com"])?)?;
    stage.served_from("b.example.com", "other")?;
    ensure!(served(&stage, HOST)? == first.der, "it is lost");
    ensure!(
        stage.metric("routes_unserved")? == 0,
        "it is said to be lost"
    );
    let later = certificate(&[HOST])?;
    kubectl.create(&secret("shop/later", &later.chain, &later.key)?)?;
    is_shown(&stage, &later)?;
    stage.metric_is("ready", |number| number == 1)
}

/// R3.7: Secrets that are slow to be read keep nobody else waiting.
#[test]
fn r3_7_slow_secrets_keep_nobody_waiting() -> Result<()> {
    let (mut stage, made) = staged()?;
    let proxy = Proxy::start(&stage.cluster)?;
    let program = Underpin::new(stage.folder(), &proxy.kubeconfig())?;
    stage.use_program(program.env("UNDERPIN_CADDY", caddy::find()?));
    let slow = Duration::from_secs(20);
    proxy.policy(move |request| {
        if request.path.contains("/secrets/") {
            Action::Delay(slow)
        } else {
            Action::Pass
        }
    });
    for number in 0..12 {
        let other = format!("none{number}");
        let (host, name) = (format!("{other}.example.com"), format!("shop/{other}"));
        stage
            .kubectl
            .create(&ingress(&stage, &name, &host, &other)?)?;
    }
    // They are answered in the end, and not given up before.
    let _serve = serve(&stage, &["--request-timeout", "120"])?;
    let begun = Instant::now();
    stage.served_from("plain.example.com", "shop")?;
    let took = begun.elapsed();
    ensure!(took < Duration::from_secs(15), "{took:?}");
    // Of so many, it may be among the last that are read.
    is_shown(&stage, &made)
}
