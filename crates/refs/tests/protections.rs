//! R2.3: keys of other tools protect exactly as they do there.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "helpers of tests: a fixture that is wrong fails, and tables read better by value"
)]

mod common;

use common::{metadata_of, object};
use serde_json::{Value, json};
use underpin_refs::{protection_from_key, protections};

/// The keys that protect an object with this metadata.
#[track_caller]
fn check(metadata: Value, expect: &[&str]) {
    check_kind("v1", "ConfigMap", &metadata, expect);
}

#[track_caller]
fn check_kind(api_version: &str, kind: &str, metadata: &Value, expect: &[&str]) {
    let mut value = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "app"}});
    for (key, field) in metadata.as_object().unwrap() {
        value["metadata"][key] = field.clone();
    }
    let found = protections(&object(value.clone()));
    let keys: Vec<&str> = found.iter().map(|found| found.key.as_str()).collect();
    assert_eq!(keys, expect, "{metadata}");
    assert_eq!(protections(&metadata_of(value)), found);
    for protection in found {
        assert_eq!(protection_from_key(&protection.key), protection);
    }
}

#[track_caller]
fn annotation(key: &str, value: &str, expect: &[&str]) {
    check(json!({"annotations": {key: value}}), expect);
}

#[track_caller]
fn label(key: &str, value: &str, expect: &[&str]) {
    check(json!({"labels": {key: value}}), expect);
}

#[test]
fn values_that_protect_and_values_that_do_not() {
    annotation(
        "helm.sh/resource-policy",
        " Keep ",
        &["helm.sh/resource-policy=keep"],
    );
    annotation("helm.sh/resource-policy", "delete", &[]);
    label("helm.sh/resource-policy", "keep", &[]);
    annotation(
        "underpin.dev/protect",
        "keep",
        &["underpin.dev/protect=keep"],
    );
    annotation("underpin.dev/protect", "no", &[]);
    let argo = "argocd.argoproj.io/sync-options";
    annotation(
        argo,
        "ServerSideApply=true, Prune=false ,Delete=confirm",
        &[
            "argocd.argoproj.io/sync-options=Prune=false",
            "argocd.argoproj.io/sync-options=Delete=confirm",
        ],
    );
    annotation(argo, "Prune=true,PruneLast=true,Delete=falsey", &[]);
    let flux = "kustomize.toolkit.fluxcd.io/prune";
    annotation(
        flux,
        "disabled",
        &["kustomize.toolkit.fluxcd.io/prune=disabled"],
    );
    label(
        flux,
        "Disabled",
        &["kustomize.toolkit.fluxcd.io/prune=disabled"],
    );
    annotation(flux, "enabled", &[]);
    annotation(
        "kustomize.toolkit.fluxcd.io/reconcile",
        "disabled",
        &["kustomize.toolkit.fluxcd.io/reconcile=disabled"],
    );
    annotation("kustomize.toolkit.fluxcd.io/ssa", "Ignore", &[]);
    annotation(
        "kapp.k14s.io/delete-strategy",
        "orphan",
        &["kapp.k14s.io/delete-strategy=orphan"],
    );
    annotation("kapp.k14s.io/delete-strategy", "", &[]);
    annotation(
        "cli-utils.sigs.k8s.io/on-remove",
        "keep",
        &["cli-utils.sigs.k8s.io/on-remove=keep"],
    );
    annotation(
        "client.lifecycle.config.k8s.io/deletion",
        "detach",
        &["client.lifecycle.config.k8s.io/deletion=detach"],
    );
    label(
        "policy.kruise.io/delete-protection",
        "Always",
        &["policy.kruise.io/delete-protection=Always"],
    );
    annotation("policy.kruise.io/delete-protection", "Always", &[]);
    annotation(
        "werf.io/resource-policy",
        "skip-create,keep",
        &["werf.io/resource-policy=keep"],
    );
    annotation(
        "kluctl.io/skip-delete",
        "true",
        &["kluctl.io/skip-delete=true"],
    );
    annotation("kluctl.io/skip-delete", "false", &[]);
    annotation(
        "action.timoni.sh/prune",
        "disabled",
        &["action.timoni.sh/prune=disabled"],
    );
    label(
        "resourcetemplate.karmada.io/deletion-protected",
        "Always",
        &["resourcetemplate.karmada.io/deletion-protected=Always"],
    );
    label(
        "protection.fn.crossplane.io/block-deletion",
        "true",
        &["protection.fn.crossplane.io/block-deletion=true"],
    );
    check(json!({"annotations": 3, "labels": ["x"]}), &[]);
}

#[test]
fn gardener_protects_by_what_is_absent() {
    let absent = "confirmation.gardener.cloud/deletion is absent";
    let confirmed = json!({"annotations": {"confirmation.gardener.cloud/deletion": "true"}});
    check_kind(
        "core.gardener.cloud/v1beta1",
        "Shoot",
        &json!({}),
        &[absent],
    );
    check_kind("core.gardener.cloud/v1beta1", "Shoot", &confirmed, &[]);
    check_kind("core.gardener.cloud/v1beta1", "Seed", &json!({}), &[]);
    label(
        "gardener.cloud/deletion-protected",
        "true",
        &["gardener.cloud/deletion-protected=true"],
    );
    annotation(
        "resources.gardener.cloud/keep-object",
        "true",
        &["resources.gardener.cloud/keep-object=true"],
    );
    check(
        json!({"labels": {"gardener.cloud/deletion-protected": "true"}, "annotations": {
            "confirmation.gardener.cloud/deletion": "true",
            "resources.gardener.cloud/keep-object": "true"}}),
        &["resources.gardener.cloud/keep-object=true"],
    );
}

#[test]
fn what_each_protects_from() {
    for (key, from_delete, from_replace, cascading_only) in [
        ("helm.sh/resource-policy=keep", true, true, false),
        (
            "policy.kruise.io/delete-protection=Cascading",
            true,
            true,
            true,
        ),
        ("werf.io/resource-policy=skip-recreate", false, true, false),
        ("future.example.com/key=value", true, true, false),
        ("", true, true, false),
    ] {
        let protection = protection_from_key(key);
        assert_eq!(protection.key, key);
        assert_eq!(
            (
                protection.from_delete,
                protection.from_replace,
                protection.cascading_only
            ),
            (from_delete, from_replace, cascading_only),
            "{key}"
        );
    }
}
