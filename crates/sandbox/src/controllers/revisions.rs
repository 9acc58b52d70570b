//! ControllerRevisions: the templates that a StatefulSet or DaemonSet had.

use serde_json::{Value, json};
use underpin_model::GroupKind;

use super::{Writer, client, owned};
use crate::{State, lifecycle::Key, object};

/// Revisions that are kept when nobody says how many.
const HISTORY_LIMIT: i64 = 10;
const HASH_LABEL: &str = "controller.kubernetes.io/hash";

/// The kind.
pub(super) fn controller_revisions() -> GroupKind {
    GroupKind::new("apps", "ControllerRevision")
}

/// Sees to it that the present template is recorded, as the latest; returns the record's name.
pub(super) fn ensure(state: &mut State, kind: &GroupKind, workload: &Value) -> String {
    let template = workload.pointer("/spec/template").unwrap_or(&Value::Null);
    let hash = owned::hash(template);
    let name = format!("{}-{hash}", object::name(workload));
    let namespace = object::namespace(workload);
    let all = owned::owned(state, object::uid(workload), &controller_revisions());
    let number = |found: &Value| owned::integer(found, "/revision").unwrap_or_default();
    let latest = all
        .iter()
        .map(|found| number(found))
        .max()
        .unwrap_or_default();
    match state
        .get(&controller_revisions(), namespace, &name)
        .cloned()
    {
        Some(found) if number(&found) < latest => {
            let mut again = found.as_ref().clone();
            if let Some(root) = again.as_object_mut() {
                root.insert("revision".to_owned(), json!(latest + 1));
            }
            let writer = Writer::ControllerManager;
            client::update(state, writer, &controller_revisions(), again);
        }
        Some(_) => {}
        None if object::is_deleting(workload) => {}
        None => {
            let mut labels = template.pointer("/metadata/labels").cloned();
            let labels = labels.get_or_insert_with(|| json!({}));
            if let Some(labels) = labels.as_object_mut() {
                labels.insert(HASH_LABEL.to_owned(), json!(hash));
            }
            let mut data = template.clone();
            if let Some(data) = data.as_object_mut() {
                data.insert("$patch".to_owned(), json!("replace"));
            }
            let record = json!({
                "apiVersion": "apps/v1",
                "kind": "ControllerRevision",
                "metadata": {
                    "name": name,
                    "namespace": namespace,
                    "labels": labels,
                    "ownerReferences": [owned::reference(kind, workload)],
                },
                "data": {"spec": {"template": data}},
                "revision": latest + 1,
            });
            // Refused only while the namespace goes: then nothing needs it any more.
            let writer = Writer::ControllerManager;
            drop(client::create(
                state,
                writer,
                &controller_revisions(),
                record,
            ));
            forget(state, workload, &name);
        }
    }
    name
}

/// Deletes the oldest records beyond the history limit; never the present one, nor one that the
/// status still names.
fn forget(state: &mut State, workload: &Value, present: &str) {
    let limit = owned::integer(workload, "/spec/revisionHistoryLimit").unwrap_or(HISTORY_LIMIT);
    let mut old = owned::owned(state, object::uid(workload), &controller_revisions());
    let current = object::text(workload, "/status/currentRevision");
    old.retain(|found| object::name(found) != present && object::name(found) != current);
    old.sort_by_key(|found| owned::integer(found, "/revision"));
    let surplus = usize::try_from(owned::count(old.len()) - limit).unwrap_or(0);
    for found in old.iter().take(surplus) {
        let key = Key::of(&controller_revisions(), found);
        client::delete(state, &key, object::uid(found), None, None);
    }
}

/// The workload with the template that a record holds.
pub(super) fn at(state: &State, workload: &Value, name: &str) -> Option<std::sync::Arc<Value>> {
    let namespace = object::namespace(workload);
    let record = state.get(&controller_revisions(), namespace, name)?;
    let mut template = record.pointer("/data/spec/template")?.clone();
    template.as_object_mut()?.remove("$patch");
    let mut then = workload.clone();
    object::child(then.as_object_mut()?, "spec").insert("template".to_owned(), template);
    Some(std::sync::Arc::new(then))
}
