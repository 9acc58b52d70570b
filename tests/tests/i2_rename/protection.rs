//! R2.3: protection is the union of program, record and live object.

use anyhow::Result;
use serde_json::Value;
use underpin_tests::{Kubectl, Stack, shared, with_filters};

use crate::rooms::{config_map, project};

fn protected(name: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n  \
         annotations: {{ helm.sh/resource-policy: keep }}\n"
    )
}

fn two(project: &Stack, second: &str) -> Result<()> {
    project.write(
        "k8s/app.yaml",
        &format!("{}---\n{second}", config_map("first")),
    )
}

/// R2.3: set and deployed, then removed from the manifest together with the object: kept. Lifted by
/// name alone, and the history says so.
#[test]
fn removing_a_protection_from_the_manifest_alone_keeps_it() -> Result<()> {
    let cluster = shared()?;
    let kubectl = Kubectl::new(cluster);
    let stack = "union-recorded";
    let project = project(cluster, stack, "dev: {}", &config_map("first"))?;
    two(&project, &protected("ledger"))?;
    project.expect(0, "up --yes")?;
    let uid = kubectl.uid(&["configmap", "ledger", "-n", stack])?;
    // Off the manifest, deployed: off the live object, still on record.
    two(&project, &config_map("ledger"))?;
    project.expect(0, "up --yes")?;
    let live = kubectl.get(&["configmap", "ledger", "-n", stack])?;
    assert_eq!(
        live["metadata"]["annotations"]["helm.sh/resource-policy"],
        Value::Null
    );
    project.write("k8s/app.yaml", &config_map("first"))?;
    let kept = project.expect(0, "up --yes")?;
    with_filters(&[], || {
        insta::assert_snapshot!("protection_kept", kept.stdout);
    });
    assert_eq!(kubectl.uid(&["configmap", "ledger", "-n", stack])?, uid);
    let down = project.expect(0, "down --yes")?;
    with_filters(&[], || {
        insta::assert_snapshot!("protection_down", down.stdout);
    });
    assert_eq!(kubectl.uid(&["configmap", "ledger", "-n", stack])?, uid);
    let accept = format!("UP106:configmap/{stack}/ledger");
    let reason = "copied to the archive";
    project.expect(0, "up --yes")?;
    let flags = ["--accept", &accept, "--reason", reason];
    project.expect_with(0, "up --yes", &flags)?;
    assert_eq!(kubectl.find(&["configmap", "ledger", "-n", stack])?, None);
    let history = kubectl.accepted("union-recorded.dev")?;
    assert_eq!(history, [format!("{accept} {reason}")]);
    Ok(())
}

/// R2.3: what stands in the new manifest alone counts at once: the object would be replaced
/// (immutable field), and is not, although nothing live or recorded protects it.
#[test]
fn a_protection_in_the_new_manifest_alone_counts_at_once() -> Result<()> {
    let cluster = shared()?;
    let kubectl = Kubectl::new(cluster);
    let stack = "union-declared";
    let job = |image: &str, annotations: &str| {
        format!(
            "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: migrate\n  annotations: {{ {annotations} }}\n\
             spec:\n  template:\n    spec:\n      restartPolicy: Never\n      \
             containers: [{{ name: main, image: \"registry.example.org/migrate:{image}\" }}]\n"
        )
    };
    let recreate = "underpin.dev/on-immutable: recreate";
    let project = project(cluster, stack, "dev: {}", &job("1", recreate))?;
    project.expect(0, "up --yes --wait=false")?;
    let uid = kubectl.uid(&["job", "migrate", "-n", stack])?;
    let keep = format!("{recreate}, underpin.dev/protect: keep");
    project.write("k8s/app.yaml", &job("2", &keep))?;
    let blocked = project.expect(3, "up --yes --wait=false")?;
    with_filters(&[], || {
        insta::assert_snapshot!("protection_declared", blocked.stdout);
    });
    assert_eq!(kubectl.uid(&["job", "migrate", "-n", stack])?, uid);
    // Without it, the same change replaces the Job: the test would see that.
    project.write("k8s/app.yaml", &job("2", recreate))?;
    project.expect(0, "up --yes --wait=false")?;
    assert_ne!(kubectl.uid(&["job", "migrate", "-n", stack])?, uid);
    Ok(())
}

/// R2.3: what somebody set on the live object alone counts too, whichever tool defined the key.
#[test]
fn a_protection_on_the_live_object_alone_counts() -> Result<()> {
    let cluster = shared()?;
    let kubectl = Kubectl::new(cluster);
    let stack = "union-live";
    let project = project(cluster, stack, "dev: {}", &config_map("first"))?;
    two(&project, &config_map("ledger"))?;
    project.expect(0, "up --yes")?;
    let uid = kubectl.uid(&["configmap", "ledger", "-n", stack])?;
    let key = "argocd.argoproj.io/sync-options=Prune=false";
    kubectl.run(["annotate", "configmap", "ledger", "-n", stack, key])?;
    project.write("k8s/app.yaml", &config_map("first"))?;
    project.expect(0, "up --yes")?;
    assert_eq!(kubectl.uid(&["configmap", "ledger", "-n", stack])?, uid);
    project.expect(0, "down --yes")?;
    assert_eq!(kubectl.uid(&["configmap", "ledger", "-n", stack])?, uid);
    assert_eq!(kubectl.find(&["configmap", "first", "-n", stack])?, None);
    Ok(())
}
