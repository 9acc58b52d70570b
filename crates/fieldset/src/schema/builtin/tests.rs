//! The committed table, and facts about Kubernetes' kinds that it must know.

use serde_json::Value;

use super::super::table::Table;
use super::super::{Schema, Type};
use super::{TEXT, builtin, builtin_kinds, builtin_table};

#[test]
fn the_committed_table_parses_and_is_canonical() {
    let table = Table::parse(TEXT).unwrap();
    assert!(table.kinds.len() > 100, "{} kinds", table.kinds.len());
    assert_eq!(table.to_string(), TEXT);
    assert_eq!(&table, builtin_table());
    assert!(TEXT.len() < 300_000);
}

/// The type at a path of field names; `[]` steps into a list, `*` into an object's other values.
fn at<'s>(schema: &'s Schema, root: &'s Type, path: &str) -> &'s Type {
    path.split('.')
        .filter(|step| !step.is_empty())
        .fold(root, |value, step| {
            match (schema.resolve(value), step) {
                (Type::List(list), "[]") => Some(&*list.element),
                (Type::Map(map), "*") => map.element.as_deref(),
                (Type::Map(map), name) => map.fields.get(name).map(|field| &field.value),
                _ => None,
            }
            .unwrap_or_else(|| panic!("nothing at {step} of {path}"))
        })
}

/// Expects the text form of the type at `path`, names followed if `expect` is no name.
#[track_caller]
fn check(kind: &str, path: &str, expect: &str) {
    let (api_version, kind) = kind.split_once(' ').unwrap();
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let kind = builtin(group, version, kind).unwrap();
    let value = at(&kind.schema, &kind.root, path);
    let value = if expect.starts_with("io.") {
        value
    } else {
        kind.schema.resolve(value)
    };
    let text = value.to_string();
    // What an object holds is of no interest where it is only asked whether it is atomic.
    let text = match expect {
        "atomic" | "granular" => match value {
            Type::Map(map) if map.atomic => "atomic".to_owned(),
            Type::Map(_) => "granular".to_owned(),
            _ => text,
        },
        _ => text,
    };
    let same = match expect.strip_suffix('…') {
        Some(begin) => text.starts_with(begin),
        None => text == expect,
    };
    assert!(same, "{path}: {text}, not {expect}");
}

#[test]
fn lists_of_a_pod_merge_by_their_keys() {
    let pod = |path, expect| check("v1 Pod", &format!("spec.{path}"), expect);
    pod("containers", "[name]…");
    pod("initContainers", "[name]…");
    pod("ephemeralContainers", "[name]…");
    pod("containers.[].ports", "[containerPort,protocol]…");
    pod("containers.[].env", "[name]…");
    pod("containers.[].envFrom", "[]io…");
    pod("containers.[].volumeMounts", "[mountPath]…");
    pod("containers.[].volumeDevices", "[devicePath]…");
    pod("containers.[].args", "[]s");
    pod("volumes", "[name]…");
    pod("imagePullSecrets", "[name]…");
    pod("tolerations", "[]io…");
    pod("hostAliases", "[ip]…");
    pod(
        "topologySpreadConstraints",
        "[topologyKey,whenUnsatisfiable]…",
    );
    pod("readinessGates", "[]io…");
    pod("nodeSelector", "!{}s");
    check("v1 Pod", "status.conditions", "[type]…");
    check("v1 Pod", "status.podIPs", "[ip]…");
    check("v1 Pod", "status.containerStatuses", "[]io…");
}

#[test]
fn lists_of_other_kinds_merge_by_their_keys() {
    check("v1 Service", "spec.ports", "[port,protocol]…");
    check("v1 Service", "spec.selector", "!{}s");
    check("v1 Service", "spec.externalIPs", "[]s");
    check("v1 ServiceAccount", "secrets", "[name]…");
    check("v1 ServiceAccount", "imagePullSecrets", "[]io…");
    check("v1 Secret", "data", "{}s");
    check("v1 ConfigMap", "data", "{}s");
    check("v1 PersistentVolumeClaim", "spec.accessModes", "[]s");
    check("v1 Endpoints", "subsets", "[]io…");
    check("apps/v1 Deployment", "spec.selector", "atomic");
    check("apps/v1 Deployment", "status.conditions", "[type]…");
    check(
        "apps/v1 Deployment",
        "spec.template.spec.containers.[].ports",
        "[containerPort,protocol]…",
    );
    check("apps/v1 StatefulSet", "spec.volumeClaimTemplates", "[]io…");
    check(
        "batch/v1 CronJob",
        "spec.jobTemplate.spec.template.spec.volumes",
        "[name]…",
    );
    check("networking.k8s.io/v1 Ingress", "spec.rules", "[]io…");
    check("networking.k8s.io/v1 Ingress", "spec.tls", "[]io…");
    check(
        "networking.k8s.io/v1 NetworkPolicy",
        "spec.podSelector",
        "atomic",
    );
    check(
        "networking.k8s.io/v1 NetworkPolicy",
        "spec.ingress",
        "[]io…",
    );
    check("discovery.k8s.io/v1 EndpointSlice", "endpoints", "[]io…");
    check("discovery.k8s.io/v1 EndpointSlice", "ports", "[]io…");
    check("policy/v1 PodDisruptionBudget", "spec.selector", "atomic");
    check(
        "rbac.authorization.k8s.io/v1 RoleBinding",
        "roleRef",
        "atomic",
    );
    check("rbac.authorization.k8s.io/v1 Role", "rules", "[]io…");
    check(
        "autoscaling/v2 HorizontalPodAutoscaler",
        "spec.metrics",
        "[]io…",
    );
    check("storage.k8s.io/v1 StorageClass", "parameters", "{}s");
    check(
        "admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration",
        "webhooks",
        "[name]…",
    );
    check(
        "apiregistration.k8s.io/v1 APIService",
        "status.conditions",
        "[type]…",
    );
}

#[test]
fn a_definition_of_custom_resources_may_nest_in_itself() {
    let schema = "spec.versions.[].schema.openAPIV3Schema";
    let definition = "apiextensions.k8s.io/v1 CustomResourceDefinition";
    check(definition, "spec.versions", "[]io…");
    check(definition, "spec.names.shortNames", "[]s");
    check(definition, "status.conditions", "[type]…");
    check(definition, &format!("{schema}.default"), "?");
    check(
        definition,
        &format!("{schema}.x-kubernetes-validations"),
        "[rule]…",
    );
    let nested = "properties.*.".repeat(50);
    check(definition, &format!("{schema}.{nested}required"), "[]s");
}

#[test]
fn every_kind_has_the_metadata_of_objects() {
    for (group, version, kind) in builtin_kinds() {
        let name = match group {
            "" => format!("{version} {kind}"),
            _ => format!("{group}/{version} {kind}"),
        };
        check(&name, "apiVersion", "s");
        check(&name, "kind", "s");
        check(
            &name,
            "metadata",
            "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta",
        );
    }
    check("v1 Pod", "metadata.ownerReferences", "[uid]…");
    check("v1 Pod", "metadata.ownerReferences.[]", "atomic");
    check("v1 Pod", "metadata.finalizers", "[=]s");
    check("v1 Pod", "metadata.managedFields", "[]io…");
    check("v1 Pod", "metadata.labels", "{}s");
    check("v1 Pod", "metadata.annotations", "{}s");
}

#[track_caller]
fn check_default(kind: &str, path: &str, field: &str, expect: Value) {
    let kind = builtin("", "v1", kind).unwrap();
    let value = kind.schema.resolve(at(&kind.schema, &kind.root, path));
    let Type::Map(map) = value else {
        panic!("{path} is {value}")
    };
    assert_eq!(map.fields[field].default, Some(expect));
}

#[test]
fn keys_have_the_defaults_of_the_server() {
    let ports = "spec.containers.[].ports.[]";
    check_default("Pod", ports, "protocol", "TCP".into());
    check_default("Service", "spec.ports.[]", "protocol", "TCP".into());
}

#[test]
fn kinds_are_known_by_group_version_and_kind() {
    assert!(builtin("", "v1", "Namespace").is_some());
    assert!(builtin("apps", "v1", "Namespace").is_none());
    assert!(builtin("extensions", "v1beta1", "Ingress").is_some());
    assert!(builtin("autoscaling", "v2beta2", "HorizontalPodAutoscaler").is_some());
    assert!(builtin("example.com", "v1", "Thing").is_none());
    let kinds: Vec<_> = builtin_kinds().collect();
    assert!(kinds.is_sorted());
    assert!(kinds.contains(&("apps", "v1", "Deployment")));
}
