//! Whose an object is, by each tool's marks.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "helpers of tests: a fixture that is wrong fails, and tables read better by value"
)]

mod common;

use common::object;
use serde_json::{Value, json};
use underpin_model::Owner;
use underpin_refs::{is_deployer_manager, tool_owner};

/// A ConfigMap `wallet/app` with this metadata; `expect` as `tool: name`, or Owner's display.
#[track_caller]
fn check(metadata: Value, expect: &str) {
    let mut value = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "app", "namespace": "wallet"},
    });
    for (key, field) in metadata.as_object().unwrap() {
        value["metadata"][key] = field.clone();
    }
    let text = match tool_owner(&object(value)) {
        Owner::Tool { tool, name } => format!("{tool}: {name}"),
        other => other.to_string(),
    };
    assert_eq!(text, expect, "{metadata}");
}

fn managers(names: &[(&str, &str, &str)]) -> Value {
    names
        .iter()
        .map(|(manager, time, subresource)| {
            json!({"manager": manager, "operation": "Update", "time": time, "subresource": subresource})
        })
        .collect()
}

#[test]
fn every_tool_by_its_own_marks() {
    let release =
        json!({"meta.helm.sh/release-name": "pay", "meta.helm.sh/release-namespace": "wallet"});
    let helm_label =
        json!({"app.kubernetes.io/managed-by": "Helm", "app.kubernetes.io/instance": "pay"});
    check(
        json!({"annotations": release, "labels": helm_label}),
        "Helm: wallet/pay",
    );
    check(json!({"labels": helm_label}), "unclaimed"); // rendered with `helm template`
    check(
        json!({"labels": helm_label, "managedFields": managers(&[("helm", "1", "")])}),
        "Helm: pay",
    );
    check(
        json!({"annotations": release, "labels": {
            "helm.toolkit.fluxcd.io/name": "pay", "helm.toolkit.fluxcd.io/namespace": "flux"}}),
        "Flux: flux/pay",
    );
    check(
        json!({"labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}}),
        "Flux: apps",
    );
    check(
        json!({"labels": {"kapp.k14s.io/app": "1700"}}),
        "kapp: 1700",
    );
    check(
        json!({"labels": {"applyset.kubernetes.io/part-of": "applyset-x-v1"}}),
        "ApplySet: applyset-x-v1",
    );
    check(
        json!({"annotations": {"config.k8s.io/owning-inventory": "inv"}}),
        "cli-utils: inv",
    );
    check(
        json!({"annotations": {"configmanagement.gke.io/managed": "enabled",
            "config.k8s.io/owning-inventory": "inv", "configsync.gke.io/manager": ":root"}}),
        "Config Sync: :root",
    );
    check(
        json!({"labels": {"kluctl.io/discriminator": "prod"}}),
        "kluctl: prod",
    );
    check(
        json!({"labels": {"olm.owner": "op.v1", "olm.owner.namespace": "olm"}}),
        "OLM: olm/op.v1",
    );
    check(
        json!({"labels": {"objectset.rio.cattle.io/hash": "h"},
            "annotations": {"objectset.rio.cattle.io/id": "fleet-agent"}}),
        "Rancher Fleet: fleet-agent",
    );
    check(
        json!({"annotations": {"objectset.rio.cattle.io/id": "provisioning-cluster-create",
            "objectset.rio.cattle.io/owner-gvk": "management.cattle.io/v3, Kind=Cluster",
            "objectset.rio.cattle.io/owner-name": "c-1"}}),
        "Rancher: c-1",
    );
    check(
        json!({"annotations": {"objectset.rio.cattle.io/id": "",
            "objectset.rio.cattle.io/owner-gvk": "k3s.cattle.io/v1, Kind=Addon",
            "objectset.rio.cattle.io/owner-name": "traefik",
            "objectset.rio.cattle.io/owner-namespace": "kube-system"}}),
        "k3s: kube-system/traefik",
    );
    check(
        json!({"labels": {"app.kubernetes.io/managed-by": "pulumi"}}),
        "Pulumi: ",
    );
    check(
        json!({"managedFields": managers(&[("pulumi-kubernetes-1a2b", "1", "")])}),
        "Pulumi: ",
    );
    check(
        json!({"managedFields": managers(&[("Terraform", "1", "")])}),
        "Terraform: ",
    );
    check(
        json!({"labels": {"tanka.dev/environment": "abc"}}),
        "Tanka: abc",
    );
}

#[test]
fn argo_holds_what_its_tracking_id_names_and_no_copies() {
    let tracked = |id: &str| json!({"annotations": {"argocd.argoproj.io/tracking-id": id}});
    check(tracked("pay:/ConfigMap:wallet/app"), "Argo CD: pay");
    check(tracked("pay:/ConfigMap:wallet/other"), "unclaimed");
    check(tracked("pay:apps/Deployment:wallet/app"), "unclaimed");
    check(tracked("nonsense"), "unclaimed");
    check(
        json!({"labels": {"argocd.argoproj.io/instance": "pay"}}),
        "Argo CD: pay",
    );
    let instance = json!({"app.kubernetes.io/instance": "pay"});
    check(json!({"labels": instance}), "unclaimed");
    check(
        json!({"labels": instance, "managedFields": managers(&[("argocd-controller", "1", "")])}),
        "Argo CD: pay",
    );
}

#[test]
fn else_the_manager_that_made_it() {
    let fields = managers(&[
        ("kube-controller-manager", "2024-01-01T00:00:00Z", "status"),
        ("kubectl-edit", "2024-03-01T00:00:00Z", ""),
        ("kubectl-create", "2024-02-01T00:00:00Z", ""),
    ]);
    check(
        json!({"managedFields": fields}),
        "unclaimed, made by kubectl-create",
    );
    // Servers before 1.22 name no subresource: the controller's status looks like its object.
    let fields = managers(&[
        ("kube-controller-manager", "2024-01-01T00:00:00Z", ""),
        ("kubectl-create", "2024-01-01T00:00:00Z", ""),
    ]);
    check(
        json!({"managedFields": fields}),
        "unclaimed, made by kubectl-create",
    );
    let fields = managers(&[("kube-controller-manager", "2024-01-01T00:00:00Z", "")]);
    check(
        json!({"managedFields": fields}),
        "unclaimed, made by kube-controller-manager",
    );
    check(
        json!({"managedFields": "nonsense", "labels": 7}),
        "unclaimed",
    );
}

#[test]
fn adoption_takes_over_from_deployers_only() {
    for manager in [
        "kubectl-create",
        "kubectl-client-side-apply",
        "kubectl",
        "kubectl-edit",
        "kubectl-patch",
        "helm",
        "pulumi-kubernetes",
        "pulumi-kubernetes-1a2b",
        "terraform",
        "Terraform",
        "argocd-controller",
        "kustomize-controller",
        "before-first-apply",
    ] {
        assert!(is_deployer_manager(manager), "{manager}");
    }
    for manager in [
        "kube-controller-manager",
        "kubectl-scale",
        "kubectl-rollout",
        "vpa-updater",
        "underpin",
        "cert-manager-cainjector",
        "",
        "pulumi",
    ] {
        assert!(!is_deployer_manager(manager), "{manager}");
    }
}
