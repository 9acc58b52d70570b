//! What a plan does in each situation: tables over scenes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::needless_pass_by_value,
    reason = "a test fails by panicking, and its tables are literals"
)]

mod support;

use serde_json::{Value, json};
use support::Scene;
use underpin_model::{Action, KeepReason, NamespaceProvenance, Step};
use underpin_plan::Plan;

fn say(step: &Step) -> String {
    let why = match &step.action {
        Action::Keep(KeepReason::Unchanged) => " unchanged".to_owned(),
        Action::Keep(KeepReason::Gone) => " gone".to_owned(),
        Action::Keep(KeepReason::Protected(key)) => format!(" protected by {key}"),
        Action::Keep(KeepReason::Foreign(owner)) => format!(" foreign {owner}"),
        Action::Keep(KeepReason::InUse(why)) => format!(" in use: {why}"),
        _ => String::new(),
    };
    format!("{} {}{why}", step.action.name(), step.key)
}

fn said(plan: &Plan) -> Vec<String> {
    let mut lines: Vec<String> = plan.steps.iter().map(say).collect();
    lines.extend(
        plan.problems
            .iter()
            .map(|problem| format!("problem: {}", problem.message)),
    );
    lines.extend(plan.conflicts.keys().map(|key| format!("conflict {key}")));
    lines.extend(
        plan.dropped
            .iter()
            .map(|(logical, why)| format!("dropped {logical}: {why}")),
    );
    lines.sort();
    lines
}

#[track_caller]
fn check(mut scene: Value, expect: &[&str]) {
    if scene.get("environment").is_none() {
        scene["environment"] = json!({"of": "wallet/production"});
    }
    assert_eq!(said(&Scene::new(&scene).plan()), expect);
}

const APP: &str = "v1 ConfigMap wallet/app";
const HOME: &str = "v1 Namespace wallet";

fn claims(entries: &Value) -> Value {
    let mut all = vec![json!(HOME)];
    all.extend(entries.as_array().unwrap().iter().cloned());
    json!([{"of": "wallet/production", "home": "wallet", "entries": all}])
}

/// R6.1: what exists already is decided by owner and conflict.
#[test]
fn what_exists_is_decided_by_owner_and_conflict() {
    let none = claims(&json!([]));
    let ours = claims(&json!([APP]));
    let theirs = json!([
        {"of": "wallet/production", "home": "wallet", "entries": [HOME]},
        {"of": "other/x", "home": "x", "entries": [APP]},
    ]);
    let home = "update namespace/wallet";
    let declared = json!([{"o": "v1 ConfigMap app", "data": {"a": "1"}}]);
    let there = json!([HOME, APP]);
    let conflict = json!({"configmap/wallet/app": {"conflicts": [["kubectl-create", ".data.a"]]}});
    let cases: [(&Value, Value, Value, &[&str]); 7] = [
        (
            &none,
            json!([HOME]),
            json!({}),
            &["create configmap/wallet/app", home],
        ),
        (
            &none,
            there.clone(),
            json!({}),
            &["adopt configmap/wallet/app", home],
        ),
        (
            &none,
            there.clone(),
            conflict.clone(),
            &[
                "adopt configmap/wallet/app",
                "conflict configmap/wallet/app",
                home,
            ],
        ),
        (
            &ours,
            there.clone(),
            json!({}),
            &[home, "update configmap/wallet/app"],
        ),
        (
            &ours,
            there.clone(),
            conflict,
            &[
                "conflict configmap/wallet/app",
                home,
                "update configmap/wallet/app",
            ],
        ),
        (
            &theirs,
            there,
            json!({}),
            &["keep configmap/wallet/app foreign other/x", home],
        ),
        (
            &ours,
            json!([HOME]),
            json!({}),
            &["create configmap/wallet/app", home],
        ),
    ];
    for (claims, world, outcomes, expect) in cases {
        let mut expect = expect.to_vec();
        expect.sort_unstable();
        check(
            json!({"world": world, "claims": claims, "declared": declared, "outcomes": outcomes}),
            &expect,
        );
    }
}

/// R6.1: what agrees with the manifest is left alone.
#[test]
fn running_twice_changes_nothing() {
    let nonce = "wallet-production/nonce";
    let meta = json!({"annotations": {"underpin.dev/claim": nonce, "underpin.dev/environment": "wallet/production"}});
    check(
        json!({
            "world": [{"o": HOME, "meta": meta}, {"o": APP, "meta": meta, "data": {"a": "1"}}],
            "claims": claims(&json!([APP])),
            "declared": [{"o": "v1 ConfigMap app", "data": {"a": "1"}}],
        }),
        &[
            "keep configmap/wallet/app unchanged",
            "keep namespace/wallet unchanged",
        ],
    );
}

/// An immutable change is a problem, or a replacement where the object says so; never of something
/// that holds data or others, and never of what is nobody's until it is adopted by name.
#[test]
fn immutable_changes() {
    let recreate = json!({"annotations": {"underpin.dev/on-immutable": "recreate"}});
    let job = "batch/v1 Job wallet/migrate";
    let pvc = "v1 PersistentVolumeClaim wallet/data";
    let words = "field is immutable";
    let scene = |object: &str, subject: &str, meta: &Value, owned: bool, adopt: bool| {
        json!({
            "environment": {"of": "wallet/production", "adopt": if adopt { json!([subject]) } else { json!([]) }},
            "world": [HOME, object],
            "claims": claims(&if owned { json!([object]) } else { json!([]) }),
            "declared": [{"o": object, "meta": meta}],
            "outcomes": {subject: {"immutable": words}},
        })
    };
    let home = "update namespace/wallet";
    let (job_subject, pvc_subject) = (
        "job.batch/wallet/migrate",
        "persistentvolumeclaim/wallet/data",
    );
    check(
        scene(job, job_subject, &json!({}), true, false),
        &[
            "problem: job.batch/wallet/migrate cannot be changed in place: field is immutable",
            "update job.batch/wallet/migrate",
            home,
        ],
    );
    check(
        scene(job, job_subject, &recreate, true, false),
        &["replace job.batch/wallet/migrate", home],
    );
    check(
        scene(job, job_subject, &recreate, false, false),
        &[
            "adopt job.batch/wallet/migrate",
            "problem: job.batch/wallet/migrate exists without a recorded owner and cannot be changed in place: field is immutable",
            home,
        ],
    );
    check(
        scene(job, job_subject, &recreate, false, true),
        &["replace job.batch/wallet/migrate", home],
    );
    check(
        scene(pvc, pvc_subject, &recreate, true, false),
        &[
            "problem: persistentvolumeclaim/wallet/data cannot be changed in place: field is immutable",
            home,
            "update persistentvolumeclaim/wallet/data",
        ],
    );
}

/// Pruning: own objects go, protected ones stay, foreign ones under our name are let go, unread
/// ones stay recorded.
#[test]
fn pruning() {
    let scene = |world: Value, entry: Value, unread: Value| json!({"world": world, "claims": claims(&json!([entry])), "declared": [], "unread": unread});
    let home = "update namespace/wallet";
    check(
        scene(json!([HOME, APP]), json!(APP), json!([])),
        &["delete configmap/wallet/app", home],
    );
    check(
        scene(json!([HOME]), json!(APP), json!([])),
        &["keep configmap/wallet/app gone", home],
    );
    check(
        scene(
            json!([HOME]),
            json!(APP),
            json!([{"kind": "v1 ConfigMap", "namespace": "wallet"}]),
        ),
        &[
            "keep configmap/wallet/app in use: could not be read: list forbidden",
            home,
        ],
    );
    check(
        scene(
            json!([HOME, {"o": APP, "meta": {"uid": "another"}}]),
            json!(APP),
            json!([]),
        ),
        &[
            "dropped /ConfigMap/app: configmap/wallet/app was replaced by somebody else (uid another); left alone",
            home,
        ],
    );
    // R2.3: live, or recorded.
    let keep = json!({"annotations": {"helm.sh/resource-policy": "keep"}});
    check(
        scene(
            json!([HOME, {"o": APP, "meta": keep}]),
            json!(APP),
            json!([]),
        ),
        &[
            "keep configmap/wallet/app protected by helm.sh/resource-policy=keep",
            home,
        ],
    );
    let recorded = json!({"o": APP, "protection": ["underpin.dev/protect=keep"]});
    check(
        scene(json!([HOME, APP]), recorded, json!([])),
        &[
            "keep configmap/wallet/app protected by underpin.dev/protect=keep",
            home,
        ],
    );
}

/// Restored from a backup or replaced by hand: our stamp under another uid is ours, and never
/// deleted on the old uid.
#[test]
fn our_stamp_under_another_uid_is_taken_over_again() {
    let stamped = json!({
        "o": APP,
        "meta": {"uid": "restored", "annotations": {"underpin.dev/claim": "wallet-production/nonce"}},
    });
    let scene = |declared: Value| {
        Scene::new(&json!({
            "environment": {"of": "wallet/production"},
            "world": [HOME, stamped], "claims": claims(&json!([APP])), "declared": declared,
        }))
        .plan()
    };
    let plan = scene(json!(["v1 ConfigMap app"]));
    let step = plan
        .steps
        .iter()
        .find(|step| step.key.name == "app")
        .unwrap();
    assert_eq!(step.action, Action::Update);
    assert!(step.reason.contains("another uid"), "{}", step.reason);
    let plan = scene(json!([]));
    let step = plan
        .steps
        .iter()
        .find(|step| step.key.name == "app")
        .unwrap();
    assert_eq!(step.action, Action::Delete);
    assert_eq!(
        step.before.as_ref().and_then(underpin_model::Object::uid),
        Some("restored")
    );
}

/// One object recorded under two identities is applied once and never deleted beside that.
#[test]
fn an_object_under_another_identity_is_not_deleted() {
    let mut scene = Scene::new(&json!({
        "environment": {"of": "wallet/production"},
        "world": [HOME, APP], "claims": claims(&json!([APP])), "declared": ["v1 ConfigMap app"],
    }));
    let claim = &mut scene.world.claims[0];
    let (logical, entry) = claim
        .entries
        .iter()
        .find(|(_, e)| e.key.name == "app")
        .unwrap();
    let mut old = logical.clone();
    let entry = entry.clone();
    old.namespace = Some("wallet".into());
    claim.entries.insert(old, entry);
    assert_eq!(
        said(&scene.plan()),
        [
            "dropped /ConfigMap/wallet/app: configmap/wallet/app is recorded under another identity",
            "update configmap/wallet/app",
            "update namespace/wallet",
        ]
    );
}

/// R2.1: the recorded placement wins over any derivation, at no cost and with a note.
#[test]
fn the_recorded_placement_wins() {
    let scene = Scene::new(&json!({
        "environment": {"of": "wallet/tenant-a", "parent": "production"},
        "world": [HOME],
        "claims": [{"of": "wallet/tenant-a", "home": "wallet", "provenance": "imported", "entries": []}],
        "declared": ["v1 ConfigMap app"],
    }));
    let plan = scene.plan();
    assert_eq!(said(&plan), ["create configmap/wallet/app"]);
    assert!(plan.placement.recorded);
    let note = plan.placement.note().unwrap();
    assert!(note.contains("would be wallet-tenant-a"), "{note}");
    assert!(!scene.verdict().is_blocked());
}

/// A home that is gone is made anew, whatever other Namespace is declared now.
#[test]
fn a_home_that_is_gone_is_not_renamed() {
    let scene = Scene::new(&json!({
        "environment": {"of": "wallet/production"},
        "world": [],
        "claims": [{"of": "wallet/production", "home": "wallet", "entries": ["v1 Namespace wallet"]}],
        "declared": ["v1 Namespace annex", "v1 ConfigMap app"],
    }));
    let said = said(&scene.plan());
    assert!(
        said.contains(&"create namespace/wallet".to_owned()),
        "{said:?}"
    );
}

/// A fresh environment's namespace is created by it; one that is there, or could not be looked
/// for, is nobody's to delete.
#[test]
fn who_may_delete_the_namespace() {
    for (world, unread, expect, creates) in [
        (json!([]), json!([]), NamespaceProvenance::Created, true),
        (
            json!([HOME]),
            json!([]),
            NamespaceProvenance::Existing,
            false,
        ),
        (
            json!([]),
            json!([{"kind": "v1 Namespace"}]),
            NamespaceProvenance::Existing,
            false,
        ),
    ] {
        let scene = Scene::new(&json!({
            "environment": {"of": "wallet/production"},
            "world": world, "unread": unread, "declared": [],
        }));
        let plan = scene.plan();
        assert_eq!(plan.placement.placement.provenance, expect);
        assert_eq!(
            plan.steps.iter().any(|step| step.key.is_namespace()),
            creates
        );
    }
}

/// A namespace that somebody made in place of the recorded one, or before an interrupted run could,
/// is not taken over: it was there before, like any other. One that carries the entry's stamp came
/// back from a backup.
#[test]
fn a_namespace_made_by_somebody_else_is_not_taken_over() {
    let applied = json!({"o": HOME, "implicit": true});
    let intended = json!({"o": HOME, "implicit": true, "state": "intended"});
    let stamp = json!({"underpin.dev/claim": "wallet-production/nonce"});
    let live = |uid: &str, annotations: &Value| json!({"o": HOME, "meta": {"uid": uid, "annotations": annotations}});
    let none = json!({});
    let own = (NamespaceProvenance::Created, "update namespace/wallet");
    let left = |uid: &str| {
        let why = "was replaced by somebody else";
        format!("dropped /Namespace/wallet: namespace/wallet {why} (uid {uid}); left alone")
    };
    let others = left("another");
    let other = (NamespaceProvenance::Existing, others.as_str());
    let recorded = "uid:namespace/wallet";
    for (entry, placed, live, (provenance, expect)) in [
        (&applied, json!(recorded), live(recorded, &none), own),
        (&applied, json!(recorded), live("another", &none), other),
        (&applied, json!(recorded), live("another", &stamp), own),
        (&intended, json!(null), live("another", &none), other),
        (&intended, json!(null), live("another", &stamp), own),
    ] {
        let scene = Scene::new(&json!({
            "environment": {"of": "wallet/production"}, "world": [live], "declared": [],
            "claims": [{"of": "wallet/production", "home": "wallet", "uid": placed, "entries": [entry]}],
        }));
        let plan = scene.plan();
        let placement = &plan.placement.placement;
        assert_eq!(said(&plan), [expect], "{entry} {live}");
        assert_eq!(placement.provenance, provenance, "{entry} {live}");
        let uid = match provenance {
            NamespaceProvenance::Existing => Some("another"),
            _ => placed.as_str(),
        };
        assert_eq!(placement.uid.as_deref(), uid, "{entry} {live}");
    }
}

/// The replicas of a workload that a horizontal autoscaler targets are left out.
#[test]
fn autoscaled_replicas_are_left_out() {
    for (kind, left_out) in [
        ("autoscaling/v1 HorizontalPodAutoscaler", true),
        ("autoscaling.k8s.io/v1 VerticalPodAutoscaler", false),
    ] {
        let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"});
        let scene = Scene::new(&json!({
            "environment": {"of": "wallet/production"},
            "world": [HOME],
            "declared": [
                {"o": "apps/v1 Deployment web", "spec": {"replicas": 2}},
                {"o": format!("{kind} web"), "spec": {"scaleTargetRef": target, "targetRef": target}},
            ],
        }));
        let prepared = scene.prepared();
        let web = prepared
            .objects
            .iter()
            .find(|one| one.desired.key.kind.kind == "Deployment");
        assert_eq!(
            web.unwrap().desired.at("/spec/replicas").is_none(),
            left_out,
            "{kind}"
        );
    }
}

/// R1.4: a teardown deletes exactly what the claim records, and the namespace only when it was
/// created by the environment and nothing is left in it.
#[test]
fn teardown() {
    let root = "v1 ConfigMap wallet/kube-root-ca.crt";
    let sibling = "apps/v1 Deployment wallet/sibling";
    let down = |world: Value, provenance: &str, others: Value| {
        let mut claims = vec![json!({
            "of": "wallet/production", "home": "wallet", "provenance": provenance,
            "entries": [HOME, APP, "v1 Secret wallet/db"],
        })];
        claims.extend(others.as_array().unwrap().iter().cloned());
        json!({"down": true, "world": world, "claims": claims})
    };
    let own = ["delete configmap/wallet/app", "delete secret/wallet/db"];
    let full = json!([HOME, APP, "v1 Secret wallet/db", root]);
    check(
        down(full.clone(), "created", json!([])),
        &[own[0], "delete namespace/wallet", own[1]],
    );
    check(
        down(full.clone(), "existing", json!([])),
        &[
            own[0],
            own[1],
            "keep namespace/wallet in use: it was there before this environment; empty",
        ],
    );
    check(
        down(
            json!([HOME, APP, "v1 Secret wallet/db", sibling]),
            "created",
            json!([]),
        ),
        &[
            own[0],
            own[1],
            "keep namespace/wallet in use: holds 1 object: deployment.apps/wallet/sibling (unclaimed)",
        ],
    );
    check(
        down(
            full.clone(),
            "created",
            json!([{"of": "wallet/gl-pay", "home": "wallet", "entries": []}]),
        ),
        &[
            own[0],
            own[1],
            "keep namespace/wallet in use: home of wallet/gl-pay",
        ],
    );
    let mut unread = down(full, "created", json!([]));
    unread["unread"] = json!([{"kind": "apps/v1 Deployment", "namespace": "wallet"}]);
    check(
        unread,
        &[
            own[0],
            own[1],
            "keep namespace/wallet in use: could not be counted completely: deployment.apps in wallet: list forbidden",
        ],
    );
    check(
        down(json!([HOME, APP]), "created", json!([])),
        &[
            own[0],
            "delete namespace/wallet",
            "keep secret/wallet/db gone",
        ],
    );
}

/// R1.4: a namespace that this environment meant to create and did not is not its own, unless it
/// carries the stamp of that very entry.
#[test]
fn teardown_of_a_namespace_that_was_only_intended() {
    for (mark, expect) in [
        (
            json!({}),
            "keep namespace/wallet in use: it was made by somebody else",
        ),
        (
            json!({"underpin.dev/claim": "wallet-production/other"}),
            "keep namespace/wallet in use: it was made by somebody else",
        ),
        (
            json!({"underpin.dev/claim": "wallet-production/nonce"}),
            "delete namespace/wallet",
        ),
    ] {
        check(
            json!({
                "down": true,
                "world": [{"o": HOME, "meta": {"annotations": mark}}],
                "claims": [{"of": "wallet/production", "home": "wallet", "provenance": "created",
                            "entries": [{"o": HOME, "state": "intended"}]}],
            }),
            &[expect],
        );
    }
}

/// R1.4: a neighbour that lives elsewhere and has recorded an object here may be about to create
/// it; between its record and its first object the namespace is not empty.
#[test]
fn teardown_beside_a_neighbour_that_is_about_to_create() {
    let down = |entry: &str, retired: bool, expect: &str| {
        let mut scene = Scene::new(&json!({
            "environment": {"of": "wallet/production"}, "down": true, "world": [HOME],
            "claims": [
                {"of": "wallet/production", "home": "wallet", "entries": [HOME]},
                {"of": "shop/production", "home": "shop", "entries": [{"o": entry, "state": "intended"}]},
            ],
        }));
        let neighbour = scene
            .world
            .claims
            .iter_mut()
            .find(|claim| claim.stack == "shop");
        neighbour.unwrap().retired = retired.then(|| underpin_model::Retirement {
            at: String::new(),
            kept_because: String::new(),
        });
        let plan = scene.plan();
        let step = plan.steps.last().unwrap();
        assert_eq!(
            format!("{} {}", step.action.name(), step.reason),
            expect,
            "{entry}"
        );
    };
    let keep = "keep recorded as the place of objects to come of shop/production";
    let delete = "delete created by this environment and empty";
    down("v1 Secret wallet/db", false, keep);
    down("v1 Secret wallet/db", true, delete);
    down("v1 Secret shop/db", false, delete);
}

/// R1.4: the waves of a teardown end with the namespace.
#[test]
fn teardown_ends_with_the_namespace() {
    let plan = Scene::new(&json!({
        "environment": {"of": "wallet/production"}, "down": true,
        "world": [HOME, APP], "claims": claims(&json!([APP])),
    }))
    .plan();
    assert!(plan.steps.last().unwrap().key.is_namespace());
    assert!(plan.steps[0].wave < plan.steps[1].wave);
}

/// R6.4: what lies in a namespace waits for its creation, and not for a change of one that is there.
#[test]
fn only_a_namespace_that_is_created_is_required() {
    for (world, requires) in [(json!([]), true), (json!([HOME]), false)] {
        let plan = Scene::new(&json!({
            "environment": {"of": "wallet/production"},
            "world": world, "declared": [HOME, APP],
        }))
        .plan();
        let app = plan
            .steps
            .iter()
            .find(|step| step.key.name == "app")
            .unwrap();
        let home = plan
            .steps
            .iter()
            .find(|step| step.key.is_namespace())
            .unwrap();
        assert_eq!(app.requires.contains(&home.key), requires);
        assert!(home.wave < app.wave);
    }
}
