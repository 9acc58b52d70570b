//! An answer, free of any HTTP library's types.

use std::sync::Arc;

use serde_json::Value;

use crate::{Failure, handle::watch::Watch};

/// The answer to one request.
#[derive(Debug)]
pub struct Reply {
    /// HTTP status.
    pub code: u16,
    /// Further headers, such as `Warning`, `Retry-After`, `Audit-Id`.
    pub headers: Vec<(&'static str, String)>,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// The body.
    pub body: ReplyBody,
}

/// The body of an answer.
#[derive(Debug)]
pub enum ReplyBody {
    /// A JSON document.
    Json(Value),
    /// A document that is shared: an object as it is stored, or what discovery says.
    Object(Arc<Value>),
    /// Plain text (`/healthz`).
    Text(String),
    /// Anything else, such as a protobuf document.
    Bytes(bytes::Bytes),
    /// A stream of events that goes on until it is closed.
    Watch(Watch),
}

impl Reply {
    /// The document, if the answer is one.
    pub fn value(&self) -> Option<&Value> {
        match &self.body {
            ReplyBody::Json(value) => Some(value),
            ReplyBody::Object(value) => Some(value),
            ReplyBody::Text(_) | ReplyBody::Bytes(_) | ReplyBody::Watch(_) => None,
        }
    }

    /// 200 or another code with a document.
    pub(crate) fn json(code: u16, value: Value) -> Self {
        Self {
            code,
            headers: Vec::new(),
            content_type: "application/json",
            body: ReplyBody::Json(value),
        }
    }
}

impl From<Failure> for Reply {
    fn from(failure: Failure) -> Self {
        let mut reply = Self::json(failure.code, failure.to_value());
        if let Some(seconds) = failure.retry_after {
            reply.headers.push(("retry-after", seconds.to_string()));
        }
        reply
    }
}
