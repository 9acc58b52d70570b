//! What a creation leaves in `managedFields`, and what an apply would have left.

use serde_json::Value;

use super::{
    entry::{ManagedFields, Operation},
    object::{strip, without_managed_fields},
};
use crate::{
    schema::KindSchema,
    typed::{fields_as_owned, merge_into, validate, validate_live},
    value,
};

/// The `managedFields` of an object that `manager` has just created by an ordinary write of
/// `config`, as they would be had it applied it. `None` where that cannot be told for certain, and
/// only an apply itself can:
///
/// - somebody else owns fields already;
/// - the object does not hold everything that `config` says, since admission changed it;
/// - the server divides the object into other fields than the schema does: whatever an apply owns
///   must be owned by the creation, which owns all that there is.
pub fn applied_at_creation(
    created: &Value,
    config: &Value,
    manager: &str,
    schema: &KindSchema,
) -> Option<Value> {
    let managed = ManagedFields::of_object(created).ok()?;
    let [creation] = managed.0.as_slice() else {
        return None;
    };
    let is_own = creation.manager == manager
        && creation.operation == Operation::Update
        && creation.subresource.is_empty()
        && config.get("apiVersion").and_then(Value::as_str) == Some(&creation.api_version);
    if !is_own || config.pointer("/metadata/managedFields").is_some() {
        return None;
    }
    let live = without_managed_fields(created);
    validate(config, schema).ok()?;
    validate_live(&live, schema).ok()?;
    let mut merged = live.clone();
    merge_into(&mut merged, config, schema);
    if !value::equal(&merged, &live) {
        return None;
    }
    let fields = strip(&fields_as_owned(config, schema, &creation.fields));
    if fields.is_empty() || !fields.is_subset(&creation.fields) {
        return None;
    }
    let mut applied = creation.clone();
    applied.operation = Operation::Apply;
    applied.fields = fields;
    Some(ManagedFields(vec![applied]).to_json())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        ApplyRequest, apply,
        managers::update,
        schema::{KindSchema, builtin},
    };

    const NOW: &str = "2026-01-02T03:04:05Z";

    fn schema() -> KindSchema {
        builtin("", "v1", "Service").unwrap()
    }

    fn config() -> Value {
        json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "web", "namespace": "wallet", "labels": {"app": "web"}},
            "spec": {
                "selector": {"app": "web"},
                "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080}],
            },
        })
    }

    /// The object as a server stores it: with defaults, all of it owned by the creation.
    fn created(manager: &str) -> Value {
        let mut object = config();
        object["spec"]["type"] = json!("ClusterIP");
        object["spec"]["clusterIP"] = json!("10.0.0.7");
        object["spec"]["sessionAffinity"] = json!("None");
        update(None, object, manager, "", NOW, &schema()).unwrap()
    }

    fn told(created: &Value, config: &Value) -> Option<Value> {
        applied_at_creation(created, config, "underpin", &schema())
    }

    /// What is told is what an apply of the same to the created object leaves of ours.
    #[test]
    fn it_is_what_an_apply_leaves() {
        let created = created("underpin");
        let request = ApplyRequest {
            config: &config(),
            manager: "underpin",
            force: false,
            subresource: "",
            now: NOW,
        };
        let applied = apply(Some(&created), request, &schema()).unwrap();
        let managed = ManagedFields::of_object(&applied).unwrap();
        let own = managed.applied_by("underpin", "").unwrap().clone();
        let expect = ManagedFields(vec![own]).to_json();
        assert_eq!(told(&created, &config()), Some(expect));
    }

    #[test]
    fn in_doubt_nothing_is_told() {
        assert_eq!(told(&created("kubectl-create"), &config()), None);
        // Admission changed a value that was sent.
        let mut changed = created("underpin");
        changed["spec"]["ports"][0]["targetPort"] = json!(9);
        assert_eq!(told(&changed, &config()), None);
        // A webhook's own entry, or none at all.
        let mut shared = created("underpin");
        let mut other = shared["metadata"]["managedFields"][0].clone();
        other["manager"] = json!("webhook");
        shared["metadata"]["managedFields"]
            .as_array_mut()
            .unwrap()
            .push(other);
        assert_eq!(told(&shared, &config()), None);
        let mut none = created("underpin");
        none["metadata"]["managedFields"] = json!([]);
        assert_eq!(told(&none, &config()), None);
        // A server that takes the ports for one field.
        let mut atomic = created("underpin");
        let fields = &mut atomic["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"];
        fields["f:selector"] = json!({});
        fields["f:ports"] = json!({"k:{\"port\":80}": {".": {}}});
        assert_eq!(told(&atomic, &config()), None);
        // A field that the schema does not know.
        let mut unknown = config();
        unknown["spec"]["new"] = json!(1);
        assert_eq!(told(&created("underpin"), &unknown), None);
    }
}
