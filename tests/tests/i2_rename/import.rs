//! R2.8: import by label selector, and from a Helm release.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use underpin_tests::{Kubectl, shared, with_filters};

use crate::rooms::{config_map, project};

const KINDS: &str = "configmaps,services,secrets";

/// R2.8: what the selector matches is recorded, nothing else, and nothing is changed.
#[test]
fn a_selector_tells_what_is_imported() -> Result<()> {
    let cluster = shared()?;
    let kubectl = Kubectl::new(cluster);
    let home = "import-by-label";
    kubectl.run(["create", "namespace", home])?;
    for name in ["mine", "mine-too", "other"] {
        kubectl.run(["create", "configmap", name, "-n", home])?;
        let label = if name == "other" {
            "app=other"
        } else {
            "app=rooms"
        };
        kubectl.run(["label", "configmap", name, "-n", home, label])?;
    }
    let uids = kubectl.uids(home, KINDS)?;
    let project = project(cluster, "labelled", "dev: {}", &config_map("mine"))?;
    let line = format!("import --yes --namespace {home}");
    let output = project.expect_with(0, &line, &["--from", "selector=app in (rooms)"])?;
    with_filters(&[], || {
        insta::assert_snapshot!("import_selector", output.transcript());
    });
    assert_eq!(kubectl.uids(home, KINDS)?, uids);
    let map = kubectl.get(&["configmap", "mine", "-n", home])?;
    assert_eq!(
        map["metadata"]["annotations"],
        serde_json::Value::Null,
        "not even a stamp"
    );
    // What was recorded and is not declared is pruned by the next `up`; the rest stays.
    project.expect(0, "down --yes")?;
    let left = kubectl.uids(home, KINDS)?;
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(left[0].0, "ConfigMap/other");
    Ok(())
}

/// base64(gzip(text)), by the system's own tools.
fn packed(text: &str) -> Result<String> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("release.json");
    std::fs::write(&path, text)?;
    let script = "gzip -c \"$1\" | base64 -w0";
    let output = Command::new("sh")
        .args(["-c", script, "sh"])
        .arg(&path)
        .output()?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).context("base64 is ASCII")
}

/// A release as Helm 3 stores it: `data.release` is base64 of gzip of JSON, and `stringData` makes
/// the API server add the base64 of all Secrets.
fn release(name: &str, namespace: &str, version: u32, manifest: &str) -> Result<String> {
    let text = json!({
        "name": name, "namespace": namespace, "version": version,
        "info": {"status": "deployed"},
        "chart": {"metadata": {"name": "rooms", "version": "1.2.3"}},
        "manifest": manifest, "hooks": [],
    });
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1",
        "metadata": {
            "name": format!("sh.helm.release.v1.{name}.v{version}"), "namespace": namespace,
            "labels": {
                "owner": "helm", "name": name, "status": "deployed", "version": version.to_string(),
            },
        },
        "stringData": {"release": packed(&text.to_string())?},
    });
    Ok(secret.to_string())
}

/// R2.8: what the release records is taken over; what only shares its namespace is not.
#[test]
fn a_helm_release_is_taken_over() -> Result<()> {
    let cluster = shared()?;
    let kubectl = Kubectl::new(cluster);
    let home = "import-of-helm";
    kubectl.run(["create", "namespace", home])?;
    let helm = "labels: { app.kubernetes.io/managed-by: Helm }, annotations: { meta.helm.sh/release-name: rooms, meta.helm.sh/release-namespace: import-of-helm }";
    let map = |name: &str, more: &str| {
        format!(
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: {name}, {more} }}\ndata: {{ a: b }}\n"
        )
    };
    let manifest = format!("{}{}", map("rooms", ""), map("rooms-extra", ""));
    let live = format!(
        "{}{}{}",
        map("rooms", helm),
        map("rooms-extra", helm),
        map("stranger", "labels: {}")
    );
    kubectl.create_in(home, &live)?;
    kubectl.create(&release("rooms", home, 7, &manifest)?)?;
    let uids = kubectl.uids(home, KINDS)?;
    let declared = format!("{}---\n{}", config_map("rooms"), config_map("rooms-extra"));
    let project = project(cluster, home, "dev: {}", &declared)?;
    // Without an import, the objects are Helm's, and the way on is named.
    let blocked = project.expect(3, "plan")?;
    assert!(
        blocked.stdout.contains("--from helm=rooms"),
        "{}",
        blocked.transcript()
    );
    let output = project.expect(
        0,
        &format!("import --yes --namespace {home} --from helm=rooms"),
    )?;
    with_filters(&[], || {
        insta::assert_snapshot!("import_helm", output.transcript());
    });
    assert_eq!(kubectl.uids(home, KINDS)?, uids);
    project.expect(0, "up --yes")?;
    assert_eq!(kubectl.uids(home, KINDS)?, uids);
    let missing = project.expect(
        1,
        &format!("import --yes --namespace {home} --from helm=no-such"),
    )?;
    assert!(
        missing.stderr.contains("no-such"),
        "{}",
        missing.transcript()
    );
    project.expect(0, "down --yes")?;
    let left: Vec<String> = kubectl
        .uids(home, KINDS)?
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(
        left,
        ["ConfigMap/stranger", "Secret/sh.helm.release.v1.rooms.v7"]
    );
    Ok(())
}
