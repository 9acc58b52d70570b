//! What explains why something is not ready: events about it, and what its containers wrote.

use http::Method;
use serde_json::Value;
use underpin_model::{Depth, GroupKind, Object, ObjectKey, Origin, ResourceKind};

use crate::{
    Act, Cluster, ClusterError, path,
    transport::{ACCEPT_JSON, ACCEPT_TEXT, Call, Repeat},
};

/// Events that are read about one object: the server joins those that are alike.
const EVENT_LIMIT: &str = "100";

/// Which part of which log to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRequest {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// The container.
    pub container: String,
    /// Whether the container's former instance is meant.
    pub previous: bool,
    /// So many lines, the last ones.
    pub lines: usize,
    /// At most so many bytes of these, from their first one.
    pub bytes: usize,
}

impl Cluster {
    /// The events about the object with this uid, as far as one page holds them. Events are kept
    /// for a while only: none says nothing.
    pub async fn events_about(
        &self,
        namespace: &str,
        uid: &str,
    ) -> Result<Vec<Object>, ClusterError> {
        let kind = ResourceKind::v1("", "Event", "events", true);
        let selector = format!("involvedObject.uid={uid}");
        let parameters = [("fieldSelector", selector.as_str()), ("limit", EVENT_LIMIT)];
        let uri = path::with_query(&path::collection(&kind, Some(namespace)), &parameters);
        let act = Act::on_list(&kind, Some(namespace));
        let call = Call::get(act, uri, ACCEPT_JSON, self.timeout());
        let mut page = self.send(&call).await?.value;
        let items = match page.get_mut("items").map(Value::take) {
            Some(Value::Array(items)) => items,
            _ => Vec::new(),
        };
        let events = items.into_iter().filter_map(|mut item| {
            let fields = item.as_object_mut()?;
            fields.insert("apiVersion".to_owned(), "v1".into());
            fields.insert("kind".to_owned(), "Event".into());
            Object::from_value(item, Depth::Full, Origin::Live)
        });
        Ok(events.collect())
    }

    /// The end of a container's log. It is asked for once: where the node does not answer, it will
    /// not a moment later.
    pub async fn log(&self, request: &LogRequest) -> Result<String, ClusterError> {
        let kind = ResourceKind::v1("", "Pod", "pods", true);
        let key = ObjectKey::namespaced(
            GroupKind::core("Pod"),
            request.namespace.as_str(),
            request.pod.as_str(),
        );
        let (lines, bytes) = (request.lines.to_string(), request.bytes.to_string());
        let parameters = [
            ("container", request.container.as_str()),
            ("previous", if request.previous { "true" } else { "false" }),
            ("tailLines", &lines),
            ("limitBytes", &bytes),
        ];
        let path = format!("{}/log", path::object(&kind, &key));
        let mut act = Act::on_object("get", &kind, &key);
        "pods/log".clone_into(&mut act.resource);
        let call = Call {
            act,
            method: Method::GET,
            uri: path::with_query(&path, &parameters),
            accept: ACCEPT_TEXT,
            content_type: ACCEPT_JSON,
            body: Vec::new(),
            repeat: Repeat::OnlyIfRefused,
            bulk: false,
            timeout: self.timeout(),
        };
        let reply = self.send(&call).await?;
        Ok(reply.value.as_str().unwrap_or_default().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::mock::{Answer, Counter, cluster, status};

    fn request() -> LogRequest {
        LogRequest {
            namespace: "shop".into(),
            pod: "web-1".into(),
            container: "web".into(),
            previous: true,
            lines: 15,
            bytes: 1024,
        }
    }

    #[tokio::test]
    async fn a_log_is_asked_for_within_bounds() {
        let cluster = cluster(|seen| {
            assert_eq!(seen.path, "/api/v1/namespaces/shop/pods/web-1/log");
            assert_eq!(
                seen.query,
                "container=web&previous=true&tailLines=15&limitBytes=1024"
            );
            Answer::Text(200, "one\ntwo\n")
        });
        assert_eq!(cluster.log(&request()).await.unwrap(), "one\ntwo\n");
    }

    /// A node that is not there is not waited for.
    #[tokio::test]
    async fn a_log_that_cannot_be_had_is_asked_for_once() {
        let calls = Counter::default();
        let seen = calls.clone();
        let cluster = cluster(move |_| {
            calls.next();
            status(500, "InternalError", "dial tcp: refused", json!({}))
        });
        assert!(cluster.log(&request()).await.is_err());
        assert_eq!(seen.get(), 1);
    }

    #[tokio::test]
    async fn events_are_those_about_the_uid() {
        let cluster = cluster(|seen| {
            assert_eq!(seen.path, "/api/v1/namespaces/shop/events");
            assert_eq!(
                seen.query,
                "fieldSelector=involvedObject.uid%3Du-1&limit=100"
            );
            let event =
                json!({"metadata": {"name": "web.1", "namespace": "shop"}, "reason": "Failed"});
            Answer::Json(200, json!({"items": [event]}))
        });
        let events = cluster.events_about("shop", "u-1").await.unwrap();
        assert_eq!(events[0].text("/reason"), Some("Failed"));
    }
}
