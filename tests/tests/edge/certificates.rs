//! R3.1, R3.2: whose certificate a host is shown, and what of a Secret goes on when it changes or cannot be
//! read.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use underpin_tests::{Action, Proxy, Underpin, caddy, eventually, terminate};

use crate::LIMIT;
use crate::secrets::{HOST, certificate, ingress, secret, serve, served, staged};

/// A Secret is looked at again within a minute; on a busy machine that is seen later.
const RENEWED: Duration = Duration::from_mins(2);

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
    let replace = |chain: &str, key: &str| {
        kubectl.run(["delete", "secret", "cert", "--namespace", "shop"])?;
        kubectl.create(&secret("shop/cert", chain, key)?)
    };
    replace(&wrong.chain, &wrong.key)?;
    let running = serve(&stage, &[])?;
    stage.metric_is("ready", |number| number == 1)?;
    let events = || kubectl.run(["get", "events", "-n", "shop", "-o", "yaml"]);
    let line = "its certificate is not for tls.example.com; the one before goes on";
    eventually("an Event", LIMIT, || {
        // Lines of YAML are broken.
        let words: Vec<String> = events()?.split_whitespace().map(str::to_owned).collect();
        Ok(words.join(" ").contains(line).then_some(()))
    })?;
    ensure!(served(&stage, HOST)? == made.der, "it is lost");
    ensure!(
        stage.metric("routes_unserved")? == 0,
        "it is said to be lost"
    );
    let renewed = certificate(&[HOST])?;
    replace(&renewed.chain, &renewed.key)?;
    eventually("the new certificate", RENEWED, || {
        Ok((served(&stage, HOST)? == renewed.der).then_some(()))
    })?;
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
    terminate(running.id()?)?;
    let told = running.wait()?.stderr;
    let line = "secret/shop/cert is of no use for https://tls.example.com:";
    let denied = told
        .lines()
        .find(|told| told.contains(line))
        .unwrap_or_default();
    ensure!(
        denied.contains("orbidden") || denied.contains("may not"),
        "{told}"
    );
    Ok(())
}

/// R3.7: Secrets that are slow to be read keep nobody else waiting.
#[test]
fn r3_7_slow_secrets_keep_nobody_waiting() -> Result<()> {
    let (mut stage, made) = staged()?;
    let proxy = Proxy::start(&stage.cluster)?;
    let program = Underpin::new(stage.folder(), &proxy.kubeconfig())?;
    stage.use_program(program.env("UNDERPIN_CADDY", caddy::find()?));
    let slow = Duration::from_secs(6);
    proxy.policy(move |request| {
        if request.path.contains("/secrets/") {
            Action::Delay(slow)
        } else {
            Action::Pass
        }
    });
    for number in 0..16 {
        let other = format!("none{number}");
        let (host, name) = (format!("{other}.example.com"), format!("shop/{other}"));
        stage
            .kubectl
            .create(&ingress(&stage, &name, &host, &other)?)?;
    }
    let _serve = serve(&stage, &[])?;
    let begun = Instant::now();
    stage.served_from("plain.example.com", "shop")?;
    // One after the other they take longer than that.
    let took = begun.elapsed();
    ensure!(took < slow * 8, "{took:?}");
    ensure!(
        served(&stage, HOST)? == made.der,
        "it is not shown in the end"
    );
    Ok(())
}
