//! Disruption budgets: how many pods may go of their own will.
//!
//! Source: kube-controller-manager's disruption controller.

use serde_json::{Value, json};
use underpin_model::{GroupKind, LabelSelector};

use super::{
    Controller, Delay, Writer, client,
    deployment_scale::portion,
    enqueue, owned,
    pods::{self, is_active, is_ready},
};
use crate::{
    State,
    lifecycle::{
        Key,
        conditions::{Condition, set_condition},
        controller_of,
    },
    object,
    state::Change,
};

fn budgets() -> GroupKind {
    GroupKind::new("policy", "PodDisruptionBudget")
}

/// Asks for a look at a changed budget, and at those of a changed pod.
pub(super) fn observe(state: &mut State, change: &Change) {
    if change.kind == budgets() {
        if !change.deleted {
            let key = Key::of(&change.kind, &change.object);
            enqueue(state, Controller::Disruption, key, Delay::Reaction);
        }
    } else if change.kind == pods::pods() {
        let labels = owned::labels(&change.object);
        for budget in client::list(state, &budgets(), object::namespace(&change.object)) {
            if covers(&budget, &labels) {
                let key = Key::of(&budgets(), &budget);
                enqueue(state, Controller::Disruption, key, Delay::Reaction);
            }
        }
    }
}

fn covers(budget: &Value, labels: &std::collections::BTreeMap<&str, &str>) -> bool {
    let selector = budget.pointer("/spec/selector");
    selector
        .and_then(LabelSelector::from_structured)
        .is_some_and(|selector| selector.matches(labels))
}

/// Counts.
pub(super) fn run(state: &mut State, key: &Key) {
    let Some(budget) = client::get(state, key) else {
        return;
    };
    let pods: Vec<_> = client::list(state, &pods::pods(), &key.namespace)
        .into_iter()
        .filter(|pod| covers(&budget, &owned::labels(pod)) && is_active(pod))
        .collect();
    let expected = expected(state, &pods);
    let healthy = owned::count(pods.iter().filter(|pod| is_ready(pod)).count());
    let missing = budget.pointer("/spec/maxUnavailable");
    let least = budget.pointer("/spec/minAvailable");
    let desired = match portion(missing, expected, true) {
        Some(missing) => expected - missing,
        None if least.is_some_and(Value::is_number) => portion(least, expected, true).unwrap_or(0),
        None => portion(least, expected, true).unwrap_or(1),
    };
    let desired = desired.max(0);
    let allowed = if expected > 0 {
        (healthy - desired).max(0)
    } else {
        0
    };
    let mut changed = budget.as_ref().clone();
    let always = [
        ("currentHealthy", healthy),
        ("desiredHealthy", desired),
        ("disruptionsAllowed", allowed),
        ("expectedPods", expected),
    ];
    let generation = owned::integer(&budget, "/metadata/generation").unwrap_or_default();
    owned::set_counts(&mut changed, &always, &[("observedGeneration", generation)]);
    if let Some(status) = changed.get_mut("status").and_then(Value::as_object_mut) {
        status.remove("disruptedPods");
    }
    let reason = if allowed > 0 {
        "SufficientPods"
    } else {
        "InsufficientPods"
    };
    let condition = Condition::new("DisruptionAllowed", allowed > 0, reason, "");
    set_condition(&mut changed, &condition, state.now);
    let list = changed
        .pointer_mut("/status/conditions")
        .and_then(Value::as_array_mut);
    for found in list.into_iter().flatten() {
        if let Some(found) = found.as_object_mut() {
            // This kind's conditions always have a message, and say which generation they mean.
            found.entry("message").or_insert_with(|| json!(""));
            found.insert("observedGeneration".to_owned(), json!(generation));
        }
    }
    client::update_status(state, Writer::ControllerManager, &budgets(), changed);
}

/// How many pods there are to be: what their workloads want, and one each of those without.
fn expected(state: &State, pods: &[std::sync::Arc<Value>]) -> i64 {
    let mut seen = std::collections::BTreeSet::new();
    let mut sum = 0;
    for pod in pods {
        let Some(owner) = controller_of(pod) else {
            sum += 1;
            continue;
        };
        if seen.insert(owner.uid.to_owned()) {
            let found = state.get(&owner.kind, object::namespace(pod), owner.name);
            let wanted = found.and_then(|found| owned::integer(found, "/spec/replicas"));
            sum += wanted.unwrap_or(1);
        }
    }
    sum
}
