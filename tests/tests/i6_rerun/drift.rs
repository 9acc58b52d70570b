//! What others changed since the last run is told, with who did it (UP603).

use anyhow::Result;
use underpin_tests::{Kubectl, Stack, shared};

const MANIFEST: &str = "apiVersion: v1
kind: ConfigMap
metadata: { name: settings, labels: { tier: back } }
data: { level: info }
";

/// The plan says of what it would put back that it was changed, and by whom; what is neither the
/// manifest's nor a deployer's is refused beside it.
#[test]
fn what_others_changed_is_told() -> Result<()> {
    let cluster = shared()?;
    let kubectl = Kubectl::new(cluster);
    let project = Stack::single("drift", &cluster.kubeconfig(), MANIFEST)?;
    project.expect(0, "up --yes")?;
    let calm = project.expect(0, "plan")?;
    assert!(!calm.stdout.contains("UP603"), "{}", calm.transcript());

    // A field that is gone belongs to nobody: the next run puts it back.
    kubectl.run(["-n", "drift", "label", "configmap/settings", "tier-"])?;
    let gone = project.expect(0, "plan")?;
    let note = "1 field of configmap/drift/settings changed since it was last applied";
    assert!(
        gone.stdout.contains("note UP603 configmap/drift/settings"),
        "{}",
        gone.transcript()
    );
    assert!(gone.stdout.contains(note), "{}", gone.transcript());
    project.expect(0, "up --yes")?;
    let live = kubectl.get(&["-n", "drift", "configmap", "settings"])?;
    assert_eq!(live["metadata"]["labels"]["tier"], "back");

    // What somebody wrote with a deployer's tool is put back too, and told.
    let patch = |level: &str, manager: &str| {
        let patch = format!(r#"{{"data":{{"level":"{level}"}}}}"#);
        let manager = format!("--field-manager={manager}");
        let object = ["-n", "drift", "patch", "configmap/settings"];
        kubectl.run(object.into_iter().chain([&*manager, "--patch", &patch]))
    };
    patch("debug", "kubectl-patch")?;
    let changed = project.expect(0, "plan")?;
    let by = format!("{note}, by kubectl-patch at ");
    assert!(changed.stdout.contains(&by), "{}", changed.transcript());

    // What a controller wrote is its own.
    patch("trace", "level-operator")?;
    let changed = project.expect(3, "plan")?;
    let by = format!("{note}, by level-operator at ");
    assert!(changed.stdout.contains(&by), "{}", changed.transcript());
    assert!(changed.stdout.contains("UP601"), "{}", changed.transcript());

    // What is declared otherwise now is a change of the manifest, no drift.
    project.declare(&MANIFEST.replace("info", "warning"))?;
    let declared = project.expect(3, "plan")?;
    assert!(
        !declared.stdout.contains("UP603"),
        "{}",
        declared.transcript()
    );
    Ok(())
}
