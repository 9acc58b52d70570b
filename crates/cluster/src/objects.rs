//! Requests about one object: read it, change its metadata; and what such requests share.

use std::time::Duration;

use http::Method;
use serde_json::{Map, Value, json};
use underpin_fieldset::CREATION_ONLY;
use underpin_model::{Depth, Object, ObjectKey, Origin, ResourceKind, names};

use crate::{
    Act, Cause, Cluster, ClusterError, ConflictKind, Precondition,
    list::complete_item,
    path,
    transport::{ACCEPT_JSON, ACCEPT_METADATA, Call, MERGE_PATCH, Repeat},
};

impl Cluster {
    /// One object in full; `None` when the server says that it does not exist. That its kind is not
    /// served is an error: it says nothing of the object.
    pub async fn get(
        &self,
        kind: &ResourceKind,
        key: &ObjectKey,
    ) -> Result<Option<Object>, ClusterError> {
        let act = Act::on_object("get", kind, key);
        let call = Call::get(
            act.clone(),
            path::object(kind, key),
            ACCEPT_JSON,
            self.timeout(),
        );
        match self.send(&call).await {
            Ok(reply) => live_object(&act, reply.value).map(Some),
            Err(ClusterError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sets one annotation of a Namespace that still has this uid. Its resourceVersion changes if
    /// the value does.
    pub async fn annotate_namespace(
        &self,
        name: &str,
        uid: &str,
        annotation: &str,
        value: &str,
    ) -> Result<Object, ClusterError> {
        let kind = ResourceKind::v1("", "Namespace", "namespaces", false);
        let patch = json!({"metadata": {"uid": uid, "annotations": {annotation: value}}});
        self.merge_patch(&kind, &ObjectKey::of_namespace(name), &patch)
            .await
            .map_err(|error| name_conflict(error, &Precondition::Uid(uid.to_owned())))
    }

    /// Replaces `metadata.managedFields` of an object that still has this uid and resourceVersion:
    /// how adoption hands fields from another manager to ours.
    pub async fn replace_managed_fields(
        &self,
        kind: &ResourceKind,
        key: &ObjectKey,
        uid: &str,
        resource_version: &str,
        managed_fields: Value,
    ) -> Result<Object, ClusterError> {
        let patch = json!({"metadata": {
            "uid": uid,
            "resourceVersion": resource_version,
            "managedFields": managed_fields,
        }});
        self.merge_patch(kind, key, &patch)
            .await
            .map_err(|error| name_conflict(error, &Precondition::Uid(uid.to_owned())))
    }

    /// A merge patch. `patch` must carry a precondition, which makes repeating it harmless.
    pub(crate) async fn merge_patch(
        &self,
        kind: &ResourceKind,
        key: &ObjectKey,
        patch: &Value,
    ) -> Result<Object, ClusterError> {
        let (act, value) = self.send_merge_patch(kind, key, patch, ACCEPT_JSON).await?;
        live_object(&act, value)
    }

    /// The same of an object whose contents are known then: the answer's metadata alone.
    pub(crate) async fn merge_patch_unseen(
        &self,
        kind: &ResourceKind,
        key: &ObjectKey,
        patch: &Value,
    ) -> Result<Object, ClusterError> {
        let (act, value) = self
            .send_merge_patch(kind, key, patch, ACCEPT_METADATA)
            .await?;
        let item = match value {
            Value::Object(item) => item,
            _ => Map::new(),
        };
        let object = complete_item(item, kind, Depth::Metadata);
        Ok(Object {
            depth: Depth::Metadata,
            ..live_object(&act, object)?
        })
    }

    async fn send_merge_patch(
        &self,
        kind: &ResourceKind,
        key: &ObjectKey,
        patch: &Value,
        accept: &'static str,
    ) -> Result<(Act, Value), ClusterError> {
        let act = Act::on_object("patch", kind, key);
        let timeout = server_timeout(self.timeout());
        let parameters = [
            ("fieldManager", names::FIELD_MANAGER),
            ("timeout", &timeout),
        ];
        let call = Call {
            act: act.clone(),
            method: Method::PATCH,
            uri: path::with_query(&path::object(kind, key), &parameters),
            accept,
            content_type: MERGE_PATCH,
            body: patch.to_string().into_bytes(),
            repeat: Repeat::Always,
            bulk: false,
            timeout: self.timeout(),
        };
        let reply = self.send(&call).await?;
        Ok((act, reply.value))
    }
}

/// The time limit for the server: whole seconds, rounded down so that it gives up first.
pub(crate) fn server_timeout(timeout: Duration) -> String {
    format!("{}s", timeout.as_secs().max(1))
}

/// Gives a refusal the meaning that the precondition has: under `CreateOnly` every conflict means
/// that the object exists, whichever check of the server's noticed first, and so does the refusal to
/// change what can only be sent at creation.
pub(crate) fn name_conflict(error: ClusterError, precondition: &Precondition) -> ClusterError {
    match (error, precondition) {
        (ClusterError::Conflict { act, message, .. }, Precondition::CreateOnly) => {
            ClusterError::Conflict {
                act,
                kind: ConflictKind::AlreadyExists,
                message,
            }
        }
        (
            ClusterError::Invalid {
                act,
                causes,
                message,
            },
            Precondition::CreateOnly,
        ) if causes.iter().any(only_at_creation) => ClusterError::Conflict {
            act,
            kind: ConflictKind::AlreadyExists,
            message,
        },
        // A merge patch of an object that is gone.
        (ClusterError::NotFound { act, message }, Precondition::Uid(_))
            if !message.starts_with("namespaces ") || act.resource == "namespaces" =>
        {
            ClusterError::Conflict {
                act,
                kind: ConflictKind::Precondition,
                message,
            }
        }
        (error, _) => error,
    }
}

fn only_at_creation(cause: &Cause) -> bool {
    let field = cause.field.strip_prefix("metadata.");
    field == Some(CREATION_ONLY)
}

/// Reads an object out of an answer.
pub(crate) fn live_object(act: &Act, value: Value) -> Result<Object, ClusterError> {
    Object::from_value(value, Depth::Full, Origin::Live).ok_or_else(|| ClusterError::Decode {
        act: Box::new(act.clone()),
        reason: "the answer is not an object with apiVersion, kind and name".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mock::{Answer, cluster, status};

    fn config_map() -> Object {
        let value = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "a", "namespace": "wallet"}, "data": {"k": "v"},
        });
        Object::from_value(value, Depth::Full, Origin::Live).unwrap()
    }

    fn kind() -> ResourceKind {
        ResourceKind::v1("", "ConfigMap", "configmaps", true)
    }

    #[tokio::test(start_paused = true)]
    async fn no_request_outlives_its_time_limit() {
        let cluster = cluster(|_| Answer::Text(503, "down")).with_timeout(Duration::from_secs(1));
        let begun = tokio::time::Instant::now();
        let outcome = cluster.get(&kind(), &config_map().key).await;
        assert!(outcome.is_err());
        assert!(begun.elapsed() <= Duration::from_secs(1));
    }

    #[tokio::test]
    async fn unknown_is_not_absent_when_one_object_is_read() {
        let absent = cluster(|_| status(404, "NotFound", "x", json!({"name": "a"})));
        assert!(
            absent
                .get(&kind(), &config_map().key)
                .await
                .unwrap()
                .is_none()
        );
        let unserved = cluster(|_| Answer::Text(404, "404 page not found"));
        assert!(unserved.get(&kind(), &config_map().key).await.is_err());
    }

    #[tokio::test]
    async fn a_namespace_that_was_replaced_is_a_conflict() {
        let cluster = cluster(|seen| {
            assert_eq!(seen.body["metadata"]["uid"], "u");
            status(
                404,
                "NotFound",
                "namespaces \"a\" not found",
                json!({"name": "a"}),
            )
        });
        let outcome = cluster.annotate_namespace("a", "u", "k", "v").await;
        assert!(outcome.unwrap_err().is_conflict());
    }
}
