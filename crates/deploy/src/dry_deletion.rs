//! Asks the server whether what a run would delete may be deleted, without doing it. Who only plans has
//! no right to delete, and is not asked for it.
//!
//! Only a missing right is told: what stands in the way of one deletion today may be gone when its
//! turn comes, and is told by the deletion itself.

use std::{collections::BTreeMap, sync::Arc};

use tokio::{sync::Semaphore, task::JoinSet};
use underpin_cluster::Cluster;
use underpin_model::{Action, GroupKind, Object, ObjectKey, ResourceKind, Step, Unvalidated};

use crate::kinds::Kinds;

/// Dry runs in flight at once.
const IN_FLIGHT: usize = 16;

/// Says of every step that deletes an object, and may not, which right is missing. Namespaces are
/// left out: whether one goes is decided by a count at the time.
pub(crate) async fn ask_about_deletions(cluster: &Cluster, kinds: &Kinds, steps: &mut [Step]) {
    let mut questions: BTreeMap<(GroupKind, Option<String>), Vec<Question>> = BTreeMap::new();
    for step in steps.iter().filter(|step| deletes(step)) {
        if let Some(question) = question(kinds, step) {
            let key = &question.key;
            let place = (key.kind.clone(), key.namespace.clone());
            questions.entry(place).or_default().push(question);
        }
    }
    let slots = Arc::new(Semaphore::new(IN_FLIGHT));
    let mut tasks = JoinSet::new();
    for alike in questions.into_values() {
        let (slots, cluster) = (slots.clone(), cluster.clone());
        tasks.spawn(async move {
            let _slot = slots.acquire().await;
            missing_of_alike(&cluster, alike).await
        });
    }
    let mut missing: BTreeMap<ObjectKey, String> = BTreeMap::new();
    while let Some(found) = tasks.join_next().await {
        missing.extend(found.unwrap_or_default());
    }
    for step in steps {
        if let Some(right) = missing.remove(&step.key) {
            step.unvalidated = Some(Unvalidated::NoRight(right));
        }
    }
}

fn deletes(step: &Step) -> bool {
    let deletes = matches!(step.action, Action::Delete | Action::Replace);
    deletes && step.unvalidated.is_none() && !step.key.is_namespace()
}

/// One object that is to be deleted as it was read.
struct Question {
    kind: ResourceKind,
    key: ObjectKey,
    uid: String,
    version: String,
}

fn question(kinds: &Kinds, step: &Step) -> Option<Question> {
    let live: &Object = step.before.as_ref()?;
    Some(Question {
        kind: kinds.get(&step.key.kind)?.clone(),
        key: step.key.clone(),
        uid: live.uid()?.to_owned(),
        version: live.resource_version()?.to_owned(),
    })
}

/// The rights that are missing to delete objects of one kind and namespace. A right is for all of
/// these, most often: of several the first is asked about, and the others only where it may not be
/// deleted, for a right may be to some names alone.
async fn missing_of_alike(cluster: &Cluster, alike: Vec<Question>) -> Vec<(ObjectKey, String)> {
    let mut missing = Vec::new();
    for question in alike {
        let asked = cluster
            .dry_run_delete(
                &question.kind,
                &question.key,
                &question.uid,
                &question.version,
            )
            .await;
        let right = asked.err().and_then(|error| error.missing_right());
        match right {
            Some(right) => missing.push((question.key, right)),
            None if missing.is_empty() => break,
            None => {}
        }
    }
    missing
}

#[cfg(test)]
mod tests {
    use http::Method;
    use serde_json::json;
    use underpin_model::{Depth, LogicalKey, Origin, World};

    use super::*;
    use crate::mock::cluster;

    fn live(name: &str, namespace: &str) -> Object {
        let value = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {
                "name": name, "namespace": namespace, "uid": name, "resourceVersion": "7",
            },
        });
        Object::from_value(value, Depth::Full, Origin::Live).unwrap()
    }

    fn step(action: Action, object: Object) -> Step {
        let logical = LogicalKey::of(&object.key, "wallet");
        Step {
            before: Some(object.clone()),
            ..Step::new(action, object.key, logical)
        }
    }

    /// Plans to delete objects on a server that lets only some names be deleted, and returns which
    /// steps lack the right, and how often it was asked.
    async fn check(allowed: &'static [&'static str]) -> (Vec<String>, usize) {
        let (cluster, log) = cluster(|request| {
            assert_eq!(request.method, Method::DELETE);
            assert_eq!(request.body["dryRun"], json!(["All"]));
            let name = request.path.rsplit('/').next().unwrap_or_default();
            if allowed.contains(&name) {
                return (200, json!({"kind": "Status", "status": "Success"}));
            }
            let message = format!(
                "configmaps {name:?} is forbidden: User \"jane\" cannot delete resource \
                 \"configmaps\" in API group \"\" in the namespace \"wallet\""
            );
            (
                403,
                json!({
                    "kind": "Status", "status": "Failure", "reason": "Forbidden", "code": 403,
                    "message": message, "details": {"name": name, "kind": "configmaps"},
                }),
            )
        });
        let mut world = World::default();
        let kind = ResourceKind {
            kind: GroupKind::core("ConfigMap"),
            version: "v1".to_owned(),
            versions: vec!["v1".to_owned()],
            plural: "configmaps".to_owned(),
            namespaced: true,
            listable: true,
        };
        world.kinds.insert(kind.kind.clone(), kind);
        let kinds = Kinds::new(&world, std::iter::empty());
        let mut steps = [
            step(Action::Delete, live("a", "wallet")),
            step(Action::Delete, live("b", "wallet")),
            step(Action::Update, live("c", "wallet")),
            step(Action::Replace, live("d", "wallet")),
        ];
        ask_about_deletions(&cluster, &kinds, &mut steps).await;
        let lacking = steps.iter().filter(|step| {
            matches!(&step.unvalidated, Some(Unvalidated::NoRight(right))
                if right.starts_with("delete configmaps in namespace wallet"))
        });
        let names = lacking.map(|step| step.key.name.clone()).collect();
        (names, log.lock().unwrap().len())
    }

    /// One question where the right is there; where it is not, each object is asked about.
    #[tokio::test]
    async fn a_missing_right_to_delete_is_told() {
        assert_eq!(check(&["a", "b", "d"]).await, (vec![], 1));
        assert_eq!(check(&["b"]).await, (vec!["a".into(), "d".into()], 3));
        assert_eq!(check(&[]).await.0.len(), 3);
    }
}
