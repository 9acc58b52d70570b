//! What goes wrong, as the API says it: a `Status` of `Failure`.
//!
//! Source: Kubernetes API reference, `meta/v1` Status; wording as the real server's.

use serde_json::{Value, json};

use crate::Kind;

/// One cause within `details.causes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// `FieldValueInvalid`, `FieldValueRequired`, `FieldManagerConflict`…
    pub reason: String,
    /// What is wrong.
    pub message: String,
    /// The field, as the server writes it.
    pub field: String,
}

/// A refused request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// HTTP status.
    pub code: u16,
    /// Machine-readable reason, such as `NotFound`; empty where the server gives none.
    pub reason: &'static str,
    /// For people.
    pub message: String,
    /// Name, group, kind (the plural, in the API's own confusion), uid, causes.
    pub details: Option<Box<Value>>,
    /// Seconds, for `Retry-After`.
    pub retry_after: Option<u32>,
    /// With which an expired list may go on, at the price of its consistency.
    pub continue_token: Option<String>,
}

impl Failure {
    /// A failure without details.
    pub fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            reason,
            message: message.into(),
            details: None,
            retry_after: None,
            continue_token: None,
        }
    }

    /// A failure with a code and what goes with it, said in general terms: `details` are empty.
    pub(crate) fn general(code: u16, reason: &'static str, message: &str) -> Self {
        Self {
            details: Some(Box::new(json!({}))),
            ..Self::new(code, reason, message)
        }
    }

    /// 404: nothing is served at this path.
    pub(crate) fn not_served() -> Self {
        let message = "the server could not find the requested resource";
        Self::general(404, "NotFound", message)
    }

    /// 405: the method means nothing at this path.
    pub(crate) fn method_not_allowed() -> Self {
        let message = "the server does not allow this method on the requested resource";
        Self::general(405, "MethodNotAllowed", message)
    }

    /// 422 without a word on what is wrong.
    pub(crate) fn unprocessable() -> Self {
        let message = "the server rejected our request due to an error in our request";
        Self::general(422, "Invalid", message)
    }

    /// 413: the body is too long.
    pub(crate) fn too_large() -> Self {
        let limit = crate::handle::BODY_LIMIT;
        let message = format!("Request entity too large: limit is {limit}");
        Self::new(413, "RequestEntityTooLarge", message)
    }

    /// 500 without a reason: an error that the server did not expect.
    pub(crate) fn unexpected(message: impl Into<String>) -> Self {
        Self::new(500, "", message)
    }

    /// 404: no such object.
    pub(crate) fn not_found(kind: &Kind, name: &str) -> Self {
        let message = format!("{} {} not found", kind.resource(), quoted(name));
        Self::new(404, "NotFound", message).about(kind, name)
    }

    /// 409: the name is taken.
    pub(crate) fn already_exists(kind: &Kind, name: &str) -> Self {
        let message = format!("{} {} already exists", kind.resource(), quoted(name));
        Self::new(409, "AlreadyExists", message).about(kind, name)
    }

    /// 409: a precondition does not hold.
    pub(crate) fn conflict(kind: &Kind, name: &str, why: &str) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {} {}: {why}",
            kind.resource(),
            quoted(name)
        );
        Self::new(409, "Conflict", message).about(kind, name)
    }

    /// 400.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// 422 with causes; `kind` in the details is the kind itself here, as the server writes it.
    pub(crate) fn invalid(kind: &Kind, name: &str, causes: &[Cause]) -> Self {
        Self::invalid_of(&kind.kind.group, &kind.kind.kind, name, causes)
    }

    /// The same of something that is no served kind, such as the options of a request.
    pub(crate) fn invalid_of(group: &str, kind: &str, name: &str, causes: &[Cause]) -> Self {
        let mut texts: Vec<String> = Vec::new();
        for cause in causes {
            let text = format!("{}: {}", cause.field, cause.message);
            // The text says a thing once; the causes hold it as often as it was found.
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        let all = match texts.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let whose = if group.is_empty() {
            kind.to_owned()
        } else {
            format!("{kind}.{group}")
        };
        let message = format!("{whose} {} is invalid: {all}", quoted(name));
        let mut details = details(name, group, kind);
        details["causes"] = causes.iter().map(Cause::to_value).collect();
        Self {
            details: Some(Box::new(details)),
            ..Self::new(422, "Invalid", message)
        }
    }

    fn about(mut self, kind: &Kind, name: &str) -> Self {
        self.details = Some(Box::new(details(name, &kind.kind.group, &kind.plural)));
        self
    }

    /// The `Status` object.
    pub fn to_value(&self) -> Value {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "code": self.code,
        });
        if !self.reason.is_empty() {
            status["reason"] = json!(self.reason);
        }
        if let Some(token) = &self.continue_token {
            status["metadata"]["continue"] = json!(token);
        }
        let mut details = self.details.as_deref().cloned();
        if let Some(seconds) = self.retry_after {
            let details = details.get_or_insert_with(|| json!({}));
            details["retryAfterSeconds"] = json!(seconds);
        }
        if let Some(details) = details {
            status["details"] = details;
        }
        status
    }
}

impl Cause {
    fn to_value(&self) -> Value {
        let mut value = json!({});
        let parts = [
            ("reason", &self.reason),
            ("message", &self.message),
            ("field", &self.field),
        ];
        for (name, part) in parts {
            if !part.is_empty() {
                value[name] = json!(part);
            }
        }
        value
    }
}

fn details(name: &str, group: &str, kind: &str) -> Value {
    let mut details = json!({});
    for (field, text) in [("name", name), ("group", group), ("kind", kind)] {
        if !text.is_empty() {
            details[field] = json!(text);
        }
    }
    details
}

fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}
