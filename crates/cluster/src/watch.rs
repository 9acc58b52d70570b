//! Watches: what changes of the objects of a kind, from the revision of a list on.

use std::{future::poll_fn, pin::Pin, time::Duration};

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body::Body as _;
use kube::client::Body;
use serde_json::Value;
use underpin_model::{Depth, Object, Origin, ResourceKind};

use crate::{
    Act, Cluster, ClusterError,
    list::complete_item,
    path,
    status::Refusal,
    transport::{ACCEPT_JSON, ACCEPT_METADATA, Call},
};

/// How long the server is asked to go on. Clients of this library end an answer without data after
/// 295 s, and a server that asks nothing of it sends bookmarks every minute.
const LIFE: Duration = Duration::from_secs(270);
/// Silence after which the connection is taken for dead: far longer than between two bookmarks.
const SILENCE: Duration = Duration::from_secs(150);
/// Longest event; the API server takes no object this large.
const EVENT_LIMIT: usize = 16 * 1024 * 1024;

/// One change.
#[derive(Clone, Debug)]
pub enum Change {
    /// An object is there, or is there in another form.
    Set(Object),
    /// An object was deleted; in its last form.
    Deleted(Object),
}

/// A watch that is under way.
pub struct Watching {
    act: Act,
    kind: ResourceKind,
    depth: Depth,
    server: String,
    user: String,
    body: Body,
    buffer: BytesMut,
    revision: String,
}

impl std::fmt::Debug for Watching {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watching")
            .field("kind", &self.kind.kind)
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}

impl Cluster {
    /// Begins a watch of a kind behind a revision. That the server does not keep the revision any
    /// more is [`ClusterError::Gone`], here or from [`Watching::next`]: list again.
    pub async fn watch(
        &self,
        kind: &ResourceKind,
        namespace: Option<&str>,
        depth: Depth,
        revision: &str,
    ) -> Result<Watching, ClusterError> {
        let mut act = Act::on_list(kind, namespace);
        act.verb = "watch";
        let life = LIFE.as_secs().to_string();
        let parameters = [
            ("watch", "true"),
            ("allowWatchBookmarks", "true"),
            ("resourceVersion", revision),
            ("timeoutSeconds", life.as_str()),
        ];
        let uri = path::with_query(&path::collection(kind, namespace), &parameters);
        let accept = match depth {
            Depth::Full => ACCEPT_JSON,
            Depth::Metadata => ACCEPT_METADATA,
        };
        let call = Call::get(act.clone(), uri, accept, self.timeout());
        Ok(Watching {
            body: self.open(&call).await?,
            act,
            kind: kind.clone(),
            depth,
            server: self.server().to_owned(),
            user: self.user().to_owned(),
            buffer: BytesMut::new(),
            revision: revision.to_owned(),
        })
    }
}

impl Watching {
    /// The revision that the next watch goes on from.
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// The next change; `None` when the watch is over and another one is to be begun at
    /// [`Self::revision`]. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<Option<Change>, ClusterError> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(end + 1);
                if let Some(change) = self.event(&line)? {
                    return Ok(Some(change));
                }
                continue;
            }
            if self.buffer.len() > EVENT_LIMIT {
                return Err(self.decode("an event is longer than any object".to_owned()));
            }
            match tokio::time::timeout(SILENCE, self.data()).await {
                Ok(Some(data)) => self.buffer.extend_from_slice(&data),
                // A last event without the end of its line is told again by the next watch.
                Ok(None) | Err(_) => return Ok(None),
            }
        }
    }

    /// More of the answer; `None` at its end, however it came.
    async fn data(&mut self) -> Option<Bytes> {
        loop {
            let frame = poll_fn(|context| Pin::new(&mut self.body).poll_frame(context)).await;
            match frame {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Some(data);
                    }
                }
                Some(Err(_)) | None => return None,
            }
        }
    }

    fn event(&mut self, line: &[u8]) -> Result<Option<Change>, ClusterError> {
        if line.trim_ascii().is_empty() {
            return Ok(None);
        }
        let mut event: Value = serde_json::from_slice(line)
            .map_err(|error| self.decode(format!("not JSON at column {}", error.column())))?;
        let what = event.get("type").and_then(Value::as_str);
        let what = what.unwrap_or_default().to_owned();
        let Some(Value::Object(object)) = event.get_mut("object").map(Value::take) else {
            return Err(self.decode("an event has no object".to_owned()));
        };
        if what == "ERROR" {
            return Err(self.refusal(&Value::Object(object)));
        }
        let value = complete_item(object, &self.kind, self.depth);
        let revision = value.pointer("/metadata/resourceVersion");
        if let Some(revision) = revision.and_then(Value::as_str) {
            revision.clone_into(&mut self.revision);
        }
        let deleted = match what.as_str() {
            "BOOKMARK" => return Ok(None),
            "ADDED" | "MODIFIED" => false,
            "DELETED" => true,
            _ => return Err(self.decode("an event of a type that is not known".to_owned())),
        };
        let object = Object::from_value(value, self.depth, Origin::Live)
            .ok_or_else(|| self.decode("the object of an event has no name".to_owned()))?;
        Ok(Some(if deleted {
            Change::Deleted(object)
        } else {
            Change::Set(object)
        }))
    }

    fn decode(&self, reason: String) -> ClusterError {
        ClusterError::Decode {
            act: Box::new(self.act.clone()),
            reason,
        }
    }

    fn refusal(&self, status: &Value) -> ClusterError {
        let code = status.get("code").and_then(Value::as_u64);
        let code = code.and_then(|code| u16::try_from(code).ok());
        let code = code.and_then(|code| StatusCode::from_u16(code).ok());
        let body = status.to_string();
        let refusal = Refusal {
            act: &self.act,
            server: &self.server,
            user: &self.user,
            code: code.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            retry_after: None,
            body: body.as_bytes(),
        };
        refusal.to_error()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::mock::{Answer, cluster};

    fn line(what: &str, name: &str, revision: &str) -> String {
        let object = json!({"metadata": {"name": name, "namespace": "a",
            "resourceVersion": revision}});
        format!("{}\n", json!({"type": what, "object": object}))
    }

    async fn watching(text: String) -> Watching {
        let text: &'static str = text.leak();
        let cluster = cluster(move |seen| {
            assert_eq!(
                seen.query,
                "watch=true&allowWatchBookmarks=true&resourceVersion=7&timeoutSeconds=270"
            );
            Answer::Text(200, text)
        });
        let kind = ResourceKind::v1("", "Service", "services", true);
        let watching = cluster.watch(&kind, None, Depth::Full, "7").await;
        watching.unwrap()
    }

    #[tokio::test]
    async fn changes_are_told_and_the_revision_is_kept() {
        let text = [
            line("ADDED", "one", "8"),
            line("DELETED", "two", "9"),
            line("BOOKMARK", "", "12"),
            "{\"type\":\"ADDED\",\"obj".to_owned(),
        ];
        let mut watching = watching(text.concat()).await;
        let Some(Change::Set(object)) = watching.next().await.unwrap() else {
            panic!("an object is there");
        };
        assert_eq!(object.key.to_string(), "service/a/one");
        let Some(Change::Deleted(object)) = watching.next().await.unwrap() else {
            panic!("an object was deleted");
        };
        assert_eq!(object.key.name, "two");
        assert!(watching.next().await.unwrap().is_none());
        assert_eq!(watching.revision(), "12");
    }

    #[tokio::test]
    async fn a_revision_that_is_gone_and_what_is_no_event_are_errors() {
        let gone = json!({"type": "ERROR", "object": {"kind": "Status", "code": 410,
            "reason": "Expired", "message": "too old resource version"}});
        let mut expired = watching(format!("{gone}\n")).await;
        let error = expired.next().await.unwrap_err();
        assert!(matches!(error, ClusterError::Gone { .. }), "{error}");
        for text in ["x\n", "{}\n", "{\"type\":\"NEW\",\"object\":{}}\n"] {
            let error = watching(text.to_owned()).await.next().await.unwrap_err();
            assert!(matches!(error, ClusterError::Decode { .. }), "{error}");
        }
    }
}
