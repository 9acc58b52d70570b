//! The outage, by hand.

use anyhow::{Result, ensure};
use underpin_tests::{Kubectl, shared};

/// I2: a replaced namespace is an empty one: own objects and those of everybody else are gone.
#[test]
fn replacing_a_namespace_kills_everything_in_it() -> Result<()> {
    let cluster = shared()?;
    let kubectl = Kubectl::new(cluster);
    let name = "rooms-outage";
    let namespace = format!("apiVersion: v1\nkind: Namespace\nmetadata: {{ name: {name} }}\n");
    kubectl.create(&namespace)?;
    for owner in ["child", "parent"] {
        kubectl.run(["create", "configmap", owner, "-n", name])?;
        kubectl.run([
            "create",
            "service",
            "clusterip",
            owner,
            "--tcp=80",
            "-n",
            name,
        ])?;
    }
    let kinds = "configmaps,services";
    assert_eq!(kubectl.uids(name, kinds)?.len(), 4);
    let before = kubectl.uid(&["namespace", name])?;
    let args = [
        "replace",
        "--force",
        "--validate=false",
        "--timeout=60s",
        "-f",
        "-",
    ];
    let output = kubectl.with_input(args, &namespace)?;
    ensure!(output.code == Some(0), "{}", output.transcript());
    assert_ne!(kubectl.uid(&["namespace", name])?, before);
    assert_eq!(kubectl.uids(name, kinds)?, []);
    Ok(())
}
