//! OpenAPI documents: true, and no more than clients need.
//!
//! Clients look here whether the server validates fields (`fieldValidation`) and takes server-side
//! applies. Built-in kinds have no schemas in it: clients then fall back on the ones they were
//! built with, which is also how they compute strategic merge patches. Custom resources have the
//! schemas of their definitions.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::discovery::served;
use crate::{Kind, Reply, ReplyBody, State, object::text};

/// `/openapi/v2`, which the usual client reads as protobuf only.
pub(crate) fn v2(accept: &str) -> Reply {
    if accept.contains("proto-openapi") {
        return Reply {
            code: 200,
            headers: Vec::new(),
            content_type: "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
            body: ReplyBody::Bytes(v2_protobuf()),
        };
    }
    Reply::json(
        200,
        json!({
            "swagger": "2.0", "info": {"title": "Kubernetes", "version": "v1.33.0"}, "paths": {},
            "definitions": {},
        }),
    )
}

/// The same document as gnostic's `openapi.v2.Document`: 1 is `swagger`, 2 is `info` with 1
/// `title` and 2 `version`, 8 is `paths`.
fn v2_protobuf() -> Bytes {
    fn field(number: u8, content: &[u8], out: &mut Vec<u8>) {
        const LENGTH_DELIMITED: u8 = 2;
        out.push(number << 3 | LENGTH_DELIMITED);
        // All contents here are short enough for one byte of length.
        out.push(u8::try_from(content.len()).unwrap_or(0));
        out.extend_from_slice(content);
    }
    let (mut info, mut document) = (Vec::new(), Vec::new());
    field(1, b"Kubernetes", &mut info);
    field(2, b"v1.33.0", &mut info);
    field(1, b"2.0", &mut document);
    field(2, &info, &mut document);
    field(8, b"", &mut document);
    document.into()
}

/// `/openapi/v3` and what is below it; `None` for a group or version that is not served.
pub(crate) fn v3(state: &State, below: &[&str]) -> Option<Value> {
    match below {
        [] => Some(index(state)),
        ["api", version] => document(state, "", version),
        ["apis", group, version] => document(state, group, version),
        _ => None,
    }
}

fn root(group: &str, version: &str) -> String {
    if group.is_empty() {
        format!("api/{version}")
    } else {
        format!("apis/{group}/{version}")
    }
}

fn index(state: &State) -> Value {
    let mut paths = Map::new();
    for (group, versions) in served(state) {
        for (version, _) in versions {
            let root = root(&group, &version);
            let address = json!({"serverRelativeURL": format!("/openapi/v3/{root}")});
            paths.insert(root, address);
        }
    }
    json!({"paths": paths})
}

fn document(state: &State, group: &str, version: &str) -> Option<Value> {
    let served = served(state);
    let (_, versions) = served.iter().find(|(name, _)| name == group)?;
    let (_, kinds) = versions.iter().find(|(name, _)| name == version)?;
    let (mut paths, mut schemas) = (Map::new(), Map::new());
    for kind in kinds {
        let namespace = if kind.namespaced {
            "/namespaces/{namespace}"
        } else {
            ""
        };
        let collection = format!("/{}{namespace}/{}", root(group, version), kind.plural);
        paths.insert(collection.clone(), collection_operations(kind));
        if !kind.is_review {
            paths.insert(format!("{collection}/{{name}}"), object_operations(kind));
        }
        schemas.insert(schema_name(kind), schema(kind));
    }
    Some(json!({
        "openapi": "3.0.0", "info": {"title": "Kubernetes", "version": "v1.33.0"},
        "paths": paths, "components": {"schemas": schemas},
    }))
}

/// Such as `io.k8s.apps.v1.Deployment`: the group's name reversed.
fn schema_name(kind: &Kind) -> String {
    let mut group: Vec<&str> = kind.kind.group.split('.').rev().collect();
    if group.len() < 2 {
        group = vec![
            "io",
            "k8s",
            "api",
            group.first().copied().unwrap_or_default(),
        ];
    }
    let group: Vec<&str> = group.into_iter().filter(|part| !part.is_empty()).collect();
    format!("{}.{}.{}", group.join("."), kind.version, kind.kind.kind)
}

fn identity(kind: &Kind) -> Value {
    json!({"group": kind.kind.group, "version": kind.version, "kind": kind.kind.kind})
}

fn schema(kind: &Kind) -> Value {
    let versions = kind.definition.as_deref();
    let versions = versions.and_then(|definition| definition.pointer("/spec/versions"));
    let declared = versions
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .find(|version| text(version, "/name") == kind.version)
        .and_then(|version| version.pointer("/schema/openAPIV3Schema"));
    let mut schema = declared
        .cloned()
        .unwrap_or_else(|| json!({"type": "object"}));
    if let Some(schema) = schema.as_object_mut() {
        schema.insert(
            "x-kubernetes-group-version-kind".to_owned(),
            json!([identity(kind)]),
        );
    }
    schema
}

fn parameter(name: &str, kind: &str) -> Value {
    json!({"name": name, "in": "query", "schema": {"type": kind, "uniqueItems": true}})
}

fn operation(kind: &Kind, action: &str, body: Option<&[&str]>) -> Value {
    let reference = json!({"$ref": format!("#/components/schemas/{}", schema_name(kind))});
    let mut operation = json!({
        "operationId": format!("{action}{}{}", kind.version, kind.kind.kind),
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": identity(kind),
        "responses": {"200": {
            "description": "OK", "content": {"application/json": {"schema": reference}},
        }},
    });
    if let Some(types) = body {
        let content: Map<String, Value> = types
            .iter()
            .map(|name| ((*name).to_owned(), json!({"schema": {"type": "object"}})))
            .collect();
        operation["requestBody"] = json!({"content": content, "required": true});
        let mut parameters = vec![
            parameter("dryRun", "string"),
            parameter("fieldManager", "string"),
            parameter("fieldValidation", "string"),
        ];
        if action == "patch" {
            parameters.push(parameter("force", "boolean"));
        }
        operation["parameters"] = json!(parameters);
    }
    operation
}

const JSON: &[&str] = &["application/json"];

/// Strategic merge patches are taken, too, but not advertised: a client would then want schemas
/// of built-in kinds from here to compute them with.
const PATCHES: &[&str] = &[
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
];

fn collection_operations(kind: &Kind) -> Value {
    let create = operation(kind, "post", Some(JSON));
    if kind.is_review {
        return json!({"post": create});
    }
    json!({"get": operation(kind, "list", None), "post": create})
}

fn object_operations(kind: &Kind) -> Value {
    json!({
        "get": operation(kind, "get", None),
        "put": operation(kind, "put", Some(JSON)),
        "patch": operation(kind, "patch", Some(PATCHES)),
        "delete": operation(kind, "delete", None),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_protobuf_document_is_well_formed() {
        let expect = b"\x0a\x032.0\x12\x15\x0a\x0aKubernetes\x12\x07v1.33.0\x42\x00";
        assert_eq!(v2_protobuf(), expect.as_slice());
    }
}
