//! What keeps an apply from changing an object that exists, so that it can only create.

use serde_json::{Map, Value, json};
use underpin_fieldset::CREATION_ONLY;
use underpin_model::GroupKind;

use crate::ClusterError;

/// A resourceVersion that no object has: etcd's first revision is spent before any object is
/// written. The server refuses to update an existing object with it and creates a missing one.
const NO_RESOURCE_VERSION: &str = "1";
/// A grace period that no deletion has, in seconds.
const NO_GRACE_PERIOD: i64 = i64::MAX;
/// What Services say to a resourceVersion where they have a storage of their own (1.20; newer servers
/// store them as everything else).
const NO_VERSION_ON_CREATE: &str = "resourceVersion should not be set on objects to be created";

/// What a create-only apply holds that nothing that exists can be changed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CreationGuard {
    /// A resourceVersion that no object has.
    ResourceVersion,
    /// A grace period: a server drops it from what it creates, and refuses to change it by an update.
    /// It stays in `managedFields` until the next apply.
    GracePeriod,
}

impl CreationGuard {
    /// Writes it into the `metadata` that is sent.
    pub(crate) fn insert(self, metadata: &mut Map<String, Value>) {
        let (field, value) = match self {
            Self::ResourceVersion => ("resourceVersion", json!(NO_RESOURCE_VERSION)),
            Self::GracePeriod => (CREATION_ONLY, json!(NO_GRACE_PERIOD)),
        };
        metadata.insert(field.to_owned(), value);
    }
}

/// The one kind that may refuse a resourceVersion: how others take a grace period is not known.
pub(crate) fn is_service(kind: &GroupKind) -> bool {
    kind.is("", "Service")
}

/// Whether the server refused the resourceVersion and not the object.
pub(crate) fn refuses_version(error: &ClusterError) -> bool {
    matches!(error, ClusterError::Server { message, .. } if message.contains(NO_VERSION_ON_CREATE))
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Arc, Mutex},
        time::Duration,
    };

    use http::Method;
    use underpin_model::{Depth, Object, Origin, ResourceKind};

    use super::*;
    use crate::{
        Applied, ApplyOptions, Precondition,
        mock::{Answer, Seen, cluster, status},
    };

    fn object(kind: &str) -> Object {
        let value = json!({
            "apiVersion": "v1", "kind": kind,
            "metadata": {"name": "web", "namespace": "wallet"},
        });
        Object::from_value(value, Depth::Full, Origin::Live).unwrap()
    }

    /// A server that refuses versions, as 1.20 does for Services; the object exists or not.
    fn answer(request: &Seen, kind: &str, exists: bool) -> Answer {
        let metadata = &request.body["metadata"];
        if metadata.get("resourceVersion").is_some() {
            return status(500, "InternalError", NO_VERSION_ON_CREATE, json!({}));
        }
        if exists && metadata.get(CREATION_ONLY).is_some() {
            let cause = json!({
                "reason": "FieldValueInvalid",
                "field": "metadata.deletionGracePeriodSeconds",
                "message": "Invalid value: 9223372036854775807: field is immutable",
            });
            return status(422, "Invalid", "is invalid", json!({"causes": [cause]}));
        }
        Answer::Json(201, object(kind).value.as_ref().clone())
    }

    /// Applies one object twice, create-only, and returns how the second ended and the guards sent.
    async fn check(
        kind: &str,
        dry_run: bool,
        exists: bool,
    ) -> (Result<Applied, ClusterError>, String) {
        let sent: Arc<Mutex<Vec<&str>>> = Arc::default();
        let (log, named) = (Arc::clone(&sent), kind.to_owned());
        let cluster = cluster(move |request| {
            assert_eq!(request.method, Method::PATCH);
            let metadata = &request.body["metadata"];
            let guard = match (metadata.get("resourceVersion"), metadata.get(CREATION_ONLY)) {
                (Some(_), None) => "version",
                (None, Some(_)) => "period",
                _ => "none",
            };
            log.lock().unwrap().push(guard);
            answer(request, &named, exists)
        });
        let options = ApplyOptions {
            dry_run,
            force: false,
            precondition: Precondition::CreateOnly,
            timeout: Duration::from_secs(9),
        };
        let plural = format!("{}s", kind.to_lowercase());
        let served = ResourceKind::v1("", kind, &plural, true);
        cluster.apply(&served, &object(kind), &options).await.ok();
        let result = cluster.apply(&served, &object(kind), &options).await;
        let sent = sent.lock().unwrap().join(" ");
        (result, sent)
    }

    /// The refusal is the kind's, not the object's: of many, only the first is sent in vain.
    #[tokio::test]
    async fn services_that_refuse_versions_are_created_under_a_grace_period() {
        for dry_run in [false, true] {
            let (result, sent) = check("Service", dry_run, false).await;
            assert!(result.is_ok());
            assert_eq!(sent, "version period period");
        }
    }

    #[tokio::test]
    async fn one_that_exists_by_then_is_a_conflict_and_not_updated() {
        let (result, _) = check("Service", false, true).await;
        let error = result.unwrap_err();
        assert!(error.is_already_exists(), "{error}");
    }

    /// It is known of Services alone that they refuse to change it.
    #[tokio::test]
    async fn of_other_kinds_the_refusal_is_told() {
        let (result, sent) = check("ConfigMap", false, false).await;
        let error = result.unwrap_err();
        assert!(error.to_string().contains(NO_VERSION_ON_CREATE), "{error}");
        assert!(!sent.contains("period"), "{sent}");
    }
}
