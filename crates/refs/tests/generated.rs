//! What controllers make without its being declared.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "helpers of tests: a fixture that is wrong fails, and tables read better by value"
)]

mod common;

use common::object;
use serde_json::{Value, json};
use underpin_refs::generated;

#[track_caller]
fn check(api_version: &str, kind: &str, more: Value, expect: &[&str]) {
    let mut value = json!({
        "apiVersion": api_version, "kind": kind, "metadata": {"name": "x", "namespace": "wallet"},
    });
    for (key, field) in more.as_object().unwrap() {
        if key == "annotations" {
            value["metadata"][key] = field.clone();
        } else {
            value[key] = field.clone();
        }
    }
    let keys: Vec<String> = generated(&object(value))
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(keys, expect, "{kind} {more}");
}

#[test]
fn secrets_of_controllers() {
    let external = |target: Value| json!({"spec": {"target": target}});
    check(
        "external-secrets.io/v1",
        "ExternalSecret",
        json!({}),
        &["secret/wallet/x"],
    );
    check(
        "external-secrets.io/v1",
        "ExternalSecret",
        external(json!({"name": "made"})),
        &["secret/wallet/made"],
    );
    check(
        "external-secrets.io/v1",
        "ExternalSecret",
        external(json!({"creationPolicy": "Merge"})),
        &[],
    );
    check(
        "bitnami.com/v1alpha1",
        "SealedSecret",
        json!({}),
        &["secret/wallet/x"],
    );
    check(
        "cert-manager.io/v1",
        "Certificate",
        json!({"spec": {"secretName": "tls"}}),
        &["secret/wallet/tls"],
    );
    check(
        "cert-manager.io/v1",
        "Issuer",
        json!({"spec": {"acme": {"privateKeySecretRef": {"name": "key"}}}}),
        &["secret/wallet/key"],
    );
    let vault = |create: bool| json!({"spec": {"destination": {"name": "v", "create": create}}});
    check(
        "secrets.hashicorp.com/v1beta1",
        "VaultStaticSecret",
        vault(true),
        &["secret/wallet/v"],
    );
    check(
        "secrets.hashicorp.com/v1beta1",
        "VaultStaticSecret",
        vault(false),
        &[],
    );
    check(
        "secrets.infisical.com/v1alpha1",
        "InfisicalSecret",
        json!({"spec": {"managedSecretReference": {"secretName": "i", "secretNamespace": "other"}}}),
        &["secret/other/i"],
    );
    let tls = json!({"spec": {"tls": [{"secretName": "tls"}]}});
    check("networking.k8s.io/v1", "Ingress", tls.clone(), &[]);
    let mut issued = tls;
    issued["annotations"] = json!({"cert-manager.io/issuer": "le"});
    check(
        "networking.k8s.io/v1",
        "Ingress",
        issued,
        &["secret/wallet/tls"],
    );
}

#[test]
fn workloads_databases_and_services() {
    check(
        "apps/v1",
        "StatefulSet",
        json!({"spec": {"replicas": 2, "volumeClaimTemplates": [{"metadata": {"name": "data"}}]}}),
        &[
            "persistentvolumeclaim/wallet/data-x-0",
            "persistentvolumeclaim/wallet/data-x-1",
        ],
    );
    check("v1", "Service", json!({}), &["endpoints/wallet/x"]);
    check(
        "v1",
        "ServiceAccount",
        json!({"secrets": [{"name": "x-token-1"}, {"name": "own"}]}),
        &["secret/wallet/x-token-1"],
    );
    check(
        "postgresql.cnpg.io/v1",
        "Cluster",
        json!({}),
        &[
            "service/wallet/x-rw",
            "service/wallet/x-ro",
            "service/wallet/x-r",
            "secret/wallet/x-app",
            "secret/wallet/x-superuser",
            "secret/wallet/x-ca",
            "secret/wallet/x-server",
            "secret/wallet/x-replication",
        ],
    );
    check(
        "keda.sh/v1alpha1",
        "ScaledObject",
        json!({}),
        &["horizontalpodautoscaler.autoscaling/wallet/keda-hpa-x"],
    );
    check(
        "acid.zalan.do/v1",
        "postgresql",
        json!({"spec": {"users": {"app_user": []}}}),
        &[
            "service/wallet/x",
            "service/wallet/x-repl",
            "secret/wallet/app-user.x.credentials.postgresql.acid.zalan.do",
            "secret/wallet/postgres.x.credentials.postgresql.acid.zalan.do",
            "secret/wallet/standby.x.credentials.postgresql.acid.zalan.do",
        ],
    );
    check("v1", "ConfigMap", json!({}), &[]);
}
