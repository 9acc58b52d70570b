//! What an apply may take from other field managers: what the plan took, and nothing else.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use http::Method;
use serde_json::{Value, json};
use underpin_model::{Action, Depth, GroupKind, LogicalKey, Object, Origin, ResourceKind, Step};
use underpin_plan::FieldConflict;

use crate::{
    StepResult,
    apply::apply_step,
    mock::{Seen, cluster, field_conflicts, status, tools},
};

type Fields = BTreeSet<(&'static str, &'static str)>;

const KUBECTL: (&str, &str) = ("kubectl", ".data.greeting");
const HELM: (&str, &str) = ("helm", ".data.greeting");
const OTHER_FIELD: (&str, &str) = ("kubectl", ".data.more");

fn value(version: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {
            "name": "app", "namespace": "wallet", "uid": "u1", "resourceVersion": version,
        },
    })
}

/// A server on whose ConfigMap others own `owned`. Each read finds another version; `moves` of
/// them are outdated by the time of a forced apply.
fn answer(request: &Seen, owned: &Fields, versions: &AtomicUsize, moves: usize) -> (u16, Value) {
    if request.path.contains("/underpin-system/") {
        let mut claim = request.body.clone();
        claim["metadata"]["uid"] = json!("claim");
        claim["metadata"]["resourceVersion"] = json!("1");
        return (200, claim);
    }
    if request.method == Method::GET {
        let version = versions.fetch_add(1, Ordering::Relaxed) + 1;
        return (200, value(&version.to_string()));
    }
    if !request.says("force=true") && !owned.is_empty() {
        return field_conflicts(owned);
    }
    let read = versions.load(Ordering::Relaxed);
    let sent = &request.body["metadata"]["resourceVersion"];
    if request.says("force=true") && (*sent != json!(read.to_string()) || read <= moves) {
        return status(409, "Conflict", &json!([]));
    }
    (200, value("99"))
}

/// Applies a step that takes `accepted` over, while others own `owned`, and returns how it ended
/// and how often force was used.
async fn apply(
    action: Action,
    accepted: &[(&str, &str)],
    owned: &[(&'static str, &'static str)],
    moves: usize,
) -> (StepResult, usize) {
    let owned: Fields = owned.iter().copied().collect();
    let versions = Arc::new(AtomicUsize::new(0));
    let (cluster, log) = cluster(move |request| answer(request, &owned, &versions, moves));
    let object = Object::from_value(value("0"), Depth::Full, Origin::Live).unwrap();
    let desired = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "app", "namespace": "wallet"}, "data": {"greeting": "hello"},
    });
    let desired = Object::from_value(desired, Depth::Full, Origin::Live).unwrap();
    let logical = LogicalKey::of(&object.key, "wallet");
    let step = Step {
        desired: Some(desired),
        before: Some(object.clone()),
        force: !accepted.is_empty(),
        ..Step::new(action, object.key.clone(), logical)
    };
    let kind = ResourceKind {
        kind: GroupKind::core("ConfigMap"),
        version: "v1".to_owned(),
        versions: vec!["v1".to_owned()],
        plural: "configmaps".to_owned(),
        namespaced: true,
        listable: true,
    };
    let accepted = accepted.iter().map(|(manager, field)| FieldConflict {
        manager: (*manager).to_owned(),
        field: (*field).to_owned(),
    });
    let tools = tools(&cluster).await;
    let (result, _) = apply_step(tools, kind, step, accepted.collect())
        .await
        .unwrap();
    let log = log.lock().unwrap();
    let forced = log.iter().filter(|request| request.says("force=true"));
    (result, forced.count())
}

#[track_caller]
fn check(
    accepted: &[(&str, &str)],
    owned: &[(&'static str, &'static str)],
    moves: usize,
    expect: (bool, usize),
) {
    for action in [Action::Update, Action::Adopt] {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let (result, forced) = runtime.block_on(apply(action, accepted, owned, moves));
        let done = result == StepResult::Done;
        assert_eq!((done, forced), expect, "{accepted:?} {owned:?}: {result:?}");
    }
}

/// Who owns what may change between the plan and the apply; consent was given to the plan.
#[test]
fn only_what_the_plan_took_is_taken() {
    check(&[], &[], 0, (true, 0));
    check(&[], &[KUBECTL], 0, (false, 0));
    check(&[KUBECTL], &[KUBECTL], 0, (true, 1));
    // What was to be taken was given up meanwhile: no force is needed.
    check(&[KUBECTL], &[], 0, (true, 0));
    check(&[KUBECTL, OTHER_FIELD], &[KUBECTL], 0, (true, 1));
    // Another manager, or another field, came in between.
    check(&[KUBECTL], &[KUBECTL, HELM], 0, (false, 0));
    check(&[KUBECTL], &[HELM], 0, (false, 0));
    check(&[KUBECTL], &[OTHER_FIELD], 0, (false, 0));
}

/// Force is used on the very state that was looked at: when the object moves in between, it is
/// looked at again.
#[test]
fn force_is_used_on_what_was_looked_at() {
    check(&[KUBECTL], &[KUBECTL], 1, (true, 2));
    check(&[KUBECTL], &[KUBECTL], 100, (false, 4));
}
