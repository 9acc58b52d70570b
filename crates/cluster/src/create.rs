//! Creation where an apply cannot be made create-only.
//!
//! Kinds with a storage of their own (Services, up to 1.2x) refuse a resourceVersion on an object
//! that does not exist yet, which is what makes an apply create-only everywhere else. For them the
//! object is created by POST, which cannot update either. Field ownership is to be an apply's: what
//! an apply of the very same would own is known (see [`applied_at_creation`]) and takes the place of
//! the creation's entry, under the uid and the version that the creation gave. Where it is not known
//! for certain, or somebody was faster, the object is applied with its uid. A run that is cut between
//! the two leaves an object with our stamp, which the next run applies.

use std::time::Duration;

use http::Method;
use tokio::time::Instant;
use underpin_fieldset::{applied_at_creation, schema};
use underpin_model::{Object, ResourceKind, names};

use crate::{
    Act, Applied, ApplyOptions, Cluster, ClusterError, ConflictKind, Precondition,
    apply::warnings,
    objects::{live_object, server_timeout},
    path,
    transport::{ACCEPT_JSON, Call, Repeat},
};

/// What such a kind says.
const NO_VERSION_ON_CREATE: &str = "resourceVersion should not be set on objects to be created";

/// Whether the server refused the resourceVersion and not the object.
pub(crate) fn refuses_version(error: &ClusterError) -> bool {
    matches!(error, ClusterError::Server { message, .. } if message.contains(NO_VERSION_ON_CREATE))
}

impl Cluster {
    /// Creates an object that such a kind's apply refused to create.
    pub(crate) async fn create_then_apply(
        &self,
        kind: &ResourceKind,
        object: &Object,
        options: &ApplyOptions,
    ) -> Result<Applied, ClusterError> {
        if options.dry_run {
            // The object did not exist a moment ago, and a dry run changes nothing either way.
            let unconditional = ApplyOptions {
                precondition: Precondition::None,
                ..options.clone()
            };
            return self.send_apply(kind, object, &unconditional).await;
        }
        let begun = Instant::now();
        let created = self.post(kind, object, options).await?;
        let Some(uid) = created.object.uid() else {
            return Ok(created);
        };
        // All requests together have the time of one.
        let left = || options.timeout.saturating_sub(begun.elapsed());
        if let Some(owned) = self
            .own_as_applied(kind, object, &created.object, left())
            .await
        {
            return Ok(Applied {
                object: owned,
                warnings: created.warnings,
            });
        }
        let precondition = Precondition::Uid(uid.to_owned());
        self.send_apply(
            kind,
            object,
            &ApplyOptions {
                precondition,
                timeout: left(),
                ..options.clone()
            },
        )
        .await
    }

    /// Gives what was just created the managed fields that an apply would have left; `None` where
    /// they are not known or the object has changed since.
    async fn own_as_applied(
        &self,
        kind: &ResourceKind,
        object: &Object,
        created: &Object,
        timeout: Duration,
    ) -> Option<Object> {
        let group = &object.key.kind.group;
        let schema = schema::builtin(group, &object.version, &object.key.kind.kind)?;
        let (created_value, config) = (&created.value, &object.value);
        let managed = applied_at_creation(created_value, config, names::FIELD_MANAGER, &schema)?;
        let (uid, version) = (created.uid()?, created.resource_version()?);
        let served = served_in(kind, object);
        let replaced = self
            .with_timeout(timeout)
            .replace_managed_fields(&served, &created.key, uid, version, managed)
            .await;
        // Whatever stood in the way, the apply tells.
        replaced.ok()
    }

    async fn post(
        &self,
        kind: &ResourceKind,
        object: &Object,
        options: &ApplyOptions,
    ) -> Result<Applied, ClusterError> {
        let act = Act::on_object("create", kind, &object.key);
        let timeout = server_timeout(options.timeout);
        let parameters = [
            ("fieldManager", names::FIELD_MANAGER),
            ("timeout", &timeout),
        ];
        let served = served_in(kind, object);
        let collection = path::collection(&served, object.key.namespace.as_deref());
        let call = Call {
            act: act.clone(),
            method: Method::POST,
            uri: path::with_query(&collection, &parameters),
            accept: ACCEPT_JSON,
            content_type: ACCEPT_JSON,
            body: object.value.to_string().into_bytes(),
            repeat: Repeat::Always,
            bulk: false,
            timeout: options.timeout,
        };
        let reply = self.send(&call).await.map_err(already_exists)?;
        Ok(Applied {
            object: live_object(&act, reply.value)?,
            warnings: warnings(&reply.headers),
        })
    }
}

/// The kind in the version that the object is written in.
fn served_in(kind: &ResourceKind, object: &Object) -> ResourceKind {
    ResourceKind {
        version: object.version.clone(),
        ..kind.clone()
    }
}

/// Any conflict of a creation means that the object exists.
fn already_exists(error: ClusterError) -> ClusterError {
    match error {
        ClusterError::Conflict { act, message, .. } => ClusterError::Conflict {
            act,
            kind: ConflictKind::AlreadyExists,
            message,
        },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Arc, Mutex},
        time::Duration,
    };

    use serde_json::json;
    use underpin_model::{Depth, Origin};

    use super::*;
    use crate::mock::{Answer, cluster, status};

    fn service() -> Object {
        let value = json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "web", "namespace": "wallet", "uid": "u1"},
        });
        Object::from_value(value, Depth::Full, Origin::Live).unwrap()
    }

    /// Applies a Service on a server whose Services refuse a resourceVersion at creation, and
    /// returns the methods sent.
    async fn check(dry_run: bool, exists: bool, expect: &[&str]) -> Result<Applied, ClusterError> {
        let sent: Arc<Mutex<Vec<String>>> = Arc::default();
        let log = Arc::clone(&sent);
        let cluster = cluster(move |request| {
            log.lock().unwrap().push(request.method.to_string());
            if request.method == Method::POST && exists {
                return status(
                    409,
                    "AlreadyExists",
                    "services \"web\" already exists",
                    json!({}),
                );
            }
            let versioned = request.body.pointer("/metadata/resourceVersion").is_some();
            if request.method == Method::PATCH && versioned {
                return status(500, "InternalError", NO_VERSION_ON_CREATE, json!({}));
            }
            Answer::Json(200, service().value.as_ref().clone())
        });
        let options = ApplyOptions {
            dry_run,
            force: false,
            precondition: Precondition::CreateOnly,
            timeout: Duration::from_secs(9),
        };
        let mut object = service();
        Arc::make_mut(&mut object.value)["metadata"]
            .as_object_mut()
            .unwrap()
            .remove("uid");
        let kind = ResourceKind::v1("", "Service", "services", true);
        let result = cluster.apply(&kind, &object, &options).await;
        assert_eq!(*sent.lock().unwrap(), expect);
        result
    }

    #[tokio::test]
    async fn a_kind_that_refuses_versions_is_created_by_post_and_then_applied() {
        assert!(
            check(false, false, &["PATCH", "POST", "PATCH"])
                .await
                .is_ok()
        );
    }

    /// Creates a Service on a server that answers with who owns its fields and takes managed fields or
    /// refuses them, and returns what was sent after the creation.
    async fn check_owned(takes: bool) -> Vec<serde_json::Value> {
        let sent: Arc<Mutex<Vec<serde_json::Value>>> = Arc::default();
        let log = Arc::clone(&sent);
        let cluster = cluster(move |request| {
            let mut created = service().value.as_ref().clone();
            created["metadata"]["resourceVersion"] = json!("7");
            created["metadata"]["managedFields"] = json!([{
                "manager": names::FIELD_MANAGER, "operation": "Update", "apiVersion": "v1",
                "fieldsType": "FieldsV1", "time": "2026-01-02T03:04:05Z",
                "fieldsV1": {"f:spec": {"f:type": {}, "f:sessionAffinity": {}}},
            }]);
            created["spec"] = json!({"type": "ClusterIP", "sessionAffinity": "None"});
            if request.method == Method::PATCH {
                log.lock().unwrap().push(request.body.clone());
                let entries = request.body.pointer("/metadata/managedFields");
                if entries.is_some() && !takes {
                    return status(409, "Conflict", "it changed", json!({}));
                }
            }
            Answer::Json(200, created)
        });
        let kind = ResourceKind::v1("", "Service", "services", true);
        cluster.remember_created_by_post(&kind.kind);
        let mut object = service();
        *Arc::make_mut(&mut object.value) = json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "web", "namespace": "wallet"}, "spec": {"type": "ClusterIP"},
        });
        let options = ApplyOptions {
            dry_run: false,
            force: false,
            precondition: Precondition::CreateOnly,
            timeout: Duration::from_secs(9),
        };
        cluster.apply(&kind, &object, &options).await.unwrap();
        sent.lock().unwrap().drain(..).collect()
    }

    /// What the creation owns becomes what an apply owns, in one request that touches nothing but
    /// this very object as it was created; where the object has changed since, it is applied.
    #[tokio::test]
    async fn an_apply_s_fields_take_the_place_of_the_creation_s() {
        let owned = json!({"metadata": {
            "uid": "u1",
            "resourceVersion": "7",
            "managedFields": [{
                "manager": names::FIELD_MANAGER, "operation": "Apply", "apiVersion": "v1",
                "fieldsType": "FieldsV1", "time": "2026-01-02T03:04:05Z",
                "fieldsV1": {"f:spec": {"f:type": {}}},
            }],
        }});
        let sent = check_owned(false).await;
        assert_eq!(sent.len(), 2);
        assert_eq!(sent[0], owned);
        assert_eq!(sent[1]["metadata"]["uid"], "u1");
        assert_eq!(sent[1]["spec"], json!({"type": "ClusterIP"}));
        assert_eq!(check_owned(true).await, [owned]);
    }

    /// The refusal is the kind's, not the object's: of many, only the first is sent in vain. A dry
    /// run still is, for a conflict is all that tells of an object that exists.
    #[tokio::test]
    async fn the_refusal_is_remembered_for_what_is_created() {
        let sent: Arc<Mutex<Vec<String>>> = Arc::default();
        let log = Arc::clone(&sent);
        let cluster = cluster(move |request| {
            log.lock().unwrap().push(request.method.to_string());
            if request.body.pointer("/metadata/resourceVersion").is_some() {
                return status(500, "InternalError", NO_VERSION_ON_CREATE, json!({}));
            }
            Answer::Json(200, service().value.as_ref().clone())
        });
        let kind = ResourceKind::v1("", "Service", "services", true);
        let mut options = ApplyOptions {
            dry_run: false,
            force: false,
            precondition: Precondition::CreateOnly,
            timeout: Duration::from_secs(9),
        };
        for _ in 0..2 {
            cluster.apply(&kind, &service(), &options).await.unwrap();
        }
        assert_eq!(
            *sent.lock().unwrap(),
            ["PATCH", "POST", "PATCH", "POST", "PATCH"]
        );
        options.dry_run = true;
        sent.lock().unwrap().clear();
        cluster.apply(&kind, &service(), &options).await.unwrap();
        assert_eq!(*sent.lock().unwrap(), ["PATCH", "PATCH"]);
        options.dry_run = false;
        sent.lock().unwrap().clear();
        let other = ResourceKind::v1("", "ConfigMap", "configmaps", true);
        let mut map = service();
        map.key.kind = other.kind.clone();
        cluster.apply(&other, &map, &options).await.unwrap();
        assert_eq!(*sent.lock().unwrap(), ["PATCH", "POST", "PATCH"]);
    }

    #[tokio::test]
    async fn one_that_exists_by_then_is_a_conflict_and_not_updated() {
        let error = check(false, true, &["PATCH", "POST"]).await.unwrap_err();
        assert!(error.is_already_exists(), "{error}");
    }

    #[tokio::test]
    async fn a_dry_run_creates_nothing() {
        assert!(check(true, false, &["PATCH", "PATCH"]).await.is_ok());
    }
}
