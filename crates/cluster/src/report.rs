//! Events of our own: what a program that runs all the time has to say of an object.

use http::Method;
use serde_json::json;
use sha2::{Digest, Sha256};
use underpin_model::{ObjectKey, ResourceKind, hexadecimal, names};

use crate::{
    Act, Cluster, ClusterError,
    claims::shorten,
    path,
    transport::{ACCEPT_JSON, Call, Repeat},
};

/// Longest message that the API server takes.
const MESSAGE_LIMIT: usize = 1_024;
/// Longest name of an object.
const NAME_LIMIT: usize = 253;
/// Bytes of a digest that tell Events of one object apart.
const NAME_BYTES: usize = 8;

/// An Event.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Report {
    /// The object that it is about, which has a namespace.
    pub about: ObjectKey,
    /// The object's identity.
    pub uid: String,
    /// A word for programs, such as `RouteConflict`.
    pub reason: String,
    /// What happened, for people.
    pub message: String,
    /// Who says so.
    pub component: String,
}

impl Cluster {
    /// Tells a warning about an object. The same Event is there once, for as long as the server keeps
    /// it.
    pub async fn report(&self, api_version: &str, report: &Report) -> Result<(), ClusterError> {
        let kind = ResourceKind::v1("", "Event", "events", true);
        let about = &report.about;
        let mut digest = Sha256::new();
        for part in [&report.uid, &report.reason, &report.message] {
            digest.update(part.as_bytes());
            digest.update([0]);
        }
        let print = hexadecimal(&digest.finalize()[..NAME_BYTES]);
        // Names have 253 characters at most, and the object's may have as many.
        let name = format!(
            "{}.{print}",
            shorten(&about.name, NAME_LIMIT - 1 - print.len())
        );
        let now = self.host().now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let message: String = report.message.chars().take(MESSAGE_LIMIT).collect();
        let value = json!({
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": about.namespace},
            "involvedObject": {
                "apiVersion": api_version,
                "kind": about.kind.kind,
                "namespace": about.namespace,
                "name": about.name,
                "uid": report.uid,
            },
            "reason": report.reason,
            "message": message,
            "type": "Warning",
            "count": 1,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "source": {"component": report.component},
            "reportingComponent": report.component,
            "reportingInstance": "",
        });
        let namespace = about.namespace.as_deref();
        let parameters = [("fieldManager", names::FIELD_MANAGER)];
        let call = Call {
            act: Act::on_object("create", &kind, about),
            method: Method::POST,
            uri: path::with_query(&path::collection(&kind, namespace), &parameters),
            accept: ACCEPT_JSON,
            content_type: ACCEPT_JSON,
            body: value.to_string().into_bytes(),
            repeat: Repeat::Always,
            bulk: false,
            timeout: self.timeout(),
        };
        match self.send(&call).await {
            Err(error) if !error.is_conflict() && !error.is_already_exists() => Err(error),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::Value;
    use underpin_model::GroupKind;

    use super::*;
    use crate::mock::{Answer, cluster, status};

    #[tokio::test]
    async fn what_was_told_already_is_not_told_again() {
        let names: Arc<Mutex<Vec<Value>>> = Arc::default();
        let told = Arc::clone(&names);
        let cluster = cluster(move |seen| {
            assert_eq!(seen.path, "/api/v1/namespaces/wallet/events");
            assert_eq!(seen.body["involvedObject"]["uid"], "u1");
            let mut told = told.lock().unwrap();
            let name = seen.body["metadata"]["name"].clone();
            if told.contains(&name) {
                return status(409, "AlreadyExists", "events exists", json!({}));
            }
            told.push(name);
            Answer::Json(201, seen.body.clone())
        });
        let mut report = Report {
            about: ObjectKey::namespaced(GroupKind::core("Service"), "wallet", "web"),
            uid: "u1".to_owned(),
            reason: "RouteConflict".to_owned(),
            message: "http://a.example is served by service/shop/web".to_owned(),
            component: "underpin-edge".to_owned(),
        };
        cluster.report("v1", &report).await.unwrap();
        cluster.report("v1", &report).await.unwrap();
        assert_eq!(names.lock().unwrap().len(), 1);
        "something else".clone_into(&mut report.message);
        cluster.report("v1", &report).await.unwrap();
        assert_eq!(names.lock().unwrap().len(), 2);
        let kind = GroupKind::new("networking.k8s.io", "Ingress");
        report.about = ObjectKey::namespaced(kind, "wallet", "a".repeat(NAME_LIMIT));
        cluster
            .report("networking.k8s.io/v1", &report)
            .await
            .unwrap();
        let names = names.lock().unwrap();
        assert!(names[2].as_str().unwrap().len() <= NAME_LIMIT, "{names:?}");
    }
}
