//! Properties: nothing panics on arbitrary JSON, and the index answers as a naive scan does.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "helpers of tests: a fixture that is wrong fails, and tables read better by value"
)]

mod common;

use std::collections::BTreeMap;

use common::object;
use proptest::prelude::*;
use serde_json::{Value, json};
use underpin_model::{ClaimIndex, Object, ObjectKey, Reference, Target, World};
use underpin_refs::{
    ImageSources, ReferenceIndex, generated, images, images_in_text, opened_name, pod_labels,
    presence, protections, references, service_hosts, tool_owner,
};

/// Kinds to put arbitrary fields under, with their API versions.
const KINDS: &[(&str, &str)] = &[
    ("v1", "Pod"),
    ("v1", "Service"),
    ("v1", "ConfigMap"),
    ("v1", "ServiceAccount"),
    ("v1", "PersistentVolume"),
    ("v1", "PersistentVolumeClaim"),
    ("v1", "Secret"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("batch/v1", "CronJob"),
    ("networking.k8s.io/v1", "Ingress"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("policy/v1", "PodDisruptionBudget"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"),
    (
        "admissionregistration.k8s.io/v1",
        "ValidatingWebhookConfiguration",
    ),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
    ("storage.k8s.io/v1", "StorageClass"),
    ("external-secrets.io/v1", "ExternalSecret"),
    ("networking.istio.io/v1", "VirtualService"),
    ("example.com/v1", "Widget"),
];

/// Field names that some module looks for, so that arbitrary JSON reaches deep.
const FIELDS: &[&str] = &[
    "spec",
    "template",
    "jobTemplate",
    "metadata",
    "labels",
    "containers",
    "env",
    "envFrom",
    "value",
    "valueFrom",
    "secretKeyRef",
    "secretRef",
    "configMap",
    "secret",
    "name",
    "namespace",
    "volumes",
    "projected",
    "sources",
    "persistentVolumeClaim",
    "claimName",
    "volumeClaimTemplates",
    "replicas",
    "ordinals",
    "start",
    "selector",
    "matchLabels",
    "matchExpressions",
    "podSelector",
    "namespaceSelector",
    "ingress",
    "egress",
    "from",
    "to",
    "rules",
    "http",
    "paths",
    "backend",
    "service",
    "tls",
    "secretName",
    "subjects",
    "roleRef",
    "kind",
    "webhooks",
    "clientConfig",
    "parameters",
    "data",
    "args",
    "target",
    "scaleTargetRef",
    "gateways",
    "route",
    "destination",
];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("db.wallet.svc.cluster.local:5432".to_owned()),
        Just("http://u:p@a.b:80,c/\u{e9}".to_owned()),
        "[a-z0-9.:/@${}\u{e9}_%-]{0,24}",
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(7, 64, 5, |inner| {
        let key = prop::sample::select(FIELDS).prop_map(str::to_owned);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key, inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn nothing_panics_on_arbitrary_objects(
        kind in prop::sample::select(KINDS),
        spec in value(),
        other in value(),
        annotation in text(),
        owners in value(),
    ) {
        let value = json!({
            "apiVersion": kind.0, "kind": kind.1,
            "metadata": {
                "name": "x", "namespace": "wallet", "labels": other, "ownerReferences": owners,
                "managedFields": owners,
                "annotations": {"underpin.dev/route": annotation,
                    "nginx.ingress.kubernetes.io/auth-secret": annotation},
            },
            "spec": spec, "data": other, "subjects": other, "roleRef": other, "webhooks": other,
            "parameters": other, "secrets": other,
        });
        let object = object(value);
        let world = World::default();
        let found = references(&object, &world);
        prop_assert_eq!(&found, &references(&object, &world));
        for reference in &found {
            if let Target::Object(key) = &reference.target {
                prop_assert!(!key.name.is_empty());
            }
        }
        let _ = (generated(&object), pod_labels(&object), presence(&object, &world, &ClaimIndex::default()));
        let _ = (protections(&object), tool_owner(&object));
        let read_yaml = |text: &str| Ok(json!({"image": text}));
        let sources = ImageSources { world: &world, read_yaml: &read_yaml };
        let named = images(&object, sources);
        prop_assert_eq!(&named, &images(&object, sources));
        opened_name(&annotation);
        // A text of one letter behind a host is the shortest name there is.
        for mention in images_in_text(&object, &["a", "b.c"], sources) {
            prop_assert!(!mention.evidence.path.as_str().is_empty());
        }
    }

    #[test]
    fn hosts_lie_where_they_say(text in "[a-c.:/@ {$é_-]{0,40}|(a\\.b\\.svc[:.]?){0,4}") {
        for host in service_hosts(&text) {
            prop_assert!(text[host.offset..].starts_with(host.name));
        }
    }

    #[test]
    fn the_index_answers_as_a_naive_scan(world in small_world()) {
        let index = ReferenceIndex::build(&world);
        let all: Vec<Reference> =
            world.objects().flat_map(|object| references(object, &world)).collect();
        prop_assert_eq!(index.all().collect::<Vec<_>>(), all.iter().collect::<Vec<_>>());
        let mut keys: Vec<ObjectKey> = world.objects().map(|object| object.key.clone()).collect();
        keys.extend(["n0", "n1", "n9"].map(ObjectKey::of_namespace));
        for key in keys {
            let naive: Vec<&Reference> =
                all.iter().filter(|reference| points_at(&reference.target, &key, &world)).collect();
            prop_assert_eq!(index.needing(&key), naive, "{}", key);
            let stated: Vec<&Reference> =
                all.iter().filter(|reference| reference.from == key).collect();
            prop_assert_eq!(index.from(&key).collect::<Vec<_>>(), stated);
        }
    }
}

/// The meaning of a target, written a second time and without any index.
fn points_at(target: &Target, key: &ObjectKey, world: &World) -> bool {
    match target {
        Target::Object(named) => named == key,
        Target::Selected {
            kind,
            namespace,
            selector,
        } => {
            let Some(object) = world.get(key) else {
                return false;
            };
            let here = namespace.is_none() || *namespace == key.namespace;
            let by_itself = *kind == key.kind && selector.matches(&object.labels());
            let as_pods = kind.is("", "Pod")
                && pod_labels(object).is_some_and(|labels| selector.matches(&labels));
            here && (by_itself || as_pods)
        }
        Target::Namespaces(selector) => {
            let mut labels = world.get(key).map_or_else(BTreeMap::new, Object::labels);
            labels.insert("kubernetes.io/metadata.name", &key.name);
            key.is_namespace() && selector.matches(&labels)
        }
    }
}

fn labels() -> impl Strategy<Value = Value> {
    prop::collection::btree_map("[ab]", "[xy]", 0..3).prop_map(|map| json!(map))
}

fn selector() -> impl Strategy<Value = Value> {
    let values = prop::collection::vec("[xy]|n0", 1..3);
    let key = prop_oneof![Just("a"), Just("b"), Just("kubernetes.io/metadata.name")];
    let operator = prop::sample::select(vec!["In", "NotIn", "Exists", "DoesNotExist", "Bad"]);
    let expression = (key, operator, values).prop_map(
        |(key, operator, values)| json!({"key": key, "operator": operator, "values": values}),
    );
    (labels(), prop::collection::vec(expression, 0..2)).prop_map(
        |(labels, expressions)| json!({"matchLabels": labels, "matchExpressions": expressions}),
    )
}

fn any_object() -> impl Strategy<Value = Value> {
    let place = (0..3_u8, 0..4_u8);
    (0..7_u8, place, labels(), selector(), selector()).prop_map(
        |(kind, (namespace, name), labels, one, two)| {
            let metadata = json!({
                "name": format!("o{name}"), "namespace": format!("n{namespace}"), "labels": labels,
            });
            match kind {
                0 => json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {
                    "volumes": [{"configMap": {"name": format!("o{}", name ^ 1)}}]}}),
                1 => json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata,
                    "spec": {"template": {"metadata": {"labels": labels}, "spec": {}}}}),
                2 => json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata,
                    "spec": {"selector": labels}}),
                3 => json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
                    "metadata": metadata, "spec": {"podSelector": one, "ingress": [{"from": [
                        {"namespaceSelector": two, "podSelector": one}, {"podSelector": two}]}]}}),
                4 => json!({"apiVersion": "v1", "kind": "Namespace",
                    "metadata": {"name": format!("n{namespace}"), "labels": labels}}),
                5 => json!({"apiVersion": "monitoring.coreos.com/v1", "kind": "ServiceMonitor",
                    "metadata": metadata, "spec": {"selector": one,
                        "namespaceSelector": {"any": name % 2 == 0}}}),
                _ => json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}),
            }
        },
    )
}

fn small_world() -> impl Strategy<Value = World> {
    prop::collection::vec(any_object(), 0..24)
        .prop_map(|objects| common::world(objects.into_iter().map(object)))
}
