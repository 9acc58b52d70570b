//! What decides over stored data: the fields of claims and volumes that say whether a deletion loses
//! any.

use serde_json::Value;
use underpin_model::{Depth, FieldPath, Object};

/// Of a PersistentVolumeClaim (Kubernetes API reference, `PersistentVolumeClaimSpec`).
const CLAIM: &[&str] = &["spec.volumeName", "status.phase"];
/// Of a PersistentVolume (Kubernetes API reference, `PersistentVolumeSpec`).
const VOLUME: &[&str] = &[
    "spec.persistentVolumeReclaimPolicy",
    "spec.claimRef.uid",
    "status.phase",
];

/// The first of the fields that decide over stored data in which two readings of one object differ:
/// a claim that has been bound since, a volume whose reclaim policy was changed. `None` if they are
/// the same, if the object stores nothing, or if only its metadata was read before: whoever went on
/// then did so without knowing them.
pub fn rebound(before: &Object, now: &Object) -> Option<FieldPath> {
    if before.depth == Depth::Metadata {
        return None;
    }
    let kind = &before.key.kind;
    let fields = if kind.is("", "PersistentVolumeClaim") {
        CLAIM
    } else if kind.is("", "PersistentVolume") {
        VOLUME
    } else {
        return None;
    };
    let differs = |field: &&&str| {
        let pointer = format!("/{}", field.replace('.', "/"));
        value(before, &pointer) != value(now, &pointer)
    };
    let field = fields.iter().find(differs)?;
    Some(FieldPath::new(*field))
}

/// The server leaves out what is empty.
fn value<'o>(object: &'o Object, pointer: &str) -> Option<&'o Value> {
    object
        .at(pointer)
        .filter(|value| value.as_str() != Some(""))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use underpin_model::Origin;

    use super::*;

    #[track_caller]
    fn check(kind: &str, before: &Value, now: &Value, expect: Option<&str>) {
        let object = |fields: &Value| {
            let mut value = json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "x"}});
            for (field, content) in fields.as_object().into_iter().flatten() {
                value[field] = content.clone();
            }
            Object::from_value(value, Depth::Full, Origin::Live)
        };
        let (Some(before), Some(now)) = (object(before), object(now)) else {
            panic!("no objects");
        };
        let found = rebound(&before, &now);
        assert_eq!(found.as_ref().map(FieldPath::as_str), expect);
    }

    /// R1.6: what was judged as holding no data may hold some now.
    #[test]
    fn a_change_that_decides_over_data_is_seen() {
        let pending = json!({"spec": {"volumeName": ""}, "status": {"phase": "Pending"}});
        let bound = json!({"spec": {"volumeName": "pv-1"}, "status": {"phase": "Bound"}});
        let claim = "PersistentVolumeClaim";
        check(claim, &pending, &bound, Some("spec.volumeName"));
        check(
            claim,
            &pending,
            &json!({"status": {"phase": "Pending"}}),
            None,
        );
        check(claim, &bound, &bound, None);
        let binding = json!({"spec": {"volumeName": "pv-1"}, "status": {"phase": "Pending"}});
        check(claim, &binding, &bound, Some("status.phase"));

        let retained = json!({"spec": {"persistentVolumeReclaimPolicy": "Retain"}});
        let deleted = json!({"spec": {"persistentVolumeReclaimPolicy": "Delete"}});
        let policy = Some("spec.persistentVolumeReclaimPolicy");
        check("PersistentVolume", &retained, &deleted, policy);
        check("ConfigMap", &retained, &deleted, None);
    }
}
