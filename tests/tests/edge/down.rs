//! R3.2: a `down` that nobody at the edge has seen.

use anyhow::{Result, ensure};
use underpin_tests::{Action, Proxy, Stack, terminate};

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

/// R3.2: of a `down` that could not take an object, the record explains nothing of what becomes of it later.
#[test]
fn r3_2_what_a_down_did_not_take_is_not_explained_by_it() -> Result<()> {
    let stage = Stage::new()?;
    let proxy = Proxy::start(&stage.cluster)?;
    let hosts = ["a.example.com", "b.example.com"];
    let service = stage.service("shop", &hosts)?;
    let stack = Stack::single("shop", &proxy.kubeconfig(), &service)?;
    stack.expect(0, "up --yes --wait=false")?;
    let serve = stage.serve(&[])?;
    for host in hosts {
        stage.served_from(host, "shop")?;
    }
    stage.metric_is("routes_live", |number| number == 2)?;
    terminate(serve.id()?)?;
    serve.wait()?;
    proxy.policy(|request| {
        let is_service = request.path.contains("/services/");
        if request.method == "DELETE" && is_service {
            Action::FORBIDDEN
        } else {
            Action::Pass
        }
    });
    let ran = stack.run("down --yes")?;
    ensure!(ran.code != Some(0), "{}", ran.transcript());
    let record = "get configmap underpin-taken-down --namespace underpin-system";
    let record = stage.kubectl.run(record.split_whitespace());
    ensure!(
        record.is_ok(),
        "the down has not said what it takes: {record:?}"
    );
    // Nobody at the edge sees who does it in the end.
    let kubectl = &stage.kubectl;
    kubectl.run(["delete", "service", "web", "--namespace", "shop"])?;
    let serve = stage.serve(&[])?;
    stage.metric_is("routes_held", |number| number == 2)?;
    for host in hosts {
        stage.served_from(host, "shop")?;
    }
    drop(serve);
    Ok(())
}
