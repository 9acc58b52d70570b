//! R3.7: documents that do not serve what they say, for something else answers in Caddy's place.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use underpin_tests::eventually;

use crate::LIMIT;
use crate::impostor::Impostor;
use crate::stage::{ENTRY, Stage};

/// Well below the time for which a route is left out that was published and not served.
const SOON: Duration = Duration::from_secs(40);

fn staged() -> Result<Stage> {
    let stage = Stage::new()?;
    for namespace in ["one", "two", "shop"] {
        stage.kubectl.run(["create", "namespace", namespace])?;
    }
    Ok(stage)
}

/// Waits until Caddy itself, asked past what stands before it, answers for a host.
fn behind(stage: &Stage, host: &str, status: u16, body: &str) -> Result<()> {
    eventually(&format!("{host} at Caddy"), LIMIT, || {
        let found = stage.client_behind().get(host)?;
        ensure!(found.0 == status && found.1.contains(body), "{found:?}");
        Ok(Some(()))
    })
}

/// R3.2: before the first document there is something to go back to as well: what Caddy ran.
#[test]
fn r3_2_a_first_document_that_does_not_serve_is_taken_back() -> Result<()> {
    for (apps, expected) in [
        (true, (200, "what was there before")),
        (false, (503, "No backend route is configured")),
    ] {
        let mut stage = staged()?;
        if apps {
            stage.start_caddy_serving("what was there before")?;
            behind(&stage, "a.example.com", expected.0, expected.1)?;
        }
        let impostor = Impostor::start(stage.ports.http)?;
        impostor.answers_for(&["*"]);
        let kubectl = &stage.kubectl;
        kubectl.create(&stage.service("shop", &["a.example.com"])?)?;
        let _serve = stage.serve(&[])?;
        stage.metric_is("failures_total", |number| number > 1)?;
        // Whatever was tried in the meantime, it is taken back each time.
        let mut seen = Vec::new();
        for _ in 0..20 {
            seen.push(stage.client_behind().get("a.example.com").ok());
            thread::sleep(Duration::from_millis(100));
        }
        let is_before = |answer: &&Option<(u16, String)>| {
            let answer = answer.as_ref();
            answer.is_some_and(|(status, body)| *status == expected.0 && body.contains(expected.1))
        };
        let before = seen.iter().filter(is_before).count();
        ensure!(before > seen.len() / 2, "{seen:?}");
        ensure!(!stage.document().exists(), "it was kept");
        ensure!(stage.metric("ready")? == 0, "it is said to be ready");
        impostor.answers_for(&[]);
        stage.served_from("a.example.com", "shop")?;
        stage.metric_is("ready", |number| number == 1)?;
    }
    Ok(())
}

/// R3.3: new routes that are not served once they are published do not keep the others from it, however
/// many they are.
#[test]
fn r3_3_routes_that_are_not_served_do_not_keep_the_others_back() -> Result<()> {
    let stage = staged()?;
    let impostor = Impostor::start(stage.ports.http)?;
    let lost: Vec<String> = (0..25).map(|n| format!("lost{n}.example.com")).collect();
    let lost: Vec<&str> = lost.iter().map(String::as_str).collect();
    impostor.answers_for(&lost);
    stage.kubectl.create(&stage.service("one", &lost)?)?;
    stage
        .kubectl
        .create(&stage.service("two", &["two.example.com"])?)?;
    let _serve = stage.serve(&[])?;
    stage.metric_is("routes_live", |number| number == 1)?;
    stage.served_from("two.example.com", "two")?;
    let failures = stage.metric("failures_total")?;
    ensure!(
        failures == 1,
        "{failures} documents failed: not all at once"
    );
    behind(&stage, lost[0], 503, "")?;
    // An entry that is changed is given another chance at once.
    impostor.answers_for(&[]);
    let begun = Instant::now();
    stage
        .kubectl
        .apply("test", &stage.service("shop", &["shop.example.com"])?)?;
    stage.served_from("shop.example.com", "shop")?;
    stage.kubectl.run([
        "annotate",
        "--overwrite",
        "service",
        "web",
        "--namespace",
        "one",
        &format!(
            "{ENTRY}={}",
            stage.entry("one", &lost)?.replace('}', "  import gzip\n}")
        ),
    ])?;
    stage.served_from(lost[0], "one")?;
    ensure!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    Ok(())
}

/// R3.7: a general failure is not put down to what routes say.
#[test]
fn r3_7_where_nobody_is_served_no_route_is_to_blame() -> Result<()> {
    let stage = staged()?;
    let impostor = Impostor::start(stage.ports.http)?;
    impostor.answers_for(&["*"]);
    let hosts: Vec<String> = (0..30).map(|n| format!("h{n}.example.com")).collect();
    let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
    stage.kubectl.create(&stage.service("one", &hosts)?)?;
    let _serve = stage.serve(&[])?;
    stage.metric_is("failures_total", |number| number > 0)?;
    impostor.answers_for(&[]);
    let begun = Instant::now();
    for host in hosts {
        stage.served_from(host, "one")?;
    }
    ensure!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    Ok(())
}

/// A route that is served on although nobody asks for it, and in whose place something else answers,
/// does not keep the others back; that is told, and rounds do not follow each other without a pause.
#[test]
fn r3_3_a_route_that_is_held_and_astray_does_not_keep_the_others_back() -> Result<()> {
    let stage = staged()?;
    let kubectl = &stage.kubectl;
    let hosts = ["a.example.com", "b.example.com", "c.example.com"];
    kubectl.create(&stage.service("one", &hosts)?)?;
    let _serve = stage.serve(&[])?;
    stage.served_from("a.example.com", "one")?;
    let key = format!("{ENTRY}-");
    kubectl.run(["annotate", "service", "web", "--namespace", "one", &key])?;
    stage.metric_is("routes_held", |number| number == 3)?;
    let impostor = Impostor::start(stage.ports.http)?;
    impostor.answers_for(&["b.example.com"]);
    kubectl.create(&stage.service("two", &["two.example.com"])?)?;
    stage.served_from("two.example.com", "two")?;
    stage.served_from("a.example.com", "one")?;
    behind(&stage, "b.example.com", 200, "answered for one")?;
    stage.metric_is("routes_astray", |number| number == 1)?;
    let failures = stage.metric("failures_total")?;
    ensure!(failures < 5, "{failures} documents failed");
    ensure!(stage.metric("ready")? == 1, "it takes the others down");
    // Once it is back, the next document finds it.
    impostor.answers_for(&[]);
    kubectl.create(&stage.service("shop", &["shop.example.com"])?)?;
    stage.served_from("shop.example.com", "shop")?;
    stage.metric_is("routes_astray", |number| number == 0)
}
