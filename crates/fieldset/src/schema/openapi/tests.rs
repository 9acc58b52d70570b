//! OpenAPI to types.

use serde_json::{Map, Value, json};

use super::{Converter, SchemaProblem, of_document};

#[track_caller]
fn check(node: &Value, expect: &str) {
    let definitions = Map::new();
    let converter = Converter {
        structural: false,
        definitions: &definitions,
    };
    let value = converter.convert(node, false, 0).unwrap();
    assert_eq!(value.to_string(), expect, "{node}");
}

#[test]
fn scalars() {
    check(&json!({"type": "string"}), "s");
    check(&json!({"type": "string", "format": "byte"}), "s");
    check(&json!({"type": "string", "format": "date-time"}), "x");
    check(&json!({"type": "string", "format": "int-or-string"}), "x");
    check(&json!({"type": "integer", "format": "int32"}), "n");
    check(&json!({"type": "number"}), "n");
    check(&json!({"type": "boolean"}), "b");
    check(&json!({"x-kubernetes-int-or-string": true}), "x");
    check(&json!({}), "?");
    check(&json!({"description": "any JSON"}), "?");
}

#[test]
fn lists() {
    let list = |extensions: Value| {
        let mut node = json!({"type": "array", "items": {"type": "string"}});
        let own = node.as_object_mut().unwrap();
        own.extend(extensions.as_object().unwrap().clone());
        node
    };
    check(&list(json!({})), "[]s");
    check(&list(json!({"x-kubernetes-list-type": "atomic"})), "[]s");
    check(&list(json!({"x-kubernetes-list-type": "set"})), "[=]s");
    check(
        &list(json!({
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["port", "protocol"],
        })),
        "[port,protocol]s",
    );
    check(
        &list(json!({
            "x-kubernetes-patch-strategy": "merge,retainKeys",
            "x-kubernetes-patch-merge-key": "name",
        })),
        "[name]s",
    );
    check(
        &list(json!({"x-kubernetes-patch-strategy": "merge"})),
        "[=]s",
    );
    check(
        &list(json!({"x-kubernetes-patch-strategy": "retainKeys"})),
        "[]s",
    );
    // The list type counts where there are both.
    check(
        &list(json!({
            "x-kubernetes-list-type": "atomic",
            "x-kubernetes-patch-strategy": "merge",
            "x-kubernetes-patch-merge-key": "name",
        })),
        "[]s",
    );
    check(&json!({"type": "array"}), "[]?");
    check(&json!({"items": {"type": "string"}}), "[]s");
}

#[test]
fn objects() {
    let fields = json!({"a": {"type": "string", "default": "x"}, "b": {"type": "integer"}});
    check(
        &json!({"type": "object", "properties": fields}),
        "(a:s=\"x\" b:n)",
    );
    check(
        &json!({"type": "object", "properties": fields, "x-kubernetes-map-type": "atomic"}),
        "!(a:s=\"x\" b:n)",
    );
    check(
        &json!({"type": "object", "properties": fields, "x-kubernetes-map-type": "granular"}),
        "(a:s=\"x\" b:n)",
    );
    check(
        &json!({"properties": {"a": {"type": "string", "default": null}}}),
        "(a:s)",
    );
    check(&json!({"type": "object"}), "{}?");
    check(
        &json!({"type": "object", "additionalProperties": {"type": "string"}}),
        "{}s",
    );
    check(
        &json!({"type": "object", "additionalProperties": true}),
        "{}?",
    );
    check(
        &json!({"type": "object", "additionalProperties": false}),
        "()",
    );
    check(&json!({"x-kubernetes-map-type": "atomic"}), "!{}?");
}

#[test]
fn preserved_unknown_fields_are_deduced_all_the_way_down() {
    let inner = json!({"type": "object", "properties": {"b": {"type": "string"}}});
    check(
        &json!({
            "type": "object",
            "x-kubernetes-preserve-unknown-fields": true,
            "properties": {"a": inner, "c": {"type": "array", "items": inner}},
        }),
        "(a:(b:s *:?) c:[](b:s *:?) *:?)",
    );
    check(&json!({"x-kubernetes-preserve-unknown-fields": true}), "?");
}

#[track_caller]
fn check_error(node: &Value, path: &str, problem: &SchemaProblem) {
    let definitions = Map::new();
    let converter = Converter {
        structural: false,
        definitions: &definitions,
    };
    let error = converter.convert(node, false, 0).unwrap_err();
    assert_eq!(error.path.to_string(), path);
    assert_eq!(&error.problem, problem);
}

#[test]
fn what_the_server_refuses_is_refused_with_its_place() {
    let below = |node: Value| {
        json!({
            "type": "object",
            "properties": {"a": {"type": "array", "items": {
                "type": "object", "additionalProperties": node,
            }}},
        })
    };
    let place = "schema.a.[].*";
    check_error(&json!(1), "schema", &SchemaProblem::NotAnObject);
    check_error(
        &below(json!({"type": "array", "items": []})),
        "schema.a.[].*.[]",
        &SchemaProblem::NotAnObject,
    );
    check_error(
        &below(json!({"type": "null"})),
        place,
        &SchemaProblem::UnknownType("null".into()),
    );
    check_error(
        &below(json!({"type": "array", "x-kubernetes-list-type": "map"})),
        place,
        &SchemaProblem::NoKeys,
    );
    check_error(
        &below(json!({"type": "array", "x-kubernetes-list-type": "bag"})),
        place,
        &SchemaProblem::UnknownMergeType {
            extension: "x-kubernetes-list-type",
            value: "\"bag\"".into(),
        },
    );
    check_error(
        &below(json!({"type": "object", "x-kubernetes-map-type": 1})),
        place,
        &SchemaProblem::UnknownMergeType {
            extension: "x-kubernetes-map-type",
            value: "1".into(),
        },
    );
}

#[test]
fn depth_has_a_bound() {
    let mut node = json!({"type": "string"});
    for _ in 0..1000 {
        node = json!({"type": "array", "items": node});
    }
    let definitions = Map::new();
    let converter = Converter {
        structural: false,
        definitions: &definitions,
    };
    let error = converter.convert(&node, false, 0).unwrap_err();
    assert_eq!(error.problem, SchemaProblem::TooDeep);
}

#[test]
fn a_document_gives_types_and_the_kinds_of_objects() {
    let meta = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
    let reference = |name: &str| json!({"$ref": format!("#/definitions/{name}")});
    let kind = |kind: &str| json!([{"group": "g", "version": "v1", "kind": kind}]);
    let document = json!({"definitions": {
        meta: {"type": "object", "properties": {"name": {"type": "string"}}},
        "p.Thing": {
            "type": "object",
            "properties": {
                "apiVersion": {"type": "string"},
                "kind": {"type": "string"},
                "metadata": {"allOf": [reference(meta)], "default": {}},
                "spec": reference("p.Spec"),
            },
            "x-kubernetes-group-version-kind": kind("Thing"),
        },
        "p.ThingList": {
            "type": "object",
            "properties": {"items": {"type": "array", "items": reference("p.Thing")}},
            "x-kubernetes-group-version-kind": kind("ThingList"),
        },
        "p.Spec": {"type": "object", "properties": {
            "self": reference("p.Spec"),
            "whole": {
                "allOf": [reference("p.Spec")],
                "x-kubernetes-map-type": "atomic",
            },
            "raw": reference("io.k8s.apimachinery.pkg.runtime.RawExtension"),
        }},
        "io.k8s.apimachinery.pkg.runtime.RawExtension": {"type": "object"},
        "io.k8s.apimachinery.pkg.api.resource.Quantity": {"type": "string"},
    }});
    let table = of_document(&document).unwrap();
    let kinds: Vec<_> = table.kinds.keys().map(ToString::to_string).collect();
    assert_eq!(kinds, ["g/v1 Thing"]);
    let text = table.to_string();
    let plain = "raw:io.k8s.apimachinery.pkg.runtime.RawExtension self:.Spec whole:.Spec";
    let spec = "raw:io.k8s.apimachinery.pkg.runtime.RawExtension self:.Spec";
    for line in [
        format!("type p.Spec ({spec} whole:!({plain}))"),
        "type io.k8s.apimachinery.pkg.runtime.RawExtension !{}?".to_owned(),
        "type io.k8s.apimachinery.pkg.api.resource.Quantity x".to_owned(),
        format!("type p.Thing (apiVersion:s kind:s metadata:{meta}={{}} spec:.Spec)"),
    ] {
        assert!(text.contains(&format!("{line}\n")), "{line} in\n{text}");
    }
}

#[test]
fn a_document_without_definitions_gives_nothing() {
    assert!(of_document(&json!({})).unwrap().kinds.is_empty());
    assert!(of_document(&json!([1])).unwrap().kinds.is_empty());
}
