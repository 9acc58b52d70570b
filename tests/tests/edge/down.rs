//! R3.2: a `down` that nobody at the edge has seen.

use anyhow::{Result, ensure};
use underpin_tests::{Stack, terminate};

use crate::stage::Stage;

/// R3.2: the objects and their claim are gone when the edge comes back, and it is known all the same that
/// somebody wanted that. What vanished beside them is held.
#[test]
fn r3_2_what_a_down_took_while_nobody_looked_is_no_vanishing() -> Result<()> {
    let stage = Stage::new()?;
    let hosts = ["a.example.com", "b.example.com"];
    let service = stage.service("shop", &hosts)?;
    let stack = Stack::single("shop", &stage.cluster.kubeconfig(), &service)?;
    stack.expect(0, "up --yes --wait=false")?;
    stage.kubectl.run(["create", "namespace", "two"])?;
    stage
        .kubectl
        .create(&stage.service("two", &["two.example.com"])?)?;
    let serve = stage.serve(&[])?;
    for host in hosts {
        stage.served_from(host, "shop")?;
    }
    stage.metric_is("routes_live", |number| number == 3)?;
    terminate(serve.id()?)?;
    serve.wait()?;
    stack.expect(0, "down --yes")?;
    let serve = stage.serve(&[])?;
    for host in hosts {
        stage.on_the_page(host)?;
    }
    ensure!(stage.metric("routes_held")? == 0, "it is held");
    stage.served_from("two.example.com", "two")?;
    drop(serve);
    Ok(())
}
