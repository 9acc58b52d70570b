//! Fields that are applied at creation and then left as they are live (R2.9).

use serde_json::Value;
use underpin_model::{FieldExpression, Object, names};

/// The expressions named on the object itself, in its own annotation.
pub(crate) fn annotated_paths(object: &Object) -> impl Iterator<Item = &str> {
    let annotation = object
        .annotation(names::IGNORE_FIELDS_ANNOTATION)
        .unwrap_or_default();
    annotation
        .split(',')
        .map(str::trim)
        .filter(|path| !path.is_empty())
}

/// Takes ignored fields of `desired` as they are live. A field that we own must be sent again with
/// its live value, else the server would remove it; one that we do not own is left out.
pub(crate) fn leave_alone(desired: &mut Value, live: &Object, expressions: &[FieldExpression]) {
    let ours = live
        .managers()
        .iter()
        .any(|(manager, _)| *manager == names::FIELD_MANAGER);
    for expression in expressions {
        match expression.get(&live.value) {
            Some(value) if ours => expression.set(desired, value.clone()),
            _ => expression.remove(desired),
        }
    }
}

/// The field that an autoscaler sets.
pub(crate) fn replicas() -> FieldExpression {
    FieldExpression::of_keys(&["spec", "replicas"])
}

/// Leaves `spec.replicas` out of what is applied, because an autoscaler sets it. Where our own
/// apply still owns the field, the live value is sent along: dropping an owned field resets it to
/// its default, and the workload would shrink to one replica.
pub(crate) fn leave_replicas(desired: &mut Value, live: Option<&Object>) {
    let owned = live.is_some_and(owns_replicas);
    let value = live
        .and_then(|live| live.at("/spec/replicas"))
        .filter(|_| owned)
        .cloned();
    let Some(spec) = desired.get_mut("spec").and_then(Value::as_object_mut) else {
        return;
    };
    match value {
        Some(value) => {
            spec.insert("replicas".to_owned(), value);
        }
        None => {
            spec.remove("replicas");
        }
    }
}

fn owns_replicas(live: &Object) -> bool {
    let entries = live.at("/metadata/managedFields").and_then(Value::as_array);
    entries.into_iter().flatten().any(|entry| {
        entry.get("manager").and_then(Value::as_str) == Some(names::FIELD_MANAGER)
            && entry
                .get("subresource")
                .is_none_or(|subresource| subresource == "")
            && entry.pointer("/fieldsV1/f:spec/f:replicas").is_some()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use underpin_model::{Depth, Origin};

    use super::*;

    fn live(manager: &str) -> Object {
        let value = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "managedFields": [
                {"manager": manager, "operation": "Apply", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
            ]},
            "spec": {"replicas": 7, "template": {"spec": {"containers": [
                {"name": "sidecar", "image": "s:1"}, {"name": "web", "image": "web:live"},
            ]}}},
        });
        Object::from_value(value, Depth::Full, Origin::Live).unwrap()
    }

    fn desired() -> Value {
        json!({"spec": {"replicas": 2, "template": {"spec": {"containers": [
            {"name": "web", "image": "web:declared"},
        ]}}}})
    }

    #[track_caller]
    fn check(expression: &str, manager: &str, expect: Option<&Value>) {
        let expression: FieldExpression = expression.parse().unwrap();
        let mut value = desired();
        leave_alone(
            &mut value,
            &live(manager),
            std::slice::from_ref(&expression),
        );
        assert_eq!(expression.get(&value), expect);
    }

    /// R2.9
    #[test]
    fn ignored_fields_follow_the_live_object() {
        check("spec.replicas", names::FIELD_MANAGER, Some(&json!(7)));
        check("spec.replicas", "somebody", None);
        let image = "spec.template.spec.containers[name=web].image";
        check(image, names::FIELD_MANAGER, Some(&json!("web:live")));
        check(image, "somebody", None);
        check("spec.paused", names::FIELD_MANAGER, None);
    }

    #[test]
    fn replicas_of_autoscaled_workloads_are_left_out_unless_we_own_them() {
        for (live, expect) in [
            (None, None),
            (Some(live("hpa")), None),
            (Some(live("underpin")), Some(json!(7))),
        ] {
            let mut value = desired();
            leave_replicas(&mut value, live.as_ref());
            assert_eq!(value.pointer("/spec/replicas").cloned(), expect);
        }
    }
}
