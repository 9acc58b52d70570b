//! What is live, judged before anything is published.

use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use underpin_tests::{Kubectl, Underpin, caddy, fresh};

use crate::plans::{says, service};

/// R3.1, R3.3: conflicts, backends that are not there and entries that are refused, by us or by the Caddy on
/// the `PATH` alone, of a cluster that a context names.
#[test]
fn r3_1_a_live_cluster_is_judged() -> Result<()> {
    let cluster = fresh()?;
    let kubectl = Kubectl::new(&cluster);
    for namespace in ["old-ns", "new-ns"] {
        // Creation times are whole seconds: the new one is to be the later.
        thread::sleep(Duration::from_millis(1_100));
        kubectl.run(["create", "namespace", namespace])?;
        let upstream = format!("web.{namespace}.svc.cluster.local:80");
        kubectl.create_in(namespace, &service("web", "shop.example.com", &upstream))?;
    }
    let gone = "gone.old-ns.svc.cluster.local:80";
    kubectl.create_in("old-ns", &service("dead", "dead.example.com", gone))?;
    kubectl.create_in(
        "old-ns",
        &service("bad", "bad.example.com", "127.0.0.1:2019"),
    )?;
    let odd =
        "web.old-ns.svc.cluster.local:80\n        @odd path_regexp (\n        respond @odd 404";
    kubectl.create_in("old-ns", &service("odd", "odd.example.com", odd))?;
    let folder = tempfile::tempdir()?;
    let program = Underpin::new(folder.path(), &cluster.kubeconfig())?;
    let found = caddy::find()?;
    let path = found.parent().context("Caddy is in no folder")?;
    let program = program.env("PATH", path);
    let context = kubectl.run(["config", "current-context"])?;
    let checked = program.run(["routes", "check", "--against", context.trim()])?;
    says(
        &checked,
        &[
            "warning UP201 service/old-ns/web",
            "http://shop.example.com, which service/new-ns/web serves",
            "UP203 service/old-ns/dead",
            "UP204 service/old-ns/bad",
            "UP204 service/old-ns/odd",
        ],
    );
    assert_eq!(checked.code, Some(3), "{}", checked.transcript());
    Ok(())
}
