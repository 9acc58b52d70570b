//! Deletes one object, or asks whether it may be deleted.

use http::Method;
use serde_json::{Value, json};
use underpin_model::{ObjectKey, ResourceKind};

use crate::{
    Act, Cluster, ClusterError,
    objects::server_timeout,
    path,
    transport::{ACCEPT_JSON, Call, Repeat},
};

/// What happens to what the object owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// It goes after the object.
    Background,
    /// It goes before the object.
    Foreground,
    /// It stays.
    Orphan,
}

/// What came of a deletion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// It will go, once what holds it lets go.
    Accepted {
        /// What holds it; for a Namespace its own finalizers too.
        finalizers: Vec<String>,
    },
    /// It is gone, or never was.
    Gone,
}

impl Propagation {
    fn as_str(self) -> &'static str {
        match self {
            Self::Background => "Background",
            Self::Foreground => "Foreground",
            Self::Orphan => "Orphan",
        }
    }
}

impl Cluster {
    /// Deletes an object if it still has this uid and this resourceVersion; otherwise
    /// [`ConflictKind::Precondition`](crate::ConflictKind::Precondition).
    pub async fn delete(
        &self,
        kind: &ResourceKind,
        key: &ObjectKey,
        uid: &str,
        resource_version: &str,
        propagation: Propagation,
    ) -> Result<Deletion, ClusterError> {
        let options = json!({
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": uid, "resourceVersion": resource_version},
            "propagationPolicy": propagation.as_str(),
        });
        match self.send(&self.deletion(kind, key, &options)).await {
            Ok(reply) => Ok(deletion_of(&reply.value)),
            Err(ClusterError::NotFound { .. }) => Ok(Deletion::Gone),
            // Old servers answer so when the Namespace is already going, the preconditions holding.
            Err(ClusterError::Conflict { message, .. })
                if key.is_namespace() && message.contains(NAMESPACE_GOING) =>
            {
                Ok(Deletion::Accepted {
                    finalizers: vec!["kubernetes".to_owned()],
                })
            }
            Err(error) => Err(error),
        }
    }

    /// Asks whether an object with this uid and resourceVersion may be deleted, and deletes nothing.
    pub async fn dry_run_delete(
        &self,
        kind: &ResourceKind,
        key: &ObjectKey,
        uid: &str,
        resource_version: &str,
    ) -> Result<(), ClusterError> {
        // In the body: servers do not look at the query of a deletion that has one.
        let options = json!({
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": uid, "resourceVersion": resource_version},
            "dryRun": ["All"],
        });
        let sent = self.send(&self.deletion(kind, key, &options)).await;
        sent.map(|_| ())
    }

    fn deletion(&self, kind: &ResourceKind, key: &ObjectKey, options: &Value) -> Call {
        let timeout = server_timeout(self.timeout());
        Call {
            act: Act::on_object("delete", kind, key),
            method: Method::DELETE,
            uri: path::with_query(&path::object(kind, key), &[("timeout", &timeout)]),
            accept: ACCEPT_JSON,
            content_type: ACCEPT_JSON,
            body: options.to_string().into_bytes(),
            repeat: Repeat::Always,
            bulk: false,
            timeout: self.timeout(),
        }
    }
}

/// What a 1.20 server says of a second deletion of a Namespace.
const NAMESPACE_GOING: &str = "ensuring all content is removed from this namespace";

/// Only a `Status` says that the object is gone; anything else is the object, still there.
fn deletion_of(value: &Value) -> Deletion {
    if value.get("kind").and_then(Value::as_str) == Some("Status") {
        return Deletion::Gone;
    }
    let finalizers = ["/metadata/finalizers", "/spec/finalizers"]
        .iter()
        .filter_map(|pointer| value.pointer(pointer)?.as_array())
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    Deletion::Accepted { finalizers }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mock::{Answer, cluster, status};

    fn kind() -> ResourceKind {
        ResourceKind::v1("", "ConfigMap", "configmaps", true)
    }

    /// Checks what an answer to a deletion means.
    async fn check_deletion(
        key: &ObjectKey,
        answer: fn() -> Answer,
        expect: Result<Deletion, &str>,
    ) {
        let cluster = cluster(move |seen| {
            assert_eq!(
                seen.body["preconditions"],
                json!({"uid": "u", "resourceVersion": "7"})
            );
            answer()
        });
        let outcome = cluster
            .delete(&kind(), key, "u", "7", Propagation::Background)
            .await;
        let outcome = outcome.map_err(|error| error.to_string());
        match (outcome, expect) {
            (Ok(deletion), Ok(expect)) => assert_eq!(deletion, expect),
            (Err(text), Err(part)) => assert!(text.contains(part), "{text}"),
            (outcome, expect) => panic!("{outcome:?}, not {expect:?}"),
        }
    }

    #[tokio::test]
    async fn deletions_end_in_gone_accepted_or_conflict() {
        let key = ObjectKey::namespaced(kind().kind, "wallet", "a");
        let namespace = ObjectKey::of_namespace("wallet");
        let holds = |finalizers: &[&str]| {
            let finalizers = finalizers.iter().map(|text| (*text).to_owned()).collect();
            Ok(Deletion::Accepted { finalizers })
        };
        let gone = || Answer::Json(200, json!({"kind": "Status", "status": "Success"}));
        check_deletion(&key, gone, Ok(Deletion::Gone)).await;
        let never = || status(404, "NotFound", "x", json!({"name": "a"}));
        check_deletion(&key, never, Ok(Deletion::Gone)).await;
        let unserved = || Answer::Text(404, "404 page not found");
        check_deletion(&key, unserved, Err("does not serve it")).await;
        let held = || {
            Answer::Json(
                200,
                json!({"kind": "ConfigMap", "metadata": {"finalizers": ["x/y"]}}),
            )
        };
        check_deletion(&key, held, holds(&["x/y"])).await;
        let changed = || status(409, "Conflict", "ResourceVersion", json!({"name": "a"}));
        check_deletion(&key, changed, Err("changed since it was read")).await;
        let going = || {
            let text = "The system is ensuring all content is removed from this namespace.";
            status(409, "Conflict", text, json!({"name": "wallet"}))
        };
        check_deletion(&namespace, going, holds(&["kubernetes"])).await;
        check_deletion(&key, going, Err("changed since it was read")).await;
    }
}
