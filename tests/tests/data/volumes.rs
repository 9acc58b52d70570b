//! A claim that is bound to a volume of a known reclaim policy, without any provisioner.

use std::time::Duration;

use anyhow::Result;
use underpin_tests::{ControlPlane, Kubectl, Stack, eventually};

/// Longest wait for the volume controller.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// A PersistentVolume on the node's disk, held for the claim `data` in `namespace`.
pub(crate) fn volume(name: &str, namespace: &str, claim: &str, policy: &str) -> String {
    format!(
        "apiVersion: v1\nkind: PersistentVolume\nmetadata: {{ name: {name} }}\nspec:\n  \
         capacity: {{ storage: 1Gi }}\n  accessModes: [ReadWriteOnce]\n  \
         persistentVolumeReclaimPolicy: {policy}\n  storageClassName: \"\"\n  \
         claimRef: {{ namespace: {namespace}, name: {claim} }}\n  \
         hostPath: {{ path: /var/empty/{name} }}\n"
    )
}

/// A claim to that volume.
pub(crate) fn claim(volume: &str) -> String {
    format!(
        "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {{ name: data }}\nspec:\n  \
         accessModes: [ReadWriteOnce]\n  storageClassName: \"\"\n  volumeName: {volume}\n  \
         resources: {{ requests: {{ storage: 1Gi }} }}\n"
    )
}

/// Two ConfigMaps, so that removing the claim is no mass removal.
pub(crate) const REST: &str = "\
apiVersion: v1
kind: ConfigMap
metadata: { name: first }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: second }
---
";

/// The stack file of a stack with one environment.
pub(crate) fn stack_file(stack: &str) -> String {
    format!(
        "apiVersion: underpin.dev/v1\nkind: Stack\nmetadata: {{ name: {stack} }}\nspec:\n  \
         sources: [{{ manifests: app.yaml }}]\n  environments: {{ production: {{}} }}\n"
    )
}

/// A deployed stack whose claim `data` is bound to a volume of its own name and this policy.
pub(crate) fn bound(cluster: &ControlPlane, stack: &str, policy: &str) -> Result<Stack> {
    let kubectl = Kubectl::new(cluster);
    kubectl.create(&volume(stack, stack, "data", policy))?;
    let manifests = format!("{REST}{}", claim(stack));
    let file = stack_file(stack);
    let project = Stack::new(
        &cluster.kubeconfig(),
        &[("underpin.yaml", &file), ("app.yaml", &manifests)],
    )?;
    project.expect(0, "up --yes")?;
    await_bound(&kubectl, stack, "data")?;
    Ok(project)
}

/// Waits until the controller has bound a claim.
pub(crate) fn await_bound(kubectl: &Kubectl, namespace: &str, claim: &str) -> Result<()> {
    eventually("the claim is bound", LIMIT, || {
        let claim = kubectl.get(&["persistentvolumeclaim", claim, "-n", namespace])?;
        Ok((claim["status"]["phase"] == "Bound").then_some(()))
    })
}
