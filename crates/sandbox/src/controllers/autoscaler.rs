//! Horizontal autoscalers: they find their target, but no metrics to act on.

use serde_json::{Value, json};
use underpin_model::GroupKind;

use super::{Controller, Delay, Writer, client, enqueue, owned};
use crate::{
    State,
    lifecycle::{
        Key,
        conditions::{Condition, set_condition},
    },
    object,
    state::Change,
};

/// Asks for a look at a changed autoscaler.
pub(super) fn observe(state: &mut State, change: &Change) {
    if change.kind.is("autoscaling", "HorizontalPodAutoscaler") && !change.deleted {
        let key = Key::of(&change.kind, &change.object);
        enqueue(state, Controller::Autoscaler, key, Delay::Reaction);
    }
}

/// Writes what the real controller writes where no metrics server runs.
pub(super) fn run(state: &mut State, key: &Key) {
    let Some(autoscaler) = client::get(state, key) else {
        return;
    };
    let target = autoscaler
        .pointer("/spec/scaleTargetRef")
        .unwrap_or(&Value::Null);
    let version = object::text(target, "/apiVersion");
    let group = version.split_once('/').map_or("", |(group, _)| group);
    let kind = GroupKind::new(group, object::text(target, "/kind"));
    let name = object::text(target, "/name");
    let found = state.get(&kind, &key.namespace, name).cloned();
    let mut changed = autoscaler.as_ref().clone();
    let conditions = match &found {
        None => vec![Condition::new(
            "AbleToScale",
            false,
            "FailedGetScale",
            format!(
                "the HPA controller was unable to get the target's current scale: {}.{group} \
                 \"{name}\" not found",
                client::kind(state, &kind).map_or_else(String::new, |kind| kind.plural.clone())
            ),
        )],
        Some(_) => vec![
            Condition::new(
                "AbleToScale",
                true,
                "SucceededGetScale",
                "the HPA controller was able to get the target's current scale",
            ),
            Condition::new(
                "ScalingActive",
                false,
                "FailedGetResourceMetric",
                "the HPA was unable to compute the replica count: no metrics are served here",
            ),
        ],
    };
    for condition in conditions {
        set_condition(&mut changed, &condition, state.now);
    }
    let current = found.and_then(|found| owned::integer(&found, "/spec/replicas"));
    if let Some(root) = changed.as_object_mut() {
        let status = object::child(root, "status");
        status.insert("currentMetrics".to_owned(), Value::Null);
        status.insert("desiredReplicas".to_owned(), json!(0));
        if let Some(current) = current {
            status.insert("currentReplicas".to_owned(), json!(current));
        }
    }
    client::update_status(state, Writer::ControllerManager, &key.kind, changed);
}
