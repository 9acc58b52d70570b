//! Events: the warnings by which controllers, scheduler and kubelets explain what does not work.
//! What goes well is told by nobody here.

use serde_json::{Value, json};
use underpin_model::GroupKind;

use super::{Writer, client, owned};
use crate::{State, lifecycle::Key, object};

/// The kind.
fn events() -> GroupKind {
    GroupKind::core("Event")
}

/// Warns about an object. A warning that was given before is counted.
pub(super) fn warn(
    state: &mut State,
    writer: Writer,
    kind: &GroupKind,
    about: &Value,
    reason: &str,
    message: &str,
) {
    let (uid, name) = (object::uid(about), object::name(about));
    let gist = owned::hash(&json!([uid, reason, message]));
    let namespace = object::namespace(about);
    let event_name = format!("{name}.{gist}");
    let key = Key::new(events(), namespace, &event_name);
    let now = object::seconds(state.now);
    if let Some(known) = client::get(state, &key) {
        let mut again = known.as_ref().clone();
        let count = owned::integer(&again, "/count").unwrap_or(0);
        again["count"] = json!(count.saturating_add(1));
        again["lastTimestamp"] = json!(now);
        return client::update(state, writer, &events(), again);
    }
    let event = json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": key.name, "namespace": namespace},
        "involvedObject": {
            "apiVersion": about["apiVersion"],
            "kind": kind.kind,
            "namespace": namespace,
            "name": name,
            "uid": uid,
        },
        "type": "Warning",
        "reason": reason,
        "message": message,
        "source": {"component": writer.manager()},
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
        "reportingComponent": writer.manager(),
        "reportingInstance": "",
    });
    // In a namespace that is going nothing is told any more.
    drop(client::create(state, writer, &events(), event));
}
