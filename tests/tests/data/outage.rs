//! What happens without Underpin.

use anyhow::Result;
use underpin_tests::{Kubectl, eventually, shared};

use crate::volumes::{LIMIT, claim, volume};

/// I1: the namespace goes, the claim with it, and a volume of policy `Delete` is handed to its
/// deletion: the controller fails here only because this disk has no deleter.
#[test]
fn a_volume_dies_with_the_namespace_of_its_claim() -> Result<()> {
    let cluster = shared()?;
    let kubectl = Kubectl::new(cluster);
    let name = "data-outage";
    kubectl.run(["create", "namespace", name])?;
    kubectl.create(&volume(name, name, "data", "Delete"))?;
    kubectl.create_in(name, &claim(name))?;
    crate::volumes::await_bound(&kubectl, name, "data")?;
    kubectl.run(["delete", "namespace", name, "--timeout=60s"])?;
    eventually("the volume is given up", LIMIT, || {
        let Some(volume) = kubectl.find(&["persistentvolume", name])? else {
            return Ok(Some(()));
        };
        let phase = volume["status"]["phase"].as_str().unwrap_or_default();
        Ok(matches!(phase, "Released" | "Failed").then_some(()))
    })
}
