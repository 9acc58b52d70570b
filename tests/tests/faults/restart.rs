//! The API server goes away in the middle and comes back.

use std::time::Duration;

use anyhow::Result;
use underpin_tests::{Kubectl, Proxy, Stack, eventually, fresh};

use super::manifest;

const LIMIT: Duration = Duration::from_mins(1);

/// R6.2: on a control plane of its own.
#[test]
fn a_run_lives_through_a_restart_of_the_server_or_is_continued() -> Result<()> {
    let cluster = fresh()?;
    let (proxy, kubectl) = (Proxy::start(&cluster)?, Kubectl::new(&cluster));
    let project = Stack::single("restart", &cluster.kubeconfig(), &manifest())?;
    // Away before it starts: said so, nothing else.
    cluster.stop_apiserver();
    let refused = project.expect(1, "up --yes")?;
    assert!(
        refused.stderr.contains("cannot reach"),
        "{}",
        refused.transcript()
    );
    cluster.restart_apiserver()?;
    drop(proxy);

    // Away as soon as the namespace is there, back a little later.
    let running = project.spawn("up --yes --wait=false")?;
    eventually("it has begun", LIMIT, || {
        kubectl.find(&["namespace", "restart"])
    })?;
    cluster.stop_apiserver();
    cluster.restart_apiserver()?;
    let output = running.wait()?;
    if output.code != Some(0) {
        assert_eq!(output.code, Some(1), "{}", output.transcript());
        project.expect(0, "up --yes --wait=false")?;
    }
    for object in [
        "configmap/app",
        "secret/password",
        "deployment/web",
        "service/web",
    ] {
        kubectl.uid(&["-n", "restart", object])?;
    }
    project.expect(0, "plan --detailed-exitcode")?;
    Ok(())
}
