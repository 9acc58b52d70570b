//! Which movements of the world a frozen plan is refused for, and which it does not mind.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::needless_pass_by_value,
    reason = "a test fails by panicking, and its tables are literals"
)]

mod support;

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};
use support::Scene;
use underpin_plan::{
    Fingerprints, FrozenAction, FrozenPlan, FrozenStep, Sealer, Surroundings, applied_content,
    revision_diff,
};

const SECRET: &str = "aHVudGVyMg==";

/// An environment of which the plan updates, keeps, creates and deletes something.
fn scene() -> Value {
    let mut scene = json!({
        "environment": {"of": "wallet/production"},
        "claims": [{"of": "wallet/production", "home": "wallet", "entries": [
            "v1 Namespace wallet", "v1 ConfigMap wallet/app", "v1 ConfigMap wallet/same",
            "v1 ConfigMap wallet/old", "v1 Secret wallet/db",
        ]}],
        "world": [
            "v1 Namespace wallet",
            {"o": "v1 ConfigMap wallet/app", "data": {"a": "1", "other": "x"}},
            {"o": "v1 ConfigMap wallet/same", "data": {"a": "1"}},
            {"o": "v1 ConfigMap wallet/old", "data": {"a": "1"}},
            {"o": "v1 Secret wallet/db", "data": {"password": SECRET}},
        ],
        "declared": [
            {"o": "v1 ConfigMap app", "data": {"a": "2"}},
            {"o": "v1 ConfigMap same", "data": {"a": "1"}},
            {"o": "v1 ConfigMap new", "data": {"a": "1"}},
            {"o": "v1 Secret db", "data": {"password": SECRET}},
        ],
    });
    scene["world"][0] = json!({"o": "v1 Namespace wallet"});
    for object in scene["world"].as_array_mut().unwrap() {
        object["meta"] = json!({"annotations": {
            "underpin.dev/claim": "wallet-production/nonce",
            "underpin.dev/environment": "wallet/production",
        }});
    }
    scene
}

fn sealer() -> Sealer {
    Sealer::keyed(&Fingerprints::new(Some([7; 32]))).unwrap()
}

fn salted() -> Sealer {
    Sealer::salted([9; 32], &Fingerprints::new(Some([7; 32])))
}

fn frozen(scene: &Value, sealer: &Sealer) -> FrozenPlan {
    let scene = Scene::new(scene);
    let around = Surroundings {
        at: "2026-01-01T00:00:00Z",
        cluster: "cluster",
        claim: scene.claim(),
        accepted: &scene.acceptances.record(),
        findings: &scene.verdict().findings,
        adopt: &scene.environment.adopt,
    };
    FrozenPlan::of(&scene.plan(), around, sealer)
}

/// A Deployment beside the environment that reads the Secret which the plan deletes.
fn reader(name: &str) -> Value {
    let from = json!([{"secretRef": {"name": "gone"}}]);
    json!({
        "o": format!("apps/v1 Deployment wallet/{name}"),
        "spec": {"template": {"spec": {"containers": [{"name": "c", "image": "i", "envFrom": from}]}}},
    })
}

/// An acceptance covers whom the finding concerned when the plan was frozen, and nobody who came
/// later.
#[test]
fn what_was_accepted_for_one_is_not_accepted_for_another() {
    let with = |readers: &[&str]| {
        let mut scene = scene();
        let gone = json!("v1 Secret wallet/gone");
        let entries = scene["claims"][0]["entries"].as_array_mut().unwrap();
        entries.push(gone);
        let world = scene["world"].as_array_mut().unwrap();
        world.push(
            json!({"o": "v1 Secret wallet/gone", "meta": {"annotations": {
                "underpin.dev/claim": "wallet-production/nonce",
                "underpin.dev/environment": "wallet/production",
            }}}),
        );
        world.extend(readers.iter().map(|name| reader(name)));
        scene["accept"] = json!(["UP107:secret/wallet/gone"]);
        frozen(&scene, &sealer())
    };
    let one = with(&["first"]);
    assert_eq!(one.moved(&with(&["first"])), []);
    let moved = one.moved(&with(&["first", "second"]));
    let said: Vec<_> = moved
        .iter()
        .map(|one| (&*one.subject, &*one.message))
        .collect();
    assert_eq!(
        said,
        [(
            "UP107:secret/wallet/gone",
            "was accepted for less, and now concerns deployment.apps/wallet/second \
             spec.template.spec.containers[0].envFrom[0].secretRef.name too"
        )]
    );
    // Who needs it no longer is not missed.
    assert_eq!(with(&["first", "second"]).moved(&one), []);
}

/// What is said after `movement` of the scene.
#[track_caller]
fn check(movement: impl Fn(&mut Value), expect: &[&str]) {
    for sealer in [sealer(), salted()] {
        let before = frozen(&scene(), &sealer);
        let mut after = scene();
        movement(&mut after);
        let moved = before.moved(&frozen(&after, &sealer));
        let said: Vec<String> = moved
            .into_iter()
            .map(|one| format!("{}: {}", one.subject, one.message))
            .collect();
        assert_eq!(said, expect, "{:?}", before.digests);
    }
}

fn live(scene: &mut Value, name: &str) -> usize {
    let world = scene["world"].as_array().unwrap();
    let ends = |one: &Value| {
        let text = one.as_str().or_else(|| one["o"].as_str()).unwrap();
        text.ends_with(name)
    };
    world.iter().position(ends).unwrap()
}

fn remove(scene: &mut Value, name: &str) {
    let at = live(scene, name);
    scene["world"].as_array_mut().unwrap().remove(at);
}

fn change(scene: &mut Value, name: &str, field: &str, value: Value) {
    let at = live(scene, name);
    scene["world"][at][field] = value;
}

/// Adds to an object's metadata.
fn mark(scene: &mut Value, name: &str, field: &str, value: Value) {
    let at = live(scene, name);
    scene["world"][at]["meta"][field] = value;
}

#[test]
fn what_does_not_matter_is_not_minded() {
    check(|_| {}, &[]);
    // Status, versions, fields that nobody declares, other objects, other claims.
    check(|s| change(s, "/app", "status", json!({"ready": true})), &[]);
    check(|s| mark(s, "/app", "resourceVersion", json!("9")), &[]);
    check(
        |s| change(s, "/app", "data", json!({"a": "1", "other": "y"})),
        &[],
    );
    check(|s| mark(s, "/old", "resourceVersion", json!("9")), &[]);
    check(|s| mark(s, "/same", "labels", json!({"a": "b"})), &[]);
    check(
        |s| {
            let other = json!({"o": "v1 ConfigMap elsewhere/x", "data": {"a": "1"}});
            s["world"].as_array_mut().unwrap().push(other);
            s["world"]
                .as_array_mut()
                .unwrap()
                .push(json!("v1 Namespace elsewhere"));
        },
        &[],
    );
}

#[test]
fn what_matters_is_told() {
    let app = "configmap/wallet/app";
    check(
        |s| change(s, "/app", "data", json!({"a": "3", "other": "x"})),
        &["configmap/wallet/app: it was changed in the cluster since"],
    );
    check(
        |s| s["declared"][0]["data"]["a"] = json!("4"),
        &["configmap/wallet/app: what the stack declares of it changed since"],
    );
    check(
        |s| change(s, "/same", "data", json!({"a": "drift"})),
        &[
            "configmap/wallet/same: was to be left as it is by the plan, and would now be updated \
             (1 field changes)",
        ],
    );
    check(
        |s| change(s, "/old", "data", json!({"a": "edited"})),
        &["configmap/wallet/old: it was changed in the cluster since"],
    );
    check(
        |s| {
            change(
                s,
                "/old",
                "meta",
                json!({"uid": "another", "annotations": {}}),
            );
        },
        &["/ConfigMap/old: the object under this name is not this environment's any more"],
    );
    check(
        |s| remove(s, "/app"),
        &[&format!(
            "{app}: was to be updated by the plan, and would now be created (was deleted by \
             somebody else)"
        )],
    );
    check(
        |s| {
            let theirs = json!({"o": "v1 ConfigMap wallet/new", "data": {"a": "0"}});
            s["world"].as_array_mut().unwrap().push(theirs);
        },
        &[
            "configmap/wallet/new: was to be created by the plan, and would now be adopted (exists \
             without a recorded owner)",
        ],
    );
    check(
        |s| {
            let more = json!({"o": "v1 ConfigMap more"});
            s["declared"].as_array_mut().unwrap().push(more);
        },
        &[
            "configmap/wallet/more: would now be created (is not there yet), and the plan does not \
             have it",
        ],
    );
    check(
        |s| {
            s["declared"].as_array_mut().unwrap().remove(2);
        },
        &[
            "configmap/wallet/new: was to be created by the plan, and would now not be touched at \
             all",
        ],
    );
    check(
        |s| {
            let at = live(s, "/old");
            s["world"][at]["meta"]["annotations"]["underpin.dev/protect"] = json!("keep");
        },
        &[
            "configmap/wallet/old: was to be deleted by the plan, and would now be kept, being \
             protected (protected by underpin.dev/protect=keep)",
        ],
    );
}

/// Under another claim every object would be stamped anew too; that it is another is said first.
#[test]
fn another_claim_is_told() {
    let mut after = scene();
    after["claims"][0]["id"] = json!("another");
    let moved = frozen(&scene(), &sealer()).moved(&frozen(&after, &sealer()));
    assert_eq!(moved[0].subject, "wallet/production");
    assert!(
        moved[0]
            .message
            .starts_with("is recorded under another claim")
    );
}

/// A run that was cut is run again: what is done already does not matter.
#[test]
fn what_is_done_is_not_minded() {
    check(
        |s| change(s, "/app", "data", json!({"a": "2", "other": "x"})),
        &[],
    );
    check(|s| remove(s, "/old"), &[]);
    check(
        |s| {
            remove(s, "/old");
            s["claims"][0]["entries"].as_array_mut().unwrap().remove(3);
            let meta = s["world"][0]["meta"].clone();
            let done = json!({"o": "v1 ConfigMap wallet/new", "data": {"a": "1"}, "meta": meta});
            s["world"].as_array_mut().unwrap().push(done);
            let entry = json!("v1 ConfigMap wallet/new");
            s["claims"][0]["entries"]
                .as_array_mut()
                .unwrap()
                .push(entry);
        },
        &[],
    );
    // The first run makes the claim.
    let first = json!({
        "environment": {"of": "wallet/production"},
        "declared": [{"o": "v1 ConfigMap app", "data": {"a": "2"}}],
    });
    let mut cut = first.clone();
    cut["claims"] = json!([{"of": "wallet/production", "home": "wallet", "entries": [
        "v1 Namespace wallet", {"o": "v1 ConfigMap wallet/app", "state": "intended"},
    ]}]);
    cut["world"] = json!(["v1 Namespace wallet"]);
    let moved = frozen(&first, &salted()).moved(&frozen(&cut, &salted()));
    let subjects: Vec<String> = moved.into_iter().map(|one| one.subject).collect();
    // The test's server would stamp the namespace: a real one has it stamped by then.
    assert_eq!(subjects, ["namespace/wallet"]);
}

/// Under the cluster's key a changed secret counts; under a salt it cannot, and may not be found
/// by who has the file.
#[test]
fn secrets_count_only_under_the_clusters_key() {
    let mut after = scene();
    after["declared"][3]["data"]["password"] = json!("b3RoZXI=");
    let at = live(&mut after, "/db");
    after["world"][at]["data"]["password"] = json!("b3RoZXI=");
    let moved = |sealer: &Sealer| frozen(&scene(), sealer).moved(&frozen(&after, sealer));
    assert_eq!(moved(&sealer()).len(), 1);
    assert_eq!(moved(&salted()), Vec::new());
    assert!(sealer().covers_secrets() && !salted().covers_secrets());
}

/// The document survives its file, holds no manifest and no secret, and finds its key again.
#[test]
fn the_document_holds_neither_manifests_nor_secrets() {
    for sealer in [sealer(), salted()] {
        let plan = frozen(&scene(), &sealer);
        let text = serde_json::to_string(&plan).unwrap();
        assert!(!text.contains(SECRET) && !text.contains("hunter2") && !text.contains("\"data\""));
        assert_eq!(serde_json::from_str::<FrozenPlan>(&text).unwrap(), plan);
        let again = Sealer::like(&plan, &Fingerprints::new(Some([7; 32]))).unwrap();
        assert_eq!(frozen(&scene(), &again), plan);
    }
    let keyed = frozen(&scene(), &sealer());
    assert!(Sealer::like(&keyed, &Fingerprints::new(Some([8; 32]))).is_none());
    assert!(Sealer::like(&keyed, &Fingerprints::new(None)).is_none());
    let mut broken = frozen(&scene(), &salted());
    let salt = "é".repeat(32);
    broken.digests = underpin_plan::DigestKey::Salt { salt };
    assert!(Sealer::like(&broken, &Fingerprints::new(None)).is_none());
}

#[track_caller]
fn check_moved(planned: &Value, now: &Value, expect: &[&str]) {
    for sealer in [sealer(), salted()] {
        let moved = frozen(planned, &sealer).moved(&frozen(now, &sealer));
        let messages: Vec<&str> = moved.iter().map(|one| &*one.message).collect();
        assert_eq!(messages, expect);
    }
}

/// R2.9: fields that are left to others count where their object is created, and nowhere else.
#[test]
fn fields_left_to_others_count_at_creation_alone() {
    let scene = |declared: &str, live: Option<&str>, other: &str| {
        let stamp = |nonce: &str| {
            json!({
                "underpin.dev/claim": format!("wallet-production/{nonce}"),
                "underpin.dev/environment": "wallet/production",
                "underpin.dev/ignore-fields": "data.tuned",
            })
        };
        let mut world =
            vec![json!({"o": "v1 Namespace wallet", "meta": {"annotations": stamp("nonce")}})];
        let mut entries = vec!["v1 Namespace wallet"];
        if let Some(live) = live {
            world.push(json!({
                "o": "v1 ConfigMap wallet/app", "data": {"tuned": live, "a": "1"},
                "meta": {"annotations": stamp("nonce")},
            }));
            entries.push("v1 ConfigMap wallet/app");
        }
        let ignored = json!({"underpin.dev/ignore-fields": "data.tuned"});
        json!({
            "environment": {"of": "wallet/production"},
            "claims": [{"of": "wallet/production", "home": "wallet", "entries": entries}],
            "world": world,
            "declared": [{
                "o": "v1 ConfigMap app", "data": {"tuned": declared, "a": other},
                "meta": {"annotations": ignored},
            }],
        })
    };
    let declared = "what the stack declares of it changed since";
    let fresh = scene("1", None, "1");
    // Created by a run that was cut, and tuned by somebody since.
    check_moved(&fresh, &scene("1", Some("9"), "1"), &[]);
    check_moved(&fresh, &scene("2", Some("9"), "1"), &[]);
    check_moved(&fresh, &scene("2", None, "1"), &[declared]);
    check_moved(&fresh, &scene("1", None, "2"), &[declared]);
    let update = scene("1", Some("3"), "2");
    check_moved(&update, &scene("1", Some("4"), "2"), &[]);
    check_moved(&update, &scene("5", Some("4"), "2"), &[]);
    check_moved(&update, &scene("1", Some("3"), "4"), &[declared]);
    let key = Fingerprints::new(Some([7; 32]));
    let content = |scene: &Value| applied_content(&Scene::new(scene).plan(), &key);
    assert_eq!(
        content(&scene("1", Some("3"), "2")),
        content(&scene("1", Some("4"), "2"))
    );
}

/// R2.9: of several items of a list each is the one that was meant.
#[test]
fn items_left_to_others_are_told_apart() {
    let content = |hosts: [&str; 3]| {
        let rules: Vec<Value> = hosts.iter().map(|host| json!({"host": host})).collect();
        let scene = json!({
            "environment": {"of": "wallet/production"},
            "world": [],
            "declared": [{
                "o": "networking.k8s.io/v1 Ingress app", "spec": {"rules": rules},
                "meta": {"annotations": {
                    "underpin.dev/ignore-fields": "spec.rules[0], spec.rules[1]",
                }},
            }],
        });
        applied_content(
            &Scene::new(&scene).plan(),
            &Fingerprints::new(Some([7; 32])),
        )
    };
    let before = content(["a", "b", "c"]);
    assert_eq!(before, content(["x", "y", "c"]));
    assert_ne!(before, content(["a", "b", "x"]));
}

/// What revisions applied: no stamp, no secret; the difference names objects and fields.
#[test]
fn contents_are_compared_without_secrets() {
    let key = Fingerprints::new(Some([7; 32]));
    let content = |scene: &Value| applied_content(&Scene::new(scene).plan(), &key);
    let before = content(&scene());
    let mut next = scene();
    next["declared"][0]["data"]["a"] = json!("5");
    next["declared"][3]["data"]["password"] = json!("b3RoZXI=");
    next["declared"].as_array_mut().unwrap().remove(1);
    let more = json!({"o": "v1 ConfigMap more"});
    next["declared"].as_array_mut().unwrap().push(more);
    let after = content(&next);
    let text = serde_json::to_string(&(&before, &after)).unwrap();
    for absent in [SECRET, "b3RoZXI=", "underpin.dev/claim"] {
        assert!(!text.contains(absent), "{absent} in {text}");
    }
    let diff = revision_diff(&before, &after);
    let names = |keys: &[underpin_model::ObjectKey]| -> Vec<String> {
        keys.iter().map(ToString::to_string).collect()
    };
    assert_eq!(names(&diff.added), ["configmap/wallet/more"]);
    assert_eq!(names(&diff.removed), ["configmap/wallet/same"]);
    let changed: Vec<String> = diff
        .changed
        .iter()
        .map(|(key, changes)| format!("{key} {}", changes[0].path))
        .collect();
    assert_eq!(
        changed,
        [
            "configmap/wallet/app data.a",
            "secret/wallet/db data.password"
        ]
    );
    assert!(revision_diff(&before, &before).is_empty());
    assert_eq!(revision_diff(&[json!(1)], &after).added.len(), after.len());
}

fn action() -> impl Strategy<Value = FrozenAction> {
    use FrozenAction::{
        Adopt, Create, Delete, Foreign, Gone, InUse, Protected, Replace, Unchanged, Update,
    };
    prop::sample::select(vec![
        Create, Update, Replace, Delete, Adopt, Unchanged, Protected, Foreign, InUse, Gone,
    ])
}

fn step() -> impl Strategy<Value = FrozenStep> {
    let created = prop::option::of(0..2_u8);
    (0..4_u8, action(), 0..2_u8, created, 0..2_u8).prop_map(
        |(name, action, desired, created, live)| {
            let creates = matches!(action, FrozenAction::Create | FrozenAction::Replace);
            FrozenStep {
                object: format!("configmap/wallet/c{name}"),
                declared: format!("/ConfigMap/c{name}"),
                action,
                reason: "because".into(),
                desired: Some(format!("{desired}")),
                created: created.filter(|_| creates).map(|one| one.to_string()),
                live: Some(format!("{live}")),
            }
        },
    )
}

fn steps() -> impl Strategy<Value = Vec<FrozenStep>> {
    prop::collection::vec(step(), 0..5).prop_map(|steps| {
        let mut seen = BTreeSet::new();
        let mut steps = steps;
        steps.retain(|step| seen.insert(step.declared.clone()));
        steps
    })
}

/// Whether the step that would be made now was agreed to, said without looking at the other
/// account: everything that would be done to an object was to be done to it, with the same outcome.
fn is_agreed(planned: &[FrozenStep], now: &FrozenStep) -> bool {
    use FrozenAction::{Adopt, Create, Delete, Replace, Update};
    let does = matches!(now.action, Create | Update | Replace | Delete | Adopt);
    let Some(planned) = planned.iter().find(|one| one.declared == now.declared) else {
        return !does;
    };
    !does
        || planned.desired == now.desired
            && (planned.created.is_none()
                || now.created.is_none()
                || planned.created == now.created)
            && (planned.action == now.action && planned.live == now.live
                || planned.action == Replace && now.action == Create)
}

proptest! {
    /// Whatever passes does nothing that was not agreed to, to nothing that was changed since.
    #[test]
    fn nothing_passes_that_was_not_agreed_to(planned in steps(), now in steps()) {
        let document = |steps: &[FrozenStep]| FrozenPlan {
            steps: steps.to_vec(),
            ..frozen(&json!({"environment": {"of": "a/b"}}), &sealer())
        };
        let moved = document(&planned).moved(&document(&now));
        let agreed = now.iter().all(|step| is_agreed(&planned, step));
        prop_assert!(agreed || !moved.is_empty(), "{planned:?} {now:?}");
        prop_assert!(document(&planned).moved(&document(&planned)).is_empty());
    }
}
