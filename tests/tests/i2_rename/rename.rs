//! R2.2: a manifest that renames a Namespace is seen as what it is, and blocked.

use anyhow::Result;
use underpin_tests::{Kubectl, shared, with_filters};

use crate::rooms::{config_map, project, stack_file};

const KINDS: &str = "configmaps,secrets,services";

fn namespace(name: &str) -> String {
    format!("apiVersion: v1\nkind: Namespace\nmetadata: {{ name: \"{name}\" }}\n---\n")
}

/// What others have put into the namespace, each with the marks that its tool leaves.
fn strangers(namespace: &str) -> String {
    let map = |name: &str, metadata: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: {name}, namespace: {namespace}, {metadata} }}\ndata: {{ a: b }}\n---\n"
        )
    };
    [
        map(
            "of-helm",
            "labels: { app.kubernetes.io/managed-by: Helm }, \
             annotations: { meta.helm.sh/release-name: redis, meta.helm.sh/release-namespace: cache }",
        ),
        map(
            "of-argo",
            &format!(
                "annotations: {{ argocd.argoproj.io/tracking-id: \"shop:/ConfigMap:{namespace}/of-argo\" }}"
            ),
        ),
        map(
            "of-flux",
            "labels: { kustomize.toolkit.fluxcd.io/name: apps, kustomize.toolkit.fluxcd.io/namespace: flux-system }",
        ),
        map("of-kapp", "labels: { kapp.k14s.io/app: \"1700000000\" }"),
        map("by-hand", "labels: {}"),
    ]
    .concat()
}

/// R2.2: the environment made the namespace; a sibling and five strangers live in it too.
#[test]
fn a_renamed_namespace_is_blocked_with_all_that_would_die() -> Result<()> {
    let cluster = shared()?;
    let kubectl = Kubectl::new(cluster);
    let (stack, new) = ("wize-rooms-api", "wize-rooms-api-likeclaw-us-dev");
    let environments = "dev: {}, likeclaw-us: { namespace: elsewhere }";
    let manifests = |name: &str| namespace(name) + &config_map("rooms-${environment}");
    let project = project(cluster, stack, environments, &manifests(stack))?;
    project.expect(0, "up --yes -e dev")?;
    kubectl.create(&strangers(stack))?;
    kubectl.run(["create", "configmap", "rooms-likeclaw-us", "-n", stack])?;
    project.expect_with(
        0,
        &format!("import --yes -e likeclaw-us --namespace {stack}"),
        &[],
    )?;
    let uids = kubectl.uids(stack, KINDS)?;
    let uid = kubectl.uid(&["namespace", stack])?;
    assert_eq!(uids.len(), 7);

    project.write("k8s/app.yaml", &manifests(new))?;
    let planned = project.expect(3, "plan -e dev")?;
    with_filters(&[], || {
        insta::assert_snapshot!("rename_plan", planned.transcript());
    });
    for owner in [
        "wize-rooms-api/likeclaw-us",
        "wize-rooms-api/dev",
        "Helm",
        "Argo CD",
        "Flux",
        "kapp",
        "kubectl",
    ] {
        assert!(
            planned.stdout.contains(owner),
            "{owner}\n{}",
            planned.transcript()
        );
    }
    for (name, _) in &uids {
        let object = name.replace("ConfigMap/", &format!("configmap/{stack}/"));
        assert!(
            planned.stdout.contains(&object),
            "{object}\n{}",
            planned.transcript()
        );
    }
    project.expect(3, "up --yes -e dev")?;
    assert_eq!(kubectl.uids(stack, KINDS)?, uids);
    assert_eq!(kubectl.uid(&["namespace", stack])?, uid);
    assert_eq!(kubectl.find(&["namespace", new])?, None);

    // The way out that is offered: `${namespace}` names the place where the environment lives.
    project.write("k8s/app.yaml", &manifests("${namespace}"))?;
    project.expect(0, "up --yes -e dev")?;
    assert_eq!(kubectl.uids(stack, KINDS)?, uids);
    Ok(())
}

/// R2.2, R2.8: the same where the namespace was imported: it is what the incident began with.
#[test]
fn an_imported_namespace_outlives_a_rename() -> Result<()> {
    let cluster = shared()?;
    let kubectl = Kubectl::new(cluster);
    let (stack, home) = ("rename-import", "rename-import");
    kubectl.create(&namespace(home))?;
    kubectl.run(["create", "configmap", "rooms", "-n", home])?;
    let manifests = |name: &str| namespace(name) + &config_map("rooms");
    let project = project(cluster, stack, "dev: {}", &manifests(home))?;
    project.expect(0, &format!("import --yes -e dev --namespace {home}"))?;
    let (uids, uid) = (
        kubectl.uids(home, KINDS)?,
        kubectl.uid(&["namespace", home])?,
    );
    project.write("k8s/app.yaml", &manifests("rename-import-new"))?;
    let output = project.expect(3, "up --yes -e dev")?;
    with_filters(&[], || {
        insta::assert_snapshot!("rename_import", output.transcript());
    });
    assert_eq!(kubectl.uids(home, KINDS)?, uids);
    assert_eq!(kubectl.uid(&["namespace", home])?, uid);
    // Accepted by name, the rest goes on, and the namespace stays as long as anything is in it.
    let flags = [
        "--accept",
        "UP101:namespace/rename-import",
        "--reason",
        "to see",
    ];
    project.run_with("up --yes -e dev", &flags)?;
    assert_eq!(kubectl.uids(home, KINDS)?, uids);
    assert_eq!(kubectl.uid(&["namespace", home])?, uid);
    Ok(())
}

/// R2.2: a further Namespace that the stack declared and filled is blocked in the same way when it
/// is no longer declared; empty, it goes.
#[test]
fn a_further_namespace_goes_only_when_it_is_empty() -> Result<()> {
    let cluster = shared()?;
    let kubectl = Kubectl::new(cluster);
    let (stack, further) = ("further-home", "further-jobs");
    let both = namespace(further) + &config_map("rooms");
    let project = project(cluster, stack, "dev: {}", &both)?;
    project.expect(0, "up --yes -e dev")?;
    kubectl.run(["create", "configmap", "stranger", "-n", further])?;
    let uid = kubectl.uid(&["configmap", "stranger", "-n", further])?;
    project.write("k8s/app.yaml", &config_map("rooms"))?;
    let planned = project.expect(3, "up --yes -e dev")?;
    assert!(
        planned.stdout.contains("UP101 namespace/further-jobs"),
        "{}",
        planned.transcript()
    );
    assert_eq!(kubectl.uid(&["configmap", "stranger", "-n", further])?, uid);
    kubectl.run(["delete", "configmap", "stranger", "-n", further])?;
    project.expect(0, "up --yes -e dev")?;
    assert_eq!(kubectl.find(&["namespace", further])?, None);
    assert!(
        kubectl
            .find(&["configmap", "rooms", "-n", stack])?
            .is_some()
    );
    // A stack file is not needed for what is recorded: the derivation may change meanwhile.
    project.write(
        "underpin.yaml",
        &stack_file(stack, "dev: { namespace: changed }"),
    )?;
    project.expect(0, "down --yes -e dev")?;
    assert_eq!(kubectl.find(&["namespace", stack])?, None);
    Ok(())
}
