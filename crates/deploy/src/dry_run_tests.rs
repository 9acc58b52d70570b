//! Which objects the server is asked about: all but those that are provably left as they are.

use serde_json::{Value, json};
use underpin_model::{
    Action, Claim, ClaimId, Depth, GroupKind, KeepReason, LogicalKey, Object, ObjectKey, Origin,
    ResourceKind, Unread, World, names,
};
use underpin_plan::{
    Acceptances, Environment, FieldConflict, Fingerprints, MergeOutcome, Preparation, Prepared,
    Situation, UpInput, plan_up, resolve_placement,
};

use crate::{
    dry_run::{DryRuns, dry_runs},
    kinds::Kinds,
    mock::{Blind, cluster, deployment, field_conflicts},
};

const STAMP: &str = "own/n1";

/// One declared object, the live one of that name, and the world around.
struct Scene {
    world: World,
    declared: Value,
    live: Value,
    depth: Depth,
    situation: Situation,
}

fn config_map() -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {
            "name": "app", "namespace": "wallet", "labels": {"app": "wallet"},
            "annotations": {names::STAMP_ANNOTATION: STAMP},
        },
        "data": {"greeting": "hello"},
    })
}

/// The fields of `config_map`.
fn fields() -> Value {
    json!({
        "f:metadata": {
            "f:labels": {"f:app": {}},
            "f:annotations": {format!("f:{}", names::STAMP_ANNOTATION): {}},
        },
        "f:data": {"f:greeting": {}},
    })
}

/// An object as it is after it was applied in this version with these fields.
fn applied(mut object: Value, version: &str, fields: &Value) -> Value {
    let metadata = object["metadata"].as_object_mut().unwrap();
    metadata.insert("uid".to_owned(), json!("u1"));
    metadata.insert("resourceVersion".to_owned(), json!("7"));
    metadata.insert(
        "managedFields".to_owned(),
        json!([{
            "manager": names::FIELD_MANAGER, "operation": "Apply", "apiVersion": version,
            "time": "2026-01-01T00:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": fields,
        }]),
    );
    object
}

fn object(value: Value, depth: Depth) -> Object {
    Object::from_value(value, depth, Origin::Live).unwrap()
}

fn served(group: &str, kind: &str, plural: &str) -> ResourceKind {
    ResourceKind {
        kind: GroupKind::new(group, kind),
        version: "v1".to_owned(),
        versions: vec!["v1".to_owned()],
        plural: plural.to_owned(),
        namespaced: true,
        listable: true,
    }
}

/// A ConfigMap of ours, unchanged.
fn unchanged() -> Scene {
    let mut world = World::default();
    for kind in [
        served("", "ConfigMap", "configmaps"),
        served("example.com", "Widget", "widgets"),
    ] {
        world.kinds.insert(kind.kind.clone(), kind);
    }
    let namespace =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "wallet"}});
    world.insert(object(namespace, Depth::Full));
    Scene {
        world,
        declared: config_map(),
        live: applied(config_map(), "v1", &fields()),
        depth: Depth::Full,
        situation: Situation::Ours,
    }
}

/// Asks about a scene: the world with the live object, what was declared, the answers, and how
/// many dry runs were sent.
async fn ask(mut scene: Scene) -> (World, Prepared, DryRuns, usize) {
    scene.world.insert(object(scene.live, scene.depth));
    let desired = object(scene.declared, Depth::Full);
    let prepared = Prepared {
        logical: LogicalKey::of(&desired.key, "wallet"),
        situation: scene.situation,
        desired,
        left_alone: Vec::new(),
        nonce: "n1".to_owned(),
        adopt: false,
    };
    let (cluster, log) = cluster(|request| {
        assert!(request.says("dryRun=All"), "{request:?}");
        (200, request.body.clone())
    });
    let kinds = Kinds::new(&scene.world, std::iter::empty());
    let objects = std::slice::from_ref(&prepared);
    let answers = dry_runs(&deployment(&cluster), &scene.world, &kinds, objects, &Blind).await;
    let asked = log.lock().unwrap().len();
    (scene.world, prepared, answers, asked)
}

/// Whether the server is asked once the scene of an unchanged ConfigMap is changed so.
#[track_caller]
fn check(about: &str, asked: bool, change: impl FnOnce(&mut Scene)) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let mut scene = unchanged();
    change(&mut scene);
    let (.., sent) = runtime.block_on(ask(scene));
    assert_eq!(sent, usize::from(asked), "{about}");
}

#[test]
fn the_server_is_asked_unless_nothing_changes() {
    check("nothing changes", false, |_| {});
    check("a value", true, |scene| {
        scene.declared["data"]["greeting"] = json!("hi");
    });
    check("a live value", true, |scene| {
        scene.live["data"]["greeting"] = json!("hi");
    });
    check("a new field", true, |scene| {
        scene.declared["data"]["more"] = json!("x");
    });
    check("a field that is no longer declared", true, |scene| {
        scene.declared["metadata"]
            .as_object_mut()
            .unwrap()
            .remove("labels");
    });
    check("our stamp, which counts as declared", true, |scene| {
        scene.declared["metadata"]["annotations"][names::STAMP_ANNOTATION] = json!("own/n2");
    });
    check("the version", true, |scene| {
        scene.live = applied(config_map(), "v1beta1", &fields());
    });
    check("the field set", true, |scene| {
        let fields = json!({"f:data": {"f:greeting": {}}});
        scene.live = applied(config_map(), "v1", &fields);
    });
    check("the manager", true, |scene| {
        scene.live["metadata"]["managedFields"][0]["manager"] = json!("helm");
    });
    check("fields of others beside ours", false, |scene| {
        scene.live["data"]["theirs"] = json!("x");
    });
    check("the owner", true, |scene| {
        scene.situation = Situation::Unowned;
    });
    check("only metadata was read", true, |scene| {
        scene.depth = Depth::Metadata;
    });
}

fn webhook(operation: &str, resource: &str) -> Object {
    let value = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "inject"},
        "webhooks": [{"name": "a.example.com", "rules": [{
            "apiGroups": [""], "apiVersions": ["v1"],
            "operations": [operation], "resources": [resource],
        }]}],
    });
    object(value, Depth::Full)
}

/// What admission would add is seen by the server alone.
#[test]
fn what_admission_may_change_is_asked_about() {
    for (operation, resource, asked) in [
        ("UPDATE", "configmaps", true),
        ("*", "*", true),
        ("UPDATE", "*/*", true),
        ("CREATE", "configmaps", false),
        ("UPDATE", "pods", false),
    ] {
        check(&format!("{operation} {resource}"), asked, |scene| {
            scene.world.insert(webhook(operation, resource));
        });
    }
    check("nobody knows which webhooks there are", true, |scene| {
        scene.world.unread.push(Unread {
            kind: Some(GroupKind::new(
                "admissionregistration.k8s.io",
                "MutatingWebhookConfiguration",
            )),
            group: String::new(),
            namespace: None,
            reason: "forbidden".to_owned(),
        });
    });
    check(
        "a policy that does not say what it matches",
        true,
        |scene| {
            let policy = json!({
                "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingAdmissionPolicy",
                "metadata": {"name": "inject"}, "spec": {},
            });
            scene.world.insert(object(policy, Depth::Full));
        },
    );
}

fn definition() -> Object {
    let schema = json!({
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": {
            "parts": {
                "type": "array", "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
                "items": {
                    "type": "object", "required": ["name"],
                    "properties": {"name": {"type": "string"}, "size": {"type": "integer"}},
                },
            },
        }}},
    });
    let value = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com", "scope": "Namespaced",
            "names": {"kind": "Widget", "plural": "widgets"},
            "versions": [{"name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": schema}}],
        },
    });
    object(value, Depth::Full)
}

/// The schema of a custom resource is that of its live definition.
#[test]
fn a_custom_resource_is_judged_by_its_definition() {
    let widget = |scene: &mut Scene| {
        let value = json!({
            "apiVersion": "example.com/v1", "kind": "Widget",
            "metadata": {"name": "app", "namespace": "wallet"},
            "spec": {"parts": [{"name": "a", "size": 1}]},
        });
        let fields = json!({"f:spec": {"f:parts": {
            "k:{\"name\":\"a\"}": {".": {}, "f:name": {}, "f:size": {}},
        }}});
        scene.live = applied(value.clone(), "example.com/v1", &fields);
        scene.declared = value;
    };
    check("with its definition", false, |scene| {
        widget(scene);
        scene.world.insert(definition());
    });
    check("another size", true, |scene| {
        widget(scene);
        scene.world.insert(definition());
        scene.declared["spec"]["parts"][0]["size"] = json!(2);
    });
    check("without its definition", true, widget);
}

/// What an adoption takes is what others own now, and no more than that is consented to.
#[tokio::test(start_paused = true)]
async fn what_is_taken_over_is_written_down() {
    let mut scene = unchanged();
    scene.declared["data"]["greeting"] = json!("hi");
    let live = object(scene.live, Depth::Full);
    scene.world.insert(live.clone());
    let desired = object(scene.declared, Depth::Full);
    let (cluster, log) = cluster(|request| {
        if request.says("force=true") {
            return (200, request.body.clone());
        }
        field_conflicts(&[("somebody", ".data.greeting")].into())
    });
    for (adopt, requests) in [(false, 1), (true, 2)] {
        let prepared = Prepared {
            logical: LogicalKey::of(&desired.key, "wallet"),
            situation: Situation::Unowned,
            desired: desired.clone(),
            left_alone: Vec::new(),
            nonce: "n1".to_owned(),
            adopt,
        };
        let kinds = Kinds::new(&scene.world, std::iter::empty());
        let deployment = deployment(&cluster);
        let answers = dry_runs(&deployment, &scene.world, &kinds, &[prepared], &Blind).await;
        let conflict = FieldConflict {
            manager: "somebody".to_owned(),
            field: ".data.greeting".to_owned(),
        };
        let taken = answers.taken.get(&desired.key);
        assert_eq!(taken, adopt.then(|| vec![conflict]).as_ref());
        let outcome = answers.outcomes.get(&desired.key);
        assert_eq!(matches!(outcome, Some(MergeOutcome::Merged(_))), adopt);
        assert_eq!(std::mem::take(&mut *log.lock().unwrap()).len(), requests);
    }
}

/// What the server was not asked about is planned as if it had said that nothing changes.
#[tokio::test(start_paused = true)]
async fn an_unchanged_object_is_kept() {
    let (world, prepared, answers, asked) = ask(unchanged()).await;
    assert_eq!(asked, 0);
    let environment = Environment {
        stack: "wallet".to_owned(),
        name: "production".to_owned(),
        namespace: Some("wallet".to_owned()),
        ..Environment::default()
    };
    let claim = Claim::new(ClaimId("own".to_owned()), "wallet", "production", "uid");
    let placement = resolve_placement(&environment.derivation(), Some(&claim), &world).unwrap();
    let preparation = Preparation {
        placement,
        objects: vec![prepared],
        problems: Vec::new(),
    };
    let input = UpInput {
        environment: &environment,
        claim: Some(&claim),
        world: &world,
        outcomes: &answers.outcomes,
        fingerprints: &Fingerprints::new(None),
        acceptances: &Acceptances::default(),
    };
    let plan = plan_up(&input, preparation);
    let key = ObjectKey::namespaced(GroupKind::core("ConfigMap"), "wallet", "app");
    let step = plan.step(&key).unwrap();
    assert_eq!(step.action, Action::Keep(KeepReason::Unchanged));
    assert!(step.validated && step.changes.is_empty());
}
