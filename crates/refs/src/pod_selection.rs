//! Which pods an object governs by a selector: sends requests to them, counts them, isolates them.

use serde_json::Value;
use underpin_model::{FieldPath, GroupKind, LabelSelector, Object, canonical_group};

use crate::bears_pods;

/// The selector by which an object governs pods of its own namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodSelection {
    /// Where it stands.
    pub path: FieldPath,
    /// The selector.
    pub selector: LabelSelector,
    /// What the object does to every pod that matches, as the rest of a sentence about it.
    pub effect: &'static str,
    /// Whether it is a workload's, which governs only pods that it owns: those of others matter to
    /// whoever scales it, and once they have no owner.
    pub is_workload: bool,
    /// Whether the server refuses to change the selector of an existing object.
    pub is_immutable: bool,
}

/// Whether objects of this kind govern pods by a selector.
pub fn selects_pods(kind: &GroupKind) -> bool {
    let group = canonical_group(&kind.group, &kind.kind);
    matches!(
        (group, kind.kind.as_str()),
        ("", "Service" | "ReplicationController")
            | (
                "apps",
                "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet"
            )
            | ("policy", "PodDisruptionBudget")
            | ("networking.k8s.io", "NetworkPolicy")
    )
}

const WORKLOAD: &str = "takes over those whose controller is gone";

/// The selector of a Service, a workload, a PodDisruptionBudget or a NetworkPolicy, if it selects
/// anything. Selectors of peers, of spread and affinity are not among them: they say what an object
/// looks at, and do nothing to what they match. `None` also for what was not read or is malformed.
pub fn pod_selection(object: &Object) -> Option<PodSelection> {
    let kind = &object.key.kind;
    let group = canonical_group(&kind.group, &kind.kind);
    let spec = object.value.get("spec")?;
    let (field, selector, effect, is_immutable) = match (group, kind.kind.as_str()) {
        ("", "Service") => {
            let selector = by_labels(spec)?;
            ("selector", selector, "sends its requests to them", false)
        }
        ("", "ReplicationController") => ("selector", by_labels(spec)?, WORKLOAD, false),
        ("apps", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet") => {
            ("selector", structured(spec, "selector")?, WORKLOAD, true)
        }
        ("policy", "PodDisruptionBudget") => {
            let selector = structured(spec, "selector")?;
            // In v1beta1 an empty selector selects nothing; since v1 it selects the namespace.
            if selector.0.is_empty() && object.version == "v1beta1" {
                return None;
            }
            let effect = "counts them, and a pod under two budgets cannot be evicted";
            ("selector", selector, effect, false)
        }
        ("networking.k8s.io", "NetworkPolicy") => {
            let selector = structured(spec, "podSelector")?;
            let effect = "governs their traffic: what it does not allow is refused";
            ("podSelector", selector, effect, false)
        }
        _ => return None,
    };
    Some(PodSelection {
        path: FieldPath::new("spec").key(field),
        selector,
        is_workload: bears_pods(kind),
        effect,
        is_immutable,
    })
}

/// A plain map of labels; an empty one selects nothing.
fn by_labels(spec: &Value) -> Option<LabelSelector> {
    LabelSelector::from_map(spec.get("selector")?).filter(|map| !map.0.is_empty())
}

fn structured(spec: &Value, field: &str) -> Option<LabelSelector> {
    LabelSelector::from_structured(spec.get(field)?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use underpin_model::{Depth, Origin};

    use super::*;

    #[track_caller]
    fn check((version, kind): (&str, &str), spec: &Value, expect: Option<&str>) {
        let value = json!({
            "apiVersion": version, "kind": kind, "metadata": {"name": "x", "namespace": "n"},
            "spec": spec,
        });
        let object = Object::from_value(value, Depth::Full, Origin::Live).expect("an object");
        assert!(expect.is_none() || selects_pods(&object.key.kind));
        let found =
            pod_selection(&object).map(|found| format!("{}: {}", found.path, found.selector));
        assert_eq!(found.as_deref(), expect);
    }

    #[test]
    fn an_empty_selector_means_what_its_kind_says() {
        let service = ("v1", "Service");
        check(
            service,
            &json!({"selector": {"app": "web"}}),
            Some("spec.selector: app=web"),
        );
        check(service, &json!({"selector": {}}), None);
        check(service, &json!({}), None);
        let policy = ("networking.k8s.io/v1", "NetworkPolicy");
        check(
            policy,
            &json!({"podSelector": {}}),
            Some("spec.podSelector: "),
        );
        check(
            ("policy/v1beta1", "PodDisruptionBudget"),
            &json!({"selector": {}}),
            None,
        );
        let budget = ("policy/v1", "PodDisruptionBudget");
        check(budget, &json!({"selector": {}}), Some("spec.selector: "));
    }

    #[test]
    fn workloads_select_and_what_is_malformed_does_not() {
        let selector = json!({"selector": {"matchLabels": {"app": "web"}}});
        check(
            ("apps/v1", "Deployment"),
            &selector,
            Some("spec.selector: app=web"),
        );
        check(
            ("extensions/v1beta1", "Deployment"),
            &selector,
            Some("spec.selector: app=web"),
        );
        check(
            ("apps/v1", "Deployment"),
            &json!({"selector": {"matchLabels": {"app": 1}}}),
            None,
        );
        check(("batch/v1", "Job"), &selector, None);
    }
}
