//! Two processes that have the same Caddy.

use anyhow::{Result, ensure};
use underpin_tests::{eventually, kill};

use crate::LIMIT;
use crate::stage::Stage;

/// One writes, and the other takes over when the first is gone.
#[test]
fn one_of_two_writes() -> Result<()> {
    let stage = Stage::new()?;
    for namespace in ["shop", "proxy"] {
        stage.kubectl.run(["create", "namespace", namespace])?;
    }
    let entry = stage.service("shop", &["a.example.com"])?;
    stage.kubectl.apply("test", &entry)?;
    let lease = ["--lease", "proxy/edge", "--lease-seconds", "3"];
    let first = stage.serve(&lease)?;
    stage.served_from("a.example.com", "shop")?;
    stage.metric_is("routes_live", |number| number == 1)?;
    let other = stage.ports.other_questions;
    let _second = stage.serve_at(other, &lease)?;
    let desires = || Ok((Stage::metric_at(other, "routes_desired")? == 1).then_some(()));
    eventually("the second has read the cluster", LIMIT, desires)?;
    ensure!(Stage::metric_at(other, "writer")? == 0, "both write");
    ensure!(stage.metric("writer")? == 1, "nobody writes");
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
