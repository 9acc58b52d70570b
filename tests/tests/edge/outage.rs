//! The outage, end to end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use underpin_tests::{Kubectl, terminate};

use crate::stage::{ENTRY, Stage};

const HOSTS: [&str; 3] = ["a.example.com", "b.example.com", "c.example.com"];

/// R3.1, R3.2, R3.4, R3.7: two namespaces with the same hosts, the old one dying, the API failing in
/// the middle, then all entries gone. At no moment is there a 200 for an unknown host, or a host
/// lost.
#[test]
fn r3_2_the_outage_of_i3_does_not_happen_again() -> Result<()> {
    let stage = Stage::new()?;
    let kubectl = &stage.kubectl;
    for namespace in ["old-ns", "new-ns", "proxy"] {
        kubectl.run(["create", "namespace", namespace])?;
    }
    kubectl.create(EDGE)?;
    kubectl.create(&stage.service("old-ns", &HOSTS)?)?;
    let serve = stage.serve(&[])?;
    for host in HOSTS {
        stage.served_from(host, "old-ns")?;
    }
    let over = AtomicBool::new(false);
    let watched = thread::scope(|scope| {
        let watching = scope.spawn(|| watch(&stage, &over));
        let played = play(&stage, kubectl);
        over.store(true, Ordering::Relaxed);
        let seen = watching.join();
        played.and(seen.map_err(|_| anyhow::anyhow!("the watcher panicked")))
    })?;
    let asked = watched?;
    ensure!(asked > 100, "only {asked} requests were sent meanwhile");
    ensure!(stage.upstreams.probed() == 0, "a probe reached an upstream");
    ensure!(stage.upstreams.asked() > 0, "nothing reached an upstream");
    terminate(serve.id()?)?;
    Ok(())
}

/// The Service of the edge itself.
const EDGE: &str = "\
apiVersion: v1
kind: Service
metadata: { name: edge, namespace: proxy }
spec: { ports: [{ port: 80 }] }
";

fn play(stage: &Stage, kubectl: &Kubectl) -> Result<()> {
    // Creation times are whole seconds: the new one is to be the later.
    thread::sleep(Duration::from_millis(1_100));
    kubectl.create(&stage.service("new-ns", &HOSTS)?)?;
    for host in HOSTS {
        stage.served_from(host, "new-ns")?;
    }
    kubectl.run(["delete", "namespace", "old-ns", "--wait=false"])?;
    stage.metric_is("routes_conflicted", |number| number == 0)?;
    // The API fails in the middle.
    stage.cluster.stop_apiserver();
    stage.metric_is("sources_unread", |number| number > 0)?;
    ensure!(
        stage.question("/readyz")?.0 == 200,
        "Caddy serves what it was given"
    );
    stage.cluster.restart_apiserver()?;
    stage.metric_is("sources_unread", |number| number == 0)?;
    // Every entry vanishes, and nothing says why.
    let key = format!("{ENTRY}-");
    kubectl.run(["annotate", "service", "web", "--namespace", "new-ns", &key])?;
    stage.metric_is("routes_held", |number| number == 3)?;
    thread::sleep(Duration::from_secs(5));
    for host in HOSTS {
        stage.served_from(host, "new-ns")?;
    }
    // The objects return.
    kubectl.apply("test", &stage.service("new-ns", &HOSTS)?)?;
    stage.metric_is("routes_held", |number| number == 0)
}

/// Asks without a pause, as monitoring and a CDN do.
fn watch(stage: &Stage, over: &AtomicBool) -> Result<usize> {
    let mut client = stage.client();
    let mut asked = 0;
    while !over.load(Ordering::Relaxed) {
        for host in HOSTS {
            let (status, body) = client.get(host)?;
            ensure!(status == 200, "{host}: {status} {body}");
            ensure!(body.ends_with("-ns"), "{host}: {body}");
        }
        let (status, body) = client.get("nobody.example.com")?;
        ensure!(status == 503, "an unknown host: {status} {body}");
        asked += 4;
    }
    Ok(asked)
}

/// R3.2: a loss that is held goes when an operator consents to that very one.
#[test]
fn r3_2_an_operator_consents_to_a_loss() -> Result<()> {
    let stage = Stage::new()?;
    let kubectl = &stage.kubectl;
    for namespace in ["shop", "proxy"] {
        kubectl.run(["create", "namespace", namespace])?;
    }
    kubectl.create(EDGE)?;
    kubectl.create(&stage.service("shop", &HOSTS)?)?;
    let serve = stage.serve(&[])?;
    stage.served_from(HOSTS[0], "shop")?;
    // What was not found to be served cannot be lost.
    stage.metric_is("routes_live", |number| number == 3)?;
    let key = format!("{ENTRY}-");
    kubectl.run(["annotate", "service", "web", "--namespace", "shop", &key])?;
    stage.metric_is("routes_held", |number| number == 3)?;
    let wrong = "underpin.dev/accept-loss=1-000000000000";
    kubectl.run(["annotate", "service", "edge", "--namespace", "proxy", wrong])?;
    thread::sleep(Duration::from_secs(4));
    ensure!(
        stage.metric("routes_held")? == 3,
        "another loss was consented to"
    );
    let text = stage.question("/readyz")?.1;
    let words = text.split_whitespace();
    let named = words.filter(|word| word.starts_with("underpin.dev/accept-loss="));
    let named: Vec<&str> = named.collect();
    ensure!(named.len() == 1, "{text}");
    kubectl.run([
        "annotate",
        "--overwrite",
        "service",
        "edge",
        "--namespace",
        "proxy",
        named[0],
    ])?;
    for host in HOSTS {
        stage.on_the_page(host)?;
    }
    drop(serve);
    Ok(())
}

/// R3.2: deletions that were seen are applied, after their time.
#[test]
fn r3_2_what_was_seen_to_be_deleted_goes() -> Result<()> {
    let stage = Stage::new()?;
    let kubectl = &stage.kubectl;
    kubectl.run(["create", "namespace", "shop"])?;
    kubectl.create(&stage.service("shop", &HOSTS)?)?;
    let serve = stage.serve(&[])?;
    stage.served_from(HOSTS[0], "shop")?;
    kubectl.run(["delete", "service", "web", "--namespace", "shop"])?;
    for host in HOSTS {
        stage.on_the_page(host)?;
    }
    ensure!(stage.metric("routes_held")? == 0);
    // Gracefully: Caddy serves on.
    terminate(serve.id()?)?;
    let ended = serve.wait()?;
    ensure!(ended.code == Some(0), "{ended:?}");
    stage.on_the_page(HOSTS[0])
}
