//! Two processes that have the same Caddy.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use underpin_tests::{Running, eventually, kill};

use crate::LIMIT;
use crate::stage::Stage;

const LEASE: [&str; 4] = ["--lease", "proxy/edge", "--lease-seconds", "3"];

/// A first process that writes, and a second one that stands by.
fn two() -> Result<(Stage, Running, Running)> {
    let stage = Stage::new()?;
    for namespace in ["shop", "proxy"] {
        stage.kubectl.run(["create", "namespace", namespace])?;
    }
    let entry = stage.service("shop", &["a.example.com"])?;
    stage.kubectl.apply("test", &entry)?;
    let first = stage.serve(&LEASE)?;
    stage.served_from("a.example.com", "shop")?;
    stage.metric_is("routes_live", |number| number == 1)?;
    let second = stand_by(&stage)?;
    ensure!(stage.metric("writer")? == 1, "nobody writes");
    Ok((stage, first, second))
}

fn stand_by(stage: &Stage) -> Result<Running> {
    let other = stage.ports.other_questions;
    let second = stage.serve_at(other, &LEASE)?;
    let desires = || Ok((Stage::metric_at(other, "routes_desired")? > 0).then_some(()));
    eventually("the second has read the cluster", LIMIT, desires)?;
    ensure!(Stage::metric_at(other, "writer")? == 0, "both write");
    Ok(second)
}

fn signal(name: &str, process: &Running) -> Result<()> {
    let id = process.id()?.to_string();
    let done = Command::new("kill").args([name, &id]).status();
    ensure!(done.context("run kill")?.success(), "kill {name} {id}");
    Ok(())
}

/// Whoever stands by may go, and come back.
#[test]
fn who_stands_by_may_go() -> Result<()> {
    let (stage, _first, second) = two()?;
    kill(second.id()?)?;
    let hosts = ["b.example.com", "a.example.com"];
    stage
        .kubectl
        .apply("test", &stage.service("shop", &hosts)?)?;
    stage.served_from("b.example.com", "shop")?;
    ensure!(stage.metric("writer")? == 1, "nobody writes");
    drop(second);
    drop(stand_by(&stage)?);
    stage.served_from("b.example.com", "shop")
}

/// A writer that stands still loses the lease; when it goes on it neither writes nor takes back what the
/// other has published since.
#[test]
fn who_stood_still_finds_another_writer() -> Result<()> {
    let (stage, first, _second) = two()?;
    let other = stage.ports.other_questions;
    signal("-STOP", &first)?;
    let hosts = ["b.example.com", "a.example.com"];
    stage
        .kubectl
        .apply("test", &stage.service("shop", &hosts)?)?;
    stage.served_from("b.example.com", "shop")?;
    signal("-CONT", &first)?;
    stage.metric_is("writer", |writes| writes == 0)?;
    let hosts = ["c.example.com", "b.example.com", "a.example.com"];
    stage
        .kubectl
        .apply("test", &stage.service("shop", &hosts)?)?;
    for host in hosts {
        stage.served_from(host, "shop")?;
    }
    ensure!(Stage::metric_at(other, "writer")? == 1, "nobody writes");
    ensure!(Stage::metric_at(other, "drifts_total")? == 0, "both write");
    Ok(())
}

/// R3.2: what the one that stands by saw deleted is known when it comes to write.
#[test]
fn r3_2_what_the_standby_saw_deleted_is_no_vanishing() -> Result<()> {
    let (stage, first, _second) = two()?;
    let other = stage.ports.other_questions;
    signal("-STOP", &first)?;
    let kubectl = &stage.kubectl;
    kubectl.run(["delete", "service", "web", "--namespace", "shop"])?;
    eventually("the second takes over", LIMIT, || {
        Ok((Stage::metric_at(other, "writer")? == 1).then_some(()))
    })?;
    kill(first.id()?)?;
    stage.on_the_page("a.example.com")?;
    ensure!(Stage::metric_at(other, "routes_held")? == 0, "it is held");
    Ok(())
}

/// One writes, and the other takes over when the first is gone.
#[test]
fn one_of_two_writes() -> Result<()> {
    let (stage, first, _second) = two()?;
    let other = stage.ports.other_questions;
    kill(first.id()?)?;
    stage.kubectl.apply(
        "test",
        &stage.service("shop", &["b.example.com", "a.example.com"])?,
    )?;
    stage.served_from("b.example.com", "shop")?;
    ensure!(Stage::metric_at(other, "writer")? == 1, "nobody writes");
    // It goes on from what the first had published.
    eventually("the second's first document", LIMIT, || {
        Ok((Stage::metric_at(other, "generation")? == 2).then_some(()))
    })
}
