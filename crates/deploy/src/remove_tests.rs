//! What keeps an object from being deleted although the plan says so.

use http::Method;
use serde_json::{Value, json};
use underpin_model::{Action, Depth, GroupKind, LogicalKey, Object, Origin, ResourceKind, Step};

use crate::{
    StepResult,
    mock::{Seen, cluster, tools},
    remove::delete_step,
};

/// A volume claim, and what its spec and status say besides.
fn claim(volume: &str, phase: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": "files", "namespace": "wallet", "uid": "u1", "resourceVersion": "7",
        },
        "spec": {"volumeName": volume}, "status": {"phase": phase},
    })
}

/// Deletes the claim that was judged as `before` and is `live` now; how that ended, and whether a
/// deletion was sent.
async fn delete(before: Value, live: Value) -> (StepResult, bool) {
    let (cluster, log) = cluster(move |request: &Seen| {
        if request.path.contains("/underpin-system/") {
            let mut claim = request.body.clone();
            claim["metadata"]["uid"] = json!("claim");
            claim["metadata"]["resourceVersion"] = json!("1");
            return (200, claim);
        }
        if request.method == Method::DELETE {
            return (200, json!({"kind": "Status", "status": "Success"}));
        }
        (200, live.clone())
    });
    let before = Object::from_value(before, Depth::Full, Origin::Live).unwrap();
    let logical = LogicalKey::of(&before.key, "wallet");
    let step = Step {
        before: Some(before.clone()),
        ..Step::new(Action::Delete, before.key.clone(), logical)
    };
    let kind = ResourceKind {
        kind: GroupKind::core("PersistentVolumeClaim"),
        version: "v1".to_owned(),
        versions: vec!["v1".to_owned()],
        plural: "persistentvolumeclaims".to_owned(),
        namespaced: true,
        listable: true,
    };
    let tools = tools(&cluster).await;
    let patience = std::time::Duration::ZERO;
    let (result, _) = delete_step(tools, kind, step, patience).await.unwrap();
    let sent = log.lock().unwrap();
    let deletes = sent.iter().any(|seen| seen.method == Method::DELETE);
    (result, deletes)
}

/// R1.6: a claim that was judged while it waited for its volume, and has it by now, may hold data.
#[tokio::test(start_paused = true)]
async fn a_claim_that_was_bound_since_is_kept() {
    let (result, deleted) = delete(claim("", "Pending"), claim("pv-1", "Bound")).await;
    assert!(!deleted, "{result:?}");
    let StepResult::Kept(why) = result else {
        panic!("{result:?}");
    };
    assert!(why.contains("spec.volumeName"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_is_as_it_was_judged_is_deleted() {
    for (volume, phase) in [("", "Pending"), ("pv-1", "Bound")] {
        let (_, deleted) = delete(claim(volume, phase), claim(volume, phase)).await;
        assert!(deleted, "{phase}");
    }
}
