//! Whether a node is one that a pod may run on: labels, affinity, taints.
//!
//! Source: Kubernetes documentation, "Assigning Pods to Nodes", "Taints and Tolerations".

use serde_json::Value;

use super::owned;
use crate::{lifecycle::conditions::condition, object};

/// Why a pod may not run on a node, as the scheduler puts it; `None` if it may.
pub(super) fn refusal(pod: &Value, node: &Value) -> Option<String> {
    let taints = node.pointer("/spec/taints").and_then(Value::as_array);
    if node.pointer("/spec/unschedulable") == Some(&Value::Bool(true))
        && !tolerates_unschedulable(pod)
    {
        return Some("node(s) were unschedulable".to_owned());
    }
    for taint in taints.into_iter().flatten() {
        let effect = object::text(taint, "/effect");
        if matches!(effect, "NoSchedule" | "NoExecute") && !tolerates(pod, taint) {
            let key = object::text(taint, "/key");
            let value = object::text(taint, "/value");
            return Some(format!("node(s) had untolerated taint {{{key}: {value}}}"));
        }
    }
    let ready =
        condition(node, "Ready").is_none_or(|ready| object::text(ready, "/status") == "True");
    if !ready {
        return Some("node(s) had untolerated taint {node.kubernetes.io/not-ready: }".to_owned());
    }
    if !selected(pod, node) {
        return Some("node(s) didn't match Pod's node affinity/selector".to_owned());
    }
    None
}

fn tolerates_unschedulable(pod: &Value) -> bool {
    let taint = serde_json::json!({
        "key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule",
    });
    tolerates(pod, &taint)
}

/// Whether one of the pod's tolerations covers a taint.
fn tolerates(pod: &Value, taint: &Value) -> bool {
    let tolerations = pod.pointer("/spec/tolerations").and_then(Value::as_array);
    tolerations.into_iter().flatten().any(|toleration| {
        let same = |field: &str| object::text(toleration, field) == object::text(taint, field);
        let any = |field: &str| object::text(toleration, field).is_empty();
        (any("/effect") || same("/effect"))
            && match object::text(toleration, "/operator") {
                "Exists" => any("/key") || same("/key"),
                _ => same("/key") && same("/value"),
            }
    })
}

/// Whether the node's labels are those that the pod asks for.
pub(super) fn selected(pod: &Value, node: &Value) -> bool {
    let labels = owned::labels(node);
    let wanted = owned::text_map(pod.pointer("/spec/nodeSelector"));
    if wanted
        .iter()
        .any(|(key, value)| labels.get(key) != Some(value))
    {
        return false;
    }
    let terms = pod.pointer(
        "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms",
    );
    let Some(terms) = terms.and_then(Value::as_array) else {
        return true;
    };
    terms.iter().any(|term| {
        let list = |field: &str| term.get(field).and_then(Value::as_array);
        let expressions = list("matchExpressions");
        let fields = list("matchFields");
        let named = expressions.is_some_and(|list| !list.is_empty())
            || fields.is_some_and(|list| !list.is_empty());
        let by_labels = expressions.into_iter().flatten().all(|requirement| {
            let have = labels.get(object::text(requirement, "/key")).copied();
            holds(requirement, have)
        });
        let by_fields = fields.into_iter().flatten().all(|requirement| {
            object::text(requirement, "/key") == "metadata.name"
                && holds(requirement, Some(object::name(node)))
        });
        named && by_labels && by_fields
    })
}

fn holds(requirement: &Value, have: Option<&str>) -> bool {
    let values = requirement.get("values").and_then(Value::as_array);
    let mut values = values.into_iter().flatten().filter_map(Value::as_str);
    let number = |text: &str| text.parse::<i64>().ok();
    match object::text(requirement, "/operator") {
        "In" => have.is_some_and(|have| values.any(|value| value == have)),
        "NotIn" => have.is_none_or(|have| values.all(|value| value != have)),
        "Exists" => have.is_some(),
        "DoesNotExist" => have.is_none(),
        operator @ ("Gt" | "Lt") => {
            let limit = values.next().and_then(number);
            match (have.and_then(number), limit) {
                (Some(have), Some(limit)) if operator == "Gt" => have > limit,
                (Some(have), Some(limit)) => have < limit,
                _ => false,
            }
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(spec: &Value, node_spec: &Value, expect: Option<&str>) {
        let node = json!({
            "metadata": {"name": "node-1", "labels": {"disk": "ssd", "cores": "8"}},
            "spec": node_spec,
        });
        let refusal = refusal(&json!({"spec": spec}), &node);
        assert_eq!(refusal.as_deref(), expect);
    }

    fn affinity(key: &str, operator: &str, values: &[&str]) -> Value {
        json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchExpressions": [
                {"key": key, "operator": operator, "values": values},
            ]}],
        }}}})
    }

    #[test]
    fn labels_and_affinity_choose_nodes() {
        let no = Some("node(s) didn't match Pod's node affinity/selector");
        check(&json!({"nodeSelector": {"disk": "ssd"}}), &json!({}), None);
        check(&json!({"nodeSelector": {"disk": "hdd"}}), &json!({}), no);
        check(&affinity("disk", "In", &["hdd", "ssd"]), &json!({}), None);
        check(&affinity("disk", "NotIn", &["ssd"]), &json!({}), no);
        check(&affinity("gpu", "NotIn", &["a"]), &json!({}), None);
        check(&affinity("gpu", "Exists", &[]), &json!({}), no);
        check(&affinity("gpu", "DoesNotExist", &[]), &json!({}), None);
        check(&affinity("cores", "Gt", &["4"]), &json!({}), None);
        check(&affinity("cores", "Lt", &["4"]), &json!({}), no);
    }

    #[test]
    fn taints_keep_pods_off_that_do_not_tolerate_them() {
        let taint = json!({"taints": [{"key": "a", "value": "b", "effect": "NoSchedule"}]});
        let no = Some("node(s) had untolerated taint {a: b}");
        check(&json!({}), &taint, no);
        let tolerate = |toleration: Value| json!({"tolerations": [toleration]});
        check(&tolerate(json!({"operator": "Exists"})), &taint, None);
        check(&tolerate(json!({"key": "a", "value": "b"})), &taint, None);
        check(&tolerate(json!({"key": "a", "value": "c"})), &taint, no);
        let closed = json!({"unschedulable": true});
        check(&json!({}), &closed, Some("node(s) were unschedulable"));
        let key = "node.kubernetes.io/unschedulable";
        check(
            &tolerate(json!({"key": key, "operator": "Exists"})),
            &closed,
            None,
        );
    }
}
