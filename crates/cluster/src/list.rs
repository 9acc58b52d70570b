//! Complete lists, page by page.

use serde_json::{Map, Value};
use underpin_model::{Depth, Object, Origin, ResourceKind};

use crate::{
    Act, Cluster, ClusterError, path,
    transport::{ACCEPT_JSON, Call},
};

/// Objects a page.
const PAGE_SIZE: &str = "500";
/// Pages of one list; beyond it the server is not making progress.
const PAGE_LIMIT: usize = 10_000;
/// How often a list is begun again because its continue token expired.
const RESTART_LIMIT: usize = 3;
/// Metadata only; plain JSON where an aggregated server cannot do that.
const ACCEPT_METADATA_LIST: &str =
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";

/// A complete list.
#[derive(Clone, Debug)]
pub struct Listed<T> {
    /// What is kept of each object.
    pub objects: Vec<T>,
    /// The revision of the cluster at which it is complete.
    pub revision: String,
}

impl Cluster {
    /// The metadata of every object of a kind in a namespace, or everywhere: all of them, or an
    /// error.
    pub async fn list_metadata(
        &self,
        kind: &ResourceKind,
        namespace: Option<&str>,
    ) -> Result<Vec<Object>, ClusterError> {
        self.list(kind, namespace, Depth::Metadata).await
    }

    /// Every object of a kind in a namespace, or everywhere: all of them, or an error.
    pub async fn list(
        &self,
        kind: &ResourceKind,
        namespace: Option<&str>,
        depth: Depth,
    ) -> Result<Vec<Object>, ClusterError> {
        self.list_selected(kind, namespace, depth, "").await
    }

    /// The same of those that a label selector matches; an empty one matches all.
    pub(crate) async fn list_selected(
        &self,
        kind: &ResourceKind,
        namespace: Option<&str>,
        depth: Depth,
        selector: &str,
    ) -> Result<Vec<Object>, ClusterError> {
        let all = std::convert::identity;
        let listed = self.list_all(kind, namespace, depth, selector, all).await?;
        Ok(listed.objects)
    }

    /// Every object of a kind, with the revision that a watch of them goes on from. Of each no more is kept
    /// than `keep` does, page by page: whole lists of large clusters take much memory.
    pub async fn list_to_watch<T>(
        &self,
        kind: &ResourceKind,
        namespace: Option<&str>,
        depth: Depth,
        keep: impl Fn(Object) -> T,
    ) -> Result<Listed<T>, ClusterError> {
        self.list_all(kind, namespace, depth, "", keep).await
    }

    async fn list_all<T>(
        &self,
        kind: &ResourceKind,
        namespace: Option<&str>,
        depth: Depth,
        selector: &str,
        keep: impl Fn(Object) -> T,
    ) -> Result<Listed<T>, ClusterError> {
        let mut outcome = self
            .list_once(kind, namespace, depth, selector, &keep)
            .await;
        for _ in 0..RESTART_LIMIT {
            match outcome {
                Err(ClusterError::Gone { .. }) => {
                    outcome = self
                        .list_once(kind, namespace, depth, selector, &keep)
                        .await;
                }
                outcome => return outcome,
            }
        }
        outcome
    }

    async fn list_once<T>(
        &self,
        kind: &ResourceKind,
        namespace: Option<&str>,
        depth: Depth,
        selector: &str,
        keep: &impl Fn(Object) -> T,
    ) -> Result<Listed<T>, ClusterError> {
        let act = Act::on_list(kind, namespace);
        let collection = path::collection(kind, namespace);
        let accept = match depth {
            Depth::Full => ACCEPT_JSON,
            Depth::Metadata => ACCEPT_METADATA_LIST,
        };
        let mut objects = Vec::new();
        let mut token = String::new();
        for _ in 0..PAGE_LIMIT {
            let mut parameters = vec![("limit", PAGE_SIZE)];
            if !selector.is_empty() {
                parameters.push(("labelSelector", selector));
            }
            if !token.is_empty() {
                parameters.push(("continue", &token));
            }
            let uri = path::with_query(&collection, &parameters);
            let call = Call::get_bulk(act.clone(), uri, accept, self.timeout());
            let page = self.send(&call).await?.value;
            token = next_token(&page);
            let revision = revision_of(&page);
            let mut items = Vec::new();
            append_items(&mut items, page, kind, depth).map_err(|reason| decode(&act, reason))?;
            objects.extend(items.into_iter().map(keep));
            if token.is_empty() {
                return Ok(Listed { objects, revision });
            }
        }
        Err(decode(
            &act,
            format!("the list has over {PAGE_LIMIT} pages"),
        ))
    }
}

fn decode(act: &Act, reason: String) -> ClusterError {
    ClusterError::Decode {
        act: Box::new(act.clone()),
        reason,
    }
}

/// All pages of a list tell the same revision.
fn revision_of(page: &Value) -> String {
    let revision = page.pointer("/metadata/resourceVersion");
    revision
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

fn next_token(page: &Value) -> String {
    let token = page.pointer("/metadata/continue").and_then(Value::as_str);
    token.unwrap_or_default().to_owned()
}

fn append_items(
    objects: &mut Vec<Object>,
    mut page: Value,
    kind: &ResourceKind,
    depth: Depth,
) -> Result<(), String> {
    let items = match page.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) => items,
        Some(Value::Null) => Vec::new(),
        _ => return Err("the list has no items".to_owned()),
    };
    for item in items {
        let Value::Object(item) = item else {
            return Err("an item of the list is not an object".to_owned());
        };
        let value = complete_item(item, kind, depth);
        let object = Object::from_value(value, depth, Origin::Live)
            .ok_or_else(|| "an item of the list has no name".to_owned())?;
        objects.push(object);
    }
    Ok(())
}

/// Items of typed lists say neither version nor kind, and metadata lists say that of the metadata.
/// A server that answers a metadata list in full loses the rest here.
pub(crate) fn complete_item(
    mut item: Map<String, Value>,
    kind: &ResourceKind,
    depth: Depth,
) -> Value {
    if depth == Depth::Metadata {
        item.retain(|field, _| field == "metadata");
    }
    let api_version = if kind.kind.group.is_empty() {
        kind.version.clone()
    } else {
        format!("{}/{}", kind.kind.group, kind.version)
    };
    item.insert("apiVersion".to_owned(), Value::String(api_version));
    item.insert("kind".to_owned(), Value::String(kind.kind.kind.clone()));
    Value::Object(item)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use underpin_model::GroupKind;

    use super::*;
    use crate::mock::{Answer, Counter, Seen, cluster, status};

    fn kind() -> ResourceKind {
        ResourceKind {
            kind: GroupKind::new("apps", "Deployment"),
            version: "v1".into(),
            versions: vec!["v1".into()],
            plural: "deployments".into(),
            namespaced: true,
            listable: true,
        }
    }

    fn page(names: &[&str], next: &str) -> Answer {
        let items: Vec<Value> = names
            .iter()
            .map(|name| {
                json!({
                    "metadata": {"name": name, "namespace": "a", "managedFields": []},
                    "spec": {"replicas": 1},
                })
            })
            .collect();
        Answer::Json(200, json!({"metadata": {"continue": next}, "items": items}))
    }

    async fn names(
        handler: impl Fn(&Seen) -> Answer + Send + Sync + 'static,
    ) -> Result<Vec<String>, ClusterError> {
        let objects = cluster(handler).list(&kind(), None, Depth::Full).await?;
        Ok(objects.into_iter().map(|object| object.key.name).collect())
    }

    #[tokio::test]
    async fn pages_are_followed_to_the_end() {
        let list = names(|seen| match seen.query.as_str() {
            "limit=500" => page(&["a", "b"], "t/1"),
            "limit=500&continue=t%2F1" => page(&["c"], ""),
            other => panic!("{other}"),
        });
        assert_eq!(list.await.unwrap(), ["a", "b", "c"]);
    }

    #[tokio::test]
    async fn of_lists_that_are_watched_no_more_is_kept_than_is_wanted() {
        let cluster = cluster(|_| page(&["a", "b"], ""));
        let keep = |object: Object| object.key.name;
        let kind = kind();
        let listed = cluster.list_to_watch(&kind, None, Depth::Full, keep);
        let objects = listed.await.unwrap().objects;
        assert_eq!(objects, ["a", "b"]);
    }

    #[tokio::test]
    async fn an_expired_token_begins_the_list_anew() {
        let calls = Counter::default();
        let list = names(move |_| match calls.next() {
            0 => page(&["old"], "t"),
            1 => status(410, "Expired", "too old", json!({})),
            2 => page(&["a"], "t"),
            _ => page(&["b"], ""),
        });
        assert_eq!(list.await.unwrap(), ["a", "b"]);
    }

    #[tokio::test]
    async fn a_list_that_always_expires_is_an_error() {
        let calls = Counter::default();
        let seen = calls.clone();
        let list = names(move |_| {
            calls.next();
            status(410, "Expired", "too old", json!({}))
        });
        assert!(matches!(list.await, Err(ClusterError::Gone { .. })));
        assert_eq!(seen.get(), RESTART_LIMIT + 1);
    }

    #[tokio::test]
    async fn incomplete_answers_are_errors() {
        for body in [
            json!({}),
            json!({"items": "x"}),
            json!({"items": [1]}),
            json!({"items": [{"metadata": {}}]}),
        ] {
            let list = names(move |_| Answer::Json(200, body.clone())).await;
            assert!(matches!(list, Err(ClusterError::Decode { .. })), "{list:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_server_is_asked_again() {
        let calls = Counter::default();
        let list = names(move |_| match calls.next() {
            0 => Answer::With(429, "retry-after", "2", json!({})),
            1 => Answer::Text(503, "starting"),
            2 => Answer::Broken,
            _ => page(&["a"], ""),
        });
        assert_eq!(list.await.unwrap(), ["a"]);
    }

    #[tokio::test(start_paused = true)]
    async fn patience_has_an_end() {
        let calls = Counter::default();
        let seen = calls.clone();
        let list = names(move |_| {
            calls.next();
            Answer::Text(503, "down")
        });
        assert!(matches!(
            list.await,
            Err(ClusterError::Server { code: 503, .. })
        ));
        assert!((2..10).contains(&seen.get()));
    }

    #[tokio::test]
    async fn items_get_version_and_kind_and_metadata_lists_hold_nothing_else() {
        let cluster = cluster(|seen| {
            assert_eq!(seen.path, "/apis/apps/v1/namespaces/a/deployments");
            assert!(seen.accept.contains("PartialObjectMetadataList"));
            page(&["a"], "")
        });
        let objects = cluster.list_metadata(&kind(), Some("a")).await.unwrap();
        let value = &objects[0].value;
        assert_eq!(value["apiVersion"], "apps/v1");
        assert_eq!(value["kind"], "Deployment");
        assert_eq!(value.get("spec"), None);
        assert_eq!(value["metadata"]["managedFields"], json!([]));
        assert_eq!(objects[0].depth, Depth::Metadata);
    }
}
