//! The outage, by hand.

use anyhow::Result;
use underpin_tests::{Kubectl, shared};

use crate::wallet::{KINDS, deploy_like_before, environments, is_of};

/// I1: the old deployer's `destroy` of `caddy-test` was a deletion of the namespace that it had
/// recorded for it, and all six environments died.
#[test]
fn deleting_the_namespace_of_one_environment_kills_all_of_them() -> Result<()> {
    let cluster = shared()?;
    let kubectl = Kubectl::new(cluster);
    let stack = "wallet-outage";
    deploy_like_before(&kubectl, stack)?;
    let before = kubectl.uids(stack, KINDS)?;
    for environment in environments() {
        let own = before
            .iter()
            .filter(|(name, _)| is_of(name, environment))
            .count();
        assert_eq!(own, 6, "{environment}: {before:?}");
    }
    kubectl.run(["delete", "namespace", stack, "--timeout=90s"])?;
    assert_eq!(kubectl.uids(stack, KINDS)?, []);
    Ok(())
}
