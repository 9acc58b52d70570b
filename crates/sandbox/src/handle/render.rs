//! Answers in the form that the client asks for: whole objects, metadata, tables.
//!
//! Source: Kubernetes API concepts, "Resource representations"; only JSON is served.

use std::sync::Arc;

use serde_json::{Value, json};

use super::table::{self, Include};
use crate::{Failure, Kind, Reply, ReplyBody, Request, State};

/// The media types that messages name.
const ACCEPTED: &str = "application/json, application/yaml, application/vnd.kubernetes.protobuf";

/// How an answer is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) shape: Shape,
    /// JSON is YAML: who asks for that gets JSON under its name.
    content_type: &'static str,
}

/// What an answer shows of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Whole,
    Metadata,
    MetadataList,
    Table(Include),
}

/// Page marks of a list.
#[derive(Clone, Debug, Default)]
pub(super) struct ListMeta {
    pub(super) resource_version: String,
    pub(super) continue_token: Option<String>,
    pub(super) remaining: Option<usize>,
}

impl Form {
    /// The first form that the client names and the server knows.
    pub(super) fn of(request: &Request) -> Result<Self, Failure> {
        let json = |shape| Self {
            shape,
            content_type: "application/json",
        };
        if request.accept.trim().is_empty() {
            return Ok(json(Shape::Whole));
        }
        let mut is_known_type = false;
        for clause in request.accept.split(',') {
            let mut parts = clause.split(';').map(str::trim);
            let content_type = match parts.next().unwrap_or_default() {
                "application/json" | "*/*" | "application/*" => "application/json",
                "application/yaml" => "application/yaml",
                _ => continue,
            };
            is_known_type = true;
            if let Some(shape) = shape(parts, request) {
                return Ok(Self {
                    shape,
                    content_type,
                });
            }
        }
        Err(if is_known_type {
            not_acceptable(format!(
                "only the following media types are accepted: {ACCEPTED}"
            ))
        } else {
            Failure::general(406, "NotAcceptable", "406: Not Acceptable")
        })
    }

    /// One object.
    pub(super) fn object(
        self,
        state: &State,
        kind: &Kind,
        code: u16,
        object: Arc<Value>,
    ) -> Result<Reply, Failure> {
        let body = match self.shape {
            Shape::Whole => ReplyBody::Object(object),
            Shape::Metadata => ReplyBody::Json(table::metadata_only(&object)),
            Shape::MetadataList => {
                return Err(not_acceptable(format!(
                    "you requested PartialObjectMetadataList, but the requested object is not a \
                     list ({})",
                    go_type(kind, "")
                )));
            }
            Shape::Table(include) => {
                let version = crate::object::resource_version(&object).to_owned();
                let items = [object];
                let mut table = table::table_with(kind, &items, state.now, include);
                table["metadata"] = json!({"resourceVersion": version});
                ReplyBody::Json(table)
            }
        };
        Ok(self.reply(code, body))
    }

    /// A list.
    pub(super) fn list(
        self,
        state: &State,
        kind: &Kind,
        items: &[Arc<Value>],
        meta: &ListMeta,
    ) -> Result<Reply, Failure> {
        let mut metadata = json!({"resourceVersion": meta.resource_version});
        if let Some(token) = &meta.continue_token {
            metadata["continue"] = json!(token);
        }
        if self.shape == Shape::Whole && kind.definition.is_some() && meta.continue_token.is_none()
        {
            // Lists of custom resources always say it.
            metadata["continue"] = json!("");
        }
        if let (Some(remaining), true) = (meta.remaining, self.shape != Shape::MetadataList) {
            metadata["remainingItemCount"] = json!(remaining);
        }
        let value = match self.shape {
            Shape::Whole => json!({
                "kind": format!("{}List", kind.kind.kind), "apiVersion": kind.api_version(),
                "metadata": metadata,
                "items": items.iter().map(|item| listed(kind, item)).collect::<Vec<_>>(),
            }),
            Shape::MetadataList => json!({
                "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1",
                "metadata": metadata,
                "items": items.iter().map(|item| table::metadata_only(item)).collect::<Vec<_>>(),
            }),
            Shape::Metadata => {
                return Err(not_acceptable(format!(
                    "you requested PartialObjectMetadata, but the requested object is a list ({})",
                    go_type(kind, "List")
                )));
            }
            Shape::Table(include) => {
                let mut table = table::table_with(kind, items, state.now, include);
                table["metadata"] = metadata;
                table
            }
        };
        Ok(self.reply(200, ReplyBody::Json(value)))
    }

    /// A document that has but one form, such as a Status.
    pub(super) fn document(self, code: u16, value: Value) -> Reply {
        self.reply(code, ReplyBody::Json(value))
    }

    fn reply(self, code: u16, body: ReplyBody) -> Reply {
        Reply {
            code,
            headers: Vec::new(),
            content_type: self.content_type,
            body,
        }
    }
}

/// What the parameters of a media type ask for; `None` if it is nothing that is served.
fn shape<'p>(parameters: impl Iterator<Item = &'p str>, request: &Request) -> Option<Shape> {
    let (mut wanted, mut group, mut version) = ("", "", "");
    for parameter in parameters {
        match parameter.split_once('=') {
            Some(("as", value)) => wanted = value,
            Some(("g", value)) => group = value,
            Some(("v", value)) => version = value,
            _ => {}
        }
    }
    let is_meta = group == "meta.k8s.io" && matches!(version, "v1" | "v1beta1");
    match wanted {
        "" => Some(Shape::Whole),
        "Table" if is_meta => Some(Shape::Table(Include::of(request))),
        "PartialObjectMetadata" if is_meta => Some(Shape::Metadata),
        "PartialObjectMetadataList" if is_meta => Some(Shape::MetadataList),
        _ => None,
    }
}

/// An item of a list: those of built-in kinds do not repeat version and kind.
fn listed(kind: &Kind, item: &Value) -> Value {
    match item {
        Value::Object(fields) if kind.definition.is_none() => {
            let fields = fields
                .iter()
                .filter(|(name, _)| !matches!(name.as_str(), "apiVersion" | "kind"));
            Value::Object(
                fields
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect(),
            )
        }
        other => other.clone(),
    }
}

fn not_acceptable(message: String) -> Failure {
    Failure::new(406, "NotAcceptable", message)
}

/// The name of the server's own type, which messages give away.
fn go_type(kind: &Kind, suffix: &str) -> String {
    if kind.definition.is_some() {
        return format!("*unstructured.Unstructured{suffix}");
    }
    let package = match kind.kind.group.split('.').next().unwrap_or_default() {
        "" => "core",
        first => first,
    };
    format!("*{package}.{}{suffix}", kind.kind.kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handle::tests::request;

    #[track_caller]
    fn check(accept: &str, expect: &str) {
        let mut request = request("GET", "/", &json!(null));
        request.accept = accept.to_owned();
        let found = match Form::of(&request) {
            Ok(form) => format!("{:?} {}", form.shape, form.content_type),
            Err(failure) => failure.message,
        };
        assert_eq!(found, expect, "{accept}");
    }

    #[test]
    fn clients_get_the_first_form_that_is_known() {
        check("", "Whole application/json");
        check("*/*", "Whole application/json");
        check("application/yaml", "Whole application/yaml");
        check(
            "application/vnd.kubernetes.protobuf,application/json",
            "Whole application/json",
        );
        check(
            "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
            "Table(Metadata) application/json",
        );
        check(
            "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json",
            "MetadataList application/json",
        );
        check(
            "application/json;as=Table;v=v1;g=foo,application/json",
            "Whole application/json",
        );
        check(
            "application/json;as=Table;v=v1;g=foo",
            "only the following media types are accepted: application/json, application/yaml, \
             application/vnd.kubernetes.protobuf",
        );
        check("text/html", "406: Not Acceptable");
    }
}
